/** A follower: takes what the leader sends, votes, and says only what is durable. */
import { startElection, startPreVote } from './candidate.ts';
import type { Machine } from './machine.ts';
import type {
  AppendEntries,
  Heartbeat,
  InstallSnapshot,
  ReadIndexResponse,
  PreVote,
  RequestVote,
} from './message.ts';
import type { EntryId, SnapshotMeta } from './types.ts';

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
    return m.fail('Cannot append: the entries are not consecutive or of a later term', message);
  }
  const { log } = m;
  // Entries up to the log's start are committed and equal here and there; only the rest counts.
  const skipped = Math.max(0, log.prev.index - message.prevEntry.index);
  const prev = skipped === 0 ? message.prevEntry : message.entries[skipped - 1];
  if (prev === undefined) return acknowledge(m, log.prev.index);
  if (log.termAt(prev.index) !== prev.term) {
    if (prev.index <= log.commitIndex) {
      return m.fail(
        `Cannot append after entry ${prev.term}/${prev.index}: another is committed`,
        message,
      );
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
        return m.fail(
          `Cannot replace entry ${term}/${entry.index} by ${entry.term}/${entry.index}: it is final`,
          message,
        );
      }
      m.truncateFrom(entry.index);
      break;
    }
    at++;
  }
  for (; at < message.entries.length; at++) {
    const entry = message.entries[at];
    if (entry === undefined || !m.append(entry, message)) return;
  }
  m.verifiedIndex = Math.max(m.verifiedIndex, lastIndex);
  // Only what this message verified (L3): beyond it may lie another leader's leftovers.
  m.commitTo(Math.min(message.leaderCommit, lastIndex));
  acknowledge(m, lastIndex);
}

export function onHeartbeat(m: Machine, message: Heartbeat): void {
  if (m.installing === null) {
    if (message.leaderCommit > m.log.lastIndex) {
      return m.fail(
        `Cannot commit ${message.leaderCommit}: the log ends at ${m.log.lastIndex}, after it was acknowledged`,
        message,
      );
    }
    m.commitTo(message.leaderCommit);
  }
  const { nodeId: from, currentTerm: term } = m;
  m.send({ type: 'HeartbeatResponse', from, to: message.from, term, readRound: message.readRound });
}

export function onInstallSnapshot(m: Machine, message: InstallSnapshot): void {
  const { meta } = message;
  if (meta.term > message.term) {
    return m.fail(
      `Cannot install a snapshot of term ${meta.term} in term ${message.term}`,
      message,
    );
  }
  if (m.installing !== null) return;
  if (meta.index <= m.log.commitIndex) {
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
  const granted = open && free && isUpToDate(m, message.lastEntry);
  const term = granted ? message.term : m.currentTerm;
  m.send({ type: 'PreVoteResponse', from, to: message.from, term, granted });
  // Two who ask each other at once would both be granted it, and then split the votes for a whole
  // election timeout: the lower one lets the higher one go first. What it granted stays true.
  if (granted && m.role === 'preCandidate' && message.from > from) {
    m.becomeFollower(m.currentTerm, null);
  }
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

function isConsecutive(message: AppendEntries): boolean {
  let { term, index } = message.prevEntry;
  for (const entry of message.entries) {
    if (entry.index !== index + 1 || entry.term < term || entry.term > message.term) return false;
    ({ term, index } = entry);
  }
  return true;
}
