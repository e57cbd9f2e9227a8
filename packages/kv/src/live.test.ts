import { describe, expect, it, vi } from 'vitest';
import { apply, put } from '../test/commands.ts';
import { MemoryConsensus } from '../test/memory-consensus.ts';
import { createKv } from './kv.ts';
import type { KvStatus } from './live.ts';
import { KvStateMachine } from './state-machine.ts';
import type { KeyValue } from './types.ts';

type Setup = { kv: KeyValue; machine: KvStateMachine };

function setUp(status?: KvStatus): Setup {
  const machine = new KvStateMachine();
  const consensus = new MemoryConsensus(machine);
  return {
    kv: createKv({ consensus, machine, ...(status === undefined ? {} : { status }) }),
    machine,
  };
}

describe('live(key)', () => {
  it('calls back at once and after each change, with the value', async () => {
    const { kv } = setUp();
    const values: unknown[] = [];
    const stop = kv.live('a').subscribe((value) => values.push(value));
    expect(values).toEqual([undefined]);
    await kv.put('a', 1);
    await kv.put('b', 1);
    await kv.put('a', 2);
    stop();
    await kv.put('a', 3);
    // Once more for each beginning of `pending`, which ends together with the change.
    expect(values).toEqual([undefined, undefined, 1, 1, 2]);
  });

  it('T13 one add calls a counter’s listener once with its committed value', async () => {
    const { kv } = setUp();
    const seen: [number, boolean][] = [];
    const clicks = kv.counter('clicks');
    clicks.subscribe((value, { pending }) => seen.push([value, pending]));
    await clicks.add(5);
    expect(seen).toEqual([
      [0, false],
      [0, true],
      [5, false],
    ]);
  });

  it('T13 pending ends also where a write changed nothing', async () => {
    const { kv } = setUp();
    await kv.put('a', 1);
    const live = kv.live('a');
    const seen: boolean[] = [];
    live.subscribe((_, { pending }) => seen.push(pending));
    await expect(kv.put('a', 2, { ifAbsent: true })).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(seen).toEqual([false, true, false]);
  });

  it('gives the same snapshot until something changes', async () => {
    const { kv } = setUp();
    await kv.put('a', { x: 1 });
    const live = kv.live<{ x: number }>('a');
    const before = live.getSnapshot();
    await kv.put('b', 1);
    expect(live.getSnapshot()).toBe(before);
    expect(Object.isFrozen(before)).toBe(true);
    await kv.put('a', { x: 2 });
    expect(live.getSnapshot()).not.toBe(before);
    expect([before.value, live.value]).toEqual([{ x: 1 }, { x: 2 }]);
    await kv.put('bytes', Uint8Array.of(1));
    const bytes = kv.live('bytes');
    expect(bytes.value).toBe(bytes.value);
  });

  it('says pending while a write of its key is under way here', async () => {
    const { kv } = setUp();
    const [one, all, other] = [kv.live('a'), kv.live({ prefix: '' }), kv.live('b')];
    const write = kv.put('a', 1);
    expect([one.pending, all.pending, other.pending]).toEqual([true, true, false]);
    await write;
    expect([one.pending, all.pending]).toEqual([false, false]);
    const removal = kv.delete({ prefix: 'b' });
    expect([one.pending, all.pending, other.pending]).toEqual([false, true, true]);
    await removal;
  });

  it('says stale and loaded as the status does, and calls back when they change', () => {
    let listener: () => void = () => undefined;
    const state = { stale: true, loaded: false };
    const { kv } = setUp({
      isStale: () => state.stale,
      isLoaded: () => state.loaded,
      subscribe: (one) => {
        listener = one;
        return () => undefined;
      },
    });
    const seen: unknown[] = [];
    kv.live('a').subscribe((_value, { stale, loaded }) => seen.push([stale, loaded]));
    state.loaded = true;
    listener();
    state.stale = false;
    listener();
    listener();
    expect(seen).toEqual([
      [true, false],
      [true, true],
      [false, true],
    ]);
  });

  it('a listener that throws stops nobody else and is reported as uncaught', async () => {
    const { kv } = setUp();
    const uncaught = vi.fn();
    vi.stubGlobal('queueMicrotask', (task: () => void) => {
      expect(task).toThrow('mine');
      uncaught();
    });
    try {
      const values: unknown[] = [];
      const live = kv.live('a');
      live.subscribe(() => {
        throw new Error('mine');
      });
      live.subscribe((value) => values.push(value));
      await kv.put('a', 1);
      expect(values.at(-1)).toBe(1);
      expect(uncaught.mock.calls.length).toBeGreaterThan(1);
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('a listener that stops another is obeyed at once', async () => {
    const { kv } = setUp();
    await kv.put('a', 0);
    const live = kv.live('a');
    const values: unknown[] = [];
    let stopSecond: () => void = () => undefined;
    live.subscribe((value) => {
      if (value === 1) stopSecond();
    });
    stopSecond = live.subscribe((value) => values.push(value));
    await kv.put('a', 1);
    expect(values).not.toContain(1);
  });
});

describe('live({ prefix })', () => {
  it('keeps the array and the entries that did not change', async () => {
    const { kv } = setUp();
    await kv.put('a/1', 1);
    await kv.put('a/2', 2);
    const live = kv.live({ prefix: 'a/' });
    const before = live.value;
    await kv.put('b', 1);
    expect(live.value).toBe(before);
    await kv.put('a/2', 3);
    expect(live.value.map(({ value }) => value)).toEqual([1, 3]);
    expect(live.value[0]).toBe(before[0]);
    expect(before.map(({ value }) => value)).toEqual([1, 2]);
    await kv.delete('a/1');
    expect(live.value.map(({ key }) => key)).toEqual(['a/2']);
  });

  it('shows one snapshot for a whole run of commands', () => {
    const { kv, machine } = setUp();
    const counts: number[] = [];
    kv.live({ prefix: '' }).subscribe((entries) => counts.push(entries.length));
    for (const key of ['a', 'b', 'c']) apply(machine, { then: [put(key, 1)] });
    machine.flush();
    machine.flush();
    expect(counts).toEqual([0, 3]);
  });

  it('follows a restored state, keeping what stayed equal', async () => {
    const { kv, machine } = setUp();
    await kv.put('a', { x: 1 });
    const source = new KvStateMachine();
    source.restore(Uint8Array.from(Buffer.concat([...machine.snapshot()])));
    apply(source, { then: [put('b', 2)] });
    const live = kv.live({ prefix: '' });
    const seen: unknown[] = [];
    live.subscribe((entries) => seen.push(entries.length));
    const [first] = live.value;
    machine.restore(Uint8Array.from(Buffer.concat([...source.snapshot()])));
    machine.flush();
    expect(seen).toEqual([1, 2]);
    expect(live.value[0]).toBe(first);
  });
});

describe('counter()', () => {
  it('adds exactly, from many at once, and follows live', async () => {
    const { kv } = setUp();
    const clicks = kv.counter('clicks');
    const values: number[] = [];
    clicks.subscribe((value) => values.push(value));
    expect(clicks.value).toBe(0);
    expect(await clicks.get()).toBe(0);
    await Promise.all(Array.from({ length: 50 }, () => clicks.add()));
    expect(await clicks.add(-8)).toBe(42);
    expect([clicks.value, await clicks.get(), kv.counter('clicks').value]).toEqual([42, 42, 42]);
    expect(values[0]).toBe(0);
    expect(values.at(-1)).toBe(42);
    expect(clicks.getSnapshot()).toMatchObject({ value: 42, pending: false, loaded: true });
  });

  it('shows NaN and refuses to add where the key holds no integer', async () => {
    const { kv, machine } = setUp();
    apply(machine, { then: [put('~counter/x', 'text')] });
    const counter = kv.counter('x');
    expect([counter.value, await counter.get()]).toEqual([NaN, NaN]);
    await expect(counter.add()).rejects.toMatchObject({ code: 'CONFLICT' });
  });
});

describe('handles that are passed around', () => {
  it('T31 gives the same handle for the same key, prefix and counter', () => {
    const { kv } = setUp();
    expect(kv.live('a')).toBe(kv.live('a'));
    expect(kv.live({ prefix: 'a' })).toBe(kv.live({ prefix: 'a' }));
    expect(kv.counter('a')).toBe(kv.counter('a'));
    const all = [kv.live('a'), kv.live({ prefix: 'a' }), kv.live('b'), kv.counter('a')];
    expect(new Set<unknown>(all).size).toBe(4);
  });

  it('T31 gives the same snapshot to all who hold a key', async () => {
    const { kv } = setUp();
    await kv.put('a', { n: 1 });
    expect(kv.live('a').getSnapshot()).toBe(kv.live('a').getSnapshot());
    expect(kv.live({ prefix: '' }).getSnapshot()).toBe(kv.live({ prefix: '' }).getSnapshot());
  });

  it('T31 calls and handles work without what they were taken from', async () => {
    const { kv } = setUp();
    const { put, get, range, transaction, live, counter, watch, close } = kv;
    await put('a', 1);
    await transaction(({ get: read, put: write }) => {
      write('b', (read<number>('a') ?? 0) + 1);
    });
    expect([await get('a'), await get('b'), (await range()).count]).toEqual([1, 2, 2]);
    const { add, get: read, subscribe, getSnapshot, getServerSnapshot } = counter('clicks');
    const seen: number[] = [];
    subscribe((value) => seen.push(value));
    await add(2);
    expect([await read(), getSnapshot().value, getServerSnapshot().value, seen.at(-1)]).toEqual([
      2, 2, 0, 2,
    ]);
    expect(live('a').getSnapshot().value).toBe(1);
    close();
    expect(() => watch({ prefix: '' })).toThrow(/closed/);
  });

  it('T31 what a server renders stays the same object, whatever is known here', async () => {
    const { kv } = setUp();
    for (const handle of [kv.live('a'), kv.live({ prefix: '' }), kv.counter('a')]) {
      const before = handle.getServerSnapshot();
      await kv.put('a', 1);
      expect(handle.getServerSnapshot()).toBe(before);
      expect(before).toMatchObject({ loaded: false, stale: true, pending: false });
    }
    expect(kv.live('a').getServerSnapshot().value).toBeUndefined();
    expect(kv.live({ prefix: '' }).getServerSnapshot().value).toEqual([]);
  });
});
