/**
 * A leader: keeps authority, commits by counting durable copies of entries of its own term (§5.4.2),
 * carries membership changes through, confirms reads. What it sends goes out in `flushLeader`, once
 * per `ready()`: so all proposals of one turn share one message per peer.
 */
import { Leadership } from './leadership.ts';
import type { Machine } from './machine.ts';
import { isJoint, isVoter, leaveJoint, membersOf } from './membership.ts';
import { encodeMembershipEntry } from './codec/membership.ts';
import type { AppendEntriesResponse, HeartbeatResponse, ReadIndex } from './message.ts';
import type { Progress } from './progress.ts';
import { isQuorum, quorumIndex } from './quorum.ts';
import { refuse } from './refusals.ts';
import { flushAppends, takeAnswer } from './replication.ts';
import type { Entry, EntryType, Membership, NodeId } from './types.ts';

/** §5.2, §8: begins with a no-op, whose commit commits everything before it. */
export function startLeading(m: Machine): void {
  const { log } = m;
  const uncommittedBytes = log.bytes(log.commitIndex + 1, log.lastIndex + 1);
  m.becomeLeader(new Leadership(m.settings, log.lastIndex + 1, uncommittedBytes));
  trackPeers(m);
  appendOwn(m, 'noop', new Uint8Array(0));
}

export function tickLeader(m: Machine, leadership: Leadership): void {
  const { settings } = m;
  if (leadership.transferTarget !== null) {
    leadership.transferElapsedTicks++;
    if (leadership.transferElapsedTicks >= settings.electionTimeoutTicksMin) {
      leadership.transferTarget = null;
    }
  }
  if (!hearsQuorum(m, leadership)) return m.becomeFollower(m.currentTerm, null);
  if (m.memberships.current.index <= m.log.commitIndex) {
    leadership.departingTicks++;
    if (leadership.departingTicks === settings.electionTimeoutTicksMax) leadership.forgetDeparted();
  }
  leadership.heartbeatElapsedTicks++;
  if (leadership.heartbeatElapsedTicks >= settings.heartbeatTicks) {
    leadership.heartbeatElapsedTicks = 0;
    sendHeartbeats(m, leadership);
  }
}

/** Everything that the inputs since the last flush made worth sending. */
export function flushLeader(m: Machine, leadership: Leadership): void {
  if (leadership.reads.hasFresh && hasCommittedInTerm(m, leadership)) {
    leadership.reads.beginRound(m.log.commitIndex);
    leadership.heartbeatElapsedTicks = 0;
    sendHeartbeats(m, leadership);
    answerReads(m, leadership);
  }
  flushAppends(m, leadership);
}

/** Appends entries of this leader's term; the membership among them is in force at once. */
export function appendOwn(m: Machine, type: EntryType, data: Uint8Array): Entry {
  const leadership = m.leadership as Leadership;
  const entry: Entry = { term: m.currentTerm, index: m.log.lastIndex + 1, type, data };
  m.append(entry);
  leadership.uncommittedBytes += data.length;
  const range = m.ledRanges.at(-1);
  if (range !== undefined && range.term === entry.term) range.lastIndex = entry.index;
  else m.ledRanges.push({ term: entry.term, fromIndex: entry.index, lastIndex: entry.index });
  if (type === 'membership') trackPeers(m);
  return entry;
}

/** Appends a membership. The caller checked that none is pending. */
export function appendMembership(m: Machine, membership: Membership, context: Uint8Array): Entry {
  const entry = appendOwn(m, 'membership', encodeMembershipEntry(membership, context));
  // A smaller quorum may already hold more than was committed.
  advanceCommit(m);
  return entry;
}

/** Called whenever a copy became durable somewhere: here, or at a peer. */
export function advanceCommit(m: Machine): void {
  const { log, leadership } = m;
  if (leadership === null) return;
  const index = quorumIndex(m.membership, (id) =>
    id === m.nodeId ? log.durableIndex : (leadership.progress.get(id)?.matchIndex ?? 0),
  );
  // Entries of earlier terms commit with one of ours, never by counting (§5.4.2, figure 8).
  if (index <= log.commitIndex || log.termAt(index) !== m.currentTerm) return;
  leadership.uncommittedBytes -= log.bytes(log.commitIndex + 1, index + 1);
  m.commitTo(index);
  afterCommit(m, leadership);
}

export function onAppendEntriesResponse(
  m: Machine,
  leadership: Leadership,
  message: AppendEntriesResponse,
): void {
  const progress = leadership.progress.get(message.from) as Progress;
  progress.hear(m.nowTick);
  if (!takeAnswer(m, progress, message)) return;
  advanceCommit(m);
  if (m.leadership === leadership) continueTransfer(m, leadership, message.from);
}

export function onHeartbeatResponse(
  m: Machine,
  leadership: Leadership,
  message: HeartbeatResponse,
): void {
  const progress = leadership.progress.get(message.from) as Progress;
  if (message.readRound > leadership.reads.lastRound) {
    const reason = `Cannot confirm read round ${message.readRound}: it never began`;
    return refuse(m, 'contradiction', reason, message);
  }
  progress.hear(m.nowTick);
  progress.readRound = Math.max(progress.readRound, message.readRound);
  // Whatever was lost is found out now: a probe is repeated, a pipeline asks where it stands.
  progress.probeSent = false;
  if (progress.matchIndex < m.log.lastIndex) progress.pokeOwed = true;
  // Its TimeoutNow may be among them; one that comes twice finds a later term.
  continueTransfer(m, leadership, message.from);
  answerReads(m, leadership);
}

export function onReadIndex(leadership: Leadership, message: ReadIndex): void {
  leadership.reads.add({ from: message.from, requestId: message.requestId });
}

/** Thesis §3.10: brings `to` up to date, then tells it to stand for election. */
export function startTransfer(m: Machine, leadership: Leadership, to: NodeId): boolean {
  if (to === m.nodeId || !isVoter(m.membership, to)) return false;
  if (leadership.transferTarget === to) return true;
  if (leadership.transferTarget !== null) return false;
  leadership.transferTarget = to;
  leadership.transferElapsedTicks = 0;
  continueTransfer(m, leadership, to);
  return true;
}

/** Called when `peer` answered something. */
function continueTransfer(m: Machine, leadership: Leadership, peer: NodeId): void {
  if (leadership.transferTarget !== peer) return;
  if (leadership.progress.get(peer)?.matchIndex === m.log.lastIndex) sendTimeoutNow(m, peer);
}

/** What a lease read may rest on; null where nothing may (Z23). */
export function leaseOf(m: Machine, leadership: Leadership): Lease | null {
  const { leaseEnded, transferTarget } = leadership;
  if (!m.settings.leaseReads || leaseEnded || transferTarget !== null) return null;
  if (!hasCommittedInTerm(m, leadership)) return null;
  const round = confirmedRound(m, leadership);
  return round === 0 ? null : { round, readIndex: m.log.commitIndex };
}

/**
 * A quorum answered the heartbeats of `round`, and so elects nobody else for the shortest election
 * timeout since they were sent: how long that was ago only the driver's clocks can say.
 */
export type Lease = { readonly round: number; readonly readIndex: number };

export function hasCommittedInTerm(m: Machine, leadership: Leadership): boolean {
  return m.log.commitIndex >= leadership.termStartIndex;
}

function trackPeers(m: Machine): void {
  const leadership = m.leadership as Leadership;
  const peers = membersOf(m.membership).filter((id) => id !== m.nodeId);
  leadership.track(peers, m.log.lastIndex + 1, m.nowTick);
  const target = leadership.transferTarget;
  if (target !== null && !isVoter(m.membership, target)) leadership.transferTarget = null;
  // A smaller quorum may have confirmed them already, and nobody else may ever answer.
  answerReads(m, leadership);
}

function afterCommit(m: Machine, leadership: Leadership): void {
  const { index, membership } = m.memberships.current;
  if (index > m.log.commitIndex) return;
  if (isJoint(membership)) {
    // Whoever leads when the joint membership is committed ends it (thesis §4.3).
    appendMembership(m, leaveJoint(membership), new Uint8Array(0));
  } else if (!isVoter(membership, m.nodeId)) {
    retire(m, leadership);
  }
}

/** Led without a vote until here (M5): tells everybody of the commit and makes way. */
function retire(m: Machine, leadership: Leadership): void {
  flushAppends(m, leadership);
  let successor: NodeId | null = null;
  let best = -1;
  for (const voter of m.membership.voters) {
    const matchIndex = leadership.progress.get(voter)?.matchIndex ?? 0;
    if (matchIndex > best) [successor, best] = [voter, matchIndex];
  }
  if (successor !== null) sendTimeoutNow(m, successor);
  m.becomeFollower(m.currentTerm, null);
}

/** Check-quorum: a leader nobody hears must not believe in itself (E10, thesis §6.2). */
function hearsQuorum(m: Machine, leadership: Leadership): boolean {
  return isQuorum(m.membership, (id) => {
    if (id === m.nodeId) return true;
    const progress = leadership.progress.get(id);
    if (progress === undefined) return false;
    return m.nowTick - progress.heardAtTick < m.settings.electionTimeoutTicksMin;
  });
}

/** Never carries entries and never waits for a disk; commits only what the peer acknowledged. */
function sendHeartbeats(m: Machine, leadership: Leadership): void {
  const { nodeId: from, currentTerm: term } = m;
  if (m.settings.leaseReads) leadership.reads.beginEmptyRound();
  const readRound = leadership.reads.lastRound;
  for (const progress of leadership.progress.values()) {
    const leaderCommit = Math.min(progress.matchIndex, m.log.commitIndex);
    m.send({ type: 'Heartbeat', from, to: progress.peer, term, leaderCommit, readRound });
  }
}

function answerReads(m: Machine, leadership: Leadership): void {
  if (leadership.reads.count === 0) return;
  const confirmed = confirmedRound(m, leadership);
  for (const { index, requests } of leadership.reads.takeConfirmed(confirmed)) {
    for (const { from: to, requestId } of requests) {
      if (to === null) m.reads.push({ requestId, index });
      else {
        const { nodeId: from, currentTerm: term } = m;
        m.send({ type: 'ReadIndexResponse', from, to, term, requestId, index });
      }
    }
  }
}

/** The newest round of heartbeats that a quorum answered. */
function confirmedRound(m: Machine, leadership: Leadership): number {
  return quorumIndex(m.membership, (id) =>
    id === m.nodeId ? leadership.reads.lastRound : (leadership.progress.get(id)?.readRound ?? 0),
  );
}

function sendTimeoutNow(m: Machine, to: NodeId): void {
  if (m.leadership !== null) m.leadership.leaseEnded = true;
  m.send({ type: 'TimeoutNow', from: m.nodeId, to, term: m.currentTerm });
}
