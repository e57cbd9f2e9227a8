export { connectClient } from './client.ts';
export type { Client, ClientOptions } from './client.ts';
export type { Fetch } from './channel.ts';
export { QuorateError, isQuorateError } from './errors.ts';
export type { Outcome } from './errors.ts';
export { fromJsonValue, toJsonValue } from './json-value.ts';
export type { JsonValue } from './json-value.ts';
export type {
  CallOptions,
  ClientKeyValue,
  Compare,
  Comparison,
  Consistency,
  DeleteOptions,
  DeleteResult,
  ForkSummary,
  GatewayStatus,
  KeySelector,
  KvEntry,
  MemberSummary,
  Operation,
  OperationResult,
  PutOptions,
  PutResult,
  RangeOptions,
  RangeResult,
  ReadOptions,
  RegisterInfo,
  RestoredRegister,
  Txn,
  TxnResult,
  Storable,
  Value,
  WatchBatch,
  WatchEvent,
  WatchOptions,
  WriteOperation,
} from './types.ts';
export { batchToWire, entryToWire, rangeToWire, timeoutHeader, txnResultToWire } from './wire.ts';
export type {
  CallName,
  WireAnswer,
  WireBatch,
  WireCall,
  WireEntry,
  WireError,
  WireRange,
  WireTxnResult,
} from './wire.ts';
