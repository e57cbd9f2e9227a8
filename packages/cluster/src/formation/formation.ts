/**
 * How a fresh replica becomes a member (DESIGN §8): it reads the register first, always. What that
 * names it joins; where it is empty one replica, by compare-and-set, becomes the founder (Z9–Z13).
 * A replica that is a member already never comes here.
 */
import type { NodeId } from '@quorate/core';
import { isQuorateError, onAbort, QuorateError, sleep, withDeadline } from '@quorate/contracts';
import {
  claimSilenceMs,
  readClaim,
  refreshIntervalMs,
  registerTimeoutMs,
  setClaim,
} from './claim.ts';
import type { Claim, ClaimRecord } from './claim.ts';
import type { ActiveCluster, Clock, ErrorCode, Register } from '@quorate/contracts';
import type { RegisterCare } from './register-care.ts';
import type { RunFacts } from '../links/hello.ts';
import { decodeJoinAnswer, encodeJoinRequest } from '../membership/join-request.ts';
import type { Genesis, MemberFacts } from '../state/policy.ts';

export type FormationResult =
  | {
      readonly type: 'found';
      readonly clusterId: string;
      readonly generation: number;
      /** Members of another cluster that were announced, and founded in spite of (`new`). */
      readonly beside: readonly ActiveCluster[];
    }
  | { readonly type: 'join'; readonly genesis: Genesis };

/** Where formation stands, for the status. */
export type FormationProgress = {
  readonly phase: 'discovering' | 'joining';
  readonly reason: 'FORMATION_WAITING' | 'NOT_ALLOWED' | null;
  readonly message: string;
};

export type FormationOptions = {
  /** Null: founds without asking anybody (`isolated`), or joins whom it is told to dial. */
  readonly register: Register | null;
  /** `join` never founds. */
  readonly mayFound: boolean;
  /** A person said so: founds although members of an active cluster are announced (Z41). */
  readonly inSpite: boolean;
  /** Of a register that may forget a cluster that lives; null: this one cannot. */
  readonly care: RegisterCare | null;
  /**
   * Is there a log of any cluster where all its durable replicas are kept? Given where replicas and
   * the record can get lost apart: with a log and no record nobody founds, for members set it again;
   * with an active record and no log that cluster is gone, for every log is older than its activation.
   */
  readonly isLogHere?: () => Promise<boolean>;
  readonly nodeId: NodeId;
  readonly facts: MemberFacts;
  readonly clock: Clock;
  readonly newClusterId: () => string;
  readonly signal: AbortSignal;
  /** Runs that can be asked now. */
  readonly linkedRuns: () => readonly RunFacts[];
  readonly request: (
    to: NodeId,
    method: string,
    body: Uint8Array,
    signal: AbortSignal,
  ) => Promise<Uint8Array>;
  readonly report: (progress: FormationProgress) => void;
  /** Resolves when links changed, or the signal is aborted. */
  readonly linksChanged: (signal: AbortSignal) => Promise<void>;
};

/**
 * Resolves once this replica may found a cluster or was taken into one. Rejects with `BAD_SECRET`,
 * `REGISTER_LOST` or `OUTDATED`, which only a person can end, and with `ABORTED`.
 */
export async function form(options: FormationOptions): Promise<FormationResult> {
  if (options.register === null && options.mayFound) {
    return { type: 'found', clusterId: options.newClusterId(), generation: 1, beside: [] };
  }
  if (options.inSpite) options.register?.goBeside?.();
  const watch = new ClaimWatch(options.clock);
  for (;;) {
    throwIfAborted(options.signal);
    const result =
      options.register === null
        ? await tryToJoin(options, null)
        : await attemptOrWait(options, options.register, watch);
    if (result !== null) return result;
    await pause(options);
  }
}

/** The register may fall silent between any two questions: that only means to wait (Z9). */
async function attemptOrWait(
  options: FormationOptions,
  register: Register,
  watch: ClaimWatch,
): Promise<FormationResult | null> {
  try {
    return await attempt(options, register, watch);
  } catch (error) {
    if (!isQuorateError(error) || !waitable.has(error.code)) throw error;
    reportWaiting(options, error);
    return null;
  }
}

async function attempt(
  options: FormationOptions,
  register: Register,
  watch: ClaimWatch,
): Promise<FormationResult | null> {
  let record: ClaimRecord | null;
  try {
    ({ record } = await asking(options, (signal) => readClaim(register, signal)));
  } catch (error) {
    if (!isQuorateError(error)) throw error;
    if (finalCodes.has(error.code)) throw error;
    reportWaiting(options, error);
    // Z12: without a register only a cluster that is active beyond doubt may take us in.
    return tryToJoin(options, null);
  }
  throwIfAborted(options.signal);
  const supersedes = watch.isSilent(record);
  const isLogHere = async (): Promise<boolean | undefined> =>
    options.mayFound ? options.isLogHere?.() : undefined;
  if (record === null && (await isLogHere()) === true) {
    options.report({
      phase: 'discovering',
      reason: 'FORMATION_WAITING',
      message: 'Waiting for a replica that knows the cluster: its record is gone',
    });
    return null;
  }
  if (record === null || supersedes || record.claim.founder === options.nodeId) {
    const { care } = options;
    // Z41: whom a claim would leave behind.
    const living = care === null ? [] : await asking(options, (signal) => care.living(signal));
    if (care !== null && living.length > 0 && !options.inSpite) {
      const message = care.waiting(living);
      options.report({ phase: 'discovering', reason: 'FORMATION_WAITING', message });
      return null;
    }
    if (options.mayFound) return tryToFound(options, register, record, living);
    options.report({
      phase: 'discovering',
      reason: 'FORMATION_WAITING',
      message: 'Waiting for somebody to found the cluster',
    });
    return null;
  }
  options.report({
    phase: 'joining',
    reason: null,
    message:
      record.claim.state === 'active'
        ? 'Looking for a member of the cluster'
        : 'Waiting for the founder',
  });
  const joined = await tryToJoin(options, record.claim);
  if (record.claim.state === 'active') {
    if (joined !== null || (await isLogHere()) !== false) return joined;
    return tryToFound(options, register, record, []);
  }
  if (joined === null) return null;
  // Z12: only the register's value makes a member, so read it again after the knock.
  const { record: after } = await asking(options, (signal) => readClaim(register, signal));
  const named = after?.claim.state === 'active' && after.claim.clusterId === record.claim.clusterId;
  return named ? joined : null;
}

function reportWaiting(options: FormationOptions, error: QuorateError): void {
  const isSilent = error.code === 'UNREACHABLE' || error.code === 'ABORTED';
  const place = options.register?.place ?? (isSilent ? 'a relay' : 'the register');
  // Whoever does not answer says which one it is, why, and since when.
  const message = `Waiting for ${place}: ${error.message}`;
  const reason = error.code === 'NOT_ALLOWED' ? error.code : 'FORMATION_WAITING';
  options.report({ phase: 'discovering', reason, message });
}

async function tryToFound(
  options: FormationOptions,
  register: Register,
  record: ClaimRecord | null,
  living: readonly ActiveCluster[],
): Promise<FormationResult | null> {
  const own = record?.claim.founder === options.nodeId ? record.claim : null;
  if (own?.state === 'active') {
    // Activation comes after the genesis is on disk, so a log without it has lost what was promised
    // to others: a second log under this identity would split the cluster (Z3).
    throw new QuorateError(
      'REPLICA_ROLLED_BACK',
      `Cannot go on as founder of ${own.clusterId}: its log is gone from this store; ` +
        'give the member an empty one to come back as a new replica',
    );
  }
  const claim: Claim = {
    state: 'claimed',
    clusterId: own?.clusterId ?? options.newClusterId(),
    // Not below those that live: a lower counter would supersede nobody, and two would go on.
    generation: Math.max(1, ...living.map(({ generation }) => generation)),
    founder: options.nodeId,
    beat: (own?.beat ?? 0) + 1,
  };
  const { ok } = await asking(options, (signal) =>
    setClaim(register, record?.version ?? 0, claim, signal),
  );
  const { clusterId, generation } = claim;
  return ok ? { type: 'found', clusterId, generation, beside: living } : null;
}

async function tryToJoin(
  options: FormationOptions,
  claim: Claim | null,
): Promise<FormationResult | null> {
  const body = encodeJoinRequest(options.nodeId, options.facts);
  for (const run of options.linkedRuns()) {
    if (run.clusterId === null) continue;
    if (claim !== null && run.clusterId !== claim.clusterId) continue;
    try {
      const answer = await asking(options, (signal) =>
        options.request(run.nodeId, 'join', body, signal),
      );
      const genesis = decodeJoinAnswer(answer);
      if (claim !== null && genesis.clusterId !== claim.clusterId) continue;
      return { type: 'join', genesis };
    } catch (error) {
      // This one cannot help now; OUTDATED holds for all of them.
      if (!isQuorateError(error) || error.code === 'OUTDATED') throw error;
    }
  }
  return null;
}

/** Tells a founder at work from one that fell silent, by this member's own clock (Z10). */
class ClaimWatch {
  readonly #clock: Clock;
  #version = 0;
  #lookedAt = 0;
  #silentMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isSilent(record: ClaimRecord | null): boolean {
    const passedMs = this.#clock.now() - this.#lookedAt;
    this.#lookedAt += passedMs;
    if (record?.claim.state !== 'claimed') return false;
    if (record.version !== this.#version) {
      this.#version = record.version;
      this.#silentMs = 0;
    }
    // Z44: a founder on the same machine stood still along with whoever counts its silence.
    else this.#silentMs += Math.min(passedMs, refreshIntervalMs);
    return this.#silentMs >= claimSilenceMs;
  }
}

function asking<T>(
  options: FormationOptions,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return withDeadline(options.clock, registerTimeoutMs, options.signal, run);
}

/** Until links change, but not longer than the pace at which claims are watched. */
async function pause(options: FormationOptions): Promise<void> {
  const done = new AbortController();
  const abort = (): void => done.abort();
  const forget = onAbort(options.signal, abort);
  await Promise.race([
    sleep(options.clock, retryMs, done.signal),
    options.linksChanged(done.signal),
  ]);
  done.abort();
  forget();
  // Several link events come together; one attempt serves them all.
  await sleep(options.clock, settleMs, options.signal);
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new QuorateError('ABORTED', 'Stopped before the cluster was formed');
}

/** What only a person can end. */
const finalCodes: ReadonlySet<ErrorCode> = new Set(['BAD_SECRET', 'REGISTER_LOST', 'OUTDATED']);
const waitable: ReadonlySet<ErrorCode> = new Set([
  'UNREACHABLE',
  'TIMEOUT',
  'ABORTED',
  'OVERLOADED',
  'FORMATION_WAITING',
  'NOT_ALLOWED',
  'STORAGE_FULL',
]);
const retryMs = 500;
const settleMs = 20;
