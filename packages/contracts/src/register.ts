/**
 * The one place that decides which cluster a namespace is (Z9, Z10): a versioned value with
 * compare-and-set, linearizable and durable. An instance is bound to one namespace.
 */
export type RegisterRecord = {
  /** Grows by one with each set; the first value has a higher one than all that were given up before. */
  readonly version: number;
  readonly value: Uint8Array;
  /** How often a stranger with another secret was refused this namespace. */
  readonly refusedCount: number;
};

/** Longest value, in bytes. */
export const registerValueBytesMax = 512;

export type CompareAndSetResult =
  | { readonly ok: true; readonly version: number }
  | { readonly ok: false; readonly current: RegisterRecord | null };

/**
 * Errors: `UNREACHABLE` (no answer; a compareAndSet may have been carried out: read again),
 * `BAD_SECRET` (the namespace exists under another secret), `REGISTER_LOST`, `FORMATION_WAITING`
 * (what was asked holds no register), `NOT_ALLOWED` (it serves other namespaces only), `OVERLOADED` (asked too often).
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
  /** What a person should hear of it, to follow "Ready, …"; null or left out: nothing. */
  readonly notice?: string | null;
  read(signal: AbortSignal): Promise<RegisterRecord | null>;
  /**
   * Sets `value` if the current version is `expectedVersion` (0: no value yet). At most
   * `registerValueBytesMax`. `active`: its cluster acknowledges from now on, and no want of room or
   * passing of time takes the record away.
   */
  compareAndSet(
    expectedVersion: number,
    value: Uint8Array,
    signal: AbortSignal,
    active?: boolean,
  ): Promise<CompareAndSetResult>;
  /**
   * From now on this group decides, for the log says so (Z58), whichever was met first. Another one
   * that answers is `REGISTER_LOST` with `details.group`.
   */
  follow?(group: string): void;
  /**
   * Whether what is read and set now writes a member's cluster back into a register that may have
   * forgotten it. Where it may, a name that it does not know is `REGISTER_LOST` otherwise.
   */
  writeBack?(isOn: boolean): void;
  /**
   * A person said so: from now on the namespace is read and claimed although others use its name under
   * another secret.
   */
  goBeside?(): void;
}
