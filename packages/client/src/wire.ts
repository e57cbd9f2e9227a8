/**
 * The JSON that gateway and client exchange. Each call is `POST /v1/<name>` with a request object
 * and is answered by a result object or by `{"error": WireError}`; `POST /v1/calls` carries many at
 * once and answers each on a line of its own as soon as it is done; `GET /v1/watch` is a stream of
 * server-sent events. Values are in the form of `json-value.ts`.
 */
import { fromJsonValue, toJsonValue } from './json-value.ts';
import type { JsonValue } from './json-value.ts';
import type {
  Compare,
  KvEntry,
  Operation,
  OperationResult,
  RangeResult,
  TxnResult,
  WatchBatch,
  WatchEvent,
  WriteOperation,
} from './types.ts';

/** Calls of `POST /v1/<name>`. */
export type CallName =
  | 'get'
  | 'range'
  | 'put'
  | 'delete'
  | 'batch'
  | 'increment'
  | 'txn'
  | 'status'
  | 'members'
  | 'leave'
  | 'showRegister'
  | 'restoreRegister';

export type WireError = {
  readonly code: string;
  readonly outcome: 'not-applied' | 'unknown';
  readonly retryable: boolean;
  readonly message: string;
  readonly details: { readonly [name: string]: JsonValue };
};

/** One call of `POST /v1/calls`, whose body is `{"calls": WireCall[]}`. */
export type WireCall = {
  readonly name: CallName;
  readonly request: JsonValue;
  readonly timeoutMs?: number;
};

/** One line of its answer; `call` is the position in the request. */
export type WireAnswer =
  | { readonly call: number; readonly result: unknown }
  | { readonly call: number; readonly error: WireError };

/** `value` is absent where only keys were asked for. */
export type WireEntry = {
  readonly key: string;
  readonly value?: JsonValue;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
};

export type WireRange = {
  readonly kvs: readonly WireEntry[];
  readonly revision: number;
  readonly more: boolean;
  /** Where there are more: what to ask for next. */
  readonly after?: string;
  readonly count: number;
};

export type WireOperationResult =
  | { readonly type: 'put'; readonly previous?: WireEntry | null }
  | { readonly type: 'delete'; readonly deleted: number; readonly previous?: readonly WireEntry[] }
  | { readonly type: 'increment'; readonly value: number }
  | { readonly type: 'get'; readonly kv: WireEntry | null };

export type WireTxnResult = {
  readonly succeeded: boolean;
  readonly revision: number;
  readonly results: readonly WireOperationResult[];
};

export type WireWatchEvent =
  | ({ readonly type: 'put'; readonly previous?: WireEntry | null } & WireEntry)
  | { readonly type: 'delete'; readonly key: string; readonly previous?: WireEntry | null };

/** The data of one event of a watch; its id is the revision. */
export type WireBatch = {
  readonly revision: number;
  readonly initial: boolean;
  readonly events: readonly WireWatchEvent[];
};

/** Header with which a caller shortens (never beyond the gateway's cap) the deadline of a call. */
export const timeoutHeader: string = 'quorate-timeout-ms';

export function entryToWire(entry: KvEntry): WireEntry {
  const { key, value, createRevision, modRevision, version } = entry;
  const revisions = { createRevision, modRevision, version };
  return value === undefined
    ? { key, ...revisions }
    : { key, value: toJsonValue(value), ...revisions };
}

export function entryFromWire<T>(wire: WireEntry): KvEntry<T> {
  const { key, createRevision, modRevision, version } = wire;
  const value = wire.value === undefined ? undefined : fromJsonValue(wire.value);
  return { key, value: value as T, createRevision, modRevision, version };
}

export function rangeToWire({ entries, ...rest }: RangeResult): WireRange {
  return { kvs: entries.map(entryToWire), ...rest };
}

export function rangeFromWire<T>(wire: WireRange): RangeResult<T> {
  const { kvs, ...rest } = wire;
  return { entries: kvs.map((kv) => entryFromWire<T>(kv)), ...rest };
}

/** Puts and value comparisons carry values; everything else travels as it is. */
export function operationToWire(operation: Operation | WriteOperation): JsonValue {
  if (operation.type !== 'put') return { ...operation };
  return { ...operation, value: toJsonValue(operation.value) };
}

export function compareToWire(compare: Compare): JsonValue {
  if (!('value' in compare)) return { ...compare };
  return { ...compare, value: toJsonValue(compare.value) };
}

export function txnResultToWire(result: TxnResult): WireTxnResult {
  const { succeeded, revision, results } = result;
  return { succeeded, revision, results: results.map(operationResultToWire) };
}

export function txnResultFromWire(wire: WireTxnResult): TxnResult {
  const { succeeded, revision, results } = wire;
  return { succeeded, revision, results: results.map(operationResultFromWire) };
}

export function batchToWire(batch: WatchBatch): WireBatch {
  const { revision, initial, events } = batch;
  return { revision, initial, events: events.map(eventToWire) };
}

export function batchFromWire<T>(wire: WireBatch): WatchBatch<T> {
  const { revision, initial, events } = wire;
  return { revision, initial, events: events.map((event) => eventFromWire<T>(event)) };
}

function operationResultToWire(result: OperationResult): WireOperationResult {
  switch (result.type) {
    case 'put':
      return { type: 'put', ...previousOf(result.previous, entryToWire) };
    case 'delete': {
      const { deleted, previous } = result;
      if (previous === undefined) return { type: 'delete', deleted };
      return { type: 'delete', deleted, previous: previous.map(entryToWire) };
    }
    case 'increment':
      return result;
    case 'get':
      return { type: 'get', kv: nullable(result.entry, entryToWire) };
  }
}

function operationResultFromWire(wire: WireOperationResult): OperationResult {
  switch (wire.type) {
    case 'put':
      return { type: 'put', ...previousOf(wire.previous, (entry) => entryFromWire(entry)) };
    case 'delete': {
      const { deleted, previous } = wire;
      if (previous === undefined) return { type: 'delete', deleted };
      return { type: 'delete', deleted, previous: previous.map((entry) => entryFromWire(entry)) };
    }
    case 'increment':
      return wire;
    case 'get':
      return { type: 'get', entry: nullable(wire.kv, (entry) => entryFromWire(entry)) };
  }
}

function eventToWire(event: WatchEvent): WireWatchEvent {
  const previous = previousOf(event.previous, entryToWire);
  if (event.type === 'delete') return { type: 'delete', key: event.key, ...previous };
  return { type: 'put', ...entryToWire(event.entry), ...previous };
}

function eventFromWire<T>(wire: WireWatchEvent): WatchEvent<T> {
  const previous = previousOf(wire.previous, (entry) => entryFromWire<T>(entry));
  if (wire.type === 'delete') return { type: 'delete', key: wire.key, ...previous };
  const entry = entryFromWire<T>(wire);
  return { type: 'put', key: wire.key, value: entry.value, entry, ...previous };
}

/** The member `previous`, where there is one. */
function previousOf<A, B>(
  previous: A | null | undefined,
  map: (value: A) => B,
): { readonly previous?: B | null } {
  return previous === undefined ? {} : { previous: nullable(previous, map) };
}

function nullable<A, B>(value: A | null, map: (value: A) => B): B | null {
  return value === null ? null : map(value);
}
