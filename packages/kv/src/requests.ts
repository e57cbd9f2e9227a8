/** From what callers say to commands, and from results to what callers get: checked, once. */
import { QuorateError } from '@quorate/contracts';
import { checkOperation, checkWritable, operandOf } from '@quorate/contracts/kv-calls';
import type { Operand } from '@quorate/contracts/kv-calls';
import { show } from '@quorate/contracts/options';
import type { CompareCommand, OperationCommand, TxnCommand } from './command.ts';
import { encodeCommand, findDoubleWrite } from './command.ts';
import { checkKey, checkKeyPart } from './key.ts';
import { operationCountMax, requestBytesMax, stateBytesMaxDefault } from './limits.ts';
import type { KvRecord } from './record.ts';
import type { Done, OperationOutcome, Refused } from './result.ts';
import type {
  Compare,
  Comparison,
  KeySelector,
  KvEntry,
  Operation,
  OperationResult,
  RangeOptions,
  TxnResult,
  Value,
} from './types.ts';
import { encodeValue } from './value.ts';

export type TxnParts = {
  readonly compares?: readonly CompareCommand[];
  readonly then?: readonly OperationCommand[];
  readonly else?: readonly OperationCommand[];
};

/**
 * The bytes of one command. `TypeError` where a key is written twice, `LIMIT_EXCEEDED` beyond 128
 * operations or 1.5 MiB.
 */
export function buildCommand(parts: TxnParts, stateBytesMax: number, action: string): Uint8Array {
  const command: TxnCommand = {
    stateBytesMax: stateBytesMax === stateBytesMaxDefault ? 0 : stateBytesMax,
    compares: parts.compares ?? [],
    then: parts.then ?? [],
    else: parts.else ?? [],
  };
  for (const list of [command.compares, command.then, command.else]) {
    if (list.length > operationCountMax) {
      throw exceeded(action, 'operationCountMax', list.length, operationCountMax, 'operations');
    }
  }
  for (const operations of [command.then, command.else]) {
    const double = findDoubleWrite(operations);
    if (double === null) continue;
    throw new TypeError(
      `Cannot ${action}: operations ${double.first} and ${double.second} write the same key`,
    );
  }
  const bytes = encodeCommand(command);
  if (bytes.length > requestBytesMax) {
    throw exceeded(action, 'requestBytesMax', bytes.length, requestBytesMax, 'bytes');
  }
  return bytes;
}

/** `path` names it among others, such as `then[0].`. */
export function toOperation(
  operation: Operation,
  action: string,
  path: string,
  mayGet: boolean,
): OperationCommand {
  checkOperation(operation, action, path, mayGet);
  if (operation.type === 'delete') {
    const { previous = false } = operation;
    return { type: 'delete', selector: checkTarget(operation, action), previous };
  }
  const { key } = operation;
  checkKey(key, action);
  if (operation.type === 'get') return { type: 'get', key };
  if (operation.type === 'increment') return { type: 'increment', key, by: operation.by ?? 1 };
  const { previous = false } = operation;
  return { type: 'put', key, value: encodeValue(operation.value), previous };
}

export function toCompare(compare: Compare, action: string, path: string): CompareCommand {
  const type = operandOf(compare, action, path);
  const { key, is = '=', exists, value, [type]: number } = compare as AnyCompare;
  checkKey(key, action);
  if (type === 'exists') return { type, key, exists: exists === true };
  if (type !== 'value') return { type, key, is, number: number as number };
  return { type, key, is: is === '!=' ? is : '=', value: encodeValue(value as Value) };
}

/** One that was checked, whatever it compares. */
type AnyCompare = { readonly key: string; readonly is?: Comparison } & Partial<
  Record<Operand, unknown>
>;

export function toTxnResult(done: Done): TxnResult {
  return {
    succeeded: done.succeeded,
    revision: done.revision,
    results: done.results.map(toOperationResult),
  };
}

export function toOperationResult(outcome: OperationOutcome): OperationResult {
  switch (outcome.type) {
    case 'put':
      if (outcome.previous === undefined) return { type: 'put' };
      return { type: 'put', previous: entryOrNull(outcome.previous) };
    case 'delete': {
      const { deleted, previous } = outcome;
      if (previous === undefined) return { type: 'delete', deleted };
      return { type: 'delete', deleted, previous: previous.map((record) => record.entry()) };
    }
    case 'increment':
      return { type: 'increment', value: outcome.value };
    case 'get':
      return { type: 'get', entry: entryOrNull(outcome.record) };
  }
}

export function toError(refused: Refused, action: string): QuorateError {
  const details =
    refused.blame === null
      ? {}
      : { key: refused.blame.key, current: entryOrNull(refused.blame.current) };
  return new QuorateError(refused.code, `Cannot ${action}: ${refused.message}`, { details });
}

export function conflictError(key: string, current: KvRecord | null, wanted: string): QuorateError {
  const found = current === null ? 'absent' : `at revision ${current.modRevision}`;
  return new QuorateError(
    'CONFLICT',
    `Cannot write ${show(key)}: it is ${found}, wanted ${wanted}`,
    {
      details: { key, current: entryOrNull(current) },
    },
  );
}

export function entryOrNull(record: KvRecord | null): KvEntry | null {
  return record === null ? null : record.entry();
}

/** A key or a prefix, as deletions, live handles and watches take them. */
export function checkTarget(
  target: { readonly key?: unknown; readonly prefix?: unknown },
  action: string,
): { readonly key: string } | { readonly prefix: string } {
  const { key, prefix } = target;
  if ((key === undefined) === (prefix === undefined)) {
    throw new TypeError(`Cannot ${action}: wanted either a key or a prefix`);
  }
  if (prefix === undefined) {
    checkKey(key, action);
    return { key };
  }
  checkKeyPart(prefix, 'prefix', action);
  return { prefix };
}

/** The same for writes, from which the runtime's own keys are kept. */
export function checkWrittenTarget(
  target: { readonly key?: unknown; readonly prefix?: unknown },
  action: string,
): { readonly key: string } | { readonly prefix: string } {
  const checked = checkTarget(target, action);
  checkWritable('key' in checked ? checked.key : checked.prefix, action);
  return checked;
}

export function checkSelector(
  options: RangeOptions & { key?: unknown },
  action: string,
): KeySelector {
  const { key, prefix, start, end } = options;
  if (key !== undefined) {
    if (prefix !== undefined || start !== undefined || end !== undefined) {
      throw new TypeError(`Cannot ${action}: wanted a key, a prefix or a range, not two of them`);
    }
    checkKey(key, action);
    return { key };
  }
  if (prefix !== undefined) {
    if (start !== undefined || end !== undefined) {
      throw new TypeError(`Cannot ${action}: wanted a prefix or start and end, not both`);
    }
    checkKeyPart(prefix, 'prefix', action);
    return { prefix };
  }
  if (start !== undefined) checkKeyPart(start, 'start', action);
  if (end === undefined) return { start: start ?? '' };
  checkKeyPart(end, 'end', action);
  return { start: start ?? '', end };
}

function exceeded(
  action: string,
  limit: string,
  actual: number,
  max: number,
  unit: string,
): QuorateError {
  return new QuorateError(
    'LIMIT_EXCEEDED',
    `Cannot ${action}: it has ${actual} ${unit}, wanted at most ${max}`,
    { details: { limit, max, actual } },
  );
}
