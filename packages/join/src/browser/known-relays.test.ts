import { expect, test } from 'vitest';
import { knownRelays } from './known-relays.ts';

const records = { groups: { 'ws://relay': 'ab'.repeat(16) }, counters: {}, receipts: {} };

test('T27 a profile remembers the groups of its relays', () => {
  const kept = new Map<string, string>();
  const place = (): Pick<Storage, 'getItem' | 'setItem'> => ({
    getItem: (name) => kept.get(name) ?? null,
    setItem: (name, value) => void kept.set(name, value),
  });
  const first = knownRelays(place);
  expect(first.knownRelays).toBeNull();
  first.onRelays?.(records);
  expect(knownRelays(place).knownRelays).toEqual(records);
  kept.set([...kept.keys()][0] ?? '', '{ nonsense');
  expect(knownRelays(place).knownRelays).toBeNull();
});

test('T27 a page that may keep nothing meets its relays as if for the first time', () => {
  const forbidden = knownRelays(() => {
    throw new Error('SecurityError');
  });
  expect(forbidden.knownRelays).toBeNull();
  expect(() => forbidden.onRelays?.(records)).not.toThrow();
});
