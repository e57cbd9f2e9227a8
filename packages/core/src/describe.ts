/** Any state, message or `Ready` as text, for transcripts and debug logs. Never command bytes. */
import { decodeMembershipEntry } from './codec/membership.ts';
import type { Message } from './message.ts';
import type { Ready } from './ready.ts';
import type { Status } from './status.ts';
import type { Entry, EntryId, HardState, Membership, NodeId, SnapshotMeta } from './types.ts';

/** One line. */
export function describeMessage(message: Message): string {
  const head = `${message.type} ${describeNode(message.from)}->${describeNode(message.to)} term ${message.term}`;
  const tail = describeBody(message);
  return tail === '' ? head : `${head} ${tail}`;
}

/** One line per thing to do, in the order of the fields. */
export function describeReady(ready: Ready): string {
  const lines: string[] = [];
  const { persist, softState, installSnapshot, refused, fatal } = ready;
  if (softState !== null) {
    const leader = softState.leader === null ? 'none' : describeNode(softState.leader);
    lines.push(`soft ${softState.role} term ${softState.term} leader ${leader}`);
  }
  if (persist !== null) {
    const entries = persist.entries.map((entry) => ` ${describeEntry(entry)}`).join('');
    lines.push(`persist ${persist.number} ${describeHardState(persist.hardState)}${entries}`);
  }
  for (const message of ready.messages) lines.push(`send ${describeMessage(message)}`);
  if (ready.committed.length > 0)
    lines.push(`apply ${ready.committed.map(describeEntry).join(' ')}`);
  if (installSnapshot !== null) lines.push(`install ${describeSnapshot(installSnapshot)}`);
  for (const to of ready.sendSnapshot) lines.push(`snapshot to ${describeNode(to)}`);
  for (const { requestId, index } of ready.reads)
    lines.push(`read ${requestId} at ${index ?? 'refused'}`);
  if (ready.truncated.length > 0)
    lines.push(`truncated ${ready.truncated.map(describeEntryId).join(' ')}`);
  for (const { kind, reason } of refused) lines.push(`refuse ${kind}: ${reason}`);
  if (fatal !== null) lines.push(`fatal ${fatal.reason}`);
  return lines.join('\n');
}

/** The member in one line, with what is unusual about it at the end; then one line per peer it leads. */
export function describeStatus(status: Status): string {
  const leader = status.leader === null ? 'none' : describeNode(status.leader);
  const votedFor = status.votedFor === null ? 'none' : describeNode(status.votedFor);
  const lines = [
    `${describeNode(status.nodeId)} ${status.role} term ${status.term} leader ${leader} voted ${votedFor} ` +
      `log ${status.firstIndex}..${describeEntryId(status.lastEntry)} durable ${status.durableIndex} ` +
      `commit ${status.commitIndex} applied ${status.lastApplied} ` +
      `members ${describeMembership(status.membership)}@${status.membershipIndex}${describeUnusual(status)}`,
  ];
  for (const peer of status.progress) {
    lines.push(
      `  ${describeNode(peer.peer)} ${peer.state} match ${peer.matchIndex} next ${peer.nextIndex} ` +
        `inflight ${peer.inflight.count} heard ${peer.ticksSinceHeard} ticks ago`,
    );
  }
  return lines.join('\n');
}

function describeUnusual(status: Status): string {
  const { snapshot, transferTarget, pendingReads, uncommittedBytes } = status;
  let text = '';
  if (snapshot !== null) text += ` snapshot ${describeEntryId(snapshot)}`;
  if (status.installing) text += ' installing';
  if (transferTarget !== null) text += ` transfer to ${describeNode(transferTarget)}`;
  if (pendingReads > 0) text += ` reads ${pendingReads}`;
  if (uncommittedBytes > 0) text += ` uncommitted ${uncommittedBytes}B`;
  return text;
}

/** `term/index`, the type unless normal, and the size or what it says. */
export function describeEntry(entry: Entry): string {
  const id = describeEntryId(entry);
  if (entry.type === 'noop') return `${id}:noop`;
  if (entry.type === 'normal') return `${id}:${entry.data.length}B`;
  try {
    return `${id}:${describeMembership(decodeMembershipEntry(entry.data).membership)}`;
  } catch {
    return `${id}:membership?`;
  }
}

/** `(voters)`, `(voters)&(outgoing)` while joint, then learners. */
export function describeMembership(membership: Membership): string {
  const list = (ids: readonly NodeId[]): string => ids.map(describeNode).join(' ');
  let text = `(${list(membership.voters)})`;
  if (membership.votersOutgoing.length > 0) text += `&(${list(membership.votersOutgoing)})`;
  if (membership.learners.length > 0) text += `learners(${list(membership.learners)})`;
  if (membership.learnersNext.length > 0) text += `next(${list(membership.learnersNext)})`;
  return text;
}

function describeBody(message: Message): string {
  switch (message.type) {
    case 'PreVote':
      return `last ${describeEntryId(message.lastEntry)}`;
    case 'RequestVote':
      return `last ${describeEntryId(message.lastEntry)}${message.transfer ? ' transfer' : ''}`;
    case 'PreVoteResponse': {
      const { granted, votedFor } = message;
      if (granted) return 'granted';
      return votedFor === null ? 'refused' : `refused voted ${describeNode(votedFor)}`;
    }
    case 'RequestVoteResponse':
      return message.granted ? 'granted' : 'refused';
    case 'AppendEntries': {
      const entries = message.entries.map((entry) => ` ${describeEntry(entry)}`).join('');
      return `prev ${describeEntryId(message.prevEntry)} commit ${message.leaderCommit}${entries}`;
    }
    case 'AppendEntriesResponse':
      if (message.rejected === null) return `match ${message.matchIndex}`;
      return `rejected ${message.rejected.index} hint ${describeEntryId(message.rejected.hint)}`;
    case 'Heartbeat':
      return `commit ${message.leaderCommit} round ${message.readRound}`;
    case 'HeartbeatResponse':
      return `round ${message.readRound}`;
    case 'InstallSnapshot':
      return describeSnapshot(message.meta);
    case 'TimeoutNow':
      return '';
    case 'ReadIndex':
      return `request ${message.requestId}`;
    case 'ReadIndexResponse':
      return `request ${message.requestId} index ${message.index ?? 'refused'}`;
  }
}

function describeSnapshot(meta: SnapshotMeta): string {
  return `${describeEntryId(meta)} members ${describeMembership(meta.membership)}@${meta.membershipIndex}`;
}

function describeHardState(hardState: HardState): string {
  const votedFor = hardState.votedFor === null ? 'none' : describeNode(hardState.votedFor);
  return `term ${hardState.currentTerm} voted ${votedFor} commit ${hardState.commitIndex}`;
}

function describeEntryId(id: EntryId): string {
  return `${id.term}/${id.index}`;
}

/** The first eight characters that tell ids apart: random ids differ at once, small ones at the end. */
function describeNode(id: NodeId): string {
  const short = id.replace(/^0+(?=.)/, '');
  return short.slice(0, 8);
}
