import type { Message } from '../message.ts';

/** The position is the code on the wire: only ever append. */
export const messageTypes: readonly Message['type'][] = [
  'PreVote',
  'PreVoteResponse',
  'RequestVote',
  'RequestVoteResponse',
  'AppendEntries',
  'AppendEntriesResponse',
  'Heartbeat',
  'HeartbeatResponse',
  'InstallSnapshot',
  'TimeoutNow',
  'ReadIndex',
  'ReadIndexResponse',
];
