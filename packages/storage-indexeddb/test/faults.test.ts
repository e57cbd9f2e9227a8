/** Disks that are full, that lie, that rot. */
import { expect, test, vi } from 'vitest';
import { IndexedDbStorage } from '../src/indexeddb-storage.ts';
import { batchOf, indexesOf, metaOf, openOptions, opened, rejectsWith } from './data.ts';
import { FakeMedium, settled } from './fake-medium.ts';

test('D5 no room: STORAGE_FULL, nothing of it is stored, and it goes on once there is some', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 4));
  medium.view.failure = 'QuotaExceededError';
  await rejectsWith(storage.persist(batchOf(2, 1, 4, 6)), 'STORAGE_FULL');
  medium.view.failure = null;
  // Batch 3 means nothing without batch 2.
  await rejectsWith(storage.persist(batchOf(3, 1, 6, 7)), 'STORAGE_FULL');
  await rejectsWith(storage.saveSnapshot(metaOf(1, 5), [new Uint8Array(9)]), 'STORAGE_FULL');
  await storage.persist(batchOf(2, 1, 4, 6));
  await storage.persist(batchOf(3, 1, 6, 7));
  await storage.saveSnapshot(metaOf(1, 5), [new Uint8Array(9)]);
  await storage.close();
  const { log } = await opened(medium.storage(), 2);
  expect(indexesOf(log)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(log.snapshot).toEqual(metaOf(1, 5));
});

test('D5 a connection that had no room is not used again', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  medium.view.failure = 'QuotaExceededError';
  await rejectsWith(storage.persist(batchOf(1, 1, 1, 4)), 'STORAGE_FULL');
  medium.view.failure = null;
  const [first] = medium.view.connections;
  expect(() => first!.transaction('quorate')).toThrow('An operation was called');
  await storage.persist(batchOf(1, 1, 1, 4));
  expect(medium.view.connections).toHaveLength(2);
});

test('D5 batches that wait behind a refused one are refused with it', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  medium.view.failure = 'QuotaExceededError';
  const pending = [1, 2, 3].map((number) =>
    storage.persist(batchOf(number, 1, number, number + 1)),
  );
  for (const one of pending) await rejectsWith(one, 'STORAGE_FULL');
  medium.view.failure = null;
  await Promise.all(
    [1, 2, 3].map((number) => storage.persist(batchOf(number, 1, number, number + 1))),
  );
  await storage.close();
  expect(indexesOf((await opened(medium.storage(), 2)).log)).toEqual([1, 2, 3]);
});

test('D5 no room for a snapshot leaves the old one and the log', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 9));
  await storage.saveSnapshot(metaOf(1, 3), [new Uint8Array(9)]);
  medium.view.failure = 'QuotaExceededError';
  await rejectsWith(storage.saveSnapshot(metaOf(1, 6), [new Uint8Array(9)]), 'STORAGE_FULL');
  await storage.writeCache(new Uint8Array(9));
  medium.view.failure = null;
  await storage.persist(batchOf(2, 1, 9, 10));
  await storage.compact(3);
  await storage.close();
  const { log } = await opened(medium.storage(), 2);
  expect(log.snapshot).toEqual(metaOf(1, 3));
  expect(indexesOf(log).at(-1)).toBe(9);
});

test('D1 any other failed write ends the storage for good, and stores nothing', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 4));
  medium.view.failure = 'UnknownError';
  await rejectsWith(storage.persist(batchOf(2, 1, 4, 5)), 'STORAGE_FAILED');
  medium.view.failure = null;
  await rejectsWith(storage.persist(batchOf(2, 1, 4, 5)), 'STORAGE_FAILED');
  await rejectsWith(storage.readSnapshot(), 'STORAGE_FAILED');
  await storage.close();
  expect(indexesOf((await opened(medium.storage(), 2)).log)).toEqual([1, 2, 3]);
});

test('D7 every transaction that writes is strict', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 9));
  await storage.saveSnapshot(metaOf(1, 5), [new Uint8Array(9)]);
  await storage.compact(5);
  await storage.writeCache(new Uint8Array(3));
  await storage.archive('old');
  const writing = medium.view.transactions.filter(({ mode }) => mode === 'readwrite');
  expect(writing.length).toBeGreaterThanOrEqual(6);
  expect(writing.map(({ durability }) => durability)).toEqual(writing.map(() => 'strict'));
});

test('D7 a browser that does not take strict is refused, unless the caller accepts it', async () => {
  const medium = new FakeMedium();
  const refused = medium.storage();
  medium.view.durability = 'default';
  await rejectsWith(refused.open(openOptions()), 'STORAGE_FAILED');
  await refused.close();
  const accepted = medium.storage({ acceptRelaxed: true });
  medium.view.durability = 'default';
  expect((await opened(accepted)).run.epoch).toBe(1);
});

test('D3 any flipped bit of a record is STORAGE_CORRUPT and names the place', async () => {
  const stored = new FakeMedium();
  const first = await opened(stored.storage());
  await first.storage.persist(batchOf(1, 1, 1, 3));
  await first.storage.close();
  const key = [1, 'log', 1];
  const bytes = (await stored.tamper((store) => store.get(key))).result as Uint8Array;
  for (let at = 0; at < bytes.length; at += 1) {
    await stored.tamper((store) => {
      store.put(bytes.with(at, bytes[at]! ^ (1 << (at % 8))), key);
    });
    const storage = stored.storage();
    await storage.open(openOptions());
    const failure = await storage.load().catch((error: unknown) => error);
    expect(failure).toMatchObject({
      code: 'STORAGE_CORRUPT',
      details: { file: 'test', offset: JSON.stringify(key) },
    });
    await storage.close();
  }
});

test('D3 a missing record is STORAGE_CORRUPT, a damaged piece of a snapshot too', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  for (let number = 1; number <= 3; number += 1) {
    await storage.persist(batchOf(number, 1, number, number + 1));
  }
  await storage.saveSnapshot(metaOf(1, 1), [new Uint8Array(300_000)]);
  await medium.tamper((store) => store.delete([1, 'chunk', 1, 1]));
  const snapshot = await storage.readSnapshot();
  const reading = (async () => {
    for await (const _ of snapshot!.chunks);
  })();
  await rejectsWith(reading, 'STORAGE_CORRUPT');
  await storage.close();
  await medium.tamper((store) => store.delete([1, 'log', 2]));
  const again = medium.storage();
  await again.open(openOptions(2));
  await rejectsWith(again.load(), 'STORAGE_CORRUPT');
});

test('Z20 a database of a newer release is OUTDATED and stays untouched', async () => {
  const medium = new FakeMedium();
  await (await opened(medium.storage())).storage.close();
  (await settled(medium.factory.open('test', 2))).close();
  await rejectsWith(medium.storage().open(openOptions(2)), 'OUTDATED');
  const other = new FakeMedium();
  await (await opened(other.storage())).storage.close();
  await other.tamper((store) => store.put({ format: 99 }, 'replica'));
  await rejectsWith(other.storage().open(openOptions(2)), 'OUTDATED');
  expect((await other.tamper((store) => store.get('replica'))).result).toEqual({ format: 99 });
});

test('a snapshot that was to replace the log and did not come takes its followers with it', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 4));
  const broken = (async function* () {
    yield new Uint8Array(10);
    throw new Error('the stream broke');
  })();
  const saving = storage.saveSnapshot(metaOf(2, 50), broken);
  const pending = [storage.persist(batchOf(2, 2, 51, 53)), storage.persist(batchOf(3, 2, 53, 54))];
  await expect(saving).rejects.toThrow('the stream broke');
  for (const one of pending) await rejectsWith(one, 'STORAGE_FULL');
  await storage.saveSnapshot(metaOf(2, 50), [new Uint8Array(10)]);
  await storage.persist(batchOf(2, 2, 51, 53));
  await storage.close();
  const { log } = await opened(medium.storage(), 2);
  expect(log.snapshot?.index).toBe(50);
  expect(indexesOf(log)).toEqual([51, 52]);
});

test('compact() keeps a group that a later one replaced in part (L5)', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 11));
  await storage.persist(batchOf(2, 2, 5, 8));
  await storage.saveSnapshot(metaOf(2, 7), [new Uint8Array(1)]);
  await storage.compact(7);
  await storage.persist(batchOf(3, 2, 8, 10));
  await storage.close();
  const { log } = await opened(medium.storage(), 2);
  expect(log.entries.map(({ term, index }) => [term, index]).slice(-5)).toEqual([
    [2, 5],
    [2, 6],
    [2, 7],
    [2, 8],
    [2, 9],
  ]);
});

test('what outdated snapshots and crashes leave behind is swept', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 20));
  await storage.saveSnapshot(metaOf(1, 5), [new Uint8Array(600_000)]);
  await storage.readSnapshot();
  await storage.saveSnapshot(metaOf(1, 9), [new Uint8Array(300_000)]);
  const countChunks = async (): Promise<number> => {
    const keys = (await medium.tamper((store) => store.getAllKeys())).result;
    return keys.filter((key) => Array.isArray(key) && key[1] === 'chunk').length;
  };
  expect(await countChunks()).toBe(5);
  await storage.close();
  await opened(medium.storage(), 2);
  expect(await countChunks()).toBe(2);
});

test('without Web Locks, and nobody else who sees to it, open() is refused', async () => {
  const medium = new FakeMedium();
  const { name, indexedDB } = medium.options();
  vi.stubGlobal('navigator', {});
  const storage = new IndexedDbStorage({ name, indexedDB: indexedDB! });
  vi.unstubAllGlobals();
  await rejectsWith(storage.open(openOptions()), 'STORAGE_FAILED');
});

/** What is kept in the database for when there is no room. */
async function reserved(medium: FakeMedium): Promise<number> {
  const request = await medium.tamper((store) => {
    const get = store.get('reserve');
    return () => get.result as Uint8Array | undefined;
  });
  return request()?.length ?? 0;
}

test('T20 room is kept as a record, given back to a full disk, and taken again', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  expect(await storage.takeReserve()).toBe(true);
  expect(await reserved(medium)).toBe(262_144);
  medium.view.failure = 'QuotaExceededError';
  await rejectsWith(storage.persist(batchOf(1, 1, 1, 4)), 'STORAGE_FULL');
  await storage.releaseReserve();
  expect(await reserved(medium)).toBe(0);
  expect(await storage.takeReserve()).toBe(false);
  expect(await reserved(medium)).toBe(0);
  medium.view.failure = null;
  await storage.persist(batchOf(1, 1, 1, 4));
  expect(await storage.takeReserve()).toBe(true);
  expect(await reserved(medium)).toBe(262_144);
  await storage.close();
  expect(indexesOf((await opened(medium.storage(), 2)).log)).toEqual([1, 2, 3]);
});

test('T20 a run that finds no room to begin gives it back, and begins if that is enough', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.takeReserve();
  await storage.persist(batchOf(1, 1, 1, 4));
  await storage.close();
  const second = medium.storage();
  medium.view.failure = 'QuotaExceededError';
  medium.view.failsOnce = true;
  const { run, log } = await opened(second, 2);
  expect(run.epoch).toBe(2);
  expect(indexesOf(log)).toEqual([1, 2, 3]);
  expect(await reserved(medium)).toBe(0);
  await second.close();
  const third = medium.storage();
  medium.view.failure = 'QuotaExceededError';
  await rejectsWith(third.open(openOptions(3)), 'STORAGE_FULL');
  await third.close();
  expect((await opened(medium.storage(), 4)).run.epoch).toBe(3);
});

test('T20 who finds no room to begin may look at what there is, and changes nothing', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 9));
  await storage.saveSnapshot(metaOf(1, 3), [Uint8Array.of(1, 2), Uint8Array.of(3)]);
  await storage.close();
  const before = (await medium.tamper((store) => store.getAll())).result;
  const second = medium.storage();
  medium.view.failure = 'QuotaExceededError';
  await rejectsWith(second.open(openOptions(2)), 'STORAGE_FULL');
  const held = await second.look();
  expect(held?.snapshot).toEqual(metaOf(1, 3));
  expect(held?.snapshotBytes).toEqual(Uint8Array.of(1, 2, 3));
  expect(held?.entries.map(({ index }) => index)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  expect(held?.hardState.currentTerm).toBe(1);
  await second.close();
  expect((await medium.tamper((store) => store.getAll())).result).toEqual(before);
  expect((await opened(medium.storage(), 3)).run.epoch).toBe(2);
});

test('T20 Z42 nobody looks at what was made with another secret', async () => {
  const medium = new FakeMedium();
  const made = medium.storage();
  await made.open({ ...openOptions(), topics: ['one'] });
  await made.load();
  await made.persist(batchOf(1, 1, 1, 4));
  await made.close();
  const other = medium.storage();
  medium.view.failure = 'QuotaExceededError';
  await rejectsWith(other.open({ ...openOptions(2), topics: ['two'] }), 'BAD_SECRET');
  await rejectsWith(other.look(), 'CLOSED');
  await other.close();
});
