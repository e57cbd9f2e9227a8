import { expect, test } from 'vitest';
import { Prng } from './prng.ts';

test('Prng draws the same numbers from the same seed, others from another', () => {
  const draw = (seed: number): number[] => {
    const prng = new Prng(seed);
    return Array.from({ length: 100 }, () => prng.uint32());
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
  expect(new Set(draw(7)).size).toBe(100);
});

test('fork() gives independent streams that do not disturb each other', () => {
  const one = new Prng(1);
  const a = one.fork('a');
  const b = one.fork('b');
  const other = new Prng(1);
  const sameA = other.fork('a');
  for (let i = 0; i < 10; i++) sameA.uint32();
  const sameB = other.fork('b');
  expect(b.uint32()).toBe(sameB.uint32());
  expect(a.uint32()).not.toBe(b.uint32());
});

test('int(), between() and chance() keep their bounds and use all of them', () => {
  const prng = new Prng(3);
  const seen = new Set<number>();
  let hits = 0;
  for (let i = 0; i < 2_000; i++) {
    seen.add(prng.int(5));
    const value = prng.between(2, 3);
    expect(value).toBeGreaterThanOrEqual(2);
    expect(value).toBeLessThan(3);
    if (prng.chance(0.25)) hits += 1;
  }
  expect([...seen].sort()).toEqual([0, 1, 2, 3, 4]);
  expect(hits).toBeGreaterThan(400);
  expect(hits).toBeLessThan(600);
});

test('pick() refuses an empty list and shuffle() keeps every item', () => {
  const prng = new Prng(4);
  expect(() => prng.pick([])).toThrow(RangeError);
  const items = Array.from({ length: 20 }, (_, i) => i);
  const shuffled = prng.shuffle(items);
  expect(shuffled).not.toEqual(items);
  expect([...shuffled].sort((a, b) => a - b)).toEqual(items);
});
