export type {
  Compare,
  Comparison,
  Condition,
  Consistency,
  Counter,
  DeleteOptions,
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
} from './types.ts';
export { createKv } from './kv.ts';
export type { KvOptions } from './kv.ts';
export type { KvStatus } from './live.ts';
export { KvStateMachine } from './state-machine.ts';
export type { KvStateMachineOptions, StateObserver } from './state-machine.ts';
export type { HistoryLimits } from './limits.ts';
export {
  keyBytesMax,
  operationCountMax,
  requestBytesMax,
  stateBytesMaxDefault,
  valueBytesMax,
} from './limits.ts';
export { compareKeys } from './key.ts';
