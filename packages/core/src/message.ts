/**
 * Everything two replicas say to each other, in the paper's words. `term` is always the sender's
 * `currentTerm`, except in pre-votes, which speak of a term nobody has entered yet.
 */
import type { Entry, EntryId, NodeId, SnapshotMeta } from './types.ts';

type Envelope = { readonly from: NodeId; readonly to: NodeId; readonly term: number };

/** Thesis §9.6: would you vote for me at `term`? Changes nothing at the receiver. */
export type PreVote = Envelope & { readonly type: 'PreVote'; readonly lastEntry: EntryId };
export type PreVoteResponse = Envelope & {
  readonly type: 'PreVoteResponse';
  readonly granted: boolean;
  /** For whom the answerer voted in `term`, where it refuses; null where it grants. */
  readonly votedFor: NodeId | null;
};

/** Figure 2. `transfer`: sent on the leader's word (TimeoutNow), so leader stickiness is waived. */
export type RequestVote = Envelope & {
  readonly type: 'RequestVote';
  readonly lastEntry: EntryId;
  readonly transfer: boolean;
};
export type RequestVoteResponse = Envelope & {
  readonly type: 'RequestVoteResponse';
  readonly granted: boolean;
};

/** Figure 2. `prevEntry` carries `prevLogIndex` and `prevLogTerm`. */
export type AppendEntries = Envelope & {
  readonly type: 'AppendEntries';
  readonly prevEntry: EntryId;
  readonly leaderCommit: number;
  readonly entries: readonly Entry[];
};

/**
 * Accepted: `matchIndex` is durable here and equals the leader's log up to it. Rejected: the
 * follower's log disagrees at `rejected.index`; `hint` is the largest id at or below it that may
 * still agree (conflict-term backtracking, §5.3).
 */
export type AppendEntriesResponse = Envelope & {
  readonly type: 'AppendEntriesResponse';
  readonly matchIndex: number;
  readonly rejected: { readonly index: number; readonly hint: EntryId } | null;
};

/** Keeps authority and confirms reads; never carries entries, so it is never behind a disk. */
export type Heartbeat = Envelope & {
  readonly type: 'Heartbeat';
  /** min(matchIndex of the receiver, commitIndex): safe to commit without a log check. */
  readonly leaderCommit: number;
  /** Number of the newest read round this heartbeat confirms; 0 for none. */
  readonly readRound: number;
};
export type HeartbeatResponse = Envelope & {
  readonly type: 'HeartbeatResponse';
  readonly readRound: number;
};

/**
 * Says that the receiver's log starts too late and which snapshot fits. The bytes travel outside
 * the core; the receiver's driver hands this message to `step` once it holds all of them.
 */
export type InstallSnapshot = Envelope & {
  readonly type: 'InstallSnapshot';
  readonly meta: SnapshotMeta;
};

/** Thesis §3.10: start an election at once. */
export type TimeoutNow = Envelope & { readonly type: 'TimeoutNow' };

/** Thesis §6.4: a follower asks its leader for a read index. `requestId` is the follower's own. */
export type ReadIndex = Envelope & { readonly type: 'ReadIndex'; readonly requestId: number };
/** `index` null: refused (not the leader, or not able to confirm); ask again. */
export type ReadIndexResponse = Envelope & {
  readonly type: 'ReadIndexResponse';
  readonly requestId: number;
  readonly index: number | null;
};

export type Message =
  | PreVote
  | PreVoteResponse
  | RequestVote
  | RequestVoteResponse
  | AppendEntries
  | AppendEntriesResponse
  | Heartbeat
  | HeartbeatResponse
  | InstallSnapshot
  | TimeoutNow
  | ReadIndex
  | ReadIndexResponse;
