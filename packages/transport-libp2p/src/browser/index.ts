export { createLibp2pHost } from './create-host.ts';
export type { Libp2pHostOptions } from './create-host.ts';
export { generatePrivateKey } from '../host/private-key.ts';
export type { Libp2pHost } from '../host/host.ts';
export type { LinkTiming } from '../host/options.ts';
export type { RelayRecords } from '../host/relay-memory.ts';
