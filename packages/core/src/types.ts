/**
 * The nouns of the consensus core: plain, readonly data that transcripts print, tests compare and
 * `structuredClone` moves.
 */

/**
 * Names one replica, that is one log. The machine accepts any non-empty string; the codec accepts
 * only 32 lowercase hex digits (16 random bytes), which is what every running cluster uses.
 */
export type NodeId = string;

/** A position in the log together with the term that wrote it. Index 0, term 0 is the empty log. */
export type EntryId = { readonly term: number; readonly index: number };

/**
 * `normal`: bytes for the state machine. `noop`: what a new leader appends to commit its
 * predecessors' entries (§5.4.2, §8). `membership`: `data` is an encoded {@link Membership} with an
 * opaque context of the proposer's (see `encodeMembershipEntry`).
 */
export type EntryType = 'normal' | 'noop' | 'membership';

export type Entry = {
  readonly term: number;
  readonly index: number;
  readonly type: EntryType;
  readonly data: Uint8Array;
};

/**
 * Who votes and who merely follows. Lists are sorted, without duplicates. While `votersOutgoing` is
 * not empty the membership is *joint*: a decision needs a majority of `voters` and a majority of
 * `votersOutgoing` (§6). `learnersNext` are outgoing voters that become learners when it ends; so
 * nobody is voter and learner at once.
 */
export type Membership = {
  readonly voters: readonly NodeId[];
  readonly votersOutgoing: readonly NodeId[];
  readonly learners: readonly NodeId[];
  readonly learnersNext: readonly NodeId[];
};

/** What a replica must never forget (figure 2, "persistent state"). `commitIndex` rides along. */
export type HardState = {
  readonly currentTerm: number;
  readonly votedFor: NodeId | null;
  readonly commitIndex: number;
};

/** What a snapshot stands for: everything up to and including `index`. */
export type SnapshotMeta = {
  readonly term: number;
  readonly index: number;
  /** The membership as committed at `index`; never an uncommitted one (M4). */
  readonly membership: Membership;
  /** The index of the entry that made it. */
  readonly membershipIndex: number;
};

export type Role = 'follower' | 'preCandidate' | 'candidate' | 'leader';

export type ProgressState = 'probe' | 'replicate' | 'snapshot';
