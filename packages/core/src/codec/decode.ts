/**
 * The only place where foreign bytes become messages. Bounds are checked before anything is
 * allocated; whatever decodes is well formed: entries are consecutive, their terms never fall and
 * never exceed the sender's, memberships are valid.
 */
import type { Message } from '../message.ts';
import type { Entry, EntryId, SnapshotMeta } from '../types.ts';
import { entryBytesMin, readEntryBody } from './entry.ts';
import { DecodeError } from './errors.ts';
import { messageBytesMax, messageVersion, termMax } from './limits.ts';
import { readMembership } from './membership.ts';
import { messageTypes } from './message-types.ts';
import { Reader } from './reader.ts';

/**
 * Reads what `encodeMessage` wrote. The data of entries are views into `bytes`: the message owns
 * the buffer from here on, and nobody may write to it. Throws `DecodeError`, and nothing else.
 */
export function decodeMessage(bytes: Uint8Array): Message {
  if (bytes.length > messageBytesMax) {
    throw new DecodeError(
      `Cannot read a message of ${bytes.length} bytes: wanted at most ${messageBytesMax}`,
    );
  }
  const reader = new Reader(bytes);
  const version = reader.byte();
  if (version !== messageVersion) {
    throw new DecodeError(`Cannot read a message of version ${version}: wanted ${messageVersion}`);
  }
  const code = reader.byte();
  const type = messageTypes[code];
  if (type === undefined) throw new DecodeError(`Cannot read a message of type ${code}`);
  const envelope = { from: reader.nodeId(), to: reader.nodeId(), term: reader.varint() };
  if (envelope.term > termMax) {
    throw new DecodeError(
      `Cannot read a message of term ${envelope.term}: wanted at most ${termMax}`,
    );
  }
  const message = readBody(reader, type, envelope);
  reader.end();
  return message;
}

type Envelope = Pick<Message, 'from' | 'to' | 'term'>;

function readBody(reader: Reader, type: Message['type'], envelope: Envelope): Message {
  switch (type) {
    case 'PreVote':
      return { type, ...envelope, lastEntry: readEntryId(reader) };
    case 'RequestVote':
      return { type, ...envelope, lastEntry: readEntryId(reader), transfer: reader.boolean() };
    case 'PreVoteResponse': {
      const granted = reader.boolean();
      const [votedFor = null] = reader.nodeIds(granted ? 0 : 1);
      return { type, ...envelope, granted, votedFor };
    }
    case 'RequestVoteResponse':
      return { type, ...envelope, granted: reader.boolean() };
    case 'AppendEntries':
      return readAppendEntries(reader, envelope);
    case 'AppendEntriesResponse':
      return readAppendEntriesResponse(reader, envelope);
    case 'Heartbeat':
      return { type, ...envelope, leaderCommit: reader.varint(), readRound: reader.varint() };
    case 'HeartbeatResponse':
      return { type, ...envelope, readRound: reader.varint() };
    case 'InstallSnapshot':
      return { type, ...envelope, meta: readSnapshotMeta(reader, envelope.term) };
    case 'TimeoutNow':
      return { type, ...envelope };
    case 'ReadIndex':
      return { type, ...envelope, requestId: reader.varint() };
    case 'ReadIndexResponse': {
      const requestId = reader.varint();
      const shifted = reader.varint();
      return { type, ...envelope, requestId, index: shifted === 0 ? null : shifted - 1 };
    }
  }
}

function readAppendEntries(reader: Reader, envelope: Envelope): Message {
  const prevEntry = readEntryId(reader);
  const leaderCommit = reader.varint();
  const count = reader.count(entryBytesMin, Number.MAX_SAFE_INTEGER);
  const entries: Entry[] = [];
  let term = prevEntry.term;
  for (let i = 1; i <= count; i++) {
    const entry = readEntryBody(reader, prevEntry.index + i);
    if (entry.term < term || entry.term > envelope.term) {
      throw new DecodeError(
        `Cannot read entry ${entry.index}: term ${entry.term}, wanted ${term} to ${envelope.term}`,
      );
    }
    term = entry.term;
    entries.push(entry);
  }
  return { type: 'AppendEntries', ...envelope, prevEntry, leaderCommit, entries };
}

function readAppendEntriesResponse(reader: Reader, envelope: Envelope): Message {
  const matchIndex = reader.varint();
  if (!reader.boolean()) {
    return { type: 'AppendEntriesResponse', ...envelope, matchIndex, rejected: null };
  }
  const index = reader.varint();
  const hint = readEntryId(reader);
  if (hint.index > index) {
    throw new DecodeError(
      `Cannot read a rejection at ${index}: its hint ${hint.index} lies beyond`,
    );
  }
  return { type: 'AppendEntriesResponse', ...envelope, matchIndex, rejected: { index, hint } };
}

function readEntryId(reader: Reader): EntryId {
  const term = reader.varint();
  const index = reader.varint();
  if ((term === 0) !== (index === 0)) {
    throw new DecodeError(`Cannot read entry id ${term}/${index}: wanted both zero or neither`);
  }
  return { term, index };
}

function readSnapshotMeta(reader: Reader, messageTerm: number): SnapshotMeta {
  const term = reader.varint();
  const index = reader.varint();
  const membershipIndex = reader.varint();
  const membership = readMembership(reader);
  if (term === 0 || term > messageTerm || index < membershipIndex || membershipIndex === 0) {
    throw new DecodeError(
      `Cannot read a snapshot at ${term}/${index} with a membership at ${membershipIndex}`,
    );
  }
  return { term, index, membership, membershipIndex };
}
