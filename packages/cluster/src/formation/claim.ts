/**
 * A namespace's record in the register (Z9, Z10): which cluster it is, and whether that cluster has
 * begun to acknowledge. Everything here is compare-and-set; whoever loses reads again.
 */
import {
  asId,
  asInteger,
  asText,
  assert,
  decodeCborMap,
  encodeCbor,
  isQuorateError,
  QuorateError,
  withDeadline,
} from '@quorate/contracts';
import type { ActiveCluster, Clock, ErrorCode, Register, RegisterRecord } from '@quorate/contracts';

/**
 * `claimed`: somebody is founding, and refreshes `beat`; one who falls silent is superseded, for
 * nothing was acknowledged. `active`: the cluster acknowledges; only a person releases it.
 */
export type Claim = {
  readonly state: 'claimed' | 'active';
  readonly clusterId: string;
  /** The counter of Z50: 1 for what was founded, raised each time the name is taken over (Z52). */
  readonly generation: number;
  readonly founder: string;
  readonly beat: number;
};

export type ClaimRecord = { readonly version: number; readonly claim: Claim };

export async function readClaim(
  register: Register,
  signal: AbortSignal,
): Promise<{ readonly record: ClaimRecord | null; readonly refusedCount: number }> {
  const record = await register.read(signal);
  return { record: decodeRecord(record), refusedCount: record?.refusedCount ?? 0 };
}

/** Sets the claim if the version is still `expectedVersion`; returns what stands now. */
export async function setClaim(
  register: Register,
  expectedVersion: number,
  claim: Claim,
  signal: AbortSignal,
): Promise<{ readonly ok: boolean; readonly record: ClaimRecord | null }> {
  const result = await register.compareAndSet(
    expectedVersion,
    encodeClaim(claim),
    signal,
    claim.state === 'active',
  );
  if (result.ok) return { ok: true, record: { version: result.version, claim } };
  return { ok: false, record: decodeRecord(result.current) };
}

function encodeClaim(claim: Claim): Uint8Array {
  return encodeCbor({ format: 1, ...claim });
}

function decodeRecord(record: RegisterRecord | null): ClaimRecord | null {
  if (record === null) return null;
  const map = decodeCborMap(record.value);
  const state = map['state'];
  if (state !== 'claimed' && state !== 'active') {
    throw new QuorateError('BAD_REQUEST', `Cannot read a claim in state ${String(state)}`);
  }
  return {
    version: record.version,
    claim: {
      state,
      clusterId: asId(map['clusterId'], 'clusterId'),
      generation: asInteger(map['generation'], 'generation'),
      founder: asText(map['founder'], 'founder', 64),
      beat: asInteger(map['beat'], 'beat'),
    },
  };
}

/** Forgotten, or another namespace's relay by now. */
export type LostCode = 'REGISTER_LOST' | 'NOT_ALLOWED';

export type ClaimKeeperOptions = {
  readonly register: Register;
  readonly clock: Clock;
  readonly clusterId: string;
  readonly generation: number;
  readonly founder: string;
  /** This member. */
  readonly self: string;
  /** Who is announced although the register may have forgotten them; null where it cannot forget. */
  readonly care: { living(signal: AbortSignal): Promise<readonly ActiveCluster[]> } | null;
  /** The register's group as the log names it (Z11, Z58); another group decides nothing here. */
  readonly group: () => string;
  /** Does the log say that the cluster acknowledges? */
  readonly activated: () => boolean;
  /** Is this member's own log still where it was? Asked before a lost record is set again. */
  readonly mayRestore: () => Promise<boolean>;
  /** The register does not name this cluster any more, or not to us, in words; null: it does (Z41). */
  readonly lost: (what: string | null, code?: LostCode) => void;
  /** The application names another group than the log: a person has decided (Z58). */
  readonly pinnedElsewhere: () => void;
  /** The register names another cluster, `by`: this one acknowledges nothing (any more). */
  readonly superseded: (by: Claim) => void;
  /** How often strangers with another secret were refused. */
  readonly refused: (count: number) => void;
};

/**
 * Keeps a founder's claim alive until it is active, and afterwards looks now and then whether the
 * register still names this cluster (Z12).
 */
export class ClaimKeeper {
  readonly #options: ClaimKeeperOptions;
  readonly #stopped = new AbortController();
  #isActive: boolean;
  #activating: Promise<boolean> | null = null;
  #cancelTimer: () => void = () => undefined;
  #beat = 0;
  /** Did the register answer at all? Until then it is asked often: this member may be a dead one's. */
  #answered = false;

  constructor(options: ClaimKeeperOptions, active: boolean) {
    this.#options = options;
    this.#isActive = active;
    this.#schedule(refreshIntervalMs / 2);
  }

  get #active(): boolean {
    this.#isActive ||= this.#options.activated();
    return this.#isActive;
  }

  /** Makes the claim active; true once the register says so, false when it cannot be reached now. */
  activate(): Promise<boolean> {
    if (this.#active) return Promise.resolve(true);
    this.#activating ??= this.#set('active')
      .then((ok) => {
        if (ok) this.#isActive = true;
        return ok;
      })
      .finally(() => {
        this.#activating = null;
      });
    return this.#activating;
  }

  /** Looks now, as when somebody has changed the register. */
  look(): void {
    this.#schedule(0);
  }

  stop(): void {
    this.#stopped.abort();
    this.#cancelTimer();
  }

  #schedule(
    delayMs: number = this.#active && this.#answered ? lookIntervalMs : refreshIntervalMs,
  ): void {
    if (this.#stopped.signal.aborted) return;
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.setTimeout(
      () => void this.#look().finally(() => this.#schedule()),
      delayMs,
    );
  }

  async #look(): Promise<void> {
    if (!this.#active) {
      if (this.#activating === null) await this.#set('claimed');
      return;
    }
    const found = await this.#read();
    // Either got lost where members may set it again, or was put back to before the activation.
    if (found === 'empty' || (found !== null && found.claim.state === 'claimed')) {
      await this.#set('active');
    }
  }

  /** Null: no answer, or none that counts. `empty`: the record got lost, and is to be set again. */
  async #read(): Promise<ClaimRecord | 'empty' | null> {
    const { register, group } = this.#options;
    try {
      register.follow?.(group());
      const { record, refusedCount } = await this.#ask((signal) => readClaim(register, signal));
      if (this.#stopped.signal.aborted) return null;
      this.#answered = true;
      if (register.group !== group()) {
        if (register.pinned === true && this.#active) this.#options.pinnedElsewhere();
        return this.#lose(`it is of group ${register.group}, wanted ${group()}`);
      }
      this.#options.refused(refusedCount);
      return this.#judge(record);
    } catch (error) {
      if (!isQuorateError(error)) throw error;
      if (error.code === 'NOT_ALLOWED') return this.#lose(error.message, error.code);
      return forgetful.has(error.code) ? this.#lose(error.message) : null;
    }
  }

  #judge(record: ClaimRecord | null): ClaimRecord | 'empty' | null {
    const { register, clusterId, generation, lost } = this.#options;
    if (record === null) {
      if (register.restorable === true || this.#isWaitingFounder) return 'empty';
      return this.#lose('it holds nothing of this namespace');
    }
    const { state, clusterId: named, generation: counter } = record.claim;
    if (named === clusterId && counter === generation) {
      // Whoever joined, or restarted, may learn here first that its cluster acknowledges.
      if (state === 'active') this.#isActive = true;
      lost(null);
      return record;
    }
    // A claim in the making supersedes nothing that is active, nor does a generation of before (Z58).
    const supersedes = state === 'active' && counter >= generation;
    const isOpen = !this.#active && named !== clusterId;
    if (supersedes || isOpen) this.#options.superseded(record.claim);
    else this.#lose(`it names generation ${counter} of ${named.slice(0, 8)} (${state})`);
    return null;
  }

  #lose(what: string, code: LostCode = 'REGISTER_LOST'): null {
    // A cluster in the making has nothing to lose, and one that joins does not know its group yet.
    if (this.#active && !this.#stopped.signal.aborted) this.#options.lost(what, code);
    return null;
  }

  async #set(state: Claim['state']): Promise<boolean> {
    const { register, clusterId, generation, founder } = this.#options;
    const current = await this.#read();
    if (this.#stopped.signal.aborted || current === null) return false;
    const { version, claim: known } = current === 'empty' ? { version: 0, claim: null } : current;
    if (known?.state === 'active') return true;
    try {
      if (current === 'empty' && !(await this.#maySetAgain())) return false;
      this.#beat = Math.max(this.#beat, known?.beat ?? 0) + 1;
      const claim: Claim = { state, clusterId, generation, founder, beat: this.#beat };
      const result = await this.#ask((signal) => setClaim(register, version, claim, signal));
      return result.ok;
    } catch (error) {
      if (isQuorateError(error)) return false;
      throw error;
    }
  }

  /** Z57: its claim was released, or expired while it slept; without another it would wait for ever. */
  get #isWaitingFounder(): boolean {
    return !this.#active && this.#options.founder === this.#options.self;
  }

  /**
   * Is the log here that the record is to name, and nobody else to be left behind? An active cluster
   * that the register has forgotten would be superseded by ours once that is active (Z41).
   */
  async #maySetAgain(): Promise<boolean> {
    const { care, clusterId, mayRestore } = this.#options;
    // Rejects where the log is gone. What is in memory is as good as it was when it was claimed first.
    const isKept = await mayRestore();
    if (!this.#isWaitingFounder) return isKept;
    const living = care === null ? [] : await this.#ask((signal) => care.living(signal));
    return living.every((other) => other.clusterId === clusterId);
  }

  #ask<T>(run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withDeadline(this.#options.clock, registerTimeoutMs, this.#stopped.signal, run);
  }
}

/** A founder refreshes so often (Z10); whoever watches waits for `claimSilenceMs`. */
export const refreshIntervalMs = 2_000;
export const claimSilenceMs = 10_000;
export const registerTimeoutMs = 5_000;
/** Several times within the 30 s in which a lost register is to be said (T3). */
const lookIntervalMs = 10_000;
/** What a register says that has not this cluster's record; silence says nothing. */
const forgetful: ReadonlySet<ErrorCode> = new Set([
  'REGISTER_LOST',
  'FORMATION_WAITING',
  'BAD_SECRET',
]);

/**
 * Takes a namespace's name for a restored cluster (Z52): `active` at once, in the place of exactly the
 * record that a person was shown (null: none). Errors: `CONFLICT` where that is not what stands there
 * any more, and those of the register.
 */
export async function takeName(
  register: Register,
  before: ClaimRecord | null,
  successor: Pick<Claim, 'clusterId' | 'generation' | 'founder'>,
  signal: AbortSignal,
): Promise<void> {
  assert(successor.generation > (before?.claim.generation ?? 0), 'a counter is raised (Z50)');
  const claim: Claim = { ...successor, state: 'active', beat: 1 };
  let stands: ClaimRecord | null;
  try {
    const result = await setClaim(register, before?.version ?? 0, claim, signal);
    if (result.ok) return;
    stands = result.record;
  } catch (error) {
    if (!isQuorateError(error, 'UNREACHABLE')) throw error;
    // It may have been carried out, and only the answer was lost.
    ({ record: stands } = await readClaim(register, signal));
    if (stands?.claim.clusterId !== claim.clusterId) throw error;
  }
  if (stands?.claim.clusterId === claim.clusterId) return;
  throw new QuorateError(
    'CONFLICT',
    `Cannot take the name: the register names ${stands?.claim.clusterId ?? 'no cluster'} by now, ` +
      `wanted ${before?.claim.clusterId ?? 'none'}`,
  );
}
