export { createLibp2pHost } from './node/create-host.ts';
export { parseAddress } from './host/addresses.ts';
export { generatePrivateKey } from './host/private-key.ts';
export type { Libp2pHostOptions } from './node/create-host.ts';
export type { Libp2pHost } from './host/host.ts';
export type { LinkTiming } from './host/options.ts';
export type { ListeningLimits, ListeningOptions } from './listening/listening.ts';
export type { RelayRecords } from './host/relay-memory.ts';
