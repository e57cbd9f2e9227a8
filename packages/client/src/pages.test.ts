import { describe, expect, test } from 'vitest';
import { QuorateError } from './errors.ts';
import { readPages } from './pages.ts';
import type { RangeRequest } from './pages.ts';
import type { WireEntry, WireRange } from './wire.ts';

const entry = (key: string): WireEntry => ({
  ...{ key, value: key, createRevision: 1, modRevision: 1, version: 1 },
});

/** A gateway whose pages have two entries at most. */
function gateway(keys: readonly string[]) {
  const asked: RangeRequest[] = [];
  let revision = 7;
  const fail: { next: Error | null } = { next: null };
  const ask = async (request: RangeRequest): Promise<WireRange> => {
    asked.push(request);
    if (request['after'] !== undefined && fail.next !== null) {
      const failure = fail.next;
      fail.next = null;
      revision++;
      throw failure;
    }
    const { after = '', limit = Infinity } = request as { after?: string; limit?: number };
    const rest = keys.filter((key) => key > after);
    const kvs = rest.slice(0, Math.min(limit, 2)).map(entry);
    const page = { kvs, revision: (request['revision'] as number) ?? revision, count: kvs.length };
    const more = rest.length > kvs.length;
    return more ? { ...page, more, after: kvs.at(-1)?.key ?? '' } : { ...page, more };
  };
  return { ask, asked, fail };
}

const keysOf = (range: WireRange): string[] => range.kvs.map(({ key }) => key);

describe('readPages()', () => {
  test('T15 joins pages of one revision', async () => {
    const { ask, asked } = gateway(['a', 'b', 'c', 'd', 'e']);
    const range = await readPages({ prefix: '', consistency: 'local' }, ask);
    expect(keysOf(range)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(range).toMatchObject({ revision: 7, more: false, count: 5 });
    expect(range).not.toHaveProperty('after');
    expect(asked.map(({ after, revision }) => [after, revision])).toEqual([
      [undefined, undefined],
      ['b', 7],
      ['d', 7],
    ]);
    expect(asked.every(({ consistency }) => consistency === 'local')).toBe(true);
  });

  test('T15 stops at the limit and says where', async () => {
    const { ask } = gateway(['a', 'b', 'c', 'd', 'e']);
    const range = await readPages({ prefix: '', limit: 3 }, ask);
    expect(keysOf(range)).toEqual(['a', 'b', 'c']);
    expect(range).toMatchObject({ more: true, after: 'c', count: 3 });
  });

  test('T15 who names bytes gets a page', async () => {
    const { ask, asked } = gateway(['a', 'b', 'c']);
    expect(await readPages({ bytesMax: 10 }, ask)).toMatchObject({ more: true, after: 'b' });
    expect(asked).toHaveLength(1);
  });

  test('T15 begins anew where the history has gone on, and gives up at last', async () => {
    const { ask, asked, fail } = gateway(['a', 'b', 'c']);
    const compacted = new QuorateError('COMPACTED', 'Gone', {
      ...{ outcome: 'not-applied', retryable: false },
    });
    fail.next = compacted;
    const range = await readPages({}, ask);
    expect(keysOf(range)).toEqual(['a', 'b', 'c']);
    expect(range.revision).toBe(8);
    expect(asked).toHaveLength(4);
    const always = async (request: RangeRequest): Promise<WireRange> => {
      fail.next = compacted;
      return ask(request);
    };
    await expect(readPages({}, always)).rejects.toBe(compacted);
  });
});
