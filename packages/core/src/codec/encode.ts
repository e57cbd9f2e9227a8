import type { Message } from '../message.ts';
import type { EntryId, SnapshotMeta } from '../types.ts';
import { entryBytesMax, writeEntryBody } from './entry.ts';
import { messageVersion } from './limits.ts';
import { membershipBytesMax, writeMembership } from './membership.ts';
import { messageTypes } from './message-types.ts';
import { Writer, varintBytesMax } from './writer.ts';

/**
 * A message as bytes: version, type, from, to, term, then what the type needs. Throws `RangeError`
 * when a node id is not 32 lowercase hex digits or a number is not a safe integer >= 0.
 */
export function encodeMessage(message: Message): Uint8Array {
  const writer = new Writer(messageSizeMax(message));
  writer.byte(messageVersion);
  writer.byte(messageTypes.indexOf(message.type));
  writer.nodeId(message.from);
  writer.nodeId(message.to);
  writer.varint(message.term);
  writeBody(writer, message);
  return writer.finish();
}

function writeBody(writer: Writer, message: Message): void {
  switch (message.type) {
    case 'PreVote':
      return writeEntryId(writer, message.lastEntry);
    case 'RequestVote':
      writeEntryId(writer, message.lastEntry);
      return writer.byte(message.transfer ? 1 : 0);
    case 'PreVoteResponse':
      writer.byte(message.granted ? 1 : 0);
      return writer.nodeIds(message.votedFor === null ? [] : [message.votedFor]);
    case 'RequestVoteResponse':
      return writer.byte(message.granted ? 1 : 0);
    case 'AppendEntries':
      writeEntryId(writer, message.prevEntry);
      writer.varint(message.leaderCommit);
      writer.varint(message.entries.length);
      for (const entry of message.entries) writeEntryBody(writer, entry);
      return;
    case 'AppendEntriesResponse':
      writer.varint(message.matchIndex);
      writer.byte(message.rejected === null ? 0 : 1);
      if (message.rejected === null) return;
      writer.varint(message.rejected.index);
      return writeEntryId(writer, message.rejected.hint);
    case 'Heartbeat':
      writer.varint(message.leaderCommit);
      return writer.varint(message.readRound);
    case 'HeartbeatResponse':
      return writer.varint(message.readRound);
    case 'InstallSnapshot':
      return writeSnapshotMeta(writer, message.meta);
    case 'TimeoutNow':
      return;
    case 'ReadIndex':
      return writer.varint(message.requestId);
    case 'ReadIndexResponse':
      writer.varint(message.requestId);
      // Shifted by one: 0 is the refusal.
      return writer.varint(message.index === null ? 0 : message.index + 1);
  }
}

function messageSizeMax(message: Message): number {
  let bytes = 2 + 32 + 6 * varintBytesMax;
  if (message.type === 'AppendEntries') {
    for (const entry of message.entries) bytes += entryBytesMax(entry);
  } else if (message.type === 'InstallSnapshot') {
    bytes += membershipBytesMax(message.meta.membership);
  }
  return bytes;
}

function writeEntryId(writer: Writer, id: EntryId): void {
  writer.varint(id.term);
  writer.varint(id.index);
}

function writeSnapshotMeta(writer: Writer, meta: SnapshotMeta): void {
  writer.varint(meta.term);
  writer.varint(meta.index);
  writer.varint(meta.membershipIndex);
  writeMembership(writer, meta.membership);
}
