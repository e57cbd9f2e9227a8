export { joinCluster } from './node/join-cluster.ts';
export type { Cluster, ClusterEvents } from './cluster.ts';
export type { Backup, BackupOptions, ExportOptions } from './backup.ts';
export type { BackupInfo, ExportedEntry, ImportOptions } from '@quorate/kv/backup';
export type { JoinOptions } from './options.ts';
export { createSecret } from './secret.ts';
export { deriveSecret } from '@quorate/crypto';
export { lookAtRegister } from './node/look-at-register.ts';
export type { SecretSource } from '@quorate/crypto';
