export { checkBackup } from './backup-file.ts';
export { restoreBackup } from './restore.ts';
export type { RestoreOptions, RestorePlan } from './restore.ts';
export { backupOfStopped } from './stopped-member.ts';
export type { StoppedOptions } from './stopped-member.ts';
export type { Backup, BackupInfo } from '../backup.ts';
