/** What the layers above hold of a running replica. */
export type CallOptions = {
  readonly signal?: AbortSignal;
  /** Milliseconds until the call gives up. Defaults: `writeTimeoutMs`, `readTimeoutMs`. */
  readonly timeoutMs?: number;
};

export type ProposeOptions = CallOptions & {
  /**
   * Called when the command is applied here, before anybody who observes the state is told of that:
   * what is shown in its place until then goes in the same step. Never called for a command that is
   * not applied, nor for one whose result came from elsewhere.
   */
  readonly applied?: () => void;
};

export type BarrierOptions = CallOptions & {
  /**
   * A lease will do, if the cluster's policy has them and this member leads and holds one (Z23):
   * no round trip. Everywhere else the read is confirmed by a quorum all the same. Default false.
   */
  readonly lease?: boolean;
};

export type Applied = {
  readonly result: Uint8Array;
  /** False when the result came from the leader and this replica lags behind it (Z28). */
  readonly appliedHere: boolean;
};

export interface Consensus {
  /**
   * Replicates one command, exactly once, and resolves when it is committed and applied here.
   * Calls take effect in call order. Errors: `NO_LEADER` `NO_QUORUM` `OVERLOADED` `TIMEOUT`
   * `ABORTED` `CLOSED` `REMOVED` (not applied), `COMMIT_UNKNOWN`.
   */
  propose(command: Uint8Array, options?: ProposeOptions): Promise<Applied>;
  /**
   * Resolves once everything acknowledged before this call is applied here (ReadIndex, thesis
   * §6.4), so that a local read after it is linearizable. Errors: `NO_LEADER` `NO_QUORUM` `TIMEOUT`
   * `ABORTED` `CLOSED`.
   */
  readBarrier(options?: BarrierOptions): Promise<void>;
}
