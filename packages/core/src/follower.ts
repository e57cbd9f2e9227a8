/** A follower: takes what the leader sends, votes, and says only what is durable. */
import { startElection, startPreVote } from './candidate.ts';
import { DecodeError } from './codec/errors.ts';
import { decodeMembershipEntry } from './codec/membership.ts';
import type { Machine } from './machine.ts';
import type {
  AppendEntries,
  Heartbeat,
  InstallSnapshot,
  Message,
  ReadIndexResponse,
  PreVote,
  RequestVote,
} from './message.ts';
import { entersTerm, reachableTerm, refuse } from './refusals.ts';
import type { Entry, EntryId, SnapshotMeta } from './types.ts';

export function tickFollower(m: Machine): void {
  m.electionElapsedTicks++;
  m.forwardedReads.expire(m.nowTick, m.reads);
  if (m.isExempt) {
    m.electionElapsedTicks = Math.min(m.electionElapsedTicks, 0);
    return;
  }
  if (m.electionElapsedTicks < m.electionTimeoutTicks) return;
  if (m.promotable && !m.isBound) return startPreVote(m);
  // Nobody's candidate, but no longer sure of its leader either.
  m.setLeader(null);
}

export function onAppendEntries(m: Machine, message: AppendEntries): void {
  // The snapshot under way will replace this log: nothing is checked against it any more.
  if (m.installing !== null) return;
  if (!isConsecutive(message)) {
    const reason = 'Cannot append: the entries are not consecutive or of a later term';
    return refuse(m, 'contradiction', reason, message);
  }
  const { log } = m;
  // Entries up to the log's start are committed and equal here and there; only the rest counts.
  const skipped = Math.max(0, log.prev.index - message.prevEntry.index);
  const prev = skipped === 0 ? message.prevEntry : message.entries[skipped - 1];
  if (prev === undefined) return acknowledge(m, log.prev.index);
  if (log.termAt(prev.index) !== prev.term) {
    if (prev.index <= log.commitIndex) {
      const reason = `Cannot append after entry ${prev.term}/${prev.index}: another is committed`;
      return doubtLeader(m, reason, message);
    }
    return reject(m, prev);
  }
  const lastIndex = message.prevEntry.index + message.entries.length;
  let at = skipped;
  while (at < message.entries.length) {
    const entry = message.entries[at] as EntryId;
    const term = log.termAt(entry.index);
    if (term === null) break;
    if (term !== entry.term) {
      if (entry.index <= Math.max(log.commitIndex, m.verifiedIndex)) {
        const reason = `Cannot replace entry ${term}/${entry.index} by ${entry.term}/${entry.index}: it is final`;
        return doubtLeader(m, reason, message);
      }
      break;
    }
    at++;
  }
  const news = message.entries.slice(at);
  const unreadable = describeUnreadable(news);
  if (unreadable !== null) return doubtLeader(m, unreadable, message);
  const [first] = news;
  if (first !== undefined && first.index <= log.lastIndex) m.truncateFrom(first.index);
  for (const entry of news) m.append(entry);
  m.verifiedIndex = Math.max(m.verifiedIndex, lastIndex);
  // Only what this message verified (L3): beyond it may lie another leader's leftovers.
  m.commitTo(Math.min(message.leaderCommit, lastIndex));
  acknowledge(m, lastIndex);
}

export function onHeartbeat(m: Machine, message: Heartbeat): void {
  if (m.installing === null) {
    if (message.leaderCommit > m.log.lastIndex) {
      const reason = `Cannot commit ${message.leaderCommit}: the log ends at ${m.log.lastIndex}, after it was acknowledged`;
      return doubtLeader(m, reason, message);
    }
    m.commitTo(message.leaderCommit);
  }
  const { nodeId: from, currentTerm: term } = m;
  m.send({ type: 'HeartbeatResponse', from, to: message.from, term, readRound: message.readRound });
}

export function onInstallSnapshot(m: Machine, message: InstallSnapshot): void {
  const { meta } = message;
  if (meta.term > message.term) {
    const reason = `Cannot install a snapshot of term ${meta.term} in term ${message.term}`;
    return refuse(m, 'contradiction', reason, message);
  }
  if (m.installing !== null) return;
  if (meta.index <= m.log.commitIndex) {
    const known = m.log.termAt(meta.index);
    if (known !== null && known !== meta.term) {
      const reason = `Cannot replace entry ${known}/${meta.index} by a snapshot of ${meta.term}/${meta.index}: it is final`;
      return doubtLeader(m, reason, message);
    }
    // Stale: nothing here goes back (S2).
    return acknowledge(m, Math.min(m.log.commitIndex, m.log.durableIndex));
  }
  if (m.log.termAt(meta.index) === meta.term) {
    // All of it is in the log already: only the knowledge that it is committed was missing.
    m.verifiedIndex = Math.max(m.verifiedIndex, meta.index);
    m.commitTo(meta.index);
    return acknowledge(m, meta.index);
  }
  m.installing = { meta, handed: false };
  m.ackOwed = false;
}

/** The driver replaced log and state by the snapshot. */
export function onSnapshotInstalled(m: Machine, meta: SnapshotMeta): void {
  m.installing = null;
  m.restore(meta);
  if (m.role === 'follower' && m.leader !== null) acknowledge(m, meta.index);
}

/** Thesis §3.10: the leader wants this member to take over. */
export function onTimeoutNow(m: Machine): void {
  if (m.promotable) startElection(m, true);
}

export function onReadIndexResponse(m: Machine, message: ReadIndexResponse): void {
  m.forwardedReads.answer(message.requestId, message.index, m.reads);
}

/** A pre-vote is about a term nobody entered: granting it promises and changes nothing. */
export function onPreVote(m: Machine, message: PreVote): void {
  const { nodeId: from } = m;
  const open =
    message.term > m.currentTerm || (message.term === m.currentTerm && mayVoteFor(m, message.from));
  const free = !m.leaderIsFresh && !m.isBound;
  if (!open || !free || !isUpToDate(m, message.lastEntry)) return refusePreVote(m, message.from);
  // What it would ask for next is too far: without this step nobody could ever elect it (Z47).
  if (message.term > reachableTerm(m, message.term)) {
    entersTerm(m, message, false);
    return refusePreVote(m, message.from);
  }
  const { from: to, term } = message;
  m.send({ type: 'PreVoteResponse', from, to, term, granted: true, votedFor: null });
  // Two who ask each other at once would both be granted it, and then split the votes for a whole
  // election timeout: the lower one lets the higher one go first. What it granted stays true.
  if (m.role === 'preCandidate' && to > from) m.becomeFollower(m.currentTerm, null);
}

/** Says the present term, and who got the vote of it: the asker may doubt that anybody did. */
export function refusePreVote(m: Machine, to: string): void {
  const { nodeId: from, currentTerm: term, votedFor } = m;
  m.send({ type: 'PreVoteResponse', from, to, term, granted: false, votedFor });
}

/** The candidate's term is the current one here. A grant waits for the vote to be durable (E1). */
export function onRequestVote(m: Machine, message: RequestVote): void {
  const free = message.transfer || !m.isBound;
  if (free && mayVoteFor(m, message.from) && isUpToDate(m, message.lastEntry)) {
    if (m.votedFor === null) {
      m.votedFor = message.from;
      m.hardStateDirty = true;
    }
    m.electionElapsedTicks = 0;
    m.grantOwedTo = message.from;
    return releaseGrant(m);
  }
  const { nodeId: from, currentTerm: term } = m;
  m.send({ type: 'RequestVoteResponse', from, to: message.from, term, granted: false });
}

/**
 * The sender leads the present term, for all that is known, and contradicts what is final here. One
 * voice proves nothing: it is refused, and the voters are asked for whom they voted. If a quorum of
 * them elected it, it is this log that is wrong, and the machine stops (`confirmDoubt`).
 */
function doubtLeader(m: Machine, reason: string, message: Message): void {
  refuse(m, 'contradiction', reason, message);
  const { currentTerm: term, votedFor } = m;
  const leader = message.from;
  m.doubt = { term, leader, reason, message, electors: new Set() };
  if (votedFor === leader) m.doubt.electors.add(m.nodeId);
  m.setLeader(null);
  m.termLeader = null;
  if (m.promotable && !m.isBound) startPreVote(m);
}

/** Called whenever term and vote may have become durable. */
export function releaseGrant(m: Machine): void {
  if (m.grantOwedTo === null || !m.hardStateDurable) return;
  const { nodeId: from, currentTerm: term, grantOwedTo: to } = m;
  m.grantOwedTo = null;
  m.send({ type: 'RequestVoteResponse', from, to, term, granted: true });
}

/** Called whenever entries or term may have become durable: acknowledges what is (L7). */
export function releaseAck(m: Machine): void {
  if (!m.ackOwed || m.leader === null || !m.hardStateDurable) return;
  const matchIndex = Math.min(agreedIndex(m), m.log.durableIndex);
  m.ackOwed = m.log.durableIndex < m.verifiedIndex;
  sendAck(m, m.leader, matchIndex);
}

/** Says that the log equals the leader's up to `index`, as soon as that much is durable. */
function acknowledge(m: Machine, index: number): void {
  if (m.leader === null) return;
  if (m.log.durableIndex < index || !m.hardStateDurable) m.ackOwed = true;
  else sendAck(m, m.leader, Math.min(agreedIndex(m), m.log.durableIndex));
}

// Every leader has what is committed (§5.4.3), so that much agrees with any of them.
function agreedIndex(m: Machine): number {
  return Math.max(m.verifiedIndex, m.log.commitIndex);
}

function sendAck(m: Machine, to: string, matchIndex: number): void {
  const { nodeId: from, currentTerm: term } = m;
  m.send({ type: 'AppendEntriesResponse', from, to, term, matchIndex, rejected: null });
}

/** Names the last entry that may still agree, so that the leader skips whole terms (L12). */
function reject(m: Machine, prev: EntryId): void {
  const { log, nodeId: from, currentTerm: term } = m;
  if (m.leader === null) return;
  const end = Math.min(prev.index, log.lastIndex);
  const index = log.lastIndexOfTermAtMost(prev.term, log.commitIndex + 1, end);
  const hint = { term: log.termAt(index) as number, index };
  m.send({
    type: 'AppendEntriesResponse',
    from,
    to: m.leader,
    term,
    matchIndex: 0,
    rejected: { index: prev.index, hint },
  });
}

function mayVoteFor(m: Machine, candidate: string): boolean {
  return m.votedFor === candidate || (m.votedFor === null && m.leader === null);
}

/** §5.4.1: the last entries compare as a pair, term first (E4). */
function isUpToDate(m: Machine, last: EntryId): boolean {
  const own = m.log.lastEntry;
  return last.term > own.term || (last.term === own.term && last.index >= own.index);
}

/** Why an entry may not enter the log, or null: its membership would be in force at once. */
function describeUnreadable(entries: readonly Entry[]): string | null {
  for (const { type, index, data } of entries) {
    if (type !== 'membership') continue;
    try {
      decodeMembershipEntry(data);
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      return `Cannot append entry ${index}: ${error.message}`;
    }
  }
  return null;
}

function isConsecutive(message: AppendEntries): boolean {
  let { term, index } = message.prevEntry;
  for (const entry of message.entries) {
    if (entry.index !== index + 1 || entry.term < term || entry.term > message.term) return false;
    ({ term, index } = entry);
  }
  return true;
}
