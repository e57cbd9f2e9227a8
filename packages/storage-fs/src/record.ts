/**
 * Segments and the records in them, as bytes. All offsets are multiples of 8 and all fixed-width
 * numbers little-endian.
 *
 * ```
 * segment header, 64 bytes          record header, 24 bytes
 *  0  'QRTSEGMT'                      0  u32 'QREC'
 *  8  u32 format, 1                   4  u32 payload length
 * 12  u32 salt                        8  u64 record number
 * 16  u64 first record number        16  u32 crc of bytes 0…15, seeded with the salt
 * 24  node id, 16 bytes              20  u32 crc of the padded payload, seeded with the crc before
 * 40  zeros                          24  payload, padded with zeros to a multiple of 8
 * 60  u32 crc of bytes 0…59
 * ```
 *
 * The payload is one or more batches that share a sync: the newest hard state (figure 2), then each
 * batch's run of consecutive entries, which replaces any stored suffix from its first index on.
 *
 * ```
 * varint currentTerm · u8 voted (0, 1) · node id if voted · varint commitIndex · varint runs
 * run:   varint first index · varint entries
 * entry: varint term · u8 type · varint data length · data
 * ```
 *
 * The salt differs from segment to segment, so that a copy of some segment that a user stored as a
 * value is never taken for records.
 */
import type { Entry, EntryType, HardState, PersistBatch } from '@quorate/core';
import { ByteReader, type ByteWriter, bytesOfNodeId, checksum, nodeIdOf } from './bytes.ts';

export type SegmentHeader = {
  readonly format: number;
  readonly salt: number;
  readonly firstRecord: number;
  readonly nodeId: string;
};

/** The fixed part of a record: enough to know where the next one begins. */
export type RecordHeader = {
  readonly number: number;
  readonly payloadBytes: number;
  /** Header, payload and padding. */
  readonly recordBytes: number;
};

export type RecordPayload = {
  readonly hardState: HardState;
  readonly runs: readonly (readonly Entry[])[];
};

export function writeSegmentHeader(writer: ByteWriter, header: SegmentHeader): void {
  const start = writer.length;
  writer.raw(segmentMagic);
  writer.u32(header.format);
  writer.u32(header.salt);
  writer.u64(header.firstRecord);
  writer.raw(bytesOfNodeId(header.nodeId));
  writer.zeros(segmentHeaderBytes - 4 - (writer.length - start));
  writer.u32(checksum(writer.bytes().subarray(start)));
}

/** The header at the start of `bytes`, or null when none is whole there. */
export function readSegmentHeader(bytes: Uint8Array): SegmentHeader | null {
  if (bytes.length < segmentHeaderBytes) return null;
  const reader = new ByteReader(bytes.subarray(0, segmentHeaderBytes));
  const magic = reader.raw(segmentMagic.length);
  if (!segmentMagic.every((byte, at) => byte === magic[at])) return null;
  const crc = new ByteReader(bytes.subarray(segmentHeaderBytes - 4)).u32();
  if (crc !== checksum(bytes.subarray(0, segmentHeaderBytes - 4))) return null;
  const format = reader.u32();
  const salt = reader.u32();
  const firstRecord = reader.u64();
  return { format, salt, firstRecord, nodeId: nodeIdOf(reader.raw(16)) };
}

/** Appends one record with `batches` in it, in their order. */
export function writeRecord(
  writer: ByteWriter,
  number: number,
  salt: number,
  batches: readonly PersistBatch[],
): void {
  const start = writer.length;
  writer.zeros(recordHeaderBytes);
  writePayload(writer, batches);
  const payloadBytes = writer.length - start - recordHeaderBytes;
  writer.zeros(paddedTo8(payloadBytes) - payloadBytes);

  writer.setU32(start, recordMark);
  writer.setU32(start + 4, payloadBytes);
  writer.setU32(start + 8, number % 2 ** 32);
  writer.setU32(start + 12, Math.floor(number / 2 ** 32));
  const record = writer.bytes().subarray(start);
  const headerCrc = checksum(record.subarray(0, 16), salt);
  writer.setU32(start + 16, headerCrc);
  writer.setU32(start + 20, checksum(record.subarray(recordHeaderBytes), headerCrc));
}

/** The record header at `offset`, or null when no whole one with a right checksum is there. */
export function readRecordHeader(
  bytes: Uint8Array,
  offset: number,
  salt: number,
): RecordHeader | null {
  if (offset + recordHeaderBytes > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, recordHeaderBytes);
  if (view.getUint32(0, true) !== recordMark) return null;
  if (view.getUint32(16, true) !== checksum(bytes.subarray(offset, offset + 16), salt)) return null;
  const payloadBytes = view.getUint32(4, true);
  return {
    number: view.getUint32(8, true) + view.getUint32(12, true) * 2 ** 32,
    payloadBytes,
    recordBytes: recordHeaderBytes + paddedTo8(payloadBytes),
  };
}

/** The payload behind a header, checksum verified; null when bytes are missing or wrong. */
export function readRecordPayload(
  bytes: Uint8Array,
  offset: number,
  header: RecordHeader,
): Uint8Array | null {
  const end = offset + header.recordBytes;
  if (end > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, recordHeaderBytes);
  const padded = bytes.subarray(offset + recordHeaderBytes, end);
  if (view.getUint32(20, true) !== checksum(padded, view.getUint32(16, true))) return null;
  return padded.subarray(0, header.payloadBytes);
}

/** Decodes a payload; entry data are copies. Throws `RangeError` for what no writer wrote. */
export function decodePayload(payload: Uint8Array): RecordPayload {
  const reader = new ByteReader(payload);
  const currentTerm = reader.varint();
  const votedFor = reader.u8() === 1 ? nodeIdOf(reader.raw(16)) : null;
  const commitIndex = reader.varint();
  const runs: Entry[][] = [];
  for (let left = reader.varint(); left > 0; left -= 1) runs.push(readRun(reader));
  if (reader.left > 0) throw new RangeError(`Cannot read a record: ${reader.left} bytes too many`);
  return { hardState: { currentTerm, votedFor, commitIndex }, runs };
}

function writePayload(writer: ByteWriter, batches: readonly PersistBatch[]): void {
  const hardState = batches.at(-1)?.hardState;
  if (hardState === undefined) throw new RangeError('Cannot write a record: no batch for it');
  writer.varint(hardState.currentTerm);
  writer.u8(hardState.votedFor === null ? 0 : 1);
  if (hardState.votedFor !== null) writer.raw(bytesOfNodeId(hardState.votedFor));
  writer.varint(hardState.commitIndex);
  let runs = 0;
  for (const { entries } of batches) if (entries.length > 0) runs += 1;
  writer.varint(runs);
  for (const { entries } of batches) {
    const first = entries[0];
    if (first === undefined) continue;
    writer.varint(first.index);
    writer.varint(entries.length);
    for (const entry of entries) {
      writer.varint(entry.term);
      writer.u8(entryTypes.indexOf(entry.type));
      writer.varint(entry.data.length);
      writer.raw(entry.data);
    }
  }
}

function readRun(reader: ByteReader): Entry[] {
  const firstIndex = reader.varint();
  const count = reader.varint();
  const entries: Entry[] = [];
  for (let offset = 0; offset < count; offset += 1) {
    const term = reader.varint();
    const type = entryTypes[reader.u8()];
    if (type === undefined) throw new RangeError('Cannot read an entry: its type is unknown');
    const data = reader.raw(reader.varint()).slice();
    entries.push({ term, index: firstIndex + offset, type, data });
  }
  return entries;
}

function paddedTo8(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

export const segmentHeaderBytes = 64;
export const recordHeaderBytes = 24;
/** 'QREC', little-endian. */
const recordMark = 0x43455251;
const segmentMagic: Uint8Array = new TextEncoder().encode('QRTSEGMT');
/** By their number in the files: only ever extended at the end. */
const entryTypes: readonly EntryType[] = ['normal', 'noop', 'membership'];
