export { Member } from './member/member.ts';
export type { MemberNetwork, MemberOptions } from './member/member-options.ts';
export { createPolicy, defaultPolicy } from './state/policy.ts';
export type { RpcRequest } from './links/rpc.ts';
export { decodeEntry } from './state/envelope.ts';
export type { EntryBody } from './state/envelope.ts';
export { Lease, silentTicksOf } from './replica/lease.ts';
export type { LeaseOptions } from './replica/lease.ts';
export { ReplicatedState } from './state/replicated-state.ts';
export type { AppliedEntry } from './state/replicated-state.ts';
export type { MemberFacts, Policy, Runtime, Voting } from './state/policy.ts';
export type {
  ClusterStatus,
  MemberInfo,
  MissingMember,
  Phase,
  RaftStatus,
} from './member/status.ts';
