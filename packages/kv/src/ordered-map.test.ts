import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareKeys } from './key.ts';
import { OrderedMap, selects } from './ordered-map.ts';
import type { KvRecord } from './record.ts';
import { written } from './record.ts';
import type { KeySelector } from './types.ts';

/** Enough keys for a dozen blocks; some begin with what UTF-16 orders unlike UTF-8. */
const keyCount = 800;
const keys = Array.from({ length: keyCount }, (_, index) => {
  const head = ['a', 'b', '\uffff', '\u{1f600}'][index % 4] as string;
  return head + String(index).padStart(3, '0');
});

type Step =
  | { readonly type: 'set' | 'delete'; readonly first: number; readonly stride: number }
  | { readonly type: 'clone' };

const someStep: fc.Arbitrary<Step> = fc.oneof(
  { arbitrary: fc.constant<Step>({ type: 'clone' }), weight: 1 },
  {
    arbitrary: fc.record({
      type: fc.constantFrom('set' as const, 'delete' as const),
      first: fc.nat(keyCount - 1),
      // Steps through all keys, from one key alone to each.
      stride: fc.constantFrom(1, 2, 3, 7, 97, 389, keyCount),
    }),
    weight: 4,
  },
);

const someSelector: fc.Arbitrary<KeySelector> = fc.oneof(
  fc.constantFrom(...keys).map((key) => ({ key })),
  fc.constantFrom('', 'a', 'a0', 'b9', '\uffff', '\u{1f600}', 'zz').map((prefix) => ({ prefix })),
  fc.record({ start: fc.constantFrom('', ...keys) }),
  fc.record({ start: fc.constantFrom('', ...keys), end: fc.constantFrom(...keys, 'a3', 'c') }),
);

describe('OrderedMap against a Map that is sorted when it is read', () => {
  it('agrees on every record and selection, and no copy sees later changes of another', () => {
    fc.assert(
      fc.property(fc.array(someStep, { maxLength: 25 }), someSelector, (steps, selector) => {
        let revision = 0;
        const pairs = [{ map: new OrderedMap(), naive: new Map<string, KvRecord>() }];
        for (const [turn, step] of steps.entries()) {
          // Originals and copies take turns.
          const pair = pairs[turn % pairs.length] as (typeof pairs)[number];
          if (step.type === 'clone') {
            pairs.push({ map: pair.map.clone(), naive: new Map(pair.naive) });
            continue;
          }
          for (let index = step.first; index < keyCount; index += step.stride) {
            const key = keys[index] as string;
            if (step.type === 'delete') {
              pair.map.delete(key);
              pair.naive.delete(key);
              continue;
            }
            revision += 1;
            const record = written(key, new Uint8Array(), revision, null);
            pair.map.set(record);
            pair.naive.set(key, record);
          }
        }
        for (const pair of pairs) compare(pair.map, pair.naive, selector);
      }),
      { numRuns: 100 },
    );
  });

  it('holds what is left after all but a few, then all, are deleted', () => {
    const map = new OrderedMap();
    for (const key of keys) map.set(written(key, new Uint8Array(), 1, null));
    for (const key of keys.slice(5)) map.delete(key);
    expect([...map.select({ prefix: '' })].map(({ key }) => key)).toEqual(
      keys.slice(0, 5).sort(compareKeys),
    );
    for (const key of keys) map.delete(key);
    expect([map.size, ...map.select({ prefix: '' })]).toEqual([0]);
    expect([...map.selectReversed({ prefix: '' })]).toEqual([]);
  });
});

function compare(map: OrderedMap, naive: Map<string, KvRecord>, selector: KeySelector): void {
  expect(map.size).toBe(naive.size);
  for (const key of keys) expect(map.get(key)).toBe(naive.get(key));
  const sorted = [...naive.values()].sort((a, b) => compareKeys(a.key, b.key));
  expect(ofAll(map.select({ prefix: '' }))).toEqual(ofAll(sorted));
  const selected = sorted.filter(({ key }) => selects(selector, key));
  expect(ofAll(map.select(selector))).toEqual(ofAll(selected));
  expect(ofAll(map.selectReversed(selector))).toEqual(ofAll(selected.reverse()));
}

function ofAll(records: Iterable<KvRecord>): string[] {
  return Array.from(records, ({ key, modRevision }) => `${key} ${modRevision}`);
}
