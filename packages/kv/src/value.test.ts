import { decode as decodeTwin, encode as encodeTwin } from 'cborg';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { data } from '../test/arbitraries.ts';
import { DecodeError } from './bytes.ts';
import { decodeInteger, decodeValue, encodeValue } from './value.ts';
import type { Value } from './types.ts';

describe('encodeValue()', () => {
  it('gives the bytes that another canonical encoder gives', () => {
    fc.assert(
      fc.property(data, (value) => {
        expect(encodeValue(value)).toEqual(Uint8Array.from(encodeTwin(value)));
      }),
      { numRuns: 1_000 },
    );
  });

  it('round-trips through decodeValue() and through another decoder', () => {
    fc.assert(
      fc.property(data, (value) => {
        expect(decodeValue(encodeValue(value))).toEqual(value);
        expect(decodeTwin(encodeValue(value))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it('turns -0 into 0', () => {
    expect(Object.is(decodeValue(encodeValue(-0)), 0)).toBe(true);
  });

  it('keeps a byte order mark, a member named __proto__ and characters beyond U+FFFF', () => {
    for (const value of ['\ufeffx', '😀', JSON.parse('{"__proto__":{"a":1}}') as Value]) {
      expect(JSON.stringify(decodeValue(encodeValue(value)))).toBe(JSON.stringify(value));
    }
    const decoded = decodeValue(encodeValue(JSON.parse('{"__proto__":{"a":1}}') as Value));
    expect((decoded as { a?: number }).a).toBeUndefined();
  });

  it('gives equal bytes for equal data whatever the order of insertion (K7)', () => {
    expect(encodeValue({ b: 1, a: 2, ä: 3, aa: 4 })).toEqual(
      encodeValue({ aa: 4, ä: 3, a: 2, b: 1 }),
    );
  });

  const cycle: { self?: unknown } = {};
  cycle.self = cycle;
  it.each<[string, unknown, string]>([
    ['undefined', undefined, 'value: it is undefined'],
    ['an undefined member', { a: [{ b: undefined }] }, 'value.a[0].b: it is undefined'],
    ['NaN', [NaN], 'value[0]: it is NaN'],
    ['Infinity', { x: -Infinity }, 'value.x: it is -Infinity'],
    ['bigint', { 'a b': 1n }, 'value["a b"]: it is bigint'],
    ['a function', { f: () => 1 }, 'value.f: it is function'],
    ['a symbol', Symbol('s'), 'value: it is symbol'],
    ['half a surrogate pair', ['\ud800'], 'value[0]: it is text with half'],
    ['a member named by half a pair', { '\udfff': 1 }, 'named with half'],
    ['a Date', { d: new Date(0) }, 'value.d: it is an instance'],
    ['a Map', new Map(), 'value: it is an instance'],
    ['a cycle', cycle, 'value.self: it is a cycle'],
    ['a hole', [1, , 3], 'value[1]: it is a hole'], // eslint-disable-line no-sparse-arrays
    ['bytes inside data', { b: new Uint8Array(1) }, 'value.b: it is bytes'],
    ['another typed array', new Float32Array(1), 'value: it is an instance'],
  ])('refuses %s and names the path', (_name, value, message) => {
    expect(() => encodeValue(value as Value)).toThrow(TypeError);
    expect(() => encodeValue(value as Value)).toThrow(message);
  });

  it('refuses nesting beyond its limit instead of overflowing the stack', () => {
    let deep: unknown[] = [];
    for (let level = 0; level < 100_000; level += 1) deep = [deep];
    expect(() => encodeValue(deep)).toThrow('nested deeper than 128');
  });

  it('refuses more than a MiB with LIMIT_EXCEEDED', () => {
    expect(() => encodeValue('x'.repeat(1024 * 1024))).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED' }) as Error,
    );
    expect(encodeValue('x'.repeat(1024 * 1024 - 5))).toHaveLength(1024 * 1024);
  });

  it('takes the same object twice where it is no cycle', () => {
    const shared = { a: 1 };
    expect(decodeValue(encodeValue([shared, shared]))).toEqual([{ a: 1 }, { a: 1 }]);
  });
});

describe('decodeValue()', () => {
  it('freezes data all the way down', () => {
    const value = decodeValue(encodeValue({ a: [{ b: 1 }] })) as { a: { b: number }[] };
    expect(Object.isFrozen(value) && Object.isFrozen(value.a) && Object.isFrozen(value.a[0])).toBe(
      true,
    );
  });

  it('copies bytes', () => {
    const encoded = encodeValue(Uint8Array.of(1, 2));
    (decodeValue(encoded) as Uint8Array)[0] = 9;
    expect(decodeValue(encoded)).toEqual(Uint8Array.of(1, 2));
  });

  it('takes a form back only if it is the canonical one, and throws nothing but DecodeError', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 24 }), (bytes) => {
        let value: Value;
        try {
          value = decodeValue(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
          return;
        }
        // Floats are not checked for their shortest form: no writer of ours has another.
        if (!/f[9ab]/.test(Buffer.from(bytes).toString('hex'))) {
          expect(encodeValue(value)).toEqual(bytes);
        }
      }),
      { numRuns: 5_000 },
    );
  });
});

describe('decodeInteger()', () => {
  it('finds safe integers and nothing else', () => {
    for (const number of [
      0,
      -1,
      23,
      24,
      70_000,
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
    ]) {
      expect(decodeInteger(encodeValue(number))).toBe(number);
    }
    for (const other of [1.5, 'a', null, [1], new Uint8Array(1), 2 ** 60]) {
      expect(decodeInteger(encodeValue(other))).toBeNull();
    }
    expect(decodeInteger(new Uint8Array(0))).toBeNull();
  });
});
