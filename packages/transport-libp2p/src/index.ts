export { createLibp2pHost, generatePrivateKey } from './node/create-host.ts';
export type { Libp2pHostOptions } from './node/create-host.ts';
export type { Libp2pHost } from './host/host.ts';
export type { LinkTiming } from './host/options.ts';
