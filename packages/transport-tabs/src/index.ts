export { createTabsRendezvous } from './tabs-rendezvous.ts';
export type { TabsRendezvousOptions } from './tabs-rendezvous.ts';
export { createTabsTransport } from './tabs-transport.ts';
export type { TabsTransportOptions } from './tabs-transport.ts';
export type { TabsTiming } from './timing.ts';
