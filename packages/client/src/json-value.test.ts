import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fromJsonValue, toJsonValue } from './json-value.ts';

const names = fc.oneof(fc.string(), fc.constantFrom('$bytes', '$$bytes', '$$$bytes', '__proto__'));
const leaves = fc.oneof(
  fc.string(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => (Object.is(n, -0) ? 0 : n)),
  fc.boolean(),
  fc.constant(null),
  fc.uint8Array({ maxLength: 40 }),
);
const { value: values } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    leaves,
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .array(fc.tuple(names, tie('value')), { maxLength: 3 })
      .map((members) => Object.fromEntries(members)),
  ),
}));

describe('toJsonValue(), fromJsonValue()', () => {
  test('give back every value, through text', () => {
    fc.assert(
      fc.property(values, (value) => {
        const text = JSON.stringify(toJsonValue(value));
        expect(fromJsonValue(JSON.parse(text))).toEqual(value);
      }),
    );
  });

  test('bytes are $bytes, and an object of that form gets one $ more', () => {
    expect(toJsonValue(new Uint8Array([1, 2, 255]))).toEqual({ $bytes: 'AQL/' });
    expect(toJsonValue({ $bytes: 'AQL/' })).toEqual({ $$bytes: 'AQL/' });
    expect(toJsonValue({ $bytes: 'AQL/', other: 1 })).toEqual({ $bytes: 'AQL/', other: 1 });
  });

  test('a megabyte of bytes goes through', () => {
    const bytes = new Uint8Array(1024 * 1024).map((_, at) => at * 7);
    const back = fromJsonValue(toJsonValue(bytes)) as Uint8Array;
    expect(back.length).toBe(bytes.length);
    expect(back.every((byte, at) => byte === bytes[at])).toBe(true);
  });

  test.each([
    [NaN, 'value', 'NaN'],
    [{ a: [1, Infinity] }, 'value.a[1]', 'Infinity'],
    [{ a: undefined }, 'value.a', 'undefined'],
    [[1n], 'value[0]', 'bigint'],
    [{ f: () => 1 }, 'value.f', 'function'],
    [new Date(0), 'value', 'an instance of a class'],
    [new Map(), 'value', 'an instance of a class'],
    [[, 1], 'value[0]', 'undefined'], // eslint-disable-line no-sparse-arrays
  ])('refuses %o, naming %s', (value, path, found) => {
    expect(() => toJsonValue(value)).toThrow(
      new RegExp(`^Cannot take ${escape(path)}: .*${found}`),
    );
  });

  test('refuse what is nested without end', () => {
    const ring: { self?: unknown } = {};
    ring.self = ring;
    expect(() => toJsonValue(ring)).toThrow(/deeper nesting/);
    const deep = JSON.parse('['.repeat(1000) + ']'.repeat(1000)) as unknown;
    expect(() => fromJsonValue(deep)).toThrow(/deeper nesting/);
  });

  test.each([{ $bytes: 5 }, { $bytes: 'not base64!' }, undefined])(
    'fromJsonValue() refuses %o',
    (json) => {
      expect(() => fromJsonValue(json)).toThrow(TypeError);
    },
  );

  function escape(text: string): string {
    return text.replace(/[.[\]]/g, '\\$&');
  }
});
