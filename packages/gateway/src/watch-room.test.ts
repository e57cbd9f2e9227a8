import type { KvEntry, WatchBatch } from '@quorate/kv';
import { describe, expect, test } from 'vitest';
import { WatchRoom, initialEvent } from './watch-room.ts';

function batch(revision: number, ...keys: readonly string[]): WatchBatch {
  const events = keys.map((key) => {
    const entry: KvEntry = {
      ...{ key, value: `of ${revision}`, createRevision: 1, modRevision: revision, version: 1 },
    };
    return { type: 'put', key, value: entry.value, entry } as const;
  });
  return { revision, events, initial: false };
}

const withPrevious = (one: WatchBatch): WatchBatch => ({
  ...one,
  events: one.events.map((event) => ({ ...event, previous: null })),
});

describe('WatchRoom', () => {
  test('T18 what several watches are told is made once', () => {
    const room = new WatchRoom(1_000_000);
    const bytes = room.eventOf(batch(7, 'a', 'b'), '7-c0');
    expect(bytes.toString()).toMatch(/^id: 7-c0\ndata: \{"revision":7,.*\}\n\n$/);
    expect(room.eventOf(batch(7, 'a', 'b'), '7-c0')).toBe(bytes);
  });

  test('T18 what is another for one of them is made for it', () => {
    const room = new WatchRoom(1_000_000);
    const all = batch(7, 'a', 'b');
    const events = [
      ...[room.eventOf(all, '7-c0'), room.eventOf(batch(7, 'a'), '7-c0')],
      ...[room.eventOf(withPrevious(all), '7-c0'), room.eventOf(all, '7-c1')],
      room.eventOf(batch(8, 'a', 'b'), '8-c0'),
    ];
    expect(new Set(events.map(String)).size).toBe(5);
  });

  test('an initial event is what the others are, in parts', () => {
    const one = { ...batch(7, 'a', 'b', 'c'), initial: true };
    const text = [...initialEvent(one, 'id: 7\n')].join('');
    expect(text).toBe(new WatchRoom(1).eventOf(one, '7').toString());
  });
});
