export { registeredTopics, releaseTopic } from './release.ts';
export { startRelay } from './relay.ts';
export type { Relay, RelayEvent, RelayOptions } from './relay.ts';
