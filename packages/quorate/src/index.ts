export { joinCluster } from '@quorate/join';
export type { Cluster, ClusterEvents, JoinOptions } from '@quorate/join';
export { isQuorateError, QuorateError } from '@quorate/cluster';
export type {
  CallOptions,
  ClusterStatus,
  ErrorCode,
  MemberInfo,
  Outcome,
  Phase,
  Policy,
  Settled,
} from '@quorate/cluster';
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
  Value,
  WatchBatch,
  WatchEvent,
  WatchOptions,
  WriteOperation,
} from '@quorate/kv';
export { createSecret, deriveSecret } from '@quorate/join';
