/** What only a page with relays loads: the way to them, and what a register there needs. */
export { createLibp2pHost } from '@quorate/transport-libp2p/browser';
export { registerCare } from '@quorate/cluster/register';
