export { checkEntry, importEntries } from '@quorate/kv/backup';
export type { ExportedEntry } from '@quorate/kv/backup';
export { checkBackup } from './backup-file.ts';
export { restoreBackup } from './restore.ts';
export type { RestoreOptions, RestorePlan } from './restore.ts';
export { backupOfStopped } from './stopped-member.ts';
export type { StoppedOptions } from './stopped-member.ts';
export type { Backup } from '../backup.ts';
export type { BackupInfo } from '@quorate/kv/backup';
