export { MemoryNetwork } from './memory-transport.ts';
export type { FrameInFlight, MemoryNetworkOptions } from './memory-transport.ts';
export { MemoryRegisters } from './memory-register.ts';
export { MemoryMeetingPoint } from './memory-rendezvous.ts';
export { createPlainCipher, verifyPlainRecord } from './plain-cipher.ts';
export type { PlainCipherOptions } from './plain-cipher.ts';
export { createPlainSigner } from './plain-signer.ts';
export { MemoryDisk, MemoryStorage } from './memory-storage.ts';
export type { MemoryDiskContents, MemoryDiskOptions } from './memory-storage.ts';
