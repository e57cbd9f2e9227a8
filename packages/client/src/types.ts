/**
 * The key-value surface as seen through a gateway: a member's `kv` fits these types, so that code
 * written against them runs in both places.
 */

import type { Storable, Value } from '@quorate/contracts/storable';

export type { Storable, Value };

export type CallOptions = {
  /** Ends the wait. A write whose request may have left ends as `COMMIT_UNKNOWN`. */
  readonly signal?: AbortSignal;
  /** Milliseconds until the call gives up. Default: that of the client, 10,000. */
  readonly timeoutMs?: number;
};

/**
 * `local` answers from the applied state of the member behind the gateway, which may lag; `lease`
 * spares a leader the round trip, where the cluster's policy has `leaseReads`.
 */
export type Consistency = 'linearizable' | 'lease' | 'local';

export type ReadOptions = CallOptions & { readonly consistency?: Consistency };

/** One key as it is at some revision. */
export type KvEntry<T = unknown> = {
  readonly key: string;
  /** Undefined where only keys were asked for. */
  readonly value: T;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
};

/** Selects keys by prefix or by `[start, end)`, in UTF-8 byte order; without either: every key. */
export type RangeOptions = ReadOptions & {
  readonly prefix?: string;
  readonly start?: string;
  readonly end?: string;
  /** Only keys behind this one in the order asked for: `after` of the page before. */
  readonly after?: string;
  readonly limit?: number;
  /** At most so many bytes of keys and values, but always one entry. Default: all. */
  readonly bytesMax?: number;
  readonly order?: 'asc' | 'desc';
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
  readonly revision?: number;
};

export type RangeResult<T = unknown> = {
  readonly entries: readonly KvEntry<T>[];
  readonly revision: number;
  readonly more: boolean;
  /** Where there are more: the last key of these, for the next page. */
  readonly after?: string;
  readonly count: number;
};

export type PutOptions = CallOptions & {
  readonly ifAbsent?: boolean;
  /** Only if the key's `modRevision` is this one; 0: absent. */
  readonly ifRevision?: number;
  /** Return what the key held before. */
  readonly previous?: boolean;
};

export type PutResult = { readonly revision: number; readonly previous?: KvEntry | null };

export type DeleteOptions = CallOptions & {
  readonly ifRevision?: number;
  readonly previous?: boolean;
};

export type DeleteResult = {
  readonly deleted: number;
  readonly revision: number;
  readonly previous?: readonly KvEntry[];
};

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

export type Operation = WriteOperation | { readonly type: 'get'; readonly key: string };

/** What became of one operation, in its place; `previous` only where it was asked for. */
export type OperationResult =
  | { readonly type: 'put'; readonly previous?: KvEntry | null }
  | { readonly type: 'delete'; readonly deleted: number; readonly previous?: readonly KvEntry[] }
  | { readonly type: 'increment'; readonly value: number }
  | { readonly type: 'get'; readonly entry: KvEntry | null };

export type Comparison = '=' | '!=' | '<' | '>';

/** One condition of a transaction; an absent key has revisions and version 0. */
export type Compare =
  | { readonly key: string; readonly exists: boolean }
  | { readonly key: string; readonly value: Value; readonly is?: '=' | '!=' }
  | { readonly key: string; readonly modRevision: number; readonly is?: Comparison }
  | { readonly key: string; readonly createRevision: number; readonly is?: Comparison }
  | { readonly key: string; readonly version: number; readonly is?: Comparison };

export type Txn = {
  readonly if?: readonly Compare[];
  readonly then?: readonly Operation[];
  readonly else?: readonly Operation[];
};

export type TxnResult = {
  readonly succeeded: boolean;
  readonly revision: number;
  readonly results: readonly OperationResult[];
};

export type KeySelector =
  | { readonly key: string; readonly prefix?: never; readonly start?: never; readonly end?: never }
  | { readonly prefix: string; readonly key?: never; readonly start?: never; readonly end?: never }
  | {
      readonly start: string;
      readonly end?: string;
      readonly key?: never;
      readonly prefix?: never;
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
      readonly previous?: KvEntry<T> | null;
    }
  | { readonly type: 'delete'; readonly key: string; readonly previous?: KvEntry<T> | null };

/** All matching events of one revision, in the order in which they were written. */
export type WatchBatch<T = unknown> = {
  readonly revision: number;
  readonly events: readonly WatchEvent<T>[];
  readonly initial: boolean;
};

/** The part of a member's `kv` that a gateway serves. */
export interface ClientKeyValue {
  readonly get: <T = unknown>(key: string, options?: ReadOptions) => Promise<T | undefined>;
  readonly getEntry: <T = unknown>(
    key: string,
    options?: ReadOptions,
  ) => Promise<KvEntry<T> | undefined>;
  readonly range: <T = unknown>(options?: RangeOptions) => Promise<RangeResult<T>>;
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
  /** Carries out all writes in one revision, or none. */
  readonly batch: (
    operations: readonly WriteOperation[],
    options?: CallOptions,
  ) => Promise<TxnResult>;
  /** Adds to an integer (absent: 0) and resolves with the new one. */
  readonly increment: (key: string, by?: number, options?: CallOptions) => Promise<number>;
  /** Compares, then carries out one of two lists of operations, atomically. */
  readonly txn: (txn: Txn, options?: CallOptions) => Promise<TxnResult>;
  /**
   * Follows keys, revision by revision, without gap or duplicate across reconnects and gateways.
   * Throws from `next()`: `COMPACTED` with `details.oldestRevision`, `ABORTED` by the signal,
   * `CLOSED`, and what a gateway refuses for good (`UNAUTHORIZED`, `BAD_REQUEST`).
   */
  readonly watch: <T = unknown>(options: WatchOptions) => AsyncIterableIterator<WatchBatch<T>>;
}

export type MemberSummary = {
  readonly nodeId: string;
  readonly label: string;
  readonly kind: 'voter' | 'learner';
  readonly reachable: boolean;
  readonly leader: boolean;
};

/** Two branches of one member's history: a backup that was put back, or a copy. */
export type ForkSummary = {
  readonly nodeId: string;
  readonly label: string;
  /** The one that is heard here, and the other one. */
  readonly hosts: readonly [string, string];
  readonly message: string;
};

/** What the member behind a gateway says of itself and of its cluster. */
/** What the relay's register holds of a namespace, and which members are announced there. */
export type RegisterInfo = {
  readonly group: string | null;
  readonly record: {
    readonly state: string;
    readonly clusterId: string;
    readonly generation: number;
    readonly founder: string;
    readonly version: number;
  } | null;
  /** Why there is no answer that counts, in words; null where there is one. */
  readonly trouble: string | null;
  readonly announced: readonly {
    readonly clusterId: string;
    readonly generation: number;
    readonly label: string;
  }[];
};

/** The cluster that the register names now; `changed` is false where it did before. */
export type RestoredRegister = {
  readonly group: string;
  readonly clusterId: string;
  readonly generation: number;
  readonly changed: boolean;
};

export type GatewayStatus = {
  readonly namespace: string;
  readonly clusterId: string | null;
  readonly nodeId: string | null;
  readonly label: string;
  readonly phase: string;
  readonly role: string;
  readonly term: number;
  readonly leader: string | null;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly canWrite: boolean;
  readonly reason: string | null;
  readonly message: string;
  readonly durability: string;
  readonly copies: number;
  readonly missing: readonly { readonly nodeId: string; readonly label: string }[];
  readonly members: readonly MemberSummary[];
  /** The cluster that it belonged to before a restore gave it up; its data are an archive there. */
  readonly archived?: { readonly clusterId: string; readonly generation: number };
  /** Copies and backups of members that somebody opened: of whom two branches are about, and where. */
  readonly forks: readonly ForkSummary[];
};
