import { describe, expect, expectTypeOf, test } from 'vitest';
import type { WatchBatch } from '@quorate/kv';
import type { Cluster } from './cluster.ts';
import { fakeCluster } from './fake-cluster.ts';

describe('fakeCluster()', () => {
  test('T31 is a Cluster to the compiler, and answers at once', async () => {
    const fake = fakeCluster({ data: { a: 1, b: { c: [2] } } });
    expectTypeOf(fake).toExtend<Cluster>();
    const { get, put, peek, getEntry } = fake.kv;
    expect([await get('a'), await get('b'), await get('none')]).toEqual([1, { c: [2] }, undefined]);
    const written = put('a', 5);
    expect(peek('a')).toBe(5);
    expect(await written).toEqual({ revision: 3 });
    expect(await getEntry('a')).toEqual({
      ...{ key: 'a', value: 5, createRevision: 1, modRevision: 3, version: 2 },
    });
    expect(await fake.kv.delete({ prefix: '' })).toEqual({ deleted: 2, revision: 4 });
    expect(await fake.kv.delete('a')).toEqual({ deleted: 0, revision: 4 });
  });

  test('T31 keeps conditions, with what is there', async () => {
    const { kv } = fakeCluster({ data: { seat: 'ada' } });
    const current = { key: 'seat', value: 'ada', modRevision: 1 };
    for (const condition of [{ ifAbsent: true }, { ifRevision: 0 }, { ifRevision: 7 }]) {
      await expect(kv.put('seat', 'bob', condition)).rejects.toMatchObject({
        code: 'CONFLICT',
        details: { current },
      });
    }
    await expect(kv.delete('seat', { ifRevision: 7 })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(await kv.put('seat', 'bob', { ifRevision: 1 })).toEqual({ revision: 2 });
  });

  test('T31 live handles follow, one notification a change, one handle a key', async () => {
    const fake = fakeCluster({ data: { 'todo/1': 'milk' } });
    const { kv } = fake;
    expect(kv.live('a')).toBe(kv.live('a'));
    expect(fake.counter('a')).toBe(fake.counter('a'));
    const counts: number[] = [];
    const all = kv.live({ prefix: 'todo/' });
    const stop = all.subscribe((entries) => counts.push(entries.length));
    await kv.put('todo/2', 'bread');
    await kv.put('other', 1);
    await kv.delete('todo/1');
    stop();
    await kv.put('todo/3', 'tea');
    expect(counts).toEqual([1, 2, 1]);
    expect(all.getSnapshot()).toBe(all.getSnapshot());
    expect(all.value.map(({ key }) => key)).toEqual(['todo/2', 'todo/3']);
    expect(all.getServerSnapshot()).toMatchObject({ value: [], loaded: false });
    const clicks = fake.counter('clicks');
    expect([await clicks.add(), await clicks.add(4), clicks.value, await clicks.get()]).toEqual([
      1, 5, 5, 5,
    ]);
  });

  test('T31 with a delay a write is pending first', async () => {
    const { kv } = fakeCluster({ delayMs: 5 });
    const seen: [unknown, boolean][] = [];
    kv.live('a').subscribe((value, { pending }) => seen.push([value, pending]));
    const other = kv.live('b');
    const written = kv.put('a', 1);
    expect([kv.live({ prefix: 'a' }).pending, other.pending, kv.peek('a')]).toEqual([
      ...[true, false],
      undefined,
    ]);
    await written;
    expect(seen).toEqual([
      [undefined, false],
      [undefined, true],
      [1, false],
    ]);
  });

  test('T31 phases: what is live is stale, calls are refused as a member refuses them', async () => {
    const fake = fakeCluster({ data: { a: 1 }, phase: 'read-only' });
    expect(fake.kv.live('a').getSnapshot()).toMatchObject({ value: 1, loaded: true, stale: true });
    await expect(fake.kv.put('a', 2)).rejects.toMatchObject({ code: 'NO_QUORUM' });
    await expect(fake.kv.get('a')).rejects.toMatchObject({ code: 'NO_QUORUM' });
    const phases: string[] = [];
    fake.subscribe(({ phase }) => phases.push(phase));
    const ready = fake.ready();
    fake.setPhase('electing');
    fake.setPhase('ready');
    await ready;
    await fake.kv.put('a', 2);
    await fake.close();
    await expect(fake.kv.put('a', 3)).rejects.toMatchObject({ code: 'CLOSED' });
    expect(phases).toEqual(['read-only', 'electing', 'ready', 'stopped']);
    expect(fake.getSnapshot()).toBe(fake.getSnapshot());
    expect(fake.getServerSnapshot()).toMatchObject({ phase: 'starting' });
  });

  test('T31 watches begin with what is there, and end with their signal', async () => {
    const { kv } = fakeCluster({ data: { a: 1, b: 2 } });
    const controller = new AbortController();
    const seen: WatchBatch[] = [];
    const ended = (async () => {
      for await (const batch of kv.watch({
        ...{ prefix: 'a', initial: true },
        signal: controller.signal,
      })) {
        seen.push(batch);
        if (seen.length === 3) controller.abort();
      }
    })();
    // It listens from its first turn on.
    await Promise.resolve();
    await kv.put('b', 3);
    await kv.put('a2', 4);
    await kv.delete('a');
    await expect(ended).rejects.toMatchObject({ code: 'ABORTED' });
    expect(seen.map(({ initial, events }) => [initial, events.map(({ key }) => key)])).toEqual([
      [true, ['a']],
      [false, ['a2']],
      [false, ['a']],
    ]);
  });

  test('T31 stores copies that nobody can change, and refuses what a member refuses', async () => {
    const { kv } = fakeCluster();
    const mine = { list: [1] };
    await kv.put('a', mine);
    mine.list.push(2);
    expect(kv.peek('a')).toEqual({ list: [1] });
    expect(Object.isFrozen(kv.peek('a'))).toBe(true);
    for (const value of [undefined, () => 1, new Date(), NaN, { x: undefined }, new Map()]) {
      await expect(kv.put('b', value as never)).rejects.toThrow(TypeError);
    }
    expect([kv.peek('b'), kv.revision]).toEqual([undefined, 1]);
  });

  test('T31 says of everything else that it is not there, and where it is', () => {
    const fake = fakeCluster();
    expect(() => fake.kv.txn({})).toThrow('fakeCluster() has no kv.txn(): use testCluster()');
    expect(() => fake.backup()).toThrow(expect.objectContaining({ code: 'UNSUPPORTED' }) as Error);
  });
});
