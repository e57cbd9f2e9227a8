import type { Entry } from '@quorate/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TermRuns } from './term-runs.ts';

function entriesOf(terms: readonly number[], from: number): Entry[] {
  return terms.map((term, at) => ({
    term,
    index: from + at,
    type: 'normal',
    data: new Uint8Array(),
  }));
}

test('TermRuns knows what a plain list of terms knows', () => {
  const step = fc.record({
    back: fc.nat(6),
    terms: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 8 }),
    rebase: fc.boolean(),
  });
  const property = fc.property(fc.nat(50), fc.array(step, { maxLength: 20 }), (start, steps) => {
    let base = { index: start, term: 9 };
    let runs = TermRuns.empty(base);
    const terms = new Map<number, number>();
    let lastIndex = start;
    for (const { back, terms: added, rebase } of steps) {
      const from = Math.max(base.index + 1, lastIndex + 1 - back);
      const before = runs;
      const lastBefore = lastIndex;
      runs = runs.with(entriesOf(added, from));
      expect(before.lastIndex).toBe(lastBefore);
      for (let index = from; index <= lastIndex; index += 1) terms.delete(index);
      for (const [at, term] of added.entries()) terms.set(from + at, term);
      lastIndex = from + added.length - 1;
      if (rebase) {
        const index = base.index + Math.ceil((lastIndex - base.index) / 2);
        base = { index, term: terms.get(index) ?? 0 };
        runs = runs.rebased(base);
      }
      expect(runs.lastIndex).toBe(lastIndex);
      expect(runs.termAt(base.index)).toBe(base.term);
      expect(runs.termAt(lastIndex + 1)).toBe(null);
      for (let index = base.index + 1; index <= lastIndex; index += 1) {
        expect(runs.termAt(index)).toBe(terms.get(index));
      }
    }
  });
  fc.assert(property);
});

test('TermRuns.with() refuses gaps, what a snapshot holds, and entries out of order', () => {
  const runs = TermRuns.empty({ index: 10, term: 3 }).with(entriesOf([3, 4], 11));
  expect(() => runs.with(entriesOf([4], 14))).toThrow(RangeError);
  expect(() => runs.with(entriesOf([4], 10))).toThrow(RangeError);
  const [first, second] = entriesOf([4, 4], 13);
  if (first === undefined || second === undefined) throw new Error('two entries were made');
  expect(() => runs.with([first, { ...second, index: 15 }])).toThrow(RangeError);
  expect(runs.with([first, second]).lastIndex).toBe(14);
});
