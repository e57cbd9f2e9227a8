export { FileStorage } from './file-storage.ts';
export type { FileStorageOptions } from './file-storage.ts';
export { storedRunIn } from './identity.ts';
export { nodeFileSystem } from './node-file-system.ts';
export type { FileKind, FileSystem, Machine, OpenFile, SocketState } from './file-system.ts';
export { readOnlyStorage } from './read-only.ts';
export type { ReadOnlyOptions } from './read-only.ts';
