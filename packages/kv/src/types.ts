/** The key-value interface: what users hold, what a gateway serves, what a client offers. */
import type { CallOptions } from '@quorate/contracts';
import type { Storable, Value } from '@quorate/contracts/storable';

export type { Storable, Value };

/** One key as it is at some revision. Frozen; the same object until the key changes. */
export type KvEntry<T = unknown> = {
  readonly key: string;
  /** Frozen data, or a copy of the bytes. Undefined where only keys were asked for. */
  readonly value: T;
  /** Revision of the write that created the key, since it was last absent. */
  readonly createRevision: number;
  /** Revision of the last write of the key. */
  readonly modRevision: number;
  /** Writes since the key was created: 1 for a new one. */
  readonly version: number;
};

/**
 * `linearizable` (default) sees everything acknowledged before the call, confirmed by a quorum.
 * `lease` sees as much, and a leader answers it without a round trip if the cluster's policy has
 * `leaseReads` and clocks run within a tenth of true time. `local` answers at once from this member's
 * applied state, which may lag.
 */
export type Consistency = 'linearizable' | 'lease' | 'local';

export type ReadOptions = CallOptions & { readonly consistency?: Consistency };

/** Which keys: one, all that begin with a prefix ('' is every key), or `[start, end)`. */
export type KeySelector =
  | { readonly key: string; readonly prefix?: never; readonly start?: never; readonly end?: never }
  | { readonly prefix: string; readonly key?: never; readonly start?: never; readonly end?: never }
  | {
      readonly start: string;
      readonly end?: string;
      readonly key?: never;
      readonly prefix?: never;
    };

/** Selects keys by prefix or by `[start, end)`, in UTF-8 byte order; without either: every key. */
export type RangeOptions = ReadOptions & {
  readonly prefix?: string;
  /** First key. Not together with `prefix`. */
  readonly start?: string;
  /** The first key no longer included. */
  readonly end?: string;
  /** Only keys behind this one in the order asked for: `after` of the page before. */
  readonly after?: string;
  /** At most this many entries, 1 or more. Default: all. */
  readonly limit?: number;
  /**
   * At most so many bytes of keys and values as they are stored, 64 more for each entry; but always one
   * entry. Default: all.
   */
  readonly bytesMax?: number;
  /** By key. Default `asc`. */
  readonly order?: 'asc' | 'desc';
  /** Entries come without values. */
  readonly keysOnly?: boolean;
  /** No entries, only `count`. */
  readonly countOnly?: boolean;
  /** The state as of this revision, inside the history: else `COMPACTED`; not reached: `BAD_REQUEST`. */
  readonly revision?: number;
};

export type RangeResult<T = unknown> = {
  readonly entries: readonly KvEntry<T>[];
  /** Revision at which the entries were read. */
  readonly revision: number;
  /** There are more keys than `limit` and `bytesMax` let through. */
  readonly more: boolean;
  /** Where there are more: the last key of these, for the next page. */
  readonly after?: string;
  /** Entries returned, or with `countOnly` all keys that match. */
  readonly count: number;
};

/** A write's conditions; `CONFLICT` carries `details.current` (a `KvEntry`, or null for absent). */
export type Condition = {
  /** Only if the key does not exist. */
  readonly ifAbsent?: boolean;
  /** Only if the key's `modRevision` is this one; 0: absent. */
  readonly ifRevision?: number;
};

export type PutOptions = CallOptions &
  Condition & {
    /** Return what the key held before. */
    readonly previous?: boolean;
  };

export type PutResult = {
  readonly revision: number;
  /** With `previous: true`: the entry before, null if there was none. */
  readonly previous?: KvEntry | null;
};

export type DeleteOptions = CallOptions & {
  /** Only if the key's `modRevision` is this one. Only for a single key. */
  readonly ifRevision?: number;
  readonly previous?: boolean;
};

export type DeleteResult = {
  /** How many keys were there and are gone. */
  readonly deleted: number;
  /** Of this deletion; the present one where nothing was deleted. */
  readonly revision: number;
  /** With `previous: true`: what was deleted, by key. */
  readonly previous?: readonly KvEntry[];
};

/** One write of a batch. */
export type WriteOperation =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly value: Value;
      /** Return what the key held before. */
      readonly previous?: boolean;
    }
  | { readonly type: 'delete'; readonly key: string; readonly previous?: boolean }
  | { readonly type: 'delete'; readonly prefix: string; readonly previous?: boolean }
  | { readonly type: 'increment'; readonly key: string; readonly by?: number };

/** One operation of a transaction. Reads see the writes before them in the same branch. */
export type Operation = WriteOperation | { readonly type: 'get'; readonly key: string };

/** What became of one operation, in its place; `previous` only where it was asked for. */
export type OperationResult =
  | { readonly type: 'put'; readonly previous?: KvEntry | null }
  | { readonly type: 'delete'; readonly deleted: number; readonly previous?: readonly KvEntry[] }
  | { readonly type: 'increment'; readonly value: number }
  | { readonly type: 'get'; readonly entry: KvEntry | null };

export type Comparison = '=' | '!=' | '<' | '>';

/**
 * One condition of a transaction. An absent key has revisions and version 0; its value equals
 * nothing.
 */
export type Compare =
  | { readonly key: string; readonly exists: boolean }
  | { readonly key: string; readonly value: Value; readonly is?: '=' | '!=' }
  | { readonly key: string; readonly modRevision: number; readonly is?: Comparison }
  | { readonly key: string; readonly createRevision: number; readonly is?: Comparison }
  | { readonly key: string; readonly version: number; readonly is?: Comparison };

export type Txn = {
  /** All must hold for `then`; none given: `then`. At most 128. */
  readonly if?: readonly Compare[];
  /** At most 128 operations; no key is written twice. */
  readonly then?: readonly Operation[];
  readonly else?: readonly Operation[];
};

export type TxnResult = {
  /** True if `then` was carried out. */
  readonly succeeded: boolean;
  /** Of the writes; the present one where nothing was written. */
  readonly revision: number;
  readonly results: readonly OperationResult[];
};

export type WatchOptions = KeySelector & {
  /** First revision to deliver. Default: the next one. Older than the history: `COMPACTED`. */
  readonly from?: number;
  /** Begin with the present state, as one batch marked `initial`. Not together with `from`. */
  readonly initial?: boolean;
  /** Events carry what the key held before. */
  readonly previous?: boolean;
  readonly signal?: AbortSignal;
};

export type WatchEvent<T = unknown> =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly value: T;
      readonly entry: KvEntry<T>;
      /** With `previous: true`: the entry before, null if there was none. */
      readonly previous?: KvEntry<T> | null;
    }
  | {
      readonly type: 'delete';
      readonly key: string;
      readonly previous?: KvEntry<T> | null;
    };

/** All matching events of one revision, in the order in which they were written. */
export type WatchBatch<T = unknown> = {
  readonly revision: number;
  readonly events: readonly WatchEvent<T>[];
  /** The present state, the first batch of a watch with `initial: true`; it may be empty. */
  readonly initial: boolean;
};

/** One immutable state of a live handle: the same object until something in it changes. */
export type LiveSnapshot<V> = {
  readonly value: V;
  /** Something of the replicated state is known here, from disk or from the cluster. */
  readonly loaded: boolean;
  /** It may be behind: no contact with a leader. */
  readonly stale: boolean;
  /** A write of this handle's keys, made here, is under way. */
  readonly pending: boolean;
};

/** A value that follows the local state, for user interfaces. */
export interface Live<V> extends LiveSnapshot<V> {
  /** Calls `listener` at once and after each change. The returned function ends it. */
  readonly subscribe: (listener: (value: V, snapshot: LiveSnapshot<V>) => void) => () => void;
  readonly getSnapshot: () => LiveSnapshot<V>;
  /** What a server renders, and a page before it knows more: nothing is known yet. */
  readonly getServerSnapshot: () => LiveSnapshot<V>;
}

/** A replicated integer that many add to at once without losing anything. */
export interface Counter extends Live<number> {
  /** Adds and resolves with the new number. `by` is a safe integer, default 1. */
  readonly add: (by?: number, options?: CallOptions) => Promise<number>;
  /** The number now; 0 where nothing was added yet. */
  readonly get: (options?: ReadOptions) => Promise<number>;
}

/** A transaction under way. Reads see one revision and the transaction's own writes. */
export interface Transaction {
  readonly get: <T = unknown>(key: string) => T | undefined;
  readonly getEntry: <T = unknown>(key: string) => KvEntry<T> | undefined;
  /** Entries by key order, own writes included (their revisions are 0 until committed). */
  readonly range: <T = unknown>(options: { readonly prefix: string }) => readonly KvEntry<T>[];
  readonly put: <V extends Value>(key: string, value: Storable<V>) => void;
  readonly delete: (key: string) => void;
}

/**
 * The replicated map. Every call takes `signal` and `timeoutMs`. Errors of every write and
 * linearizable read are those of `Consensus`; misuse (a bad key, value or option) is a `TypeError`
 * or `RangeError`, what exceeds a replicated limit is `LIMIT_EXCEEDED`, with nothing applied.
 */
export interface KeyValue {
  /** Revision that is applied here. */
  readonly revision: number;
  readonly get: <T = unknown>(key: string, options?: ReadOptions) => Promise<T | undefined>;
  readonly getEntry: <T = unknown>(
    key: string,
    options?: ReadOptions,
  ) => Promise<KvEntry<T> | undefined>;
  readonly range: <T = unknown>(options?: RangeOptions) => Promise<RangeResult<T>>;
  /** What the key holds in the local state, synchronously. */
  readonly peek: <T = unknown>(key: string) => T | undefined;
  /**
   * Follows a key, or all that begin with a prefix. While somebody holds the handle, the same one is
   * given again for the same key.
   */
  readonly live: {
    <T = unknown>(key: string): Live<T | undefined>;
    <T = unknown>(selector: { readonly prefix: string }): Live<readonly KvEntry<T>[]>;
  };
  /** Errors: `CONFLICT` with `details.current` where a condition did not hold. */
  readonly put: <V extends Value>(
    key: string,
    value: Storable<V>,
    options?: PutOptions,
  ) => Promise<PutResult>;
  readonly delete: (
    selector: string | { readonly prefix: string },
    options?: DeleteOptions,
  ) => Promise<DeleteResult>;
  /** Carries out all writes in one revision, or none. A key written twice is a `TypeError`. */
  readonly batch: (
    operations: readonly WriteOperation[],
    options?: CallOptions,
  ) => Promise<TxnResult>;
  /**
   * Adds to an integer (absent: 0) and resolves with the new one. `CONFLICT` with `details.current`
   * where the key holds something else or the sum is no safe integer.
   */
  readonly increment: (key: string, by?: number, options?: CallOptions) => Promise<number>;
  /**
   * Replaces a value by what `change` makes of it, again and again until nobody wrote in between
   * (Z36). `change` returns the new value, or undefined to leave the key as it is.
   */
  readonly update: <T = unknown>(
    key: string,
    change: (current: T | undefined) => Value | undefined | Promise<Value | undefined>,
    options?: CallOptions,
  ) => Promise<{ readonly value: T | undefined; readonly revision: number }>;
  /** Runs `body` on one revision, commits its writes together; again where its reads changed (Z36). */
  readonly transaction: <R>(
    body: (tx: Transaction) => R | Promise<R>,
    options?: CallOptions,
  ) => Promise<{ readonly result: R; readonly revision: number }>;
  /** Compares, then carries out one of two lists of operations, atomically. */
  readonly txn: (txn: Txn, options?: CallOptions) => Promise<TxnResult>;
  /**
   * Follows keys, revision by revision: no gap, no duplicate, also across leader changes, restarts
   * and installed snapshots. Without `from` it begins after what is applied here at the call, on a
   * member that is not up to date after what a linearizable read finds. Holds nothing for a slow reader but its place in the history. Throws
   * from `next()`: `COMPACTED` with `details.oldestRevision` when the place is older than the
   * history, `ABORTED` by the signal, `CLOSED`.
   */
  readonly watch: <T = unknown>(options: WatchOptions) => AsyncIterableIterator<WatchBatch<T>>;
  /** The counter of that name, kept in the key `~counter/<name>`. */
  readonly counter: (name: string) => Counter;
  /** Ends watches and live handles with `CLOSED`; later calls are rejected with it. Idempotent. */
  readonly close: () => void;
}
