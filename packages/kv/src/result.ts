/** What a command came to, and its bytes: the same on every member. */
import { ByteReader, ByteWriter, DecodeError } from './bytes.ts';
import type { KvRecord } from './record.ts';
import { readRecord, writeRecord } from './record.ts';

export type CommandResult = Done | Refused;

export type Done = {
  readonly type: 'done';
  /** True if `then` was carried out, false for `else`. */
  readonly succeeded: boolean;
  readonly revision: number;
  readonly results: readonly OperationOutcome[];
};

/** Nothing was applied. */
export type Refused = {
  readonly type: 'refused';
  readonly code: RefusalCode;
  readonly message: string;
  /** Where one operation is to blame: its key and what the key holds. */
  readonly blame: { readonly key: string; readonly current: KvRecord | null } | null;
};

export type RefusalCode = 'BAD_REQUEST' | 'LIMIT_EXCEEDED' | 'CONFLICT';

/** `previous` is undefined where it was not asked for. */
export type OperationOutcome =
  | { readonly type: 'put'; readonly previous: KvRecord | null | undefined }
  | {
      readonly type: 'delete';
      readonly deleted: number;
      readonly previous: readonly KvRecord[] | undefined;
    }
  | { readonly type: 'increment'; readonly value: number }
  | { readonly type: 'get'; readonly record: KvRecord | null };

export function encodeResult(result: CommandResult): Uint8Array {
  const writer = new ByteWriter(64);
  writer.byte(format);
  if (result.type === 'refused') {
    writer.byte(0);
    writer.byte(refusalCodes.indexOf(result.code));
    writer.text(result.message);
    writer.byte(result.blame === null ? 0 : 1);
    if (result.blame !== null) {
      writer.text(result.blame.key);
      writeOptional(writer, result.blame.current);
    }
    return writer.take();
  }
  writer.byte(result.succeeded ? 1 : 2);
  writer.varint(result.revision);
  writer.varint(result.results.length);
  for (const outcome of result.results) writeOutcome(writer, outcome);
  return writer.take();
}

/** Throws `DecodeError` for bytes that no `apply` of this release returned. */
export function decodeResult(bytes: Uint8Array): CommandResult {
  const reader = new ByteReader(bytes);
  if (reader.byte() !== format) throw new DecodeError('unknown format');
  const status = reader.byte();
  if (status > 2) throw new DecodeError('unknown status');
  const result = status === 0 ? readRefused(reader) : readDone(reader, status === 1);
  reader.end();
  return result;
}

function writeOutcome(writer: ByteWriter, outcome: OperationOutcome): void {
  writer.byte(outcomeTypes.indexOf(outcome.type));
  switch (outcome.type) {
    case 'put':
      writer.byte(outcome.previous === undefined ? 0 : 1);
      if (outcome.previous !== undefined) writeOptional(writer, outcome.previous);
      return;
    case 'delete':
      writer.varint(outcome.deleted);
      writer.byte(outcome.previous === undefined ? 0 : 1);
      for (const record of outcome.previous ?? []) writeRecord(writer, record);
      return;
    case 'increment':
      writer.integer(outcome.value);
      return;
    case 'get':
      writeOptional(writer, outcome.record);
      return;
  }
}

function writeOptional(writer: ByteWriter, record: KvRecord | null): void {
  writer.byte(record === null ? 0 : 1);
  if (record !== null) writeRecord(writer, record);
}

function readRefused(reader: ByteReader): Refused {
  const code = refusalCodes[reader.byte()];
  if (code === undefined) throw new DecodeError('unknown refusal');
  const message = reader.text();
  const blame = reader.flag() ? { key: reader.text(), current: readOptional(reader) } : null;
  return { type: 'refused', code, message, blame };
}

function readDone(reader: ByteReader, succeeded: boolean): Done {
  const revision = reader.varint();
  const count = reader.count(2);
  const results: OperationOutcome[] = [];
  for (let index = 0; index < count; index += 1) results.push(readOutcome(reader));
  return { type: 'done', succeeded, revision, results };
}

function readOutcome(reader: ByteReader): OperationOutcome {
  const type = outcomeTypes[reader.byte()];
  switch (type) {
    case 'put':
      return { type, previous: reader.flag() ? readOptional(reader) : undefined };
    case 'delete': {
      const deleted = reader.varint();
      return { type, deleted, previous: reader.flag() ? readRecords(reader, deleted) : undefined };
    }
    case 'increment':
      return { type, value: reader.integer() };
    case 'get':
      return { type, record: readOptional(reader) };
    default:
      throw new DecodeError('unknown outcome');
  }
}

function readRecords(reader: ByteReader, count: number): readonly KvRecord[] {
  const records: KvRecord[] = [];
  for (let index = 0; index < count; index += 1) records.push(readRecord(reader));
  return records;
}

function readOptional(reader: ByteReader): KvRecord | null {
  return reader.flag() ? readRecord(reader) : null;
}

const format = 1;
// Positions are the wire form: only ever append.
const refusalCodes = ['BAD_REQUEST', 'LIMIT_EXCEEDED', 'CONFLICT'] as const;
const outcomeTypes = ['put', 'delete', 'increment', 'get'] as const;
