/**
 * Log replication, the leader's side (§5.3): which entries each peer gets next, and what its
 * answers mean. One `Progress` per peer decides how much may be in flight.
 */
import type { Leadership } from './leadership.ts';
import type { Machine } from './machine.ts';
import type { AppendEntriesResponse } from './message.ts';
import type { Progress } from './progress.ts';
import { refuse } from './refusals.ts';

/** Sends each peer what it lacks, as far as its window allows. */
export function flushAppends(m: Machine, leadership: Leadership): void {
  for (const progress of leadership.progress.values()) {
    if (progress.state === 'probe') probe(m, progress);
    else if (progress.state === 'replicate') replicate(m, progress);
  }
}

/** Takes a peer's answer; true when more is durable there than was known. */
export function takeAnswer(
  m: Machine,
  progress: Progress,
  message: AppendEntriesResponse,
): boolean {
  const { matchIndex, rejected } = message;
  if (rejected !== null) {
    if (rejected.index <= progress.matchIndex) {
      const reason = `Cannot look at entry ${rejected.index}: ${progress.matchIndex} was acknowledged`;
      refuse(m, 'forgotten', reason, message);
    } else takeRejection(m, progress, rejected);
    return false;
  }
  if (matchIndex > m.log.lastIndex) {
    const reason = `Cannot count entry ${matchIndex}: acknowledged, but the log ends at ${m.log.lastIndex}`;
    refuse(m, 'contradiction', reason, message);
    return false;
  }
  // The answer to a probe proves its previous entry; anything new proves a prefix as well.
  const provesProbe = matchIndex >= progress.nextIndex - 1;
  const news = progress.acknowledge(matchIndex);
  if (progress.state === 'probe') {
    if (news || provesProbe) progress.becomeReplicate();
  } else if (progress.state === 'snapshot' && progress.matchIndex >= m.log.prev.index) {
    progress.becomeReplicate();
  }
  return news;
}

/** The driver says how a snapshot's transfer ended. */
export function onSnapshotReport(progress: Progress, ok: boolean): void {
  if (progress.state !== 'snapshot') return;
  progress.becomeProbe(ok ? progress.snapshotIndex + 1 : progress.matchIndex + 1);
  // Either way the next heartbeat's answer tells when to look again.
  progress.probeSent = true;
}

function takeRejection(
  m: Machine,
  progress: Progress,
  rejected: NonNullable<AppendEntriesResponse['rejected']>,
): void {
  if (progress.state === 'snapshot') return;
  if (progress.state === 'replicate') {
    // Something got lost on the way; what was acknowledged still holds.
    progress.becomeProbe(progress.matchIndex + 1);
    return;
  }
  if (rejected.index !== progress.nextIndex - 1) return;
  progress.becomeProbe(Math.min(agreementAtMost(m, rejected.hint) + 1, rejected.index));
}

/** The largest index at or below the hint at which both logs may agree: skips whole terms (L12). */
function agreementAtMost(m: Machine, hint: { term: number; index: number }): number {
  const { log } = m;
  if (hint.index < log.prev.index) return hint.index;
  const to = Math.min(hint.index, log.lastIndex);
  return log.lastIndexOfTermAtMost(hint.term, log.prev.index, to);
}

/** One message at a time, until the peer says where its log agrees. */
function probe(m: Machine, progress: Progress): void {
  if (progress.probeSent) return;
  const { log, settings } = m;
  if (progress.nextIndex <= log.prev.index) return needSnapshot(m, progress);
  // The entries may well have arrived and wait for the peer's disk: repeated, they would only be in
  // the way. An empty append is answered either way.
  const end = progress.probeRepeated ? progress.nextIndex : log.lastIndex + 1;
  sendAppend(m, progress, log.runEnd(progress.nextIndex, end, settings.appendBytesMax));
  progress.probeSent = true;
  progress.probeRepeated = true;
}

function replicate(m: Machine, progress: Progress): void {
  const { log, settings } = m;
  if (progress.nextIndex <= log.prev.index) return needSnapshot(m, progress);
  const end = log.lastIndex + 1;
  let sent = false;
  while (progress.nextIndex < end && !progress.inflight.full) {
    const from = progress.nextIndex;
    const to = log.runEnd(from, end, settings.appendBytesMax);
    sendAppend(m, progress, to);
    progress.sent(to - 1, log.bytes(from, to));
    sent = true;
  }
  // An empty append carries the commit index past a full window (L13), and finds out what was lost;
  // but one is enough for somebody who says nothing.
  const { inflight, pokeOwed, commitIndexSent } = progress;
  const owed = pokeOwed || commitIndexSent < log.commitIndex;
  if (!sent && owed && !(inflight.full && progress.emptySent)) {
    sendAppend(m, progress, progress.nextIndex);
    progress.emptySent = inflight.full;
  }
  progress.pokeOwed = false;
}

/** Entries [nextIndex, to), with the id of the entry before them. */
function sendAppend(m: Machine, progress: Progress, to: number): void {
  const { log, nodeId: from, currentTerm: term } = m;
  const prevIndex = progress.nextIndex - 1;
  const prevTerm = log.termAt(prevIndex) as number;
  m.send({
    type: 'AppendEntries',
    from,
    to: progress.peer,
    term,
    prevEntry: { term: prevTerm, index: prevIndex },
    leaderCommit: log.commitIndex,
    entries: to === progress.nextIndex ? noEntries : log.slice(progress.nextIndex, to),
  });
  progress.commitIndexSent = log.commitIndex;
}

/** The entry before the next is compacted away (L9); only worth a stream if the peer is there. */
function needSnapshot(m: Machine, progress: Progress): void {
  if (!progress.heard || progress.departing || m.log.snapshot === null) return;
  progress.becomeSnapshot(m.log.snapshot.index);
  m.snapshotsTo.push(progress.peer);
}

const noEntries: readonly never[] = [];
