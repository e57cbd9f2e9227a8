import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter, equalBytes } from '@quorate/contracts';
import { fragment, Reassembler } from './fragments.ts';

const body = (length: number): Uint8Array => Uint8Array.from({ length }, (_, i) => i % 251);

describe('fragment() and Reassembler', () => {
  test('any body travels in frames within the limit and comes out as it was', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat({ max: 900 }), { minLength: 1, maxLength: 4 }),
        fc.integer({ min: 32, max: 700 }),
        (lengths, limit) => {
          const reassembler = new Reassembler(4_000);
          for (const length of lengths) {
            const frames = fragment(body(length), limit);
            for (const frame of frames) expect(frame.length).toBeLessThanOrEqual(limit);
            const out = frames.map((frame) => reassembler.push(frame));
            expect(out.slice(0, -1).every((one) => one === null)).toBe(true);
            expect(equalBytes(out.at(-1) ?? new Uint8Array(0), body(length))).toBe(true);
          }
        },
      ),
    );
  });

  test('a body with a fragment lost or twice is dropped whole, the next one is whole', () => {
    const frames = fragment(body(1_000), 100);
    const lost = new Reassembler(4_000);
    expect(frames.filter((_, i) => i !== 3).map((frame) => lost.push(frame))).not.toContainEqual(
      expect.any(Uint8Array),
    );
    const twice = new Reassembler(4_000);
    const repeated = [...frames.slice(0, 4), ...frames.slice(3)];
    expect(repeated.map((frame) => twice.push(frame)).filter((one) => one !== null)).toEqual([]);
    expect(twice.push(fragment(body(10), 100)[0] as Uint8Array)).toEqual(body(10));
    expect(frames.map((frame) => twice.push(frame)).at(-1)).toEqual(body(1_000));
  });

  test('two bodies mixed never come out as one', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 19 }), { maxLength: 40 }), (picks) => {
        const first = fragment(new Uint8Array(500).fill(1), 67);
        const second = fragment(new Uint8Array(500).fill(2), 67);
        const all = [...first, ...second];
        const reassembler = new Reassembler(4_000);
        for (const pick of picks) {
          const out = reassembler.push(all[pick % all.length] as Uint8Array);
          if (out !== null) expect(new Set(out).size).toBe(1);
        }
      }),
    );
  });

  test('T9 Z45 an empty fragment is BAD_REQUEST, wherever it stands; pieces of one byte make a body', () => {
    const piece = (from: number, part: Uint8Array): Uint8Array =>
      new ByteWriter(40).u8(1).varint(1_000).varint(from).raw(part).finish();
    const reassembler = new Reassembler(1_000);
    const bad = expect.objectContaining({ code: 'BAD_REQUEST' }) as Error;
    const empty = new Uint8Array(0);
    expect(() => reassembler.push(piece(0, empty))).toThrow(bad);
    const whole = body(1_000);
    for (let from = 0; from < 999; from += 1) {
      expect(reassembler.push(piece(from, whole.subarray(from, from + 1)))).toBeNull();
    }
    expect(() => reassembler.push(piece(999, empty))).toThrow(bad);
    expect(reassembler.push(piece(999, whole.subarray(999)))).toEqual(whole);
  });

  test('a body over the limit, an empty frame and an unknown kind are BAD_REQUEST', () => {
    const bad = expect.objectContaining({ code: 'BAD_REQUEST' }) as Error;
    const reassembler = new Reassembler(1_000);
    expect(() => reassembler.push(fragment(body(1_001), 100)[0] as Uint8Array)).toThrow(bad);
    expect(() => reassembler.push(new Uint8Array(0))).toThrow(bad);
    expect(() => reassembler.push(new Uint8Array([7, 1, 2]))).toThrow(bad);
    const endless = new ByteWriter().u8(1).varint(Number.MAX_SAFE_INTEGER).varint(0).finish();
    expect(() => reassembler.push(endless)).toThrow(bad);
  });

  test('fragments that hold more than they said are never a body', () => {
    const reassembler = new Reassembler(1_000);
    const frame = new ByteWriter().u8(1).varint(10).varint(0).raw(new Uint8Array(20)).finish();
    expect(reassembler.push(frame)).toBeNull();
    expect(reassembler.push(fragment(body(5), 100)[0] as Uint8Array)).toEqual(body(5));
  });
});
