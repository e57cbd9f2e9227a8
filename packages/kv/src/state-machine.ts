/** The key-value state as the replicated state machine of a cluster. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { ApplyContext, StateMachine } from '@quorate/contracts';
import { decodeCommand } from './command.ts';
import { History } from './history.ts';
import type { HistoryLimits } from './limits.ts';
import { freeingBytesMax, historyLimitsDefault, stateBytesMaxDefault } from './limits.ts';
import { OrderedMap } from './ordered-map.ts';
import type { CommandResult } from './result.ts';
import { encodeResult } from './result.ts';
import { SharedRecords } from './shared-records.ts';
import { readSnapshot, writeSnapshot } from './snapshot.ts';
import { Store } from './store.ts';
import type { Share } from './store.ts';

export type KvStateMachineOptions = {
  /** Limit that the writes of this member are held to (it travels with them). Default 64 MiB. */
  readonly stateBytesMax?: number;
  /** Part of the replicated state's rules: the same on every member. Default 10,000, 8 MiB. */
  readonly history?: HistoryLimits;
};

/** Told what happens to the state, synchronously; reads only. */
export type StateObserver = {
  /** The state changed since the last call; `restored` if it was replaced. */
  readonly changed: (restored: boolean) => void;
  /** History is about to be forgotten: the last chance to read it. */
  readonly trimming: () => void;
};

export class KvStateMachine implements StateMachine {
  readonly stateBytesMax: number;
  readonly #historyLimits: HistoryLimits;
  readonly #observers = new Set<StateObserver>();
  /** Null for one that is alone. */
  #shared: SharedRecords | null = null;
  #store: Store;
  #flushedRevision = 0;
  #restored = false;
  #loaded = false;

  constructor(options: KvStateMachineOptions = {}) {
    this.stateBytesMax = options.stateBytesMax ?? stateBytesMaxDefault;
    this.#historyLimits = options.history ?? historyLimitsDefault;
    checkPositive(this.stateBytesMax, 'stateBytesMax');
    checkPositive(this.#historyLimits.revisionCountMax, 'history.revisionCountMax');
    checkPositive(this.#historyLimits.bytesMax, 'history.bytesMax');
    const records = new OrderedMap();
    const history = new History(this.#historyLimits);
    this.#store = new Store({ revision: 0, records, history }, this.#trimming, this.#share);
  }

  /** Another one, empty, for a replica in the same process: what both come to hold is there once. */
  beside(): KvStateMachine {
    const { stateBytesMax } = this;
    const other = new KvStateMachine({ stateBytesMax, history: this.#historyLimits });
    if (this.#shared === null) {
      this.#shared = new SharedRecords();
      for (const record of this.#store.records.all()) this.#shared.take(record);
    }
    other.#shared = this.#shared;
    return other;
  }

  /** The present state, for reading. Another object after a restore. */
  get store(): Store {
    return this.#store;
  }

  /** True once something was applied or restored. */
  get loaded(): boolean {
    return this.#loaded;
  }

  apply(command: Uint8Array, _context: ApplyContext): Uint8Array {
    this.#loaded = true;
    const decoded = decodeCommand(command);
    const result: CommandResult =
      'code' in decoded
        ? { type: 'refused', code: decoded.code, message: decoded.message, blame: null }
        : this.#store.execute(decoded);
    return encodeResult(result);
  }

  /**
   * Deletions, whatever they depend on. Not with what was there before (`previous`): results are kept
   * for retries.
   */
  frees(command: Uint8Array): boolean {
    if (command.length > freeingBytesMax) return false;
    const decoded = decodeCommand(command);
    if ('code' in decoded) return false;
    const operations = [...decoded.then, ...decoded.else];
    return (
      operations.length > 0 && operations.every((one) => one.type === 'delete' && !one.previous)
    );
  }

  flush(): void {
    const restored = this.#restored;
    if (!restored && this.#flushedRevision === this.#store.revision) return;
    this.#restored = false;
    this.#flushedRevision = this.#store.revision;
    for (const observer of [...this.#observers]) observer.changed(restored);
  }

  snapshot(): Iterable<Uint8Array> {
    const capture = this.#store.capture();
    return { [Symbol.iterator]: () => writeSnapshot(capture) };
  }

  decode(bytes: Uint8Array): () => void {
    const parts = readSnapshot(bytes, this.#historyLimits, this.#store.records, this.#share);
    return () => {
      this.#store = new Store(parts, this.#trimming, this.#share);
      this.#restored = true;
      this.#loaded = true;
    };
  }

  /** Throws for bytes that are no snapshot; the state is then what it was. */
  restore(bytes: Uint8Array): void {
    this.decode(bytes)();
  }

  /**
   * A hash (SHA-256, hex) of the whole state, history included: members at one applied index have
   * equal ones. Reads everything; not for each write.
   */
  digest(): string {
    const hash = sha256.create();
    for (const chunk of this.snapshot()) hash.update(chunk);
    return bytesToHex(hash.digest());
  }

  /** The returned function ends it. */
  observe(observer: StateObserver): () => void {
    this.#observers.add(observer);
    return () => {
      this.#observers.delete(observer);
    };
  }

  readonly #share: Share = (record) => this.#shared?.take(record) ?? record;

  readonly #trimming = (): void => {
    // What is forgotten may not have been seen by anyone: a long run of commands has one flush.
    for (const observer of this.#observers) observer.trimming();
  };
}

function checkPositive(value: number, name: string): void {
  if (Number.isSafeInteger(value) && value > 0) return;
  throw new RangeError(`Cannot create state machine: ${name} is ${value}, wanted 1 or more`);
}
