/** The register that a relay keeps, for whoever runs it without the relay. */
export { registerLimits } from './relay/register-rules.ts';
export { RegisterStore } from './relay/register-store.ts';
export type { RegisterDisk, RegisterList, StoredRegister } from './relay/register-disk.ts';
export type { RegisterEntry } from './relay/register-rules.ts';
