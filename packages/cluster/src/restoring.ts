export { factsFromCbor, factsOf, writeRestored } from './member/restoring.ts';
export type { ClusterFacts, Restored } from './member/restoring.ts';
export { openReplica } from './member/opening.ts';
export type { Opened } from './member/opening.ts';
export { readClaim, takeName } from './formation/claim.ts';
export type { Claim, ClaimRecord } from './formation/claim.ts';
