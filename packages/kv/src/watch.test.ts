import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apply, put, someKey, someTxn } from '../test/commands.ts';
import { MemoryConsensus, unavailable } from '../test/memory-consensus.ts';
import { createKv } from './kv.ts';
import { KvStateMachine } from './state-machine.ts';
import type { KeyValue, WatchBatch } from './types.ts';

type Setup = { kv: KeyValue; machine: KvStateMachine; consensus: MemoryConsensus };

function setUp(revisionCountMax: number = 10_000): Setup {
  const machine = new KvStateMachine({ history: { revisionCountMax, bytesMax: 10_000_000 } });
  const consensus = new MemoryConsensus(machine);
  return { kv: createKv({ consensus, machine }), machine, consensus };
}

function snapshotOf(machine: KvStateMachine): Uint8Array {
  return Uint8Array.from(Buffer.concat([...machine.snapshot()]));
}

async function take(watch: AsyncIterator<WatchBatch>, count: number): Promise<WatchBatch[]> {
  const batches: WatchBatch[] = [];
  while (batches.length < count) {
    const { value, done } = (await watch.next()) as IteratorResult<WatchBatch, undefined>;
    if (done === true) break;
    batches.push(value);
  }
  return batches;
}

const brief = (batches: readonly WatchBatch[]): unknown[] =>
  batches.map(({ revision, events }) => [
    revision,
    ...events.map((event) =>
      event.type === 'put' ? `${event.key}=${String(event.value)}` : `-${event.key}`,
    ),
  ]);

describe('watch()', () => {
  it('delivers the events of one revision together, in order, only what is selected', async () => {
    const { kv } = setUp();
    await kv.put('before', 1);
    const watch = kv.watch({ prefix: 'a' });
    await kv.put('a1', 1);
    await kv.put('b', 1);
    await kv.batch([
      { type: 'put', key: 'a2', value: 2 },
      { type: 'put', key: 'b', value: 2 },
      { type: 'delete', key: 'a1' },
    ]);
    expect(brief(await take(watch, 2))).toEqual([
      [2, 'a1=1'],
      [4, 'a2=2', '-a1'],
    ]);
  });

  it('starts with the present state where asked, and goes on without gap or duplicate', async () => {
    const { kv } = setUp();
    await kv.put('a', 1);
    await kv.put('b', 2);
    const watch = kv.watch({ prefix: '', initial: true });
    const [first] = await take(watch, 1);
    expect(first).toMatchObject({
      revision: 2,
      initial: true,
      events: [{ key: 'a' }, { key: 'b' }],
    });
    await kv.put('c', 3);
    expect(await take(watch, 1)).toMatchObject([{ revision: 3, initial: false }]);
    const empty = kv.watch({ prefix: 'none', initial: true });
    expect(await take(empty, 1)).toMatchObject([{ events: [], initial: true }]);
  });

  it('carries the previous entries where asked', async () => {
    const { kv } = setUp();
    const watch = kv.watch({ key: 'a', previous: true, from: 1 });
    await kv.put('a', 1);
    await kv.put('a', 2);
    await kv.delete('a');
    const events = (await take(watch, 3)).flatMap((batch) => batch.events);
    expect(events).toMatchObject([
      { type: 'put', previous: null },
      { type: 'put', previous: { value: 1 }, entry: { version: 2 } },
      { type: 'delete', previous: { value: 2 } },
    ]);
    const [plain] = await take(kv.watch({ key: 'a', from: 2 }), 1);
    expect(plain?.events[0]).not.toHaveProperty('previous');
  });

  it('K1 resumes from a revision: any two halves make the whole', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(someTxn, { maxLength: 30 }),
        someKey,
        fc.nat(),
        async (txns, prefix, cut) => {
          const { kv, machine } = setUp();
          for (const txn of txns) apply(machine, txn);
          machine.flush();
          const all = machine.store.revision;
          const read = async (from: number): Promise<WatchBatch[]> => {
            const watch = kv.watch({ prefix, from });
            const batches: WatchBatch[] = [];
            // What is there is delivered at once; a `next` that waits has come to the end.
            for (;;) {
              const next = watch.next();
              const settled = await Promise.race([next, Promise.resolve(null).then(() => null)]);
              if (settled === null || settled.done === true) break;
              batches.push(settled.value);
            }
            await watch.return?.();
            return batches;
          };
          const whole = await read(1);
          const at = 1 + (cut % (all + 1));
          const first = whole.filter(({ revision }) => revision < at);
          expect([...first, ...(await read(at))]).toEqual(whole);
          const changes = whole.flatMap(({ events }) => events).length;
          let wanted = 0;
          for (let revision = 1; revision <= all; revision += 1) {
            const { events } = machine.store.history.get(revision) ?? { events: [] };
            wanted += events.filter(({ key }) => key.startsWith(prefix)).length;
          }
          expect(changes).toBe(wanted);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('K1 goes on across an installed snapshot without gap or duplicate', async () => {
    const ahead = setUp();
    const behind = setUp();
    for (const value of [1, 2, 3]) {
      await ahead.kv.put('a', value);
      await behind.kv.put('a', value);
    }
    const watch = behind.kv.watch({ key: 'a', from: 1 });
    expect(brief(await take(watch, 2))).toEqual([
      [1, 'a=1'],
      [2, 'a=2'],
    ]);
    for (const value of [4, 5]) await ahead.kv.put('a', value);
    behind.machine.restore(snapshotOf(ahead.machine));
    behind.machine.flush();
    await behind.kv.put('a', 6);
    expect(brief(await take(watch, 4))).toEqual([
      [3, 'a=3'],
      [4, 'a=4'],
      [5, 'a=5'],
      [6, 'a=6'],
    ]);
  });

  it('K1 continues on another member, and after a restart from a snapshot', async () => {
    const first = setUp();
    for (const value of [1, 2, 3]) await first.kv.put('a', value);
    const [seen] = await take(first.kv.watch({ key: 'a', from: 1 }), 1);
    const second = setUp();
    second.machine.restore(snapshotOf(first.machine));
    const watch = second.kv.watch({ key: 'a', from: (seen?.revision ?? 0) + 1 });
    expect(brief(await take(watch, 2))).toEqual([
      [2, 'a=2'],
      [3, 'a=3'],
    ]);
  });

  it('K2 rejects a start older than the history with the oldest revision kept', async () => {
    const { kv } = setUp(3);
    for (const value of [1, 2, 3, 4, 5]) await kv.put('a', value);
    await expect(kv.watch({ key: 'a', from: 2 }).next()).rejects.toMatchObject({
      code: 'COMPACTED',
      details: { oldestRevision: 3 },
    });
    expect(brief(await take(kv.watch({ key: 'a', from: 3 }), 3))).toEqual([
      [3, 'a=3'],
      [4, 'a=4'],
      [5, 'a=5'],
    ]);
  });

  it('K2 rejects where an installed snapshot has forgotten what comes next', async () => {
    const { kv, machine } = setUp(3);
    await kv.put('a', 0);
    const watch = kv.watch({ prefix: '' });
    const ahead = setUp(3);
    for (const value of [0, 1, 2, 3, 4, 5]) await ahead.kv.put('a', value);
    machine.restore(snapshotOf(ahead.machine));
    machine.flush();
    await expect(watch.next()).rejects.toMatchObject({
      code: 'COMPACTED',
      details: { revision: 2, oldestRevision: 4 },
    });
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });

  it('K2 waits for a start in the future', async () => {
    const { kv } = setUp();
    const watch = kv.watch({ key: 'a', from: 3 });
    const next = take(watch, 1);
    for (const value of [1, 2, 3]) await kv.put('a', value);
    expect(brief(await next)).toEqual([[3, 'a=3']]);
  });

  it('K3 a watcher that does not read holds nothing, delays nobody and ends with COMPACTED', async () => {
    const { kv } = setUp(5);
    await kv.put('a', 0);
    const slow = kv.watch({ key: 'a' });
    const quick = kv.watch({ key: 'a' });
    const quiet = kv.watch({ key: 'other' });
    for (let value = 1; value <= 20; value += 1) {
      await kv.put('a', value);
      expect(brief(await take(quick, 1))).toEqual([[value + 1, `a=${value}`]]);
    }
    await kv.put('other', 'x');
    await expect(slow.next()).rejects.toMatchObject({ code: 'COMPACTED' });
    // Nothing of the forgotten concerned this one, so that it misses nothing.
    expect(brief(await take(quiet, 1))).toEqual([[22, 'other=x']]);
  });

  it('K3 a long run of commands without a flush costs only those it concerns', async () => {
    const { kv, machine } = setUp(5);
    await kv.put('a', 0);
    const quiet = kv.watch({ key: 'other' });
    for (let value = 1; value <= 20; value += 1) apply(machine, { then: [put('a', value)] });
    machine.flush();
    await kv.put('other', 'x');
    expect(brief(await take(quiet, 1))).toEqual([[22, 'other=x']]);
  });

  it('includes a write made right after it on a member that knows nothing yet', async () => {
    const { kv } = setUp();
    const watch = kv.watch({ prefix: '' });
    const put1 = kv.put('a', 1);
    const put2 = kv.put('b', 2);
    await Promise.all([put1, put2]);
    expect(brief(await take(watch, 2))).toEqual([
      [1, 'a=1'],
      [2, 'b=2'],
    ]);
  });

  it('leaves out what was there before on a member that catches up first', async () => {
    const { kv, machine, consensus } = setUp();
    const ahead = setUp();
    for (const value of [1, 2, 3]) await ahead.kv.put('a', value);
    consensus.before = (call) => {
      if (call !== 'readBarrier') return;
      machine.restore(snapshotOf(ahead.machine));
      machine.flush();
    };
    const watch = kv.watch({ key: 'a' });
    const next = take(watch, 1);
    await kv.get('a');
    await kv.put('a', 4);
    expect(brief(await next)).toEqual([[4, 'a=4']]);
  });

  it('waits through a time without quorum, and fails at once where nothing tells of its end', async () => {
    const { machine, consensus } = setUp();
    const listeners = new Set<() => void>();
    const status = {
      isStale: () => true,
      subscribe: (listener: () => void) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    };
    const kv = createKv({ consensus, machine, status });
    consensus.before = unavailable;
    const next = kv.watch({ prefix: '', initial: true }).next();
    await new Promise((resolve) => setImmediate(resolve));
    consensus.before = () => undefined;
    for (const listener of [...listeners]) listener();
    expect(await next).toMatchObject({ value: { initial: true } });
    const blind = createKv({ consensus, machine });
    consensus.before = unavailable;
    await expect(blind.watch({ prefix: '', initial: true }).next()).rejects.toMatchObject({
      code: 'NO_QUORUM',
    });
  });

  it('ends by its signal with ABORTED, by break, by close() with CLOSED', async () => {
    const { kv } = setUp();
    await kv.put('a', 1);
    const controller = new AbortController();
    const aborted = kv.watch({ key: 'a', signal: controller.signal }).next();
    controller.abort();
    await expect(aborted).rejects.toMatchObject({ code: 'ABORTED' });
    await expect(kv.watch({ key: 'a', signal: controller.signal }).next()).rejects.toMatchObject({
      code: 'ABORTED',
    });
    for await (const { revision } of kv.watch({ key: 'a', from: 1 })) {
      expect(revision).toBe(1);
      break;
    }
    const watch = kv.watch({ key: 'a' });
    const pending = [watch.next(), watch.next()];
    kv.close();
    await expect(pending[0]).rejects.toMatchObject({ code: 'CLOSED' });
    expect(await pending[1]).toEqual({ done: true, value: undefined });
  });

  it('answers several next() at once in order', async () => {
    const { kv } = setUp();
    const watch = kv.watch({ key: 'a', from: 1 });
    const nexts = [watch.next(), watch.next()];
    await kv.put('a', 1);
    await kv.put('a', 2);
    expect((await Promise.all(nexts)).map(({ value }) => (value as WatchBatch).revision)).toEqual([
      1, 2,
    ]);
  });
});
