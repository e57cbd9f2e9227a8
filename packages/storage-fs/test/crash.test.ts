/** Crashes, failing disks and full disks at every single operation of an eventful life. */
import { logStorageConformance } from '@quorate/contracts/conformance';
import { expect, test, vi } from 'vitest';
import { FaultyFileSystem, type Operation } from './faulty-file-system.ts';
import {
  directory,
  emptyHeld,
  entries,
  eventfulLife,
  inspect,
  live,
  newProgress,
  newStorage,
  nextNonce,
  nodeId,
  persist,
  snapshot,
  statesOf,
  type Progress,
} from './scenario.ts';

// Thousands of lives; nothing here is measured.
vi.setConfig({ testTimeout: 180_000 });

for (const [survival, survives] of [
  ['nothing', () => false],
  ['everything', () => true],
  ['half', chance(1)],
] as const) {
  logStorageConformance({
    test: (name, run) => test(`${name}, ${survival} unsynced survives`, run),
    crashes: true,
    create: async () => {
      const fileSystem = new FaultyFileSystem();
      return {
        storage: () => newStorage(fileSystem),
        crash: async () => fileSystem.crash(survives),
        cleanup: async () => {},
      };
    },
  });
}

const states = statesOf(eventfulLife);

test('an eventful life ends with what its model says', async () => {
  const fileSystem = new FaultyFileSystem();
  const progress = newProgress();
  await live(fileSystem, eventfulLife, progress);
  expect(progress.error).toBe(null);
  expect(progress.acknowledged).toBe(states.length - 1);
  expect((await inspect(fileSystem)).held).toEqual(states.at(-1));
  // Segments did roll, and compaction did remove some.
  const names = fileSystem.files(directory).filter((path) => path.endsWith('.log'));
  expect(names.length).toBeGreaterThan(0);
  expect(names.length).toBeLessThan(8);
});

test.each([
  ['nothing', () => () => false],
  ['everything', () => () => true],
  ['any combination (1)', () => chance(1)],
  ['any combination (2)', () => chance(2)],
  ['any combination (3)', () => chance(3)],
])(
  'D4 S3 Z1 Z22 a crash before each operation, when %s of the unsynced survives',
  async (_, survival) => {
    const operations = await operationsOfLife();
    for (let count = 0; count < operations.length; count += 1) {
      const survives = survival();
      const { fileSystem, progress } = await liveUntilCrash(count, survives);
      await expectSound(fileSystem, progress, `crash before operation ${count}`);
    }
  },
);

test('D4 a crash during the repair that follows a crash', async () => {
  const operations = await operationsOfLife();
  for (let count = 3; count < operations.length; count += 11) {
    for (let repair = 0; repair < 12; repair += 1) {
      const survives = chance(count * 100 + repair);
      const { fileSystem, progress } = await liveUntilCrash(count, survives);
      const from = fileSystem.operations;
      const crashed = crashAt(fileSystem, from + repair, survives);
      await Promise.race([inspect(fileSystem), crashed]);
      fileSystem.fault = () => null;
      await expectSound(
        fileSystem,
        progress,
        `crashes before ${count} and ${repair} of the repair`,
      );
    }
  }
});

test('D1 the first sync fails, the next would succeed: stopped, and nothing was acknowledged', async () => {
  const operations = await operationsOfLife();
  const syncs = operations.filter((one) => one.type === 'sync' || one.type === 'syncDirectory');
  expect(syncs.length).toBeGreaterThan(30);
  for (const sync of syncs) {
    for (const code of ['EIO', 'ENOSPC']) {
      const fileSystem = new FaultyFileSystem();
      fileSystem.fault = (operation) => (operation.count === sync.count ? { code } : null);
      const progress = newProgress();
      await live(fileSystem, eventfulLife, progress);
      const place = `${code} at operation ${sync.count}, ${sync.type} of ${sync.path}`;
      // Closing and opening have syncs that may end in an error of the opening alone.
      if (progress.error !== null) expect(progress.error, place).toMatchObject(stopping);
      fileSystem.crash(() => false);
      await expectSound(fileSystem, progress, place);
    }
  }
});

test('D1 persist() after a failed sync is STORAGE_FAILED for good, for all that waited too', async () => {
  const fileSystem = new FaultyFileSystem();
  const storage = newStorage(fileSystem);
  await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
  await storage.load();
  const hardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
  await storage.persist({ number: 1, hardState, entries: entries(1, 1, 3) });
  let failures = 0;
  fileSystem.fault = (operation) => {
    if (operation.type !== 'sync' || failures > 0) return null;
    failures += 1;
    return { code: 'EIO' };
  };
  const waiting = [2, 3].map((number) =>
    storage.persist({ number, hardState, entries: entries(1, number * 2 - 1, number * 2 + 1) }),
  );
  for (const one of waiting) await expect(one).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  const calls = [
    () => storage.persist({ number: 2, hardState, entries: entries(1, 3, 4) }),
    () => storage.readSnapshot(),
    () => storage.compact(0),
    () => storage.readCache(),
  ];
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'STORAGE_FAILED' });
  await storage.close();
  fileSystem.crash(() => false);
  const { held } = await inspect(fileSystem);
  expect(held).toEqual({ ...emptyHeld, hardState, entries: entries(1, 1, 3) });
});

test.each([
  ['ENOSPC', [0, 600]],
  ['EDQUOT', [100_000]],
] as const)(
  'D5 %s at each write: STORAGE_FULL, the log stays valid and goes on once there is space',
  async (code, written) => {
    const operations = await operationsOfLife();
    const writes = operations.filter((one) => one.type === 'write' || one.type === 'create');
    expect(writes.length).toBeGreaterThan(50);
    for (const { count } of writes) {
      for (const writtenBytes of written) {
        const fileSystem = new FaultyFileSystem();
        let full = false;
        let refusals = 0;
        // From this operation on there is no space, until somebody was told and makes some.
        fileSystem.fault = (operation) => {
          if (operation.count === count) full = true;
          const needsSpace = operation.type === 'write' || operation.type === 'create';
          return full && needsSpace ? { code, writtenBytes } : null;
        };
        const progress = newProgress();
        const whenFull = (): void => {
          refusals += 1;
          full = false;
        };
        await live(fileSystem, eventfulLife, progress, { whenFull });
        const place = `${code} after ${writtenBytes} bytes at operation ${count}`;
        expect(progress.error, place).toBe(null);
        expect(refusals, place).toBeLessThanOrEqual(1);
        fileSystem.fault = () => null;
        expect((await inspect(fileSystem)).held, place).toEqual(states.at(-1));
      }
    }
  },
);

test('D5 a crash while the disk is full loses nothing acknowledged', async () => {
  const operations = await operationsOfLife();
  const writes = operations.filter((one) => one.type === 'write' || one.type === 'create');
  for (const { count } of writes) {
    const fileSystem = new FaultyFileSystem();
    fileSystem.fault = (operation) =>
      operation.count >= count && (operation.type === 'write' || operation.type === 'create')
        ? { code: 'ENOSPC', writtenBytes: 300 }
        : null;
    const progress = newProgress();
    await live(fileSystem, eventfulLife, progress);
    fileSystem.fault = () => null;
    fileSystem.crash(chance(count));
    await expectSound(fileSystem, progress, `full from operation ${count} on, then a crash`);
  }
});

test('D5 what waited behind a refused batch is refused with it, and so is what comes out of turn', async () => {
  const fileSystem = new FaultyFileSystem();
  const storage = newStorage(fileSystem);
  await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
  await storage.load();
  const hardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
  const batch = (number: number): Promise<void> =>
    storage.persist({ number, hardState, entries: entries(1, number, number + 1) });
  await batch(1);
  fileSystem.fault = (operation) => (operation.type === 'write' ? { code: 'ENOSPC' } : null);
  const outcomes = await Promise.allSettled([batch(2), batch(3)]);
  for (const one of outcomes) {
    expect(one).toMatchObject({ status: 'rejected', reason: { code: 'STORAGE_FULL' } });
  }
  fileSystem.fault = () => null;
  await expect(batch(4)).rejects.toMatchObject({ code: 'STORAGE_FULL' });
  await Promise.all([batch(2), batch(3), batch(4)]);
  await storage.close();
  expect((await inspect(fileSystem)).held.entries).toEqual(entries(1, 1, 5));
});

test('D5 a snapshot that found no space leaves the old one', async () => {
  const fileSystem = new FaultyFileSystem();
  const steps = [persist(entries(1, 1, 20)), snapshot(1, 5), snapshot(1, 15, 30_000)];
  let refusals = 0;
  let full = true;
  fileSystem.fault = (operation) =>
    full && operation.type === 'write' && operation.path.endsWith('next.tmp') && refusals === 0
      ? { code: 'ENOSPC', writtenBytes: 5000 }
      : null;
  await live(fileSystem, steps, newProgress(), {
    whenFull: () => {
      refusals += 1;
      full = false;
    },
  });
  expect(refusals).toBe(1);
  expect((await inspect(fileSystem)).held).toEqual(statesOf(steps).at(-1));
});

const stopping = { code: 'STORAGE_FAILED' };

/** Every operation of the life without faults, in order. */
async function operationsOfLife(): Promise<Operation[]> {
  const fileSystem = new FaultyFileSystem();
  const operations: Operation[] = [];
  fileSystem.fault = (operation) => {
    operations.push(operation);
    return null;
  };
  const progress = newProgress();
  await live(fileSystem, eventfulLife, progress);
  expect(progress.error).toBe(null);
  return operations;
}

/** Crashes before the operation of that number; resolves then. */
function crashAt(
  fileSystem: FaultyFileSystem,
  count: number,
  survives: () => boolean,
): Promise<void> {
  return new Promise((resolve) => {
    fileSystem.fault = (operation) => {
      if (operation.count !== count) return null;
      fileSystem.crash(survives);
      resolve();
      return null;
    };
  });
}

async function liveUntilCrash(
  count: number,
  survives: () => boolean,
): Promise<{ fileSystem: FaultyFileSystem; progress: Progress }> {
  const fileSystem = new FaultyFileSystem();
  const progress = newProgress();
  const crashed = crashAt(fileSystem, count, survives);
  await Promise.race([live(fileSystem, eventfulLife, progress), crashed]);
  fileSystem.fault = () => null;
  return { fileSystem, progress: { ...progress } };
}

/** Opens, holds all that was acknowledged and nothing that was never asked for, and goes on. */
async function expectSound(
  fileSystem: FaultyFileSystem,
  progress: Progress,
  place: string,
): Promise<void> {
  const found = await inspect(fileSystem);
  expect(found.nodeId, place).toBe(nodeId);
  expect(found.epoch, place).toBeGreaterThan(progress.epoch);
  const possible = states.slice(progress.acknowledged, progress.issued + 1);
  expect(possible, place).toContainEqual(found.held);
  const index = (found.held.entries.at(-1)?.index ?? found.held.snapshot?.meta.index ?? 0) + 1;
  const storage = newStorage(fileSystem);
  await storage.open({ create: false, newNodeId: nodeId, nonce: nextNonce() });
  await storage.load();
  const hardState = { currentTerm: 50, votedFor: null, commitIndex: index - 1 };
  await storage.persist({ number: 1, hardState, entries: entries(50, index, index + 1) });
  fileSystem.crash(() => false);
  const after = await inspect(fileSystem);
  expect(after.held.entries, place).toEqual([
    ...found.held.entries,
    ...entries(50, index, index + 1),
  ]);
}

/** A coin with a seed. */
function chance(seed: number): () => boolean {
  let state = (seed * 2_654_435_761) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % 2 === 0;
  };
}
