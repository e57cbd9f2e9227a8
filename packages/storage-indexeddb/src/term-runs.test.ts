import type { Entry } from '@quorate/core';
import { expect, test } from 'vitest';
import { TermRuns } from './term-runs.ts';

function entriesOf(term: number, from: number, count: number): Entry[] {
  return Array.from({ length: count }, (_, at) => ({
    term,
    index: from + at,
    type: 'normal',
    data: new Uint8Array(),
  }));
}

test('TermRuns answers like a plain list of terms', () => {
  let state = 7;
  const chance = (count: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state >>> 8) % count;
  };
  for (let round = 0; round < 300; round += 1) {
    let runs = TermRuns.over({ index: 0, term: 0 });
    let base = 0;
    // Position is the index; the base's term stays known.
    let terms = [0];
    let term = 1;
    for (let step = 0; step < 20; step += 1) {
      const lastIndex = terms.length - 1;
      if (chance(4) === 0 && lastIndex > base) {
        base += 1 + chance(lastIndex - base);
        runs = runs.rebased({ index: base, term: terms[base] ?? 0 });
      } else {
        term += chance(2);
        const from = base + 1 + chance(lastIndex - base + 1);
        const entries = entriesOf(term, from, 1 + chance(4));
        terms = [...terms.slice(0, from), ...entries.map((entry) => entry.term)];
        runs = runs.with(entries);
      }
      expect(runs.lastIndex).toBe(terms.length - 1);
      for (let index = base; index <= terms.length; index += 1) {
        expect(runs.termAt(index)).toBe(terms[index] ?? null);
      }
    }
  }
});

test('with() refuses gaps, what the snapshot covers, and entries out of order', () => {
  const runs = TermRuns.over({ index: 5, term: 2 }).with(entriesOf(2, 6, 3));
  expect(() => runs.with(entriesOf(3, 10, 1))).toThrow('the log ends at 8');
  expect(() => runs.with(entriesOf(3, 5, 1))).toThrow('the snapshot at 5');
  expect(() => runs.with([...entriesOf(3, 8, 1), ...entriesOf(3, 10, 1)])).toThrow('wanted 9 next');
  expect(runs.with([])).toBe(runs);
});
