import { describe, expect, test } from 'vitest';
import { complaints } from './tab-history.ts';
import type { AppEvent, Found } from './tab-history.ts';

let count = 0;

function event(type: string, atMs: number, details: object = {}): AppEvent {
  return { id: String(count++), type, atMs, ...details };
}

const started = [event('script', 0, { writer: 'a' }), event('script', 0, { writer: 'b' })];

function wrote(key: string, fromMs: number, atMs: number, value: number): AppEvent[] {
  return [event('began', fromMs, { key }), event('acked', atMs, { key, fromMs, value })];
}

function found(total: number, ...keys: string[]): Found {
  const all = keys.map((key) => ({ key, version: 1 }));
  return {
    total,
    marks: all.filter(({ key }) => key.startsWith('mark')),
    groups: all.filter(({ key }) => key.startsWith('group')),
  };
}

describe('complaints()', () => {
  test('has none about writes that are there, in any order of their doubts', () => {
    const logs = [
      started,
      [...wrote('mark/a/1', 0, 10, 1), event('began', 20, { key: 'mark/a/2' })],
      [event('began', 5, { key: 'mark/b/1' }), event('refused', 9, { key: 'mark/b/1' })],
      [event('read', 30, { fromMs: 20, value: 1 })],
    ];
    expect(complaints(logs, found(1, 'mark/a/1'))).toEqual([]);
    expect(complaints(logs, found(2, 'mark/a/1', 'mark/a/2'))).toEqual([]);
  });

  test.each<[string, AppEvent[], Found, RegExp]>([
    ['a lost write', wrote('mark/a/1', 0, 10, 1), found(0), /acknowledged and is lost/],
    [
      'a refused write that is there',
      [event('began', 0, { key: 'mark/a/1' }), event('refused', 1, { key: 'mark/a/1' })],
      found(1, 'mark/a/1'),
      /said not to be applied/,
    ],
    ['a wrong count', wrote('mark/a/1', 0, 10, 1), found(2, 'mark/a/1'), /the count is 2 of 1/],
    ['a write of nobody', [], found(1, 'mark/c/1'), /nobody wrote it/],
    [
      'a write applied twice',
      wrote('mark/a/1', 0, 10, 1),
      { total: 1, marks: [{ key: 'mark/a/1', version: 2 }], groups: [] },
      /applied 2 times/,
    ],
    [
      'half a transaction (B9)',
      [event('began', 0, { key: 'group/a/1' })],
      found(1, 'group/a/1/a', 'mark/a/1'),
      /has only a/,
    ],
    [
      'a transaction without its mark (B9)',
      [event('began', 0, { key: 'group/a/1' })],
      found(0, 'group/a/1/a', 'group/a/1/b'),
      /group\/a\/1 has only ab/,
    ],
    [
      'a stale read (B3)',
      [...wrote('mark/a/1', 0, 10, 1), event('read', 40, { fromMs: 30, value: 0 })],
      found(1, 'mark/a/1'),
      /a read returned 0 after 1 was known/,
    ],
    [
      'two writes with one count',
      [...wrote('mark/a/1', 0, 10, 1), ...wrote('mark/b/1', 0, 10, 1)],
      found(2, 'mark/a/1', 'mark/b/1'),
      /two writes returned 1/,
    ],
  ])('names %s', (_name, log, state, wanted) => {
    expect(complaints([started, log], state).join('\n')).toMatch(wanted);
  });

  test('forgives a read that began before the write was known', () => {
    const log = [...wrote('mark/a/1', 0, 10, 1), event('read', 4_000, { fromMs: 9, value: 0 })];
    expect(complaints([started, log], found(1, 'mark/a/1'))).toEqual([]);
  });
});
