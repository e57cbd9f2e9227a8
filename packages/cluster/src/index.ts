export { Member } from './member/member.ts';
export type { MemberNetwork, MemberOptions } from './member/member-options.ts';
export type { ClusterStatus, MemberInfo, MissingMember, Phase } from './member/status.ts';
export { Neighbours } from './replica/neighbours.ts';
export type { Captured } from './member/restoring.ts';
export { memberLimits } from './state/limits.ts';
export type { MemberLimits } from './state/limits.ts';
export { createPolicy } from './state/policy.ts';
export type { Policy } from './state/policy.ts';
