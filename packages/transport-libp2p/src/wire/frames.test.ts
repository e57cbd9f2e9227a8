import fc from 'fast-check';
import { expect, test } from 'vitest';
import { FrameReader, FramingError, controlRecord, lengthBytes, writeLength } from './frames.ts';

type Seen = { frames: number[][]; controls: [number, number[]][] };

function reader(frameBytesMax: number): { reader: FrameReader; seen: Seen } {
  const seen: Seen = { frames: [], controls: [] };
  return {
    seen,
    reader: new FrameReader(frameBytesMax, {
      frame: (frame) => seen.frames.push([...frame]),
      control: (type, payload) => seen.controls.push([type, [...payload]]),
    }),
  };
}

function framed(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(lengthBytes(frame.length) + frame.length);
  bytes.set(frame, writeLength(bytes, 0, frame.length));
  return bytes;
}

test('FrameReader finds the same frames wherever the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          fc.record({ frame: fc.uint8Array({ minLength: 1, maxLength: 400 }) }),
          fc.record({ type: fc.nat(255), payload: fc.uint8Array({ maxLength: 255 }) }),
        ),
        { maxLength: 12 },
      ),
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 20 }),
      (records, cuts) => {
        const stream = Buffer.concat(
          records.map((record) =>
            'frame' in record ? framed(record.frame) : controlRecord(record.type, record.payload),
          ),
        );
        const { reader: whole, seen } = reader(400);
        for (let offset = 0, turn = 0; offset < stream.length; turn += 1) {
          const size = cuts[turn % cuts.length] ?? 1;
          whole.push(new Uint8Array(stream.subarray(offset, offset + size)));
          offset += size;
        }
        expect(seen.frames).toEqual(
          records.flatMap((record) => ('frame' in record ? [[...record.frame]] : [])),
        );
        expect(seen.controls).toEqual(
          records.flatMap((record) =>
            'type' in record ? [[record.type, [...record.payload]]] : [],
          ),
        );
      },
    ),
  );
});

test('FrameReader refuses a length over the limit before the frame comes', () => {
  for (const size of [401, 2 ** 31, 2 ** 34]) {
    const head = new Uint8Array(lengthBytes(size));
    writeLength(head, 0, size);
    expect(() => reader(400).reader.push(head)).toThrow(FramingError);
  }
  expect(() => reader(400).reader.push(Uint8Array.of(0x80, 0x80, 0x80, 0x80, 0x80))).toThrow(
    FramingError,
  );
  expect(() => reader(400).reader.push(Uint8Array.of(0x81, 0x00))).toThrow(FramingError);
});

test('FrameReader throws nothing but FramingError for any bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      try {
        reader(100).reader.push(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(FramingError);
      }
    }),
  );
});

test('T9 a length that is announced takes no memory before its bytes come', () => {
  const before = process.memoryUsage().arrayBuffers;
  const readers = Array.from({ length: 512 }, () => {
    const reader = new FrameReader(1024 * 1024, { frame: () => {}, control: () => {} });
    reader.push(Uint8Array.of(0xff, 0xff, 0x3f, 1));
    return reader;
  });
  expect(readers).toHaveLength(512);
  // Half a gigabyte was announced.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(64 * 1024 * 1024);
});
