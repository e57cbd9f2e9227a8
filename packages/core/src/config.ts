/** What a machine is started with. All limits are positive safe integers unless said otherwise. */
import type { Entry, HardState, NodeId, SnapshotMeta } from './types.ts';

export type Config = {
  readonly nodeId: NodeId;
  /** The seed of this run's randomness (election timeouts). */
  readonly seed: number;
  /** A leader sends heartbeats every so many ticks. Default 2. */
  readonly heartbeatTicks?: number;
  /** An election timeout is drawn anew from [min, max) ticks at each attempt. Default 20. */
  readonly electionTimeoutTicksMin?: number;
  /** Default 40. */
  readonly electionTimeoutTicksMax?: number;
  /**
   * How much this member is wished for as a leader, 0 to 2. One below 2 waits longer before it stands
   * for election, at most by the shortest election timeout: a wish, never a veto. Default 2.
   */
  readonly priority?: number;
  /** Bytes of entry data in one AppendEntries; a single larger entry still travels. Default 256 KiB. */
  readonly appendBytesMax?: number;
  /** AppendEntries in flight per follower. Default 128. */
  readonly inflightCountMax?: number;
  /** Bytes of entries in flight per follower. Default 4 MiB. */
  readonly inflightBytesMax?: number;
  /** Bytes of proposed and not yet committed entries; beyond it `propose` refuses. Default 16 MiB. */
  readonly uncommittedBytesMax?: number;
  /** Bytes of committed entries handed out in one `Ready`. Default 1 MiB. */
  readonly applyBytesMax?: number;
  /**
   * Keeps what lease reads rest on (Z23): whoever heard a leader grants no vote, to nobody and in no
   * term, for the shortest election timeout; hints are ignored meanwhile. All members must agree.
   * Default false.
   */
  readonly leaseReads?: boolean;
  /**
   * This run neither grants nor seeks a vote in its first so many ticks, except on a leader's word: an
   * earlier run may have promised as much (Z23), or somebody may know better than its disk (Z3; then
   * `endSilence` ends it earlier). May be 0, the default.
   */
  readonly silentTicks?: number;
};

/** What `LogStorage.load()` gave back. A fresh replica: all zeros, no snapshot, no entries. */
export type InitialState = {
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta | null;
  /** Consecutive, the first at snapshot.index + 1 or below (a trailing window), or at 1. */
  readonly entries: readonly Entry[];
  /** State up to here was restored by the driver (the snapshot's index, or 0). */
  readonly appliedIndex: number;
};
