/** From what callers say to commands, and from results to what callers get: checked, once. */
import { QuorateError } from '@quorate/contracts';
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

export function toOperation(operation: Operation, action: string): OperationCommand {
  checkObject(operation, 'operation', action);
  switch (operation.type) {
    case 'put':
      checkKey(operation.key, action);
      return {
        type: 'put',
        key: operation.key,
        value: encodeValue(operation.value),
        previous: checkFlag(operation.previous, 'previous', action),
      };
    case 'delete':
      return {
        type: 'delete',
        selector: checkTarget(operation, action),
        previous: checkFlag(operation.previous, 'previous', action),
      };
    case 'increment':
      checkKey(operation.key, action);
      return { type: 'increment', key: operation.key, by: checkStep(operation.by, action) };
    case 'get':
      checkKey(operation.key, action);
      return { type: 'get', key: operation.key };
    default:
      throw new TypeError(
        `Cannot ${action}: an operation has type ${show((operation as { type: unknown }).type)}, ` +
          'wanted put, delete, increment or get',
      );
  }
}

export function toCompare(compare: Compare, action: string): CompareCommand {
  checkObject(compare, 'comparison', action);
  const { key } = compare;
  checkKey(key, action);
  if ('exists' in compare) {
    checkFlag(compare.exists, 'exists', action);
    return { type: 'exists', key, exists: compare.exists };
  }
  if ('value' in compare) {
    const is = checkComparison(compare.is, ['=', '!='], action);
    return { type: 'value', key, is, value: encodeValue(compare.value) };
  }
  const is = checkComparison(compare.is, ['=', '!=', '<', '>'], action);
  for (const type of ['modRevision', 'createRevision', 'version'] as const) {
    const number = (compare as Partial<Record<typeof type, unknown>>)[type];
    if (number === undefined) continue;
    return { type, key, is, number: checkRevision(number, type, action) };
  }
  throw new TypeError(
    `Cannot ${action}: a comparison names nothing to compare, wanted exists, value, ` +
      'modRevision, createRevision or version',
  );
}

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

export function checkRevision(value: unknown, name: string, action: string): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`Cannot ${action}: ${name} is ${show(value)}, wanted an integer from 0`);
}

export function checkStep(by: unknown, action: string): number {
  if (by === undefined) return 1;
  if (typeof by === 'number' && Number.isSafeInteger(by)) return by;
  throw new RangeError(`Cannot ${action}: the step is ${show(by)}, wanted a safe integer`);
}

export function checkFlag(flag: unknown, name: string, action: string): boolean {
  if (flag === undefined) return false;
  if (typeof flag === 'boolean') return flag;
  throw new TypeError(`Cannot ${action}: ${name} is ${show(flag)}, wanted true or false`);
}

export function checkObject(value: unknown, name: string, action: string): asserts value is object {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return;
  throw new TypeError(`Cannot ${action}: the ${name} is ${show(value)}, wanted an object`);
}

export function checkList(value: unknown, name: string, action: string): asserts value is [] {
  if (Array.isArray(value)) return;
  throw new TypeError(`Cannot ${action}: ${name} is ${show(value)}, wanted an array`);
}

/** For messages: short, whatever it is. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'object' && value !== null)
    return Array.isArray(value) ? 'an array' : 'an object';
  return typeof value === 'function' ? 'a function' : String(value);
}

function checkComparison<C extends Comparison>(
  is: unknown,
  among: readonly C[],
  action: string,
): C {
  const comparison = is === undefined ? among[0] : among.find((one) => one === is);
  if (comparison !== undefined) return comparison;
  throw new TypeError(`Cannot ${action}: comparison is ${show(is)}, wanted ${among.join(' or ')}`);
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
