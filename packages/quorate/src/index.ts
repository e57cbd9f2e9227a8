export { joinCluster } from '@quorate/join';
export type {
  Backup,
  BackupInfo,
  BackupOptions,
  Cluster,
  ClusterEvents,
  ExportedEntry,
  ExportOptions,
  ImportOptions,
  JoinOptions,
  SecretSource,
} from '@quorate/join';
export { isQuorateError, QuorateError } from '@quorate/contracts';
export type { CallOptions, ErrorCode, Outcome, Settled } from '@quorate/contracts';
export type { ClusterStatus, MemberInfo, Phase, Policy } from '@quorate/cluster';
export type {
  Compare,
  Condition,
  Consistency,
  Counter,
  DeleteResult,
  KeySelector,
  KeyValue,
  KvEntry,
  Live,
  LiveSnapshot,
  Operation,
  OperationResult,
  PutOptions,
  PutResult,
  RangeOptions,
  RangeResult,
  ReadOptions,
  Transaction,
  Txn,
  TxnResult,
  Storable,
  Value,
  WatchBatch,
  WatchEvent,
  WatchOptions,
  WriteOperation,
} from '@quorate/kv';
export { createSecret, deriveSecret } from '@quorate/join';
