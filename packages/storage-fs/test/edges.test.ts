/** Single rare situations, each with the one thing that would go wrong in it. */
import { expect, test } from 'vitest';
import { FileStorage } from '../src/index.ts';
import { FaultyFileSystem } from './faulty-file-system.ts';
import {
  directory,
  entries,
  inspect,
  newStorage,
  nextNonce,
  nodeId,
  persist,
  snapshot,
  statesOf,
} from './scenario.ts';

const hardState = { currentTerm: 1, votedFor: nodeId, commitIndex: 0 };
const full = { code: 'STORAGE_FULL' };

async function opened(fileSystem: FaultyFileSystem): Promise<FileStorage> {
  const storage = newStorage(fileSystem);
  await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
  await storage.load();
  return storage;
}

function saved(storage: FileStorage, term: number, index: number): Promise<void> {
  const step = snapshot(term, index);
  if (step.type !== 'snapshot') throw new Error('snapshot() makes snapshots');
  return storage.saveSnapshot(step.meta, [step.bytes]);
}

/** Coins with a seed. */
function coin(seed: number): () => boolean {
  let state = Math.imul(seed, 2_654_435_761) | 1;
  return () => {
    state = Math.imul(state, 1_664_525) + 1_013_904_223;
    return ((state >>> 16) & 1) === 1;
  };
}

test('D4 what a killed process left unsynced is made durable before the next one rests on it', async () => {
  // The process dies at operation `count`, the machine lives on and dies much later.
  for (let count = 0; count < 140; count += 1) {
    const fileSystem = new FaultyFileSystem();
    const killed = new Promise<void>((resolve) => {
      fileSystem.fault = (operation) => {
        if (operation.count !== count) return null;
        fileSystem.killProcess();
        resolve();
        return null;
      };
    });
    const life = (async (): Promise<void> => {
      const storage = await opened(fileSystem);
      await storage.persist({ number: 1, hardState, entries: entries(1, 1, 30) });
      await storage.persist({ number: 2, hardState, entries: entries(1, 30, 60) });
      await saved(storage, 1, 40);
      await storage.persist({ number: 3, hardState, entries: entries(1, 60, 62) });
      await saved(storage, 1, 61);
      await storage.close();
    })();
    await Promise.race([killed, life]);
    fileSystem.fault = () => null;
    const storage = newStorage(fileSystem);
    await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
    const log = await storage.load();
    const snapshotIndex = log.snapshot?.index ?? 0;
    const lastIndex = log.entries.at(-1)?.index ?? snapshotIndex;
    await storage.compact(snapshotIndex);
    const term = Math.max(1, log.hardState.currentTerm);
    const batch = { number: 1, hardState: { ...hardState, currentTerm: term } };
    await storage.persist({ ...batch, entries: entries(1, lastIndex + 1, lastIndex + 2) });
    fileSystem.crash(() => false);
    const { held } = await inspect(fileSystem);
    const place = `killed at operation ${count}`;
    expect(held.snapshot?.meta.index ?? 0, place).toBe(snapshotIndex);
    expect(held.entries, place).toEqual(entries(1, snapshotIndex + 1, lastIndex + 2));
    expect(held.hardState.currentTerm, place).toBe(term);
  }
});

test('compact() keeps the newest record for its hard state, though a snapshot covers its entries', async () => {
  const fileSystem = new FaultyFileSystem();
  const storage = await opened(fileSystem);
  await storage.persist({ number: 1, hardState, entries: entries(1, 1, 40) });
  await saved(storage, 5, 100);
  await storage.compact(100);
  fileSystem.crash(() => false);
  const { held } = await inspect(fileSystem);
  expect(held.entries).toEqual([]);
  expect(held.hardState).toEqual({ ...hardState, commitIndex: 100 });
});

test('D5 nothing of a refused record stays behind the shorter one that takes its place', async () => {
  const fileSystem = new FaultyFileSystem();
  const storage = await opened(fileSystem);
  // The header of the first segment is written, then a record far larger than a segment is refused.
  let writes = 0;
  fileSystem.fault = ({ type }) => {
    if (type === 'write') writes += 1;
    return type === 'write' && writes > 1 ? { code: 'ENOSPC', writtenBytes: 5000 } : null;
  };
  const long = storage.persist({ number: 1, hardState, entries: entries(1, 1, 4, 3000) });
  await expect(long).rejects.toMatchObject(full);
  fileSystem.fault = () => null;
  await storage.persist({ number: 1, hardState, entries: entries(1, 1, 4) });
  // So long that it begins a segment: the one before is finished now, and must be clean.
  await storage.persist({ number: 2, hardState, entries: entries(1, 4, 40) });
  fileSystem.crash(() => false);
  expect((await inspect(fileSystem)).held.entries).toEqual(entries(1, 1, 40));
});

test('D5 a segment that found no space for its header does not come back after a crash', async () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const fileSystem = new FaultyFileSystem();
    const storage = await opened(fileSystem);
    await storage.persist({ number: 1, hardState, entries: entries(1, 1, 3) });
    fileSystem.fault = ({ type }) =>
      type === 'write' ? { code: 'ENOSPC', writtenBytes: 64 } : null;
    const long = storage.persist({ number: 2, hardState, entries: entries(1, 3, 40) });
    await expect(long).rejects.toMatchObject(full);
    fileSystem.fault = () => null;
    await storage.persist({ number: 2, hardState, entries: entries(1, 3, 4) });
    fileSystem.crash(coin(seed));
    expect((await inspect(fileSystem)).held.entries, `seed ${seed}`).toEqual(entries(1, 1, 4));
  }
});

test('D5 a snapshot of entries that found no space is refused with them', async () => {
  const fileSystem = new FaultyFileSystem();
  const storage = await opened(fileSystem);
  await storage.persist({ number: 1, hardState, entries: entries(1, 1, 3) });
  fileSystem.fault = ({ type, path }) =>
    type === 'write' && path.endsWith('.log') ? { code: 'ENOSPC' } : null;
  const outcomes = await Promise.allSettled([
    storage.persist({ number: 2, hardState, entries: entries(1, 3, 10) }),
    saved(storage, 1, 8),
  ]);
  for (const one of outcomes) expect(one).toMatchObject({ status: 'rejected', reason: full });
  fileSystem.fault = () => null;
  await storage.persist({ number: 2, hardState, entries: entries(1, 3, 10) });
  await saved(storage, 1, 8);
  await storage.close();
  const steps = [persist(entries(1, 1, 10)), snapshot(1, 8)];
  expect((await inspect(fileSystem)).held.entries).toEqual(statesOf(steps).at(-1)?.entries);
});

test('a hard state does not wait for a snapshot that is still coming', async () => {
  const fileSystem = new FaultyFileSystem();
  const storage = await opened(fileSystem);
  await storage.persist({ number: 1, hardState, entries: entries(1, 1, 3) });
  const step = snapshot(4, 50);
  if (step.type !== 'snapshot') throw new Error('snapshot() makes snapshots');
  let arrive = (): void => {};
  const arrived = new Promise<void>((resolve) => {
    arrive = resolve;
  });
  const source = (async function* () {
    await arrived;
    yield step.bytes;
  })();
  const order: string[] = [];
  const saving = storage.saveSnapshot(step.meta, source).then(() => order.push('snapshot'));
  const vote = { currentTerm: 9, votedFor: nodeId, commitIndex: 1 };
  await storage.persist({ number: 2, hardState: vote, entries: [] });
  order.push('vote');
  const behind = storage
    .persist({ number: 3, hardState: vote, entries: entries(9, 51, 53) })
    .then(() => order.push('entries'));
  arrive();
  await Promise.all([saving, behind]);
  expect(order).toEqual(['vote', 'snapshot', 'entries']);
  await storage.close();
  const { held } = await inspect(fileSystem);
  expect(held.entries).toEqual(entries(9, 51, 53));
  expect(held.hardState.currentTerm).toBe(9);
});

test('Z5 a starter so slow that two others came and went before it gets nothing', async () => {
  class SlowFileSystem extends FaultyFileSystem {
    beforeListening: (() => Promise<void>) | null = null;

    override async listen(path: string, name: string): Promise<() => Promise<void>> {
      const meanwhile = this.beforeListening;
      this.beforeListening = null;
      await meanwhile?.();
      return super.listen(path, name);
    }
  }
  const fileSystem = new SlowFileSystem();
  let owner: FileStorage | null = null;
  fileSystem.beforeListening = async () => {
    await (await opened(fileSystem)).close();
    owner = await opened(fileSystem);
  };
  await expect(opened(fileSystem)).rejects.toMatchObject({ code: 'STORAGE_LOCKED' });
  expect(owner).not.toBe(null);
  await (owner as FileStorage | null)?.persist({ number: 1, hardState, entries: entries(1, 1, 3) });
  await (owner as FileStorage | null)?.close();
});

test('archive() keeps the files, and refuses labels that are paths', async () => {
  const fileSystem = new FaultyFileSystem();
  const storage = await opened(fileSystem);
  await storage.persist({ number: 1, hardState, entries: entries(1, 1, 3) });
  for (const label of ['', '..', '../up', 'a/b', '.hidden', 'x'.repeat(65)]) {
    await expect(storage.archive(label)).rejects.toThrow(RangeError);
  }
  await storage.archive('sealed');
  const kept = fileSystem.files(`${directory}/archive/sealed`);
  expect(kept.some((path) => path.endsWith('.log'))).toBe(true);
  expect(kept.some((path) => path.endsWith('/identity'))).toBe(true);
});

test('FileStorage refuses segments smaller than 1 KiB', () => {
  for (const segmentBytes of [0, 1023, 1500.5, Number.NaN]) {
    expect(() => new FileStorage({ directory, segmentBytes })).toThrow(RangeError);
  }
});
