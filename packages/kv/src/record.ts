/** What the state holds of one key, with its value still encoded. */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { DecodeError, decodeText, encodeText } from './bytes.ts';
import { keyBytesMax, recordOverheadBytes, valueBytesMax } from './limits.ts';
import type { KvEntry } from './types.ts';
import { decodeValue, isBytes } from './value.ts';

export type RecordFields = {
  readonly key: string;
  /** Owned by the record: a copy, never a view into a command. */
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
};

/** Immutable. A class for one thing: it decodes its value once, when first asked. */
export class KvRecord {
  readonly key: string;
  readonly value: Uint8Array;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
  /** What the record counts for against the limits on state and history. */
  readonly costBytes: number;
  #entry: KvEntry | undefined;

  constructor(fields: RecordFields) {
    this.key = fields.key;
    this.value = fields.value;
    this.createRevision = fields.createRevision;
    this.modRevision = fields.modRevision;
    this.version = fields.version;
    this.costBytes = keyBytes(fields.key) + fields.value.length + recordOverheadBytes;
  }

  /** The same frozen object each time, but for bytes: they cannot be frozen, so each is a copy. */
  entry(): KvEntry {
    if (this.#entry !== undefined) return this.#entry;
    const entry: KvEntry = Object.freeze({
      key: this.key,
      value: decodeValue(this.value),
      createRevision: this.createRevision,
      modRevision: this.modRevision,
      version: this.version,
    });
    if (!isBytes(this.value)) this.#entry = entry;
    return entry;
  }

  /** The entry of a read that asked for keys only. */
  entryWithoutValue(): KvEntry {
    return Object.freeze({
      key: this.key,
      value: undefined,
      createRevision: this.createRevision,
      modRevision: this.modRevision,
      version: this.version,
    });
  }
}

/** The record that a write of `value` at `revision` makes of what was there. */
export function written(
  key: string,
  value: Uint8Array,
  revision: number,
  before: KvRecord | null,
): KvRecord {
  return new KvRecord({
    key,
    value,
    createRevision: before?.createRevision ?? revision,
    modRevision: revision,
    version: (before?.version ?? 0) + 1,
  });
}

export function keyBytes(key: string): number {
  return encodeText(key).length;
}

/** Key, revisions, version, lease (always 0 at feature level 1), value. */
export function writeRecord(writer: ByteWriter, record: KvRecord): void {
  writer.text(record.key);
  writer.varint(record.createRevision);
  writer.varint(record.modRevision);
  writer.varint(record.version);
  writer.byte(0);
  writer.bytes(record.value);
}

/** Copies the value out of what is read. Throws `DecodeError`. */
export function readRecord(reader: ByteReader): KvRecord {
  const key = readKey(reader);
  const createRevision = reader.varint();
  const modRevision = reader.varint();
  const version = reader.varint();
  if (reader.byte() !== 0) throw new DecodeError('lease at a feature level without leases');
  const value = readValue(reader).slice();
  if (createRevision === 0 || modRevision < createRevision || version === 0) {
    throw new DecodeError('impossible revisions');
  }
  return new KvRecord({ key, value, createRevision, modRevision, version });
}

export function readKey(reader: ByteReader): string {
  const key = readKeyPart(reader);
  if (key.length === 0) throw new DecodeError('empty key');
  return key;
}

export function readKeyPart(reader: ByteReader): string {
  const length = reader.varint();
  if (length > keyBytesMax) throw new DecodeError('key too long');
  return decodeText(reader.raw(length));
}

/** A view into what is read. */
export function readValue(reader: ByteReader): Uint8Array {
  const value = reader.bytes();
  if (value.length === 0) throw new DecodeError('empty value');
  if (value.length > valueBytesMax) throw new DecodeError('value too long');
  return value;
}
