import { expect, test } from 'vitest';
import { Prng } from './prng.ts';

test('equal seeds give equal sequences, other seeds others', () => {
  const draw = (seed: number): number[] => {
    const prng = new Prng(seed);
    return Array.from({ length: 5 }, () => prng.uint32());
  };
  expect(draw(7)).toEqual(draw(7));
  const first = [0, 1, 2, -1, 2 ** 32, 2 ** 40 + 1].map((seed) => draw(seed).join());
  expect(new Set(first).size).toBe(first.length);
});

test('between() stays in [from, to) and reaches both ends', () => {
  const prng = new Prng(1);
  const seen = new Set(Array.from({ length: 1000 }, () => prng.between(10, 20)));
  expect([...seen].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  expect(prng.between(5, 5)).toBe(5);
});

test('all bits are used, about evenly', () => {
  const prng = new Prng(3);
  const counts = new Array<number>(32).fill(0);
  const draws = 4000;
  for (let i = 0; i < draws; i++) {
    const value = prng.uint32();
    for (let bit = 0; bit < 32; bit++) {
      if (((value >>> bit) & 1) === 1) counts[bit] = (counts[bit] as number) + 1;
    }
  }
  for (const count of counts) expect(Math.abs(count / draws - 0.5)).toBeLessThan(0.05);
});
