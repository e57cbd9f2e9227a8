/** What only Node has: backups of stopped members, clusters restored from backups, certificates. */
export { backupOfStopped, checkBackup, restoreBackup } from '@quorate/join/node';
export type {
  Backup,
  BackupInfo,
  RestoreOptions,
  RestorePlan,
  StoppedOptions,
} from '@quorate/join/node';
export { readCertificate } from '@quorate/join/node';
export type { Certificate, CertificateFiles } from '@quorate/join/node';
