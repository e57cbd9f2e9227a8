export { holdsLog } from './holds-log.ts';
export { IndexedDbStorage } from './indexeddb-storage.ts';
export type { IndexedDbStorageOptions } from './indexeddb-storage.ts';
export { IndexedDbRegister } from './indexeddb-register.ts';
export type { IndexedDbRegisterOptions, TurnLocks } from './indexeddb-register.ts';
export { takeLock } from './web-lock.ts';
