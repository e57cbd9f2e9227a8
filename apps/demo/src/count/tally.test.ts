import { expect, test } from 'vitest';
import { Tallying } from './tally.ts';

test('Tallying finds nothing wrong where every write moved both numbers by one', () => {
  const tallying = new Tallying();
  tallying.startAt(10);
  for (const value of [11, 12, 13]) tallying.saw(value);
  for (const own of [1, 2]) tallying.acked(own);
  expect(tallying.tally).toEqual({ acknowledged: 2, unknown: 0, seen: 3, lost: 0, doubled: 0 });
});

test('Tallying counts values that were skipped as lost, and repeated ones as doubled', () => {
  const tallying = new Tallying();
  tallying.startAt(0);
  for (const value of [1, 4, 4, 5]) tallying.saw(value);
  expect(tallying.tally).toMatchObject({ lost: 2, doubled: 1 });
});

test('Tallying counts an acknowledged write that left no trace as lost', () => {
  const tallying = new Tallying();
  tallying.acked(1);
  tallying.acked(1);
  expect(tallying.tally).toMatchObject({ acknowledged: 2, lost: 1, doubled: 0 });
});

test('Tallying counts a write that was applied twice as doubled', () => {
  const tallying = new Tallying();
  tallying.acked(1);
  tallying.acked(3);
  expect(tallying.tally).toMatchObject({ lost: 0, doubled: 1 });
});

test.each([
  ['applied', 3],
  ['not applied', 2],
])('Tallying takes a write in doubt as it turns out: %s', (_, own) => {
  const tallying = new Tallying();
  tallying.acked(1);
  tallying.doubted();
  expect(tallying.tally.unknown).toBe(1);
  tallying.acked(own);
  expect(tallying.tally).toMatchObject({ unknown: 0, lost: 0, doubled: 0 });
});
