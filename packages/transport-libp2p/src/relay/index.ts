export { takeLimits } from './limits.ts';
export type { RelayLimits } from './limits.ts';
export { completeRegister, registeredTopics, releaseTopic } from './release.ts';
export { revertedMessage, startRelay } from './relay.ts';
export type { Relay, RelayEvent, RelayOptions } from './relay.ts';
