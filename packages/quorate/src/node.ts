/** What only Node has: backups of members that do not run, and clusters restored from backups. */
export { backupOfStopped, checkBackup, restoreBackup } from '@quorate/join/node';
export type {
  Backup,
  BackupInfo,
  RestoreOptions,
  RestorePlan,
  StoppedOptions,
} from '@quorate/join/node';
