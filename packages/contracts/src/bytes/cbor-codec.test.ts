import { decode, encode } from 'cborg';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeItem, encodeItem } from './cbor-codec.ts';
import { isQuorateError } from '../errors.ts';

/** What members say: anything that CBOR and JavaScript both know, without -0. */
const { item } = fc.letrec((tie) => ({
  item: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    fc.nat(70_000),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
    fc.string({ unit: 'binary' }),
    fc.string({ minLength: 20, maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }),
    fc.array(tie('item'), { maxLength: 30 }),
    fc.dictionary(
      fc.string({ unit: 'binary' }).filter((name) => name !== '__proto__'),
      tie('item'),
      { noNullPrototype: true, maxKeys: 30 },
    ),
  ),
}));

function refused(bytes: Uint8Array): boolean {
  try {
    decodeItem(bytes);
    return false;
  } catch (error) {
    if (isQuorateError(error, 'BAD_REQUEST')) return true;
    throw error;
  }
}

const strict = {
  allowUndefined: false,
  allowBigInt: false,
  allowNaN: false,
  allowInfinity: false,
  allowIndefinite: false,
  rejectDuplicateMapKeys: true,
};

describe('encodeItem()', () => {
  test('writes the bytes that cborg writes', () => {
    fc.assert(
      fc.property(item, (value) => {
        expect(Array.from(encodeItem(value))).toEqual(Array.from(encode(value)));
      }),
    );
  });

  test('writes every half float as one', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const bytes = Uint8Array.of(0xf9, bits >> 8, bits & 0xff);
      if ((bits & 0x7c00) === 0x7c00) {
        expect(refused(bytes)).toBe(true);
        continue;
      }
      const value = decodeItem(bytes) as number;
      expect(value).toBe(decode(bytes));
      if (!Number.isInteger(value)) expect(encodeItem(value)).toEqual(bytes);
    }
  });

  test('refuses what is no data', () => {
    const around: unknown[] = [];
    around.push(around);
    for (const value of [undefined, () => 1, Symbol('x'), 1n, { x: undefined }, around]) {
      expect(() => encodeItem(value)).toThrow(TypeError);
    }
  });
});

describe('decodeItem()', () => {
  test('reads what encodeItem() wrote', () => {
    fc.assert(
      fc.property(item, (value) => {
        expect(decodeItem(encodeItem(value))).toEqual(value);
      }),
    );
  });

  test('reads what cborg reads of foreign bytes, or refuses; nothing else is thrown', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        if (refused(bytes)) return;
        expect(decodeItem(bytes)).toEqual(decode(bytes, strict));
      }),
      { numRuns: 5_000 },
    );
  });

  test('refuses every truncation and every byte too many', () => {
    fc.assert(
      fc.property(item, fc.nat(), (value, chance) => {
        const bytes = encodeItem(value);
        expect(refused(bytes.subarray(0, chance % bytes.length))).toBe(true);
        expect(refused(Uint8Array.of(...bytes, 0))).toBe(true);
      }),
    );
  });

  test.each([
    ['undefined', [0xf7]],
    ['NaN', [0xf9, 0x7e, 0]],
    ['an integer above 2^53 - 1', [0x1b, 0, 0x20, 0, 0, 0, 0, 0, 0]],
    ['an integer below -(2^53 - 1)', [0x3b, 0, 0x1f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
    ['a tag', [0xc0, 0x60]],
    ['an indefinite length', [0x9f, 0xff]],
    ['a key twice', [0xa2, 0x61, 0x61, 1, 0x61, 0x61, 2]],
    ['a key that is no text', [0xa1, 1, 1]],
    ['the key __proto__', [0xa1, 0x69, ...new TextEncoder().encode('__proto__'), 0xa0]],
    ['text that is not UTF-8', [0x61, 0xff]],
    ['more items than there are bytes', [0x9a, 0xff, 0xff, 0xff, 0xff]],
    ['more entries than there are bytes', [0xba, 0xff, 0xff, 0xff, 0xff]],
    ['nesting without end', Array.from({ length: 10_000 }, () => 0x81)],
  ])('refuses %s', (_, bytes) => {
    expect(refused(Uint8Array.from(bytes))).toBe(true);
  });
});
