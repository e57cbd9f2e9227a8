import { QuorateError } from '@quorate/contracts';
import { describe, expect, it } from 'vitest';
import { MemoryConsensus, unavailable } from '../test/memory-consensus.ts';
import { createKv } from './kv.ts';
import { KvStateMachine } from './state-machine.ts';
import type { KeyValue } from './types.ts';

type Setup = { kv: KeyValue; machine: KvStateMachine; consensus: MemoryConsensus };

function setUp(machine: KvStateMachine = new KvStateMachine()): Setup {
  const consensus = new MemoryConsensus(machine);
  return { kv: createKv({ consensus, machine }), machine, consensus };
}

function code(wanted: string, details: object = {}): Error {
  return expect.objectContaining({
    code: wanted,
    details: expect.objectContaining(details),
  }) as Error;
}

describe('get(), getEntry(), peek()', () => {
  it('read what was put, with revisions', async () => {
    const { kv } = setUp();
    expect(await kv.get('a')).toBeUndefined();
    expect(await kv.getEntry('a')).toBeUndefined();
    expect(kv.peek('a')).toBeUndefined();
    expect(await kv.put('a', { n: 1 })).toEqual({ revision: 1 });
    expect(await kv.put('a', null)).toEqual({ revision: 2 });
    expect(await kv.get('a')).toBeNull();
    expect(kv.peek('a')).toBeNull();
    expect(await kv.getEntry('a')).toEqual({
      key: 'a',
      value: null,
      createRevision: 1,
      modRevision: 2,
      version: 2,
    });
    expect(kv.revision).toBe(2);
  });

  it('give frozen data of one identity, and bytes as copies', async () => {
    const { kv } = setUp();
    const mine = { list: [1] };
    const put = kv.put('a', mine);
    mine.list.push(2);
    await put;
    const first = await kv.get<{ list: number[] }>('a');
    expect(first).toEqual({ list: [1] });
    expect(Object.isFrozen(first?.list)).toBe(true);
    expect(kv.peek('a')).toBe(first);
    await kv.put('bytes', Uint8Array.of(1));
    const bytes = await kv.get<Uint8Array>('bytes');
    bytes?.fill(9);
    expect(await kv.get('bytes')).toEqual(Uint8Array.of(1));
  });

  it('T6 read nothing locally before this member has joined', async () => {
    const machine = new KvStateMachine();
    let notJoined: QuorateError | null = new QuorateError('NO_LEADER', 'not joined yet');
    const status = {
      isStale: () => false,
      notJoined: () => notJoined,
      subscribe: () => () => undefined,
    };
    const kv = createKv({ consensus: new MemoryConsensus(machine), machine, status });
    const local = { consistency: 'local' } as const;
    await expect(kv.get('a', local)).rejects.toThrow(code('NO_LEADER'));
    await expect(kv.range({ prefix: '', ...local })).rejects.toThrow(code('NO_LEADER'));
    notJoined = null;
    await kv.put('a', 1);
    expect(await kv.get('a', local)).toBe(1);
  });

  it('wait for a barrier unless asked for the local state', async () => {
    const { kv, consensus } = setUp();
    await kv.put('a', 1);
    consensus.before = unavailable;
    expect(await kv.get('a', { consistency: 'local' })).toBe(1);
    expect(consensus.barrierCount).toBe(0);
    await expect(kv.get('a')).rejects.toThrow(code('NO_QUORUM'));
    await expect(kv.range({ prefix: '' })).rejects.toThrow(code('NO_QUORUM'));
  });

  it('hand signal and timeoutMs to consensus, and nothing else', async () => {
    const { kv, consensus } = setUp();
    const { signal } = new AbortController();
    await kv.put('a', 1, { signal, timeoutMs: 5, ifAbsent: true });
    expect(consensus.lastOptions).toEqual({
      signal,
      timeoutMs: 5,
      applied: expect.any(Function),
    });
    await kv.get('a', { consistency: 'linearizable', timeoutMs: 7 });
    expect(consensus.lastOptions).toEqual({ timeoutMs: 7 });
    await kv.get('a', { consistency: 'lease', timeoutMs: 7 });
    expect(consensus.lastOptions).toEqual({ timeoutMs: 7, lease: true });
  });
});

describe('put() and delete()', () => {
  it('hold conditions; CONFLICT carries what was there and nothing is applied', async () => {
    const { kv } = setUp();
    await kv.put('a', 1, { ifAbsent: true });
    const current = await kv.getEntry('a');
    await expect(kv.put('a', 2, { ifAbsent: true })).rejects.toThrow(code('CONFLICT', { current }));
    await expect(kv.put('a', 2, { ifRevision: 7 })).rejects.toThrow(code('CONFLICT', { current }));
    await expect(kv.put('b', 2, { ifRevision: 1 })).rejects.toThrow(
      code('CONFLICT', { current: null }),
    );
    await expect(kv.delete('a', { ifRevision: 9 })).rejects.toThrow(code('CONFLICT', { current }));
    expect(kv.revision).toBe(1);
    expect(await kv.put('a', 2, { ifRevision: 1 })).toEqual({ revision: 2 });
    expect(await kv.put('c', 3, { ifRevision: 0 })).toEqual({ revision: 3 });
    expect(await kv.delete('a', { ifRevision: 2 })).toEqual({ deleted: 1, revision: 4 });
  });

  it('return what was there before, where asked', async () => {
    const { kv } = setUp();
    expect(await kv.put('a/1', 1, { previous: true })).toEqual({ revision: 1, previous: null });
    expect(await kv.put('a/1', 2, { previous: true })).toMatchObject({ previous: { value: 1 } });
    await kv.put('a/2', 3);
    await kv.put('b', 4);
    expect(await kv.delete({ prefix: 'a/' }, { previous: true })).toMatchObject({
      deleted: 2,
      revision: 5,
      previous: [
        { key: 'a/1', value: 2 },
        { key: 'a/2', value: 3 },
      ],
    });
    expect(await kv.delete('gone')).toEqual({ deleted: 0, revision: 5 });
    expect(await kv.delete({ prefix: '' })).toEqual({ deleted: 1, revision: 6 });
  });

  it('take effect in call order without being awaited', async () => {
    const { kv } = setUp();
    const calls = [1, 2, 3].map((value) => kv.put('a', value));
    expect((await Promise.all(calls)).map(({ revision }) => revision)).toEqual([1, 2, 3]);
    expect(kv.peek('a')).toBe(3);
  });
});

describe('range()', () => {
  async function filled(): Promise<KeyValue> {
    const { kv } = setUp();
    for (const key of ['b', 'a/1', '😀', '\uffff', 'a/2', 'a']) await kv.put(key, `at ${key}`);
    return kv;
  }
  const keys = (result: { entries: readonly { key: string }[] }): string[] =>
    result.entries.map(({ key }) => key);

  it('selects by prefix and by start and end, in UTF-8 order', async () => {
    const kv = await filled();
    expect(keys(await kv.range())).toEqual(['a', 'a/1', 'a/2', 'b', '\uffff', '😀']);
    expect(keys(await kv.range({ prefix: 'a/' }))).toEqual(['a/1', 'a/2']);
    expect(keys(await kv.range({ start: 'a/2', end: 'b' }))).toEqual(['a/2']);
    expect(keys(await kv.range({ end: 'a/2' }))).toEqual(['a', 'a/1']);
    expect(keys(await kv.range({ start: 'b', order: 'desc' }))).toEqual(['😀', '\uffff', 'b']);
    expect(keys(await kv.range({ start: 'a/1', end: 'b', order: 'desc' }))).toEqual(['a/2', 'a/1']);
    expect(keys(await kv.range({ prefix: 'a', order: 'desc' }))).toEqual(['a/2', 'a/1', 'a']);
    expect(keys(await kv.range({ start: 'z', end: 'a' }))).toEqual([]);
  });

  it('limits, counts, omits values', async () => {
    const kv = await filled();
    expect(await kv.range({ limit: 2, keysOnly: true })).toMatchObject({
      entries: [{ key: 'a', value: undefined }, { key: 'a/1' }],
      more: true,
      count: 2,
      revision: 6,
    });
    expect(await kv.range({ limit: 6 })).toMatchObject({ more: false, count: 6 });
    expect(await kv.range({ prefix: 'a', countOnly: true })).toEqual({
      entries: [],
      more: false,
      count: 3,
      revision: 6,
    });
  });

  it('T15 ends a page at limit and bytesMax, and goes on after it', async () => {
    const kv = await filled();
    const first = await kv.range({ limit: 2 });
    expect(first).toMatchObject({ more: true, after: 'a/1' });
    expect(keys(await kv.range({ after: 'a/1' }))).toEqual(['a/2', 'b', '\uffff', '😀']);
    expect(keys(await kv.range({ after: 'a/15' }))).toEqual(['a/2', 'b', '\uffff', '😀']);
    expect(keys(await kv.range({ prefix: 'a/', after: 'a/1' }))).toEqual(['a/2']);
    expect(keys(await kv.range({ prefix: 'a/', after: 'A' }))).toEqual(['a/1', 'a/2']);
    expect(keys(await kv.range({ prefix: 'a/', after: 'b' }))).toEqual([]);
    expect(keys(await kv.range({ after: 'a/2', order: 'desc' }))).toEqual(['a/1', 'a']);
    expect(keys(await kv.range({ end: 'b', after: '😀', order: 'desc' }))).toEqual([
      'a/2',
      'a/1',
      'a',
    ]);
    // 64 beside key and value; one entry in any case, and nothing behind the last one.
    expect(await kv.range({ bytesMax: 1 })).toMatchObject({ count: 1, more: true, after: 'a' });
    expect(await kv.range({ bytesMax: 150 })).toMatchObject({ count: 2, more: true, after: 'a/1' });
    expect(await kv.range({ bytesMax: 10_000 })).toMatchObject({ count: 6, more: false });
    expect(await kv.range({ bytesMax: 10_000 })).not.toHaveProperty('after');
    await expect(kv.range({ bytesMax: 0 })).rejects.toThrow(RangeError);
    await expect(kv.range({ after: '\ud800' })).rejects.toThrow(TypeError);
  });

  it('T15 pages of an earlier revision are that revision, whatever was written since', async () => {
    const kv = await filled();
    const whole = await kv.range();
    await kv.delete('a/1');
    await kv.put('a/0', 'new');
    await kv.put('b', 'changed');
    await kv.put('b', 'changed again');
    await kv.delete('😀');
    for (const order of ['asc', 'desc'] as const) {
      const entries: unknown[] = [];
      for (let after: string | undefined; ;) {
        const options = { limit: 2, order, revision: whole.revision };
        const page = await kv.range(after === undefined ? options : { ...options, after });
        entries.push(...page.entries);
        after = page.after;
        if (after === undefined) break;
      }
      expect(entries).toEqual(order === 'asc' ? whole.entries : [...whole.entries].reverse());
    }
  });

  it('reads earlier revisions inside the history, COMPACTED before it, BAD_REQUEST after it', async () => {
    const { kv } = setUp(
      new KvStateMachine({ history: { revisionCountMax: 2, bytesMax: 10_000 } }),
    );
    for (const value of [1, 2, 3, 4]) await kv.put('a', value);
    expect((await kv.range({ revision: 3 })).entries).toMatchObject([{ value: 3, modRevision: 3 }]);
    expect((await kv.range({ revision: 2 })).entries).toMatchObject([{ value: 2 }]);
    await expect(kv.range({ revision: 1 })).rejects.toThrow(
      code('COMPACTED', { oldestRevision: 2 }),
    );
    await expect(kv.range({ revision: 5 })).rejects.toThrow(code('BAD_REQUEST'));
  });
});

describe('batch(), txn(), increment()', () => {
  it('K4 carry out a batch in one revision, or nothing of it', async () => {
    const { kv } = setUp();
    await kv.put('old', 'x');
    const result = await kv.batch([
      { type: 'put', key: 'a', value: 1, previous: true },
      { type: 'increment', key: 'n', by: 5 },
      { type: 'delete', key: 'old', previous: true },
      { type: 'delete', prefix: 'none/' },
    ]);
    expect(result).toMatchObject({
      succeeded: true,
      revision: 2,
      results: [
        { type: 'put', previous: null },
        { type: 'increment', value: 5 },
        { type: 'delete', deleted: 1, previous: [{ value: 'x' }] },
        { type: 'delete', deleted: 0 },
      ],
    });
    expect((await kv.getEntry('a'))?.modRevision).toBe(2);
    await expect(
      kv.batch([
        { type: 'put', key: 'b', value: 1 },
        { type: 'put', key: 'text', value: 'x' },
        { type: 'increment', key: 'a', by: Number.MAX_SAFE_INTEGER },
      ]),
    ).rejects.toThrow(code('CONFLICT', { key: 'a' }));
    expect(kv.peek('b')).toBeUndefined();
    expect(kv.revision).toBe(2);
  });

  it('K4 refuse a key written twice, before anything is sent', async () => {
    const { kv, consensus } = setUp();
    const put = { type: 'put', key: 'ab', value: 1 } as const;
    for (const other of [
      put,
      { type: 'delete', prefix: 'a' },
      { type: 'increment', key: 'ab' },
    ] as const) {
      await expect(kv.batch([put, other])).rejects.toThrow(TypeError);
    }
    expect(consensus.log).toHaveLength(0);
  });

  it('compare and take one of two branches', async () => {
    const { kv } = setUp();
    await kv.put('a', { x: 1 });
    const txn = {
      if: [
        { key: 'a', value: { x: 1 } },
        { key: 'b', exists: false },
        { key: 'a', version: 2, is: '<' },
      ],
      then: [
        { type: 'put', key: 'b', value: 1 },
        { type: 'get', key: 'b' },
        { type: 'get', key: 'a' },
      ],
      else: [{ type: 'get', key: 'b' }],
    } as const;
    expect(await kv.txn(txn)).toMatchObject({
      succeeded: true,
      revision: 2,
      results: [{ type: 'put' }, { entry: { value: 1 } }, { entry: { value: { x: 1 } } }],
    });
    expect(await kv.txn(txn)).toMatchObject({
      succeeded: false,
      revision: 2,
      results: [{ type: 'get', entry: { value: 1, modRevision: 2 } }],
    });
    expect(await kv.txn({})).toEqual({ succeeded: true, revision: 2, results: [] });
  });

  it('add to integers, from 0 where absent; CONFLICT for anything else', async () => {
    const { kv } = setUp();
    expect(await kv.increment('n')).toBe(1);
    expect(await kv.increment('n', -3)).toBe(-2);
    await kv.put('half', 0.5);
    await expect(kv.increment('half')).rejects.toThrow(
      code('CONFLICT', { current: expect.objectContaining({ value: 0.5 }) as unknown }),
    );
  });
});

describe('update() and transaction()', () => {
  it('Z36 lose no update among many at once', async () => {
    const { kv } = setUp();
    const add = (): Promise<unknown> => kv.update<number>('n', (n = 0) => n + 1);
    await Promise.all(Array.from({ length: 20 }, add));
    expect(kv.peek('n')).toBe(20);
  });

  it('update() leaves the key where the change returns undefined', async () => {
    const { kv } = setUp();
    await kv.put('a', 1);
    expect(await kv.update('a', () => undefined)).toEqual({ value: 1, revision: 1 });
    expect(kv.revision).toBe(1);
  });

  it('Z36 run again only after a conflict that came back, not after a doubt', async () => {
    const { kv, consensus } = setUp();
    let runs = 0;
    consensus.before = (call) => {
      if (call === 'propose') throw new QuorateError('COMMIT_UNKNOWN', 'No answer');
    };
    const change = (): number => (runs += 1);
    await expect(kv.update('a', change)).rejects.toThrow(code('COMMIT_UNKNOWN'));
    expect(runs).toBe(1);
    await expect(
      kv.transaction((tx) => {
        runs += 1;
        tx.put('a', 1);
      }),
    ).rejects.toThrow(code('COMMIT_UNKNOWN'));
    expect(runs).toBe(2);
  });

  it('Z36 do not run again for a CONFLICT of the application itself', async () => {
    const { kv } = setUp();
    let runs = 0;
    const body = (): never => {
      runs += 1;
      throw new QuorateError('CONFLICT', 'of my own');
    };
    await expect(kv.update('a', body)).rejects.toThrow('of my own');
    await expect(kv.transaction(body)).rejects.toThrow('of my own');
    expect(runs).toBe(2);
  });

  it('transactions move an amount without losing any, reads and ranges guarded', async () => {
    const { kv } = setUp();
    for (const [index, balance] of [10, 10, 10].entries())
      await kv.put(`account/${index}`, balance);
    const move = (from: number, to: number): Promise<unknown> =>
      kv.transaction(async (tx) => {
        const balance = tx.get<number>(`account/${from}`) ?? 0;
        await Promise.resolve();
        if (balance === 0) return;
        tx.put(`account/${from}`, balance - 1);
        tx.put(`account/${to}`, (tx.get<number>(`account/${to}`) ?? 0) + 1);
      });
    const sum = kv.transaction((tx) => {
      const total = tx.range<number>({ prefix: 'account/' }).reduce((n, { value }) => n + value, 0);
      tx.put('total', total);
      return total;
    });
    await Promise.all([
      ...Array.from({ length: 8 }, (_, index) => move(index % 3, (index + 1) % 3)),
      sum,
    ]);
    expect((await sum).result).toBe(30);
    const { entries } = await kv.range<number>({ prefix: 'account/' });
    expect(entries.reduce((total, { value }) => total + value, 0)).toBe(30);
  });

  it('a range read by a transaction conflicts with a key that appears in it (phantom)', async () => {
    const { kv } = setUp();
    let runs = 0;
    const { result } = await kv.transaction(async (tx) => {
      runs += 1;
      const count = tx.range({ prefix: 'seat/' }).length;
      if (runs === 1) await kv.put('seat/1', 'taken');
      tx.put('count', count);
      return count;
    });
    expect([runs, result, kv.peek('count')]).toEqual([2, 1, 1]);
  });

  it('a transaction reads one revision and its own writes, and is over after its body', async () => {
    const { kv } = setUp();
    await kv.put('p/1', 'one');
    let leaked: { get(key: string): unknown } | undefined;
    const { revision } = await kv.transaction((tx) => {
      leaked = tx;
      tx.put('p/2', { mine: true });
      tx.delete('p/1');
      expect(tx.get('p/1')).toBeUndefined();
      expect(tx.range({ prefix: 'p/' })).toMatchObject([{ key: 'p/2', value: { mine: true } }]);
    });
    expect(revision).toBe(2);
    expect((await kv.range({ prefix: 'p/' })).entries).toMatchObject([{ key: 'p/2' }]);
    expect(() => leaked?.get('p/2')).toThrow(TypeError);
  });
});

describe('errors', () => {
  it('settle() of a doubt answers with the result of the call', async () => {
    const { kv, machine, consensus } = setUp();
    await kv.put('a', 1);
    const doubtful = async (lose: () => Promise<unknown>): Promise<unknown> => {
      consensus.before = (call) => {
        if (call !== 'propose') return;
        throw new QuorateError('COMMIT_UNKNOWN', 'No answer', {
          settle: async () => ({ outcome: 'applied', result: machine.apply(lastCommand, context) }),
        });
      };
      const error = (await lose().catch((one: unknown) => one)) as QuorateError;
      expect(error.code).toBe('COMMIT_UNKNOWN');
      return error.settle();
    };
    const context = { index: 9, time: 0 };
    let lastCommand = new Uint8Array(0);
    const propose = consensus.propose.bind(consensus);
    consensus.propose = (command, options) => {
      lastCommand = command as Uint8Array<ArrayBuffer>;
      return propose(command, options);
    };
    expect(await doubtful(() => kv.increment('n', 4))).toEqual({ outcome: 'applied', result: 4 });
    expect(await doubtful(() => kv.put('a', 2, { ifAbsent: true }))).toMatchObject({
      outcome: 'not-applied',
      result: { code: 'CONFLICT' },
    });
  });

  it('limits are LIMIT_EXCEEDED before anything is sent', async () => {
    const { kv, consensus } = setUp();
    const large = 'x'.repeat(900_000);
    for (const call of [
      kv.put('k'.repeat(1025), 1),
      kv.put('a', 'x'.repeat(1024 * 1024 + 1)),
      kv.batch(['a', 'b'].map((key) => ({ type: 'put', key, value: large }))),
      kv.batch(Array.from({ length: 129 }, (_, n) => ({ type: 'put', key: `k${n}`, value: n }))),
    ]) {
      await expect(call).rejects.toThrow(code('LIMIT_EXCEEDED'));
    }
    expect(consensus.log).toHaveLength(0);
  });

  it('the limit on the state comes back as LIMIT_EXCEEDED', async () => {
    const { kv } = setUp(new KvStateMachine({ stateBytesMax: 200 }));
    await kv.put('a', 'x'.repeat(100));
    await expect(kv.put('b', 'x'.repeat(100))).rejects.toThrow(code('LIMIT_EXCEEDED'));
    expect(kv.revision).toBe(1);
  });

  it('misuse is a TypeError or RangeError, and sends nothing', async () => {
    const { kv, consensus } = setUp();
    const misuse = kv as unknown as Record<string, (...rest: unknown[]) => Promise<unknown>>;
    const calls: [string, unknown[]][] = [
      ['put', ['', 1]],
      ['put', ['a', undefined]],
      ['put', ['a', { f: NaN }]],
      ['put', ['a', 1, { ifAbsent: true, ifRevision: 1 }]],
      ['put', ['a', 1, { ifRevision: -1 }]],
      ['put', ['a', 1, { previous: 'yes' }]],
      ['put', ['a', 1, { timeoutMs: 0 }]],
      ['put', ['a', 1, { signal: 'x' }]],
      ['put', ['a', 1, 'options']],
      ['get', [1]],
      ['get', ['a', { consistency: 'eventual' }]],
      ['range', [{ prefix: 'a', start: 'b' }]],
      ['range', [{ limit: 0 }]],
      ['range', [{ order: 'up' }]],
      ['range', [{ revision: 1.5 }]],
      ['delete', [{}]],
      ['delete', [{ prefix: 'a' }, { ifRevision: 1 }]],
      ['batch', ['no list']],
      ['batch', [[{ type: 'merge', key: 'a' }]]],
      ['batch', [[{ type: 'get', key: 'a' }]]],
      ['batch', [[null]]],
      ['increment', ['a', 0.5]],
      ['txn', [{ if: [{ key: 'a' }] }]],
      ['txn', [{ if: [{ key: 'a', value: 1, is: '<' }] }]],
      ['txn', [{ then: {} }]],
      ['update', ['a', 'no function']],
      ['transaction', [null]],
    ];
    for (const [name, rest] of calls) {
      const error = await misuse[name]?.(...rest).catch((one: unknown) => one);
      expect([TypeError, RangeError], `${name}(${JSON.stringify(rest)})`).toContain(
        (error as Error).constructor,
      );
    }
    for (const call of [
      () => kv.peek(''),
      () => kv.live(5 as never),
      () => kv.live({} as never),
      () => kv.counter(''),
      () => kv.watch({ prefix: 'a', key: 'b' } as never),
      () => kv.watch({} as never),
      () => kv.watch({ prefix: '', initial: true, from: 1 }),
      () => kv.live('a').subscribe(null as never),
    ]) {
      expect(call).toThrow(TypeError);
    }
    expect(consensus.log).toHaveLength(0);
  });

  it('close() rejects later calls with CLOSED', async () => {
    const { kv } = setUp();
    kv.close();
    kv.close();
    await expect(kv.put('a', 1)).rejects.toThrow(code('CLOSED'));
    await expect(kv.get('a')).rejects.toThrow(code('CLOSED'));
    expect(() => kv.watch({ key: 'a' })).toThrow(code('CLOSED'));
  });
});
