/**
 * The replicated commands and their bytes. There is one kind, the transaction: a put is one with a
 * single operation. Layout: format, kind, limit on the state (0: default), comparisons, operations
 * of `then`, operations of `else`.
 */
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';
import { operationCountMax, requestBytesMax } from './limits.ts';
import { overlap } from './ordered-map.ts';
import { readKey, readKeyPart, readValue } from './record.ts';
import type { Comparison, KeySelector } from './types.ts';
import { isValue } from './value.ts';

export type TxnCommand = {
  /**
   * The limit that this command is held to, from the policy its proposer knows; 0: the default.
   * It travels with the command, so that all members decide alike whatever they know of the policy.
   */
  readonly stateBytesMax: number;
  readonly compares: readonly CompareCommand[];
  readonly then: readonly OperationCommand[];
  readonly else: readonly OperationCommand[];
};

export type CompareCommand =
  | { readonly type: 'exists'; readonly key: string; readonly exists: boolean }
  | {
      readonly type: 'value';
      readonly key: string;
      readonly is: '=' | '!=';
      readonly value: Uint8Array;
    }
  | {
      readonly type: 'modRevision' | 'createRevision' | 'version';
      readonly key: string;
      readonly is: Comparison;
      readonly number: number;
    }
  /** No selected key was written or deleted after that revision, as far as the history reaches. */
  | { readonly type: 'unchanged'; readonly selector: KeySelector; readonly since: number };

export type OperationCommand =
  | {
      readonly type: 'put';
      readonly key: string;
      readonly value: Uint8Array;
      readonly previous: boolean;
    }
  | {
      readonly type: 'delete';
      readonly selector: { readonly key: string } | { readonly prefix: string };
      readonly previous: boolean;
    }
  | { readonly type: 'increment'; readonly key: string; readonly by: number }
  | { readonly type: 'get'; readonly key: string };

/** A command that cannot be carried out, said in the result: malformed, or beyond a limit. */
export type CommandFault = {
  readonly code: 'BAD_REQUEST' | 'LIMIT_EXCEEDED';
  readonly message: string;
};

export function encodeCommand(command: TxnCommand): Uint8Array {
  const writer = new ByteWriter();
  writer.byte(format);
  writer.byte(kinds.txn);
  writer.varint(command.stateBytesMax);
  writer.varint(command.compares.length);
  for (const compare of command.compares) writeCompare(writer, compare);
  writeOperations(writer, command.then);
  writeOperations(writer, command.else);
  return writer.take();
}

/** Decodes foreign bytes. Never throws: what is wrong comes back as a fault. */
export function decodeCommand(bytes: Uint8Array): TxnCommand | CommandFault {
  if (bytes.length > requestBytesMax) {
    return {
      code: 'LIMIT_EXCEEDED',
      message: `the command has ${bytes.length} bytes, wanted at most ${requestBytesMax}`,
    };
  }
  try {
    return readCommand(new ByteReader(bytes));
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return { code: 'BAD_REQUEST', message: `the command is not understood: ${error.message}` };
  }
}

/**
 * The operations that write a key which another one of the list writes too, by position; null if
 * none does. Such a list has no single meaning and is refused whole.
 */
export function findDoubleWrite(
  operations: readonly OperationCommand[],
): { readonly first: number; readonly second: number } | null {
  const keys = new Map<string, number>();
  const prefixes: { readonly prefix: string; readonly position: number }[] = [];
  for (const [position, operation] of operations.entries()) {
    const target = targetOf(operation);
    if (target === null) continue;
    if ('key' in target) {
      const first = keys.get(target.key);
      if (first !== undefined) return { first, second: position };
      keys.set(target.key, position);
    } else {
      prefixes.push({ prefix: target.prefix, position });
    }
  }
  for (const [place, one] of prefixes.entries()) {
    for (const [key, position] of keys) {
      if (overlap({ key }, one)) {
        return {
          first: Math.min(position, one.position),
          second: Math.max(position, one.position),
        };
      }
    }
    for (const other of prefixes.slice(place + 1)) {
      if (overlap(one, other)) return { first: one.position, second: other.position };
    }
  }
  return null;
}

function targetOf(operation: OperationCommand): { key: string } | { prefix: string } | null {
  if (operation.type === 'get') return null;
  return operation.type === 'delete' ? operation.selector : { key: operation.key };
}

function writeCompare(writer: ByteWriter, compare: CompareCommand): void {
  writer.byte(compareTypes.indexOf(compare.type));
  if (compare.type === 'unchanged') {
    writeSelector(writer, compare.selector);
    writer.varint(compare.since);
    return;
  }
  writer.text(compare.key);
  if (compare.type === 'exists') {
    writer.byte(compare.exists ? 1 : 0);
    return;
  }
  writer.byte(comparisons.indexOf(compare.is));
  if (compare.type === 'value') writer.bytes(compare.value);
  else writer.varint(compare.number);
}

function writeOperations(writer: ByteWriter, operations: readonly OperationCommand[]): void {
  writer.varint(operations.length);
  for (const operation of operations) writeOperation(writer, operation);
}

function writeOperation(writer: ByteWriter, operation: OperationCommand): void {
  writer.byte(operationTypes.indexOf(operation.type));
  switch (operation.type) {
    case 'put':
      // Bit 0: previous. The others are kept for leases and must be 0.
      writer.byte(operation.previous ? 1 : 0);
      writer.text(operation.key);
      writer.bytes(operation.value);
      return;
    case 'delete':
      writer.byte(operation.previous ? 1 : 0);
      writeSelector(writer, operation.selector);
      return;
    case 'increment':
      writer.text(operation.key);
      writer.integer(operation.by);
      return;
    case 'get':
      writer.text(operation.key);
      return;
  }
}

function writeSelector(writer: ByteWriter, selector: KeySelector): void {
  if (selector.key !== undefined) {
    writer.byte(0);
    writer.text(selector.key);
  } else if (selector.prefix !== undefined) {
    writer.byte(1);
    writer.text(selector.prefix);
  } else {
    writer.byte(selector.end === undefined ? 2 : 3);
    writer.text(selector.start);
    if (selector.end !== undefined) writer.text(selector.end);
  }
}

function readCommand(reader: ByteReader): TxnCommand | CommandFault {
  if (reader.byte() !== format) throw new DecodeError('unknown format');
  if (reader.byte() !== kinds.txn) throw new DecodeError('unknown kind');
  const stateBytesMax = reader.varint();
  const compares = readList(reader, readCompare);
  const then = readList(reader, readOperation);
  const otherwise = readList(reader, readOperation);
  reader.end();
  for (const operations of [then, otherwise]) {
    const double = findDoubleWrite(operations);
    if (double === null) continue;
    const { first, second } = double;
    throw new DecodeError(`operations ${first} and ${second} write the same key`);
  }
  return { stateBytesMax, compares, then, else: otherwise };
}

function readList<T>(reader: ByteReader, read: (reader: ByteReader) => T): readonly T[] {
  const count = reader.count(2);
  if (count > operationCountMax) throw new DecodeError(`more than ${operationCountMax} in a list`);
  const list: T[] = [];
  for (let index = 0; index < count; index += 1) list.push(read(reader));
  return list;
}

function readCompare(reader: ByteReader): CompareCommand {
  const type = readName(reader, compareTypes);
  if (type === 'unchanged') {
    return { type, selector: readSelector(reader), since: reader.varint() };
  }
  const key = readKey(reader);
  if (type === 'exists') return { type, key, exists: reader.flag() };
  const is = readName(reader, comparisons);
  if (type !== 'value') return { type, key, is, number: reader.varint() };
  if (is !== '=' && is !== '!=') throw new DecodeError('values have no order');
  return { type, key, is, value: readChecked(reader) };
}

function readOperation(reader: ByteReader): OperationCommand {
  const type = readName(reader, operationTypes);
  switch (type) {
    case 'put': {
      const previous = reader.flag();
      return { type, key: readKey(reader), value: readChecked(reader), previous };
    }
    case 'delete': {
      const previous = reader.flag();
      const selector = readSelector(reader);
      if (selector.start !== undefined) throw new DecodeError('deletion of a range');
      return { type, selector, previous };
    }
    case 'increment':
      return { type, key: readKey(reader), by: reader.integer() };
    case 'get':
      return { type, key: readKey(reader) };
  }
}

function readChecked(reader: ByteReader): Uint8Array {
  const value = readValue(reader);
  if (!isValue(value)) throw new DecodeError('value that is not one');
  return value;
}

function readSelector(reader: ByteReader): KeySelector {
  switch (reader.byte()) {
    case 0:
      return { key: readKey(reader) };
    case 1:
      return { prefix: readKeyPart(reader) };
    case 2:
      return { start: readKeyPart(reader) };
    case 3:
      return { start: readKeyPart(reader), end: readKeyPart(reader) };
    default:
      throw new DecodeError('unknown selector');
  }
}

function readName<N extends string>(reader: ByteReader, names: readonly N[]): N {
  const name = names[reader.byte()];
  if (name === undefined) throw new DecodeError('unknown name');
  return name;
}

const format = 1;
const kinds = { txn: 1 } as const;

// Positions are the wire form: only ever append.
const compareTypes = [
  'exists',
  'value',
  'modRevision',
  'createRevision',
  'version',
  'unchanged',
] as const;
const operationTypes = ['put', 'delete', 'increment', 'get'] as const;
const comparisons = ['=', '!=', '<', '>'] as const;
