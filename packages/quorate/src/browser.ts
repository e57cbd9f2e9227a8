/** What `index.ts` exports, for pages: the same names and types, other parts inside. */
export { joinCluster } from '@quorate/join/browser';
export { isQuorateError, QuorateError } from '@quorate/contracts';
export { createSecret, deriveSecret } from '@quorate/join/browser';
