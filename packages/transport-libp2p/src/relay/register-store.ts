/**
 * The registers of a relay: per topic a version and the record that holders of the secret sealed
 * and signed. What becomes of a change says `apply` (register-rules.ts); here it is made durable, on a
 * `RegisterDisk`, before it is answered. Changes are carried out one after another, and each raises the
 * register's revision, which stands in what it wrote.
 *
 * How often strangers with another secret were refused a name is not durable: a stranger shall not be
 * able to make the relay write.
 */
import { QuorateError, isQuorateError } from '@quorate/contracts';
import type { Clock, VerifyRecord } from '@quorate/contracts';
import type { StoredRecord } from '../wire/relay-messages.ts';
import type { Source } from './budget.ts';
import type { RegisterDisk } from './register-disk.ts';
import { RegisterState, apply, refuseTaken, registerLimits } from './register-rules.ts';
import type { RegisterChange, RegisterCommand, RegisterLimits } from './register-rules.ts';

export type RegisterName = {
  readonly topic: string;
  readonly nameTag: string;
  /** Although the name is in use under another secret. */
  readonly beside: boolean;
};

/** `floor`: what whoever claims the topic names as the present version, where `current` is null. */
export type ReadResult = { readonly current: StoredRecord | null; readonly floor: number };
export type SetResult = ReadResult & { readonly ok: boolean };

export type RegisterStoreOptions = {
  /** Null keeps everything in memory. */
  readonly disk: RegisterDisk | null;
  readonly verify: VerifyRecord;
  readonly clock: Clock;
  /** Are hosts of this topic announced now? Default: of none. */
  readonly isAnnounced?: (topic: string) => boolean;
  readonly limits?: RegisterLimits;
};

/** Z50: those of a later one are above all of an earlier one. */
const revisionsOfGeneration = 2 ** 40;
/** A file that cannot be read names no version; nobody sets a name so often. */
const unknownVersionsMax = 2 ** 20;

export class RegisterStore {
  readonly #options: RegisterStoreOptions;
  readonly #limits: RegisterLimits;
  readonly #state = new RegisterState();
  /** How often somebody with another secret was refused a topic's name. */
  readonly #refusedCounts = new Map<string, number>();
  /** Topics whose file could not be read. */
  readonly #damaged = new Set<string>();
  /** Topics whose record was read from a file and has not been asked for yet. */
  readonly #unchecked = new Set<string>();
  #failed = false;
  /** It was put back to an earlier state (Z53). */
  #isIncomplete = false;
  /** First claims are refused until then, by the clock. */
  #heldUntilMs = -Infinity;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: RegisterStoreOptions) {
    this.#options = options;
    this.#limits = options.limits ?? registerLimits;
  }

  /** Files that cannot be read; their namespaces answer `REGISTER_LOST`. */
  get damagedTopics(): readonly string[] {
    return [...this.#damaged];
  }

  /** See `RegisterState.revision`. */
  get revision(): number {
    return this.#state.revision;
  }

  /** It may have forgotten namespaces: of those it does not know it says `REGISTER_LOST`. */
  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  /** Nobody ever claimed anything here, as far as can be told. */
  get isEmpty(): boolean {
    return this.#state.size === 0 && this.#damaged.size === 0;
  }

  /**
   * A register that was just made may stand where another one was lost, and members of its clusters
   * be on their way back: no first claim for so long (Z58).
   */
  holdFirstClaims(untilMs: number): void {
    this.#heldUntilMs = untilMs;
  }

  /**
   * Reads what is stored; resolves with what of it is lost, or null. Called once, before all else.
   * Signatures are looked at when a record is first asked for: that takes a thousand times as long.
   */
  async load(): Promise<string | null> {
    const { disk } = this.#options;
    if (disk === null) return null;
    const stored = await disk.load(this.#limits.topics);
    if (typeof stored === 'string') return stored;
    const { floor, revision, entries, damaged, unlisted, isIncomplete } = stored;
    if (unlisted !== null) await this.#durably(() => disk.list(unlisted));
    this.#isIncomplete = isIncomplete;
    for (const topic of damaged) this.#damaged.add(topic);
    this.#state.take({ type: 'floor', floor, revision });
    // The oldest first, as they were set.
    for (const [topic, entry] of [...entries].sort(([, a], [, b]) => a.setAtMs - b.setAtMs)) {
      this.#state.take({ type: 'put', topic, entry });
      this.#unchecked.add(topic);
    }
    return null;
  }

  /**
   * The register has once come to `revision`, as somebody showed: if it is behind, it was put back, by a
   * backup or a machine's snapshot, and may have forgotten who founded since (Z53). Then it goes on in a
   * generation above, and names that were only claimed go: they may be somebody else's by now. False where it
   * is not behind.
   */
  async revert(revision: number): Promise<boolean> {
    return this.#inTurn(async () => {
      const state = this.#state;
      if (revision <= state.revision) return false;
      const note = { shown: revision, had: state.revision };
      await this.#durably((disk) => disk.setIncomplete(note));
      this.#isIncomplete = true;
      const generation = Math.floor(revision / revisionsOfGeneration) + 1;
      await this.#make([
        // What was claimed since had versions that nobody knows.
        {
          type: 'floor',
          floor: state.floor + unknownVersionsMax,
          revision: generation * revisionsOfGeneration,
        },
        ...[...state.claimed()].map((topic): RegisterChange => ({ type: 'drop', topic })),
      ]);
      return true;
    });
  }

  /** A person says that nothing is missing (any more); false where nothing was. */
  async complete(): Promise<boolean> {
    return this.#inTurn(async () => {
      if (!this.#isIncomplete) return false;
      await this.#durably((disk) => disk.setIncomplete(null));
      this.#isIncomplete = false;
      return true;
    });
  }

  /** Forgets a namespace for good; false where there was nothing of it. */
  async release(topic: string): Promise<boolean> {
    return this.#inTurn(async () => {
      if (this.#damaged.has(topic)) {
        const floor = this.#state.floor + unknownVersionsMax;
        await this.#make([
          { type: 'floor', floor, revision: this.#state.revision + 1 },
          { type: 'drop', topic },
        ]);
        return true;
      }
      const { ok, changes } = this.#apply({ type: 'release', topic }, nobody);
      await this.#make(changes);
      return ok;
    });
  }

  get topics(): readonly string[] {
    return [...new Set([...this.#state.topics, ...this.#damaged])];
  }

  /**
   * `writesBack`: a member asks, to write its cluster into what may have forgotten it.
   * Errors: `BAD_SECRET` `REGISTER_LOST`.
   */
  read(name: RegisterName, writesBack = false): ReadResult {
    this.#admit(name);
    if (!writesBack) this.#refuseForgotten(name.topic);
    this.#counted(name, () => refuseTaken(this.#state, name, this.#options.isAnnounced ?? nowhere));
    return this.#standing(name.topic);
  }

  /**
   * Sets the record of version `expectedVersion + 1` if the present version is `expectedVersion`: that
   * of the record, or the floor where there is none.
   * Errors: `BAD_SECRET` `REGISTER_LOST` `BAD_REQUEST` (not signed) `OVERLOADED` (a limit)
   * `FORMATION_WAITING` `STORAGE_FULL` `STORAGE_FAILED`.
   */
  async compareAndSet(
    name: RegisterName,
    change: {
      readonly expectedVersion: number;
      readonly record: Uint8Array;
      readonly active: boolean;
    },
    from: Source,
  ): Promise<SetResult> {
    return this.#inTurn(async () => {
      const { topic } = name;
      const record = change.record.slice();
      const version = change.expectedVersion + 1;
      if (!this.#options.verify(topic, 'register', version, record)) {
        throw new QuorateError(
          'BAD_REQUEST',
          'Cannot set a register: the record is not signed for this topic and version',
        );
      }
      this.#admit(name);
      // Active at once is what a person writes back, or takes over; a claim begins as one.
      if (!change.active) this.#refuseForgotten(topic);
      const isFirst = this.#state.get(topic) === null;
      const command: RegisterCommand = { ...name, ...change, type: 'set', record };
      const { ok, changes } = this.#counted(name, () => this.#apply(command, from));
      if (ok && isFirst && this.#options.clock.now() < this.#heldUntilMs) {
        throw new QuorateError(
          'FORMATION_WAITING',
          'Cannot take a first claim yet: this register is new, and waits some seconds for members ' +
            'of a cluster that may be alive (a relay started with --fresh does not)',
        );
      }
      await this.#make(changes);
      return { ok, ...this.#standing(topic) };
    });
  }

  /** Waits for the changes under way. */
  async settle(): Promise<void> {
    await this.#last;
  }

  async #inTurn<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run);
    this.#last = result.catch(() => {});
    return result;
  }

  #apply(command: RegisterCommand, from: Source): ReturnType<typeof apply> {
    const { clock, isAnnounced = nowhere } = this.#options;
    const time = (clock.originMs ?? 0) + clock.now();
    return apply(this.#state, command, { time, from, isAnnounced }, this.#limits);
  }

  #standing(topic: string): ReadResult {
    const { floor } = this.#state;
    const entry = this.#state.get(topic);
    if (entry === null) return { current: null, floor };
    const { version, record } = entry;
    const refusedCount = this.#refusedCounts.get(topic) ?? 0;
    return { current: { version, record, refusedCount }, floor };
  }

  /** Counts a refusal for those who have the name, for they are told. */
  #counted<T>({ topic, nameTag }: RegisterName, run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (isQuorateError(error, 'BAD_SECRET')) {
        for (const other of this.#state.besides(topic, nameTag)) {
          this.#refusedCounts.set(other, (this.#refusedCounts.get(other) ?? 0) + 1);
        }
      }
      throw error;
    }
  }

  #admit({ topic }: RegisterName): void {
    if (this.#failed) {
      throw new QuorateError('STORAGE_FAILED', 'Cannot use the register: a write failed before');
    }
    if (this.#unchecked.delete(topic)) {
      const entry = this.#state.get(topic);
      const isSound =
        entry !== null && this.#options.verify(topic, 'register', entry.version, entry.record);
      if (!isSound) {
        this.#state.take({ type: 'drop', topic });
        this.#damaged.add(topic);
      }
    }
    if (!this.#damaged.has(topic)) return;
    throw new QuorateError(
      'REGISTER_LOST',
      `Cannot use the register of this namespace: its file ${topic}.cbor is damaged, wanted it restored`,
    );
  }

  #refuseForgotten(topic: string): void {
    if (!this.#isIncomplete || this.#state.get(topic) !== null) return;
    throw new QuorateError(
      'REGISTER_LOST',
      'Cannot answer for this namespace: the register was put back to an earlier state and may have ' +
        'forgotten it. "quorate register restore" at a member writes it back; where nothing is missing, ' +
        '"quorate register complete" at the relay says so',
    );
  }

  /** Durable first, then in memory. */
  async #make(changes: readonly RegisterChange[]): Promise<void> {
    const drops = changes.flatMap((change) => (change.type === 'drop' ? [change.topic] : []));
    const raised = changes.find((change) => change.type === 'floor');
    if (raised !== undefined) {
      const dropped = new Set(drops);
      const { revision } = raised;
      const floor = Math.max(raised.floor, this.#state.floor);
      const topics = this.topics.filter((topic) => !dropped.has(topic));
      await this.#durably((disk) => disk.writeList({ revision, floor, topics }));
    }
    for (const change of changes) {
      if (change.type === 'drop') await this.#forget(change.topic);
      if (change.type === 'put') {
        const { topic, entry } = change;
        const isNew = this.#state.get(topic) === null;
        await this.#durably((disk) => disk.write(topic, entry));
        if (isNew) await this.#durably((disk) => disk.list(topic));
      }
      this.#state.take(change);
    }
  }

  async #forget(topic: string): Promise<void> {
    await this.#durably((disk) => disk.remove(topic));
    this.#damaged.delete(topic);
    this.#unchecked.delete(topic);
    this.#refusedCounts.delete(topic);
  }

  async #durably(write: (disk: RegisterDisk) => Promise<void>): Promise<void> {
    const { disk } = this.#options;
    if (disk === null) return;
    try {
      await write(disk);
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      // Without space nothing was renamed, and the old file stands. After anything else nobody
      // knows which one does: the relay stops deciding until it has read its files again.
      const full = code === 'ENOSPC' || code === 'EDQUOT';
      // No descriptor, nothing done: it can be asked again (Z46).
      const busy = code === 'EMFILE' || code === 'ENFILE';
      this.#failed = !full && !busy;
      throw new QuorateError(
        full ? 'STORAGE_FULL' : busy ? 'OVERLOADED' : 'STORAGE_FAILED',
        `Cannot write the register of a namespace: ${code ?? String(cause)}`,
        { cause },
      );
    }
  }
}

function nowhere(): boolean {
  return false;
}

/** Who is a person at the relay's own machine is counted nowhere. */
const nobody: Source = { peer: '', address: '' };
