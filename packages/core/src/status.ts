/** Everything an inspector draws: a snapshot of the machine, as plain data. */
import type { Machine } from './machine.ts';
import { isJoint } from './membership.ts';
import type { EntryId, Membership, NodeId, ProgressState, Role, SnapshotMeta } from './types.ts';

export type Status = {
  readonly nodeId: NodeId;
  readonly role: Role;
  readonly term: number;
  readonly leader: NodeId | null;
  readonly votedFor: NodeId | null;
  readonly commitIndex: number;
  readonly lastApplied: number;
  /** The first entry in memory; `lastEntry.index + 1` when there is none. */
  readonly firstIndex: number;
  readonly lastEntry: EntryId;
  readonly durableIndex: number;
  /** The newest in the log, also while uncommitted. */
  readonly membership: Membership;
  readonly membershipIndex: number;
  /** The membership is joint or not committed: another change would be refused. */
  readonly pendingChange: boolean;
  /** Bytes proposed and not committed; 0 unless leading. */
  readonly uncommittedBytes: number;
  readonly snapshot: SnapshotMeta | null;
  /** A received snapshot was accepted and waits to be installed. */
  readonly installing: boolean;
  /** Sorted by peer; empty unless leading. */
  readonly progress: readonly ProgressStatus[];
  readonly transferTarget: NodeId | null;
  /** Reads that wait for an answer. */
  readonly pendingReads: number;
};

export type ProgressStatus = {
  readonly peer: NodeId;
  readonly state: ProgressState;
  readonly matchIndex: number;
  readonly nextIndex: number;
  /** Answered within the shortest election timeout. */
  readonly recentActive: boolean;
  /** Ticks since its last answer, or since this leader began to follow it. */
  readonly ticksSinceHeard: number;
  readonly inflight: { readonly count: number; readonly bytes: number };
};

export function statusOf(m: Machine): Status {
  const { log, leadership } = m;
  const { index: membershipIndex, membership } = m.memberships.current;
  return {
    nodeId: m.nodeId,
    role: m.role,
    term: m.currentTerm,
    leader: m.leader,
    votedFor: m.votedFor,
    commitIndex: log.commitIndex,
    lastApplied: log.lastApplied,
    firstIndex: log.firstIndex,
    lastEntry: log.lastEntry,
    durableIndex: log.durableIndex,
    membership,
    membershipIndex,
    pendingChange: membershipIndex > log.commitIndex || isJoint(membership),
    uncommittedBytes: leadership?.uncommittedBytes ?? 0,
    snapshot: log.snapshot,
    installing: m.installing !== null,
    progress: progressOf(m),
    transferTarget: leadership?.transferTarget ?? null,
    pendingReads: (leadership?.reads.count ?? 0) + m.forwardedReads.count,
  };
}

function progressOf(m: Machine): ProgressStatus[] {
  if (m.leadership === null) return [];
  const members = [...m.leadership.progress.values()].filter(({ departing }) => !departing);
  const all = members.map((progress): ProgressStatus => {
    const ticksSinceHeard = m.nowTick - progress.heardAtTick;
    return {
      peer: progress.peer,
      state: progress.state,
      matchIndex: progress.matchIndex,
      nextIndex: progress.nextIndex,
      recentActive: progress.heard && ticksSinceHeard < m.settings.electionTimeoutTicksMin,
      ticksSinceHeard,
      inflight: { count: progress.inflight.count, bytes: progress.inflight.bytes },
    };
  });
  return all.sort((a, b) => (a.peer < b.peer ? -1 : 1));
}
