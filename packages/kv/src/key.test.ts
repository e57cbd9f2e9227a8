import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { text } from '../test/arbitraries.ts';
import { checkKey, compareKeys, prefixCeiling } from './key.ts';

describe('compareKeys()', () => {
  it('orders as the UTF-8 bytes do, beyond U+FFFF too', () => {
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareKeys(a, b))).toBe(
          Math.sign(Buffer.compare(Buffer.from(a), Buffer.from(b))),
        );
      }),
      { numRuns: 2_000 },
    );
    expect(compareKeys('\uffff', '😀')).toBeLessThan(0);
    expect(compareKeys('\ud7ff', '😀')).toBeLessThan(0);
  });
});

describe('prefixCeiling()', () => {
  it('is not below the largest key with that prefix', () => {
    const largest = '\u{10FFFF}'.repeat(256);
    expect(compareKeys(prefixCeiling(''), largest)).toBeGreaterThan(0);
    expect(compareKeys(prefixCeiling('a'), 'b')).toBeLessThan(0);
  });
});

describe('checkKey()', () => {
  it.each([[''], ['\ud800'], [1], [null], [undefined], [['a']]])('refuses %j', (key) => {
    expect(() => {
      checkKey(key, 'get');
    }).toThrow(TypeError);
  });

  it('counts UTF-8 bytes: 1024 pass, 1025 are LIMIT_EXCEEDED', () => {
    checkKey('ä'.repeat(512), 'get');
    expect(() => {
      checkKey('ä'.repeat(512) + 'a', 'get');
    }).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }) as Error);
  });
});
