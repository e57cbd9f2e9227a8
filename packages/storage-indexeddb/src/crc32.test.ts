import { crc32 as crc32OfZlib } from 'node:zlib';
import { expect, it } from 'vitest';
import { crc32 } from './crc32.ts';

it('crc32 of "123456789" is the check value of CRC-32', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
});

it('crc32 is what zlib computes, of nothing, of each byte and of long pieces of a larger buffer', () => {
  const buffer = Uint8Array.from({ length: 70_000 }, (_, index) => (index * 2_654_435_761) >>> 7);
  const pieces = [
    buffer.subarray(0, 0),
    ...Array.from({ length: 256 }, (_, byte) => Uint8Array.of(byte)),
    ...Array.from({ length: 40 }, (_, start) => buffer.subarray(start, start + 1 + start ** 3)),
    buffer,
  ];
  expect(pieces.map(crc32)).toEqual(pieces.map((piece) => crc32OfZlib(piece)));
});
