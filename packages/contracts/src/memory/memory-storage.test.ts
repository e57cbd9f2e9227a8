import { expect, test } from 'vitest';
import {
  batchOf,
  bytesOf,
  entriesOf,
  hardStateOf,
  metaOf,
  openAndLoad,
} from '../conformance/log-storage-checks.ts';
import { logStorageConformance } from '../conformance/log-storage.ts';
import { rejectionOf } from '../conformance/network-checks.ts';
import { MemoryDisk, MemoryStorage } from './memory-storage.ts';

logStorageConformance({
  test,
  crashes: true,
  create: async () => {
    const disk = new MemoryDisk({ durable: true });
    return {
      storage: () => new MemoryStorage(disk),
      crash: async () => disk.crash(),
      cleanup: async () => {},
    };
  },
});

/** A disk whose syncs complete when the test says so. */
function manualDisk(): { disk: MemoryDisk; completions: (() => void)[]; syncedBytes: number[] } {
  const completions: (() => void)[] = [];
  const syncedBytes: number[] = [];
  const disk = new MemoryDisk({
    durable: true,
    sync: (complete, bytes) => {
      completions.push(complete);
      syncedBytes.push(bytes);
    },
  });
  return { disk, completions, syncedBytes };
}

async function turn(): Promise<void> {
  await new Promise<void>((resolve) => setImmediate(resolve));
}

async function openedManually(): Promise<
  ReturnType<typeof manualDisk> & { storage: MemoryStorage }
> {
  const manual = manualDisk();
  const storage = new MemoryStorage(manual.disk);
  const opening = openAndLoad(storage);
  await turn();
  manual.completions.shift()?.();
  await opening;
  return { ...manual, storage };
}

test('durable is false unless the disk says otherwise (Z16)', () => {
  expect(new MemoryStorage().durable).toBe(false);
  expect(new MemoryStorage(new MemoryDisk({ durable: true })).durable).toBe(true);
});

test('a sync covers what waited when it began, and is asked for one at a time (Z22)', async () => {
  const { storage, completions } = await openedManually();
  const settled: number[] = [];
  const persist = (number: number): Promise<void> =>
    storage
      .persist(batchOf(number, entriesOf(1, number, number + 1)))
      .then(() => void settled.push(number));
  const pending = [persist(1), persist(2)];
  await turn();
  pending.push(persist(3));
  await turn();
  expect(completions).toHaveLength(1);
  expect(settled).toEqual([]);
  completions.shift()?.();
  await turn();
  expect(settled).toEqual([1, 2]);
  expect(completions).toHaveLength(1);
  completions.shift()?.();
  await Promise.all(pending);
  expect(settled).toEqual([1, 2, 3]);
});

test.each([0, 1, 2, 3])('crash(%i) keeps that many unsynced batches, each whole', async (kept) => {
  const { disk, storage, completions } = await openedManually();
  for (let number = 1; number <= 3; number += 1) {
    const batch = batchOf(number, entriesOf(1, number * 2 - 1, number * 2 + 1));
    storage.persist(batch).catch(() => {});
    if (number === 1) await turn();
  }
  expect(disk.unsyncedCount).toBe(3);
  disk.crash(kept);
  completions.shift()?.();
  await turn();
  expect(disk.contents.entries).toEqual(entriesOf(1, 1, kept * 2 + 1));
  expect(await rejectionOf(storage.persist(batchOf(4, [])))).toBe('CLOSED');
  const reopening = openAndLoad(new MemoryStorage(disk), 2);
  await turn();
  completions.shift()?.();
  expect((await reopening).run.epoch).toBe(2);
});

test('D1 failSync() ends the storage for good; a reopened one has what reached the disk', async () => {
  const disk = new MemoryDisk({ durable: true });
  const { storage } = await openAndLoad(new MemoryStorage(disk));
  await storage.persist(batchOf(1, entriesOf(1, 1, 3)));
  disk.failSync(1, 1);
  const outcomes = await Promise.all([
    rejectionOf(storage.persist(batchOf(2, entriesOf(1, 3, 5)))),
    rejectionOf(storage.persist(batchOf(3, entriesOf(1, 5, 7)))),
  ]);
  expect(outcomes).toEqual(['STORAGE_FAILED', 'STORAGE_FAILED']);
  expect(await rejectionOf(storage.persist(batchOf(2, [])))).toBe('STORAGE_FAILED');
  await storage.close();
  const { log } = await openAndLoad(new MemoryStorage(disk), 2);
  expect(log.entries).toEqual(entriesOf(1, 1, 5));
});

test('D5 a full disk refuses a batch and what follows it, and goes on from there', async () => {
  const disk = new MemoryDisk({ durable: true });
  const { storage } = await openAndLoad(new MemoryStorage(disk));
  await storage.persist(batchOf(1, entriesOf(1, 1, 3)));
  disk.full = true;
  const refused = storage.persist(batchOf(2, entriesOf(1, 3, 4)));
  expect(await rejectionOf(refused)).toBe('STORAGE_FULL');
  expect(await rejectionOf(storage.saveSnapshot(metaOf(1, 2), [bytesOf(9)]))).toBe('STORAGE_FULL');
  disk.full = false;
  // Batch 3 means nothing without batch 2.
  expect(await rejectionOf(storage.persist(batchOf(3, entriesOf(1, 4, 5))))).toBe('STORAGE_FULL');
  await storage.persist(batchOf(2, entriesOf(1, 3, 4)));
  await storage.persist(batchOf(3, entriesOf(1, 4, 5), hardStateOf(2)));
  await storage.saveSnapshot(metaOf(1, 2), [bytesOf(9)]);
  await storage.close();
  const { log } = await openAndLoad(new MemoryStorage(disk), 2);
  expect(log.entries).toEqual(entriesOf(1, 1, 5));
  expect(log.hardState.currentTerm).toBe(2);
});

test('T20 D5 a full disk takes as much as its reserve holds, once that is given back', async () => {
  const disk = new MemoryDisk({ durable: true, reserveBytes: 200 });
  const { storage } = await openAndLoad(new MemoryStorage(disk));
  expect(await storage.takeReserve?.()).toBe(true);
  disk.full = true;
  expect(await rejectionOf(storage.persist(batchOf(1, entriesOf(1, 1, 2))))).toBe('STORAGE_FULL');
  await storage.releaseReserve?.();
  await storage.persist(batchOf(1, entriesOf(1, 1, 2)));
  expect(await storage.takeReserve?.()).toBe(false);
  const large = batchOf(2, entriesOf(1, 2, 40));
  expect(await rejectionOf(storage.persist(large))).toBe('STORAGE_FULL');
  disk.full = false;
  await storage.persist(large);
  expect(await storage.takeReserve?.()).toBe(true);
});
