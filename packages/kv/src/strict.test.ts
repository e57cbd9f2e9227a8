import { describe, expect, test } from 'vitest';
import { MemoryConsensus } from '../test/memory-consensus.ts';
import { createKv } from './kv.ts';
import { KvStateMachine } from './state-machine.ts';
import type { KeyValue, WatchBatch } from './types.ts';

type Setup = { readonly kv: KeyValue; readonly consensus: MemoryConsensus };

function setUp(): Setup {
  const machine = new KvStateMachine();
  const consensus = new MemoryConsensus(machine);
  return { kv: createKv({ consensus, machine }), consensus };
}

type Call = (kv: KeyValue, options: never) => unknown;

const calls: Readonly<Record<string, Call>> = {
  get: (kv, options) => kv.get('a', options),
  getEntry: (kv, options) => kv.getEntry('a', options),
  range: (kv, options) => kv.range(options),
  put: (kv, options) => kv.put('a', 1, options),
  delete: (kv, options) => kv.delete('a', options),
  batch: (kv, options) => kv.batch([{ type: 'put', key: 'a', value: 1 }], options),
  increment: (kv, options) => kv.increment('a', 1, options),
  update: (kv, options) => kv.update('a', () => 1, options),
  transaction: (kv, options) => kv.transaction((tx) => tx.put('a', 1), options),
  txn: (kv, options) => kv.txn({ then: [{ type: 'put', key: 'a', value: 1 }] }, options),
  watch: (kv, options) => kv.watch({ key: 'a', ...(options as object) }),
  'counter().add': (kv, options) => kv.counter('a').add(1, options),
  'counter().get': (kv, options) => kv.counter('a').get(options),
};

async function failureOf(run: () => unknown): Promise<Error | null> {
  try {
    await run();
    return null;
  } catch (error) {
    return error as Error;
  }
}

describe('T29 options of every call', () => {
  test.each(Object.entries(calls))(
    'T29 %s() refuses an unknown one and asks nobody',
    async (_, call) => {
      const { kv, consensus } = setUp();
      const misspelt = await failureOf(() =>
        call(kv, { signl: new AbortController().signal } as never),
      );
      expect(misspelt).toBeInstanceOf(TypeError);
      expect(misspelt?.message).toMatch(/there is no option signl, did you mean signal\?$/);
      const wrong = await failureOf(() => call(kv, { signal: 7 } as never));
      expect(wrong?.message).toMatch(/signal is 7, wanted an AbortSignal$/);
      expect([consensus.log.length, consensus.barrierCount]).toEqual([0, 0]);
    },
  );

  test('T29 put(…, { ifAbsnt: true }) sells no seat twice', async () => {
    const { kv } = setUp();
    await kv.put('seat', 'anna');
    const second = kv.put('seat', 'bert', { ifAbsnt: true } as never);
    await expect(second).rejects.toThrow(
      new TypeError('Cannot put: there is no option ifAbsnt, did you mean ifAbsent?'),
    );
    expect(await kv.get('seat')).toBe('anna');
  });

  test.each<[string, (kv: KeyValue) => unknown, string]>([
    ['range({ prefx })', (kv) => kv.range({ prefx: 'a' } as never), 'did you mean prefix?'],
    ['txn({ them })', (kv) => kv.txn({ them: [] } as never), 'did you mean then?'],
    [
      'delete with ifAbsent',
      (kv) => kv.delete('a', { ifAbsent: true } as never),
      'no option ifAbsent',
    ],
    ['delete({ prefx })', (kv) => kv.delete({ prefx: 'a' } as never), 'did you mean prefix?'],
    ['live({ prefx })', (kv) => kv.live({ prefx: 'a' } as never), 'did you mean prefix?'],
    ['live with a limit', (kv) => kv.live({ prefix: '', limit: 1 } as never), 'no option limit'],
    [
      'watch with a deadline',
      (kv) => kv.watch({ prefix: '', timeoutMs: 5 } as never),
      'no option timeoutMs',
    ],
    [
      'update with a consistency',
      (kv) => kv.update('a', () => 1, { consistency: 'local' } as never),
      'no option consistency',
    ],
    [
      'another consistency',
      (kv) => kv.get('a', { consistency: 'eventual' } as never),
      'linearizable',
    ],
    [
      'an operation misspelt',
      (kv) => kv.batch([{ type: 'put', key: 'a', value: 1, previos: true } as never]),
      'there is no option operations[0].previos, did you mean operations[0].previous?',
    ],
    [
      'an operation of no type',
      (kv) => kv.txn({ else: [{ type: 'putt', key: 'a' }] as never }),
      'else[0].type is "putt", wanted put, delete, increment or get',
    ],
    [
      'a comparison misspelt',
      (kv) => kv.txn({ if: [{ key: 'a', exist: true }] as never }),
      'did you mean if[0].exists?',
    ],
    [
      'a comparison of two things',
      (kv) => kv.txn({ if: [{ key: 'a', exists: true, version: 3 }] as never }),
      'names exists and version',
    ],
    [
      'an order for exists',
      (kv) => kv.txn({ if: [{ key: 'a', exists: true, is: '!=' }] as never }),
      'is',
    ],
    [
      'a transaction reading by another name',
      (kv) => kv.transaction((tx) => tx.range({ prefx: '' } as never)),
      'did you mean prefix?',
    ],
  ])('T29 refuses %s', async (_name, run, words) => {
    const { kv, consensus } = setUp();
    const failure = await failureOf(() => run(kv));
    expect(failure).toBeInstanceOf(TypeError);
    expect(failure?.message).toContain(words);
    expect(consensus.log).toHaveLength(0);
  });

  test('T29 undefined is as good as not given', async () => {
    const { kv } = setUp();
    const nothing = { ifAbsent: undefined, ifRevision: undefined, signal: undefined } as object;
    expect(await kv.put('a', 1, nothing)).toEqual({ revision: 1 });
    expect((await kv.range({ prefix: undefined } as object)).count).toBe(1);
  });
});

describe('T29 keys that begin with ~', () => {
  test.each<[string, (kv: KeyValue) => unknown]>([
    ['put', (kv) => kv.put('~counter/x', 'text')],
    ['delete', (kv) => kv.delete('~counter/x')],
    ['delete of a prefix', (kv) => kv.delete({ prefix: '~c' })],
    ['increment', (kv) => kv.increment('~counter/x')],
    ['update', (kv) => kv.update('~counter/x', () => 1)],
    ['batch', (kv) => kv.batch([{ type: 'delete', prefix: '~' }])],
    ['txn', (kv) => kv.txn({ else: [{ type: 'increment', key: '~counter/x' }] })],
    ['transaction', (kv) => kv.transaction((tx) => tx.put('~counter/x', 1))],
    ['deleting transaction', (kv) => kv.transaction((tx) => tx.delete('~counter/x'))],
  ])('T29 are not written by %s', async (_name, write) => {
    const { kv, consensus } = setUp();
    const failure = await failureOf(() => write(kv));
    expect(failure).toBeInstanceOf(TypeError);
    expect(failure?.message).toContain("begins with ~ is the runtime's");
    expect(consensus.log).toHaveLength(0);
    expect(await kv.counter('x').add(2)).toBe(2);
  });

  test('T29 are in no range, watch or live handle that does not begin with ~', async () => {
    const { kv } = setUp();
    const events: string[] = [];
    const watch = kv.watch({ prefix: '', initial: true });
    await watch.next();
    const all = kv.live({ prefix: '' });
    await kv.counter('x').add(3);
    await kv.put('a', 1);
    await kv.put('é', 2);
    for (let count = 0; count < 2; count += 1) {
      const { value } = (await watch.next()) as IteratorYieldResult<WatchBatch>;
      events.push(...value.events.map(({ key }) => key));
    }
    expect(events).toEqual(['a', 'é']);
    const keys = async (options: object): Promise<readonly string[]> =>
      (await kv.range(options)).entries.map(({ key }) => key);
    expect(await keys({})).toEqual(['a', 'é']);
    expect(await keys({ order: 'desc' })).toEqual(['é', 'a']);
    expect(await keys({ start: 'a' })).toEqual(['a', 'é']);
    expect(await keys({ revision: 2 })).toEqual(['a']);
    expect((await kv.range({ countOnly: true })).count).toBe(2);
    expect(all.value.map(({ key }) => key)).toEqual(['a', 'é']);
    expect(await keys({ prefix: '~' })).toEqual(['~counter/x']);
    expect(await keys({ start: '~' })).toEqual(['~counter/x', 'é']);
    expect(await kv.get('~counter/x')).toBe(3);
    const seen = await kv.transaction((tx) => tx.range({ prefix: '' }).length);
    expect(seen.result).toBe(2);
  });

  test('T29 outlive the deletion of everything', async () => {
    const { kv } = setUp();
    await kv.counter('x').add(3);
    await kv.batch([{ type: 'put', key: 'a', value: 1 }]);
    expect(await kv.delete({ prefix: '' })).toMatchObject({ deleted: 1 });
    expect(await kv.counter('x').get()).toBe(3);
  });

  test('T29 a transaction that read everything does not conflict with a counter', async () => {
    const { kv, consensus } = setUp();
    let runs = 0;
    await kv.transaction(async (tx) => {
      runs += 1;
      tx.put('sum', tx.range({ prefix: '' }).length);
      if (runs === 1) await kv.counter('x').add(1);
    });
    expect([runs, consensus.log.length]).toEqual([1, 2]);
  });
});
