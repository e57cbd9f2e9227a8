import type { Entry, PersistBatch } from '@quorate/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteReader, ByteWriter, checksum } from './bytes.ts';
import {
  decodePayload,
  readRecordHeader,
  readRecordPayload,
  readSegmentHeader,
  segmentHeaderBytes,
  writeRecord,
  writeSegmentHeader,
} from './record.ts';

const nodeId = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((bytes) => Buffer.from(bytes).toString('hex'));
const number = fc.oneof(fc.nat(300), fc.maxSafeNat());

const batch: fc.Arbitrary<PersistBatch> = fc
  .record({
    number: fc.constant(1),
    hardState: fc.record({
      currentTerm: number,
      votedFor: fc.option(nodeId, { nil: null }),
      commitIndex: number,
    }),
    firstIndex: fc.nat(2 ** 33),
    entries: fc.array(
      fc.record({
        term: number,
        type: fc.constantFrom<Entry['type']>('normal', 'noop', 'membership'),
        data: fc.uint8Array({ maxLength: 50 }),
      }),
      { maxLength: 6 },
    ),
  })
  .map(({ firstIndex, entries, ...rest }) => ({
    ...rest,
    entries: entries.map((entry, offset) => ({ ...entry, index: firstIndex + offset })),
  }));

test('varints keep every safe integer', () => {
  const edges = [0, 127, 128, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 49 - 1, 2 ** 49];
  const check = (value: number): void => {
    const writer = new ByteWriter(1);
    writer.varint(value);
    writer.u64(value);
    const reader = new ByteReader(writer.bytes());
    expect(reader.varint()).toBe(value);
    expect(reader.u64()).toBe(value);
    expect(reader.left).toBe(0);
  };
  for (const edge of [...edges, Number.MAX_SAFE_INTEGER]) check(edge);
  fc.assert(fc.property(number, check));
});

test('checksum() is the CRC-32 of zlib and PNG, and can be continued', () => {
  const bytes = new TextEncoder().encode('123456789');
  expect(checksum(bytes)).toBe(0xcbf43926);
  expect(checksum(bytes.subarray(4), checksum(bytes.subarray(0, 4)))).toBe(0xcbf43926);
});

test('a record reads as it was written, at any place', () => {
  const batches = fc.array(batch, { minLength: 1, maxLength: 4 });
  const property = fc.property(
    batches,
    number,
    fc.nat(9),
    fc.nat(),
    (written, at, eights, salt) => {
      const writer = new ByteWriter();
      writer.zeros(eights * 8);
      writeRecord(writer, at, salt, written);
      const bytes = writer.bytes();
      const header = readRecordHeader(bytes, eights * 8, salt);
      if (header === null) throw new Error('a whole record has a header');
      expect(header.number).toBe(at);
      expect(header.recordBytes).toBe(bytes.length - eights * 8);
      expect(header.recordBytes % 8).toBe(0);
      const payload = readRecordPayload(bytes, eights * 8, header);
      if (payload === null) throw new Error('a whole record has a payload');
      const decoded = decodePayload(payload);
      expect(decoded.hardState).toEqual(written.at(-1)?.hardState);
      const runs = written.map(({ entries }) => entries).filter(({ length }) => length > 0);
      expect(decoded.runs).toEqual(runs);
      expect(readRecordHeader(bytes, eights * 8, salt + 1)).toBe(null);
    },
  );
  fc.assert(property);
});

test('decodePayload() of any bytes is a payload or a RangeError, and allocates no more than it has', () => {
  const property = fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
    try {
      const { runs } = decodePayload(bytes);
      expect(runs.flat().length).toBeLessThanOrEqual(bytes.length);
    } catch (error) {
      expect(error).toBeInstanceOf(RangeError);
    }
  });
  fc.assert(property, { numRuns: 2000 });
});

test('a segment header reads as it was written, and not when cut or changed', () => {
  const header = { format: 1, salt: 77, firstRecord: 2 ** 33, nodeId: 'ab'.repeat(16) };
  const writer = new ByteWriter();
  writeSegmentHeader(writer, header);
  const bytes = writer.bytes();
  expect(bytes.length).toBe(segmentHeaderBytes);
  expect(readSegmentHeader(bytes)).toEqual(header);
  for (let at = 0; at < bytes.length; at += 1) {
    expect(readSegmentHeader(bytes.subarray(0, at))).toBe(null);
    const changed = bytes.slice();
    changed[at] = (changed[at] ?? 0) ^ 8;
    expect(readSegmentHeader(changed)).toBe(null);
  }
});

test('writeRecord() refuses node ids that are not 32 hex digits', () => {
  const hardState = { currentTerm: 1, votedFor: 'someone', commitIndex: 0 };
  const write = (): void =>
    writeRecord(new ByteWriter(), 1, 0, [{ number: 1, hardState, entries: [] }]);
  expect(write).toThrow(TypeError);
});
