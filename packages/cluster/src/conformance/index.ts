export { transportConformance } from './transport.ts';
export type { TransportConformance, TransportWorld } from './transport.ts';
export { registerConformance } from './register.ts';
export type { RegisterConformance, RegisterWorld } from './register.ts';
export { rendezvousConformance } from './rendezvous.ts';
export type { RendezvousConformance, RendezvousWorld } from './rendezvous.ts';
export { cipherConformance } from './cipher.ts';
export type { CipherConformanceOptions } from './cipher.ts';
