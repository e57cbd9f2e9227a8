export { AssertionError } from './assert.ts';
export { decodeEntry, encodeEntry } from './codec/entry.ts';
export { decodeMessage } from './codec/decode.ts';
export { encodeMessage } from './codec/encode.ts';
export { DecodeError } from './codec/errors.ts';
export { contextBytesMax, entryDataBytesMax, messageBytesMax } from './codec/limits.ts';
export { decodeMembershipEntry, encodeMembershipEntry } from './codec/membership.ts';
export type { MembershipEntry } from './codec/membership.ts';
export type { Config, InitialState } from './config.ts';
export {
  describeEntry,
  describeMembership,
  describeMessage,
  describeReady,
  describeStatus,
} from './describe.ts';
export type { Lease } from './leader.ts';
export { isJoint, isMember, isVoter, membersOf, plainMembership } from './membership.ts';
export type { MembershipTarget } from './membership.ts';
export type {
  AppendEntries,
  AppendEntriesResponse,
  Heartbeat,
  HeartbeatResponse,
  InstallSnapshot,
  Message,
  PreVote,
  PreVoteResponse,
  ReadIndex,
  ReadIndexResponse,
  RequestVote,
  RequestVoteResponse,
  TimeoutNow,
} from './message.ts';
export { Prng } from './prng.ts';
export { Raft } from './raft.ts';
export type { ChangeResult, MembershipChange, ProposeResult, Refusal } from './raft.ts';
export type {
  Fatal,
  PersistBatch,
  ReadState,
  Ready,
  RefusalKind,
  RefusedMessage,
  SoftState,
} from './ready.ts';
export type { ProgressStatus, Status } from './status.ts';
export type {
  Entry,
  EntryId,
  EntryType,
  HardState,
  Membership,
  NodeId,
  ProgressState,
  Role,
  SnapshotMeta,
} from './types.ts';
