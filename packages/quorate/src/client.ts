export { connectClient } from '@quorate/client';
export type { Client, ClientOptions } from '@quorate/client';
export type { Fetch } from '@quorate/client';
export { QuorateError, isQuorateError } from '@quorate/client';
export type { Outcome } from '@quorate/client';
export { fromJsonValue, toJsonValue } from '@quorate/client';
export type { JsonValue } from '@quorate/client';
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
  Txn,
  TxnResult,
  Storable,
  Value,
  WatchBatch,
  WatchEvent,
  WatchOptions,
  WriteOperation,
} from '@quorate/client';
export {
  batchToWire,
  entryToWire,
  rangeToWire,
  timeoutHeader,
  txnResultToWire,
} from '@quorate/client';
export type {
  CallName,
  WireAnswer,
  WireBatch,
  WireCall,
  WireEntry,
  WireError,
  WireRange,
  WireTxnResult,
} from '@quorate/client';
