import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryConsensus } from '../../test/memory-consensus.ts';
import { generationMax, generationOf, revisionsPerGeneration } from '../generation.ts';
import { createKv } from '../kv.ts';
import { KvStateMachine } from '../state-machine.ts';
import type { KeyValue, WriteOperation } from '../types.ts';
import { rebased, writeBlocks } from './blocks.ts';
import { readContainer, writeContainer } from './container.ts';
import { exportEntries, importEntries } from './transfer.ts';

type Setup = { readonly kv: KeyValue; readonly machine: KvStateMachine };

function setUp(cluster: () => string | null = () => null): Setup {
  const machine = new KvStateMachine();
  const consensus = new MemoryConsensus(machine);
  const status = { isStale: () => false, cluster, subscribe: () => () => undefined };
  return { kv: createKv({ consensus, machine, status }), machine };
}

const head = new TextEncoder().encode('whatever the head says');

function backupOf(machine: KvStateMachine): Uint8Array[] {
  return [...writeContainer(head, writeBlocks(machine.store.capture()))];
}

async function* resized(bytes: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    await Promise.resolve();
    yield bytes.subarray(at, at + size);
  }
}

/** The machine that a backup makes as `generation`. */
async function restore(
  bytes: Uint8Array,
  contents: { keys: number; revision: number },
  generation: number,
): Promise<KvStateMachine> {
  const container = await readContainer([bytes]);
  const chunks: Uint8Array[] = [];
  for await (const chunk of rebased(container.blocks, contents, generation)) chunks.push(chunk);
  const machine = new KvStateMachine();
  machine.restore(Buffer.concat(chunks));
  machine.flush();
  return machine;
}

function contentsOf({ store }: KvStateMachine): { keys: number; revision: number } {
  return { keys: store.records.size, revision: store.revision };
}

async function filled(): Promise<Setup> {
  const setup = setUp();
  await setup.kv.put('a', 1);
  await setup.kv.put('b', 'two');
  await setup.kv.put('a', 3);
  await setup.kv.delete('b');
  await setup.kv.put('c', new Uint8Array([1, 2, 3]));
  await setup.kv.counter('clicks').add(7);
  return setup;
}

describe('a backup', () => {
  it('T2 Z43 carries every record, counters too, whatever the sizes of its chunks', async () => {
    const { machine } = await filled();
    const bytes = Buffer.concat(backupOf(machine));
    for (const size of [1, 7, bytes.length]) {
      const container = await readContainer(resized(bytes, size));
      const { blocks, checksum } = container;
      expect(container.head).toEqual(head);
      const parts: Uint8Array[] = [];
      for await (const block of blocks) parts.push(block);
      expect(Buffer.concat(parts)).toEqual(
        Buffer.concat([...writeBlocks(machine.store.capture())]),
      );
      expect(checksum()).toMatch(/^[0-9a-f]{64}$/);
    }
    const restored = await restore(bytes, contentsOf(machine), 2);
    const keys = [...restored.store.records.all()].map(({ key }) => key);
    expect(keys).toEqual(['a', 'c', '~counter/clicks']);
  });

  it('T2 is read a block at a time: 32 MiB never lie in memory, here or there', async () => {
    const { kv, machine } = setUp();
    const value = 'x'.repeat(4_000);
    for (let at = 0; at < 8_192; at += 128) {
      const writes = Array.from({ length: 128 }, (_, n): WriteOperation => {
        return { type: 'put', key: `key ${at + n}`, value };
      });
      await kv.batch(writes);
    }
    const sizes = backupOf(machine).map(({ length }) => length);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeGreaterThan(32_000_000);
    expect(Math.max(...sizes)).toBeLessThan(80_000);
    // As one block is taken from the source, one chunk of the snapshot leaves.
    let taken = 0;
    let left = 0;
    const counted = (function* (): Iterable<Uint8Array> {
      for (const chunk of writeContainer(head, writeBlocks(machine.store.capture()))) {
        taken += 1;
        expect(taken - left).toBeLessThan(4);
        yield chunk;
      }
    })();
    const { blocks } = await readContainer(counted);
    for await (const chunk of rebased(blocks, contentsOf(machine), 2)) {
      expect(chunk.length).toBeLessThan(80_000);
      left += 1;
    }
    expect(left).toBeGreaterThan(400);
  });

  it('T2 is refused where one byte of it is another, and where it is cut short or goes on', async () => {
    const { machine } = await filled();
    const bytes = Buffer.concat(backupOf(machine));
    const contents = contentsOf(machine);
    const refusal = async (damaged: Uint8Array): Promise<unknown> => {
      try {
        await restore(damaged, contents, 2);
      } catch (error) {
        return (error as { code?: unknown }).code ?? error;
      }
      return null;
    };
    for (let length = 0; length < bytes.length; length += 1) {
      expect(await refusal(bytes.subarray(0, length))).toBe('BACKUP_CORRUPT');
    }
    for (let at = 0; at < bytes.length; at += 1) {
      const damaged = Uint8Array.from(bytes);
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      // A format to come is told from damage only where its number alone is another.
      const isFormat = at >= 8 && at < 12;
      expect(await refusal(damaged)).toBe(isFormat ? 'OUTDATED' : 'BACKUP_CORRUPT');
    }
    expect(await refusal(Buffer.concat([bytes, new Uint8Array(1)]))).toBe('BACKUP_CORRUPT');
    expect(await refusal(new Uint8Array(0))).toBe('BACKUP_CORRUPT');
  });

  it('T2 says that a format to come is too new, not damaged', async () => {
    const bytes = Uint8Array.from(Buffer.concat(backupOf(setUp().machine)));
    bytes[8] = 2;
    await expect(readContainer([bytes])).rejects.toMatchObject({ code: 'OUTDATED' });
  });

  it('is refused where its head names other keys or revisions than it has', async () => {
    const { machine } = await filled();
    const bytes = Buffer.concat(backupOf(machine));
    const { keys, revision } = contentsOf(machine);
    for (const wrong of [
      { keys: keys + 1, revision },
      { keys, revision: 1 },
      { keys, revision: revision + revisionsPerGeneration },
    ]) {
      await expect(restore(bytes, wrong, 2)).rejects.toMatchObject({ code: 'BACKUP_CORRUPT' });
    }
  });
});

describe('revisions of a restored state', () => {
  it('Z50 lie above all of every generation before, in the same order, and begin no second time', async () => {
    const { machine, kv } = await filled();
    const bytes = Buffer.concat(backupOf(machine));
    const old = new Map<string, number>();
    for (const { key, modRevision } of (await kv.range()).entries) old.set(key, modRevision);
    for (const generation of [2, 3, generationMax]) {
      const restored = await restore(bytes, contentsOf(machine), generation);
      const again = createKv({ consensus: new MemoryConsensus(restored), machine: restored });
      expect(generationOf(again.revision)).toBe(generation);
      expect(again.revision % revisionsPerGeneration).toBe(kv.revision);
      const { entries } = await again.range();
      for (const { key, modRevision, createRevision } of entries) {
        expect(modRevision % revisionsPerGeneration).toBe(old.get(key));
        expect(createRevision).toBeGreaterThan((generation - 1) * revisionsPerGeneration);
      }
      const { revision } = await again.put('next', 1);
      expect(revision).toBe((generation - 1) * revisionsPerGeneration + kv.revision + 1);
      expect(Number.isSafeInteger(revision)).toBe(true);
    }
  });

  it('Z50 a condition on a revision of before is a CONFLICT, though its number would fit', async () => {
    const { machine, kv } = await filled();
    const seen = (await kv.getEntry('a'))?.modRevision ?? 0;
    const restored = await restore(Buffer.concat(backupOf(machine)), contentsOf(machine), 2);
    const again = createKv({ consensus: new MemoryConsensus(restored), machine: restored });
    await expect(again.put('a', 4, { ifRevision: seen })).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    const now = (await again.getEntry('a'))?.modRevision ?? 0;
    await again.put('a', 4, { ifRevision: now });
    expect(await again.get('a')).toBe(4);
  });

  it('Z50 backed up and restored again and again, every number is new and every key is there', async () => {
    const writes = fc.array(
      fc.record({ key: fc.constantFrom('a', 'b', 'c', 'd'), value: fc.integer() }),
      { maxLength: 8 },
    );
    await fc.assert(
      fc.asyncProperty(fc.array(writes, { minLength: 1, maxLength: 5 }), async (lives) => {
        let { machine } = setUp();
        const given = new Set<number>();
        const model = new Map<string, number>();
        for (const [life, steps] of lives.entries()) {
          const kv = createKv({ consensus: new MemoryConsensus(machine), machine });
          for (const { key, value } of steps) {
            const { revision } = await kv.put(key, value);
            expect(given.has(revision)).toBe(false);
            given.add(revision);
            model.set(key, value);
          }
          const bytes = Buffer.concat(backupOf(machine));
          machine = await restore(bytes, contentsOf(machine), life + 2);
        }
        const kv = createKv({ consensus: new MemoryConsensus(machine), machine });
        const { entries } = await kv.range();
        expect(new Map(entries.map(({ key, value }) => [key, value]))).toEqual(model);
      }),
      { numRuns: 50 },
    );
  });
});

describe('a watch', () => {
  it('Z50 of before ends as COMPACTED when the state of a later generation comes', async () => {
    const { machine, kv } = await filled();
    const watch = kv.watch({ prefix: '', from: kv.revision + 1 });
    const next = watch.next();
    const restored = await restore(Buffer.concat(backupOf(machine)), contentsOf(machine), 2);
    machine.restore(Buffer.concat([...restored.snapshot()]));
    await kv.put('later', 1);
    await expect(next).rejects.toMatchObject({ code: 'COMPACTED' });
  });

  it('Z50 from a generation to come ends as COMPACTED, it does not wait for ever', async () => {
    const { kv } = await filled();
    const watch = kv.watch({ prefix: '', from: revisionsPerGeneration + 3 });
    await expect(watch.next()).rejects.toMatchObject({
      code: 'COMPACTED',
      details: { oldestRevision: 1 },
    });
  });

  it('Z50 in another cluster ends as COMPACTED though its number is one of this cluster, too', async () => {
    let cluster = 'ab'.repeat(16);
    const { machine, kv } = setUp(() => cluster);
    await kv.put('a', 1);
    const watch = kv.watch({ prefix: '', from: 2 });
    const next = watch.next();
    const other = await filled();
    cluster = 'cd'.repeat(16);
    machine.restore(Buffer.concat([...other.machine.snapshot()]));
    machine.flush();
    await expect(next).rejects.toMatchObject({ code: 'COMPACTED' });
  });

  it('goes on where a snapshot of the same cluster takes the place of entries', async () => {
    const { machine, kv } = setUp(() => 'ab'.repeat(16));
    await kv.put('a', 1);
    const watch = kv.watch({ prefix: '', from: 2 });
    const next = watch.next();
    const ahead = new KvStateMachine();
    ahead.restore(Buffer.concat([...machine.snapshot()]));
    await createKv({ consensus: new MemoryConsensus(ahead), machine: ahead }).put('b', 2);
    machine.restore(Buffer.concat([...ahead.snapshot()]));
    machine.flush();
    expect(await next).toMatchObject({ value: { revision: 2 } });
  });
});

describe('export and import', () => {
  it('T2 exports what a prefix selects, at one revision, without the keys of the runtime', async () => {
    const { machine, kv } = await filled();
    const exported = exportEntries(machine.store.capture());
    await kv.put('d', 'too late');
    expect([...exported]).toEqual([
      { key: 'a', value: 3 },
      { key: 'c', value: new Uint8Array([1, 2, 3]) },
    ]);
    expect([...exportEntries(machine.store.capture(), '~counter/')]).toEqual([
      { key: '~counter/clicks', value: 7 },
    ]);
  });

  it('T2 what was exported is there again after an import, and a second one changes nothing', async () => {
    const from = await filled();
    const to = setUp();
    const counts: number[] = [];
    const onProgress = (count: number): void => void counts.push(count);
    for (let time = 0; time < 2; time += 1) {
      const entries = exportEntries(from.machine.store.capture());
      expect(await importEntries(to.kv, entries, { onProgress })).toBe(2);
    }
    expect(counts).toEqual([2, 2]);
    expect(await to.kv.get('c')).toEqual(new Uint8Array([1, 2, 3]));
    expect((await to.kv.range()).count).toBe(2);
  });

  it('T2 imports in batches that fit, and the last value of a key that comes twice', async () => {
    const { kv } = setUp();
    const entries = Array.from({ length: 300 }, (_, n) => ({ key: `k${n % 290}`, value: n }));
    expect(await importEntries(kv, entries)).toBe(300);
    expect(await kv.get('k5')).toBe(295);
    const large = Array.from({ length: 5 }, (_, n) => ({
      key: `large ${n}`,
      value: 'x'.repeat(400_000),
    }));
    expect(await importEntries(kv, large)).toBe(5);
  });

  it('Z52 imports no key of the runtime, and says at which entry it stopped', async () => {
    const { kv } = setUp();
    for (const key of ['~lock/board/1', '~outbox/a/b', '~']) {
      const entries = [
        { key: 'fine', value: 1 },
        { key, value: 2 },
      ];
      await expect(importEntries(kv, entries)).rejects.toMatchObject({
        code: 'BAD_REQUEST',
        outcome: 'not-applied',
        details: { entry: 2, written: 0 },
      });
    }
    const many: { key: string; value: unknown }[] = Array.from({ length: 200 }, (_, n) => ({
      key: `k${n}`,
      value: n,
    }));
    many[150] = { key: 'k150', value: () => 1 };
    await expect(importEntries(kv, many as never)).rejects.toMatchObject({
      code: 'BAD_REQUEST',
      outcome: 'unknown',
      details: { entry: 151, written: 128 },
    });
    expect((await kv.range()).count).toBe(128);
  });
});
