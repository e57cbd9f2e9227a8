/**
 * The one place that decides which cluster a namespace is (Z9, Z10): a versioned value with
 * compare-and-set, linearizable and durable. An instance is bound to one namespace.
 */
export type RegisterRecord = {
  /** 1 for the first value ever set; grows by one with each set. */
  readonly version: number;
  readonly value: Uint8Array;
  /** How often a stranger with another secret was refused this namespace. */
  readonly refusedCount: number;
};

export type CompareAndSetResult =
  | { readonly ok: true; readonly version: number }
  | { readonly ok: false; readonly current: RegisterRecord | null };

/**
 * Errors: `UNREACHABLE` (no answer; a compareAndSet may have been carried out: read again),
 * `BAD_SECRET` (the namespace exists under another secret), `REGISTER_LOST`, `FORMATION_WAITING`
 * (what was asked holds no register), `OVERLOADED` (asked too often).
 */
export interface Register {
  /** Tells where claims are decided; the genesis records it. Empty until the first answer came. */
  readonly group: string;
  /** What is waited for while it does not answer, in words. Left out: a relay. */
  readonly place?: string;
  /**
   * True where a record can get lost while replicas stay, such as two databases of one browser: then
   * members set it again, and whoever finds it empty looks for replicas first. Elsewhere an empty
   * register means what it says, for a person may have released the name. Default false.
   */
  readonly restorable?: boolean;
  /** True where the application names the group: `follow` then changes nothing. Default false. */
  readonly pinned?: boolean;
  read(signal: AbortSignal): Promise<RegisterRecord | null>;
  /** Sets `value` if the current version is `expectedVersion` (0: no value yet). At most 16 KiB. */
  compareAndSet(
    expectedVersion: number,
    value: Uint8Array,
    signal: AbortSignal,
  ): Promise<CompareAndSetResult>;
  /**
   * From now on this group decides, for the log says so (Z58), whichever was met first. Another one
   * that answers is `REGISTER_LOST` with `details.group`.
   */
  follow?(group: string): void;
}
