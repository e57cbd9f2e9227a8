/** Who may open a directory, across machines, restarts and sleep (Z5). */
import { expect, test } from 'vitest';
import { FileStorage } from '../src/index.ts';
import { FaultyFileSystem } from './faulty-file-system.ts';
import { directory, entries, nextNonce, nodeId } from './scenario.ts';

const hardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };

type Options = { readonly takeOver?: boolean; readonly monotonicNow?: () => number };

function storageOn(fileSystem: FaultyFileSystem, options: Options = {}): FileStorage {
  return new FileStorage({ directory, fileSystem, ...options });
}

async function opened(fileSystem: FaultyFileSystem, options: Options = {}): Promise<FileStorage> {
  const storage = storageOn(fileSystem, options);
  await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
  await storage.load();
  return storage;
}

const locked = { code: 'STORAGE_LOCKED' };

test('Z5 another machine is refused while the directory was not closed, until takeOver', async () => {
  const fileSystem = new FaultyFileSystem();
  await opened(fileSystem);
  fileSystem.moveToMachine('other', 'other boot');
  await expect(opened(fileSystem)).rejects.toMatchObject(locked);
  await (await opened(fileSystem, { takeOver: true })).close();
});

test('Z5 another machine may open what was closed', async () => {
  const fileSystem = new FaultyFileSystem();
  await (await opened(fileSystem)).close();
  expect(fileSystem.files(directory).filter((path) => path.endsWith('.sock'))).toEqual([]);
  fileSystem.moveToMachine('other', 'other boot');
  await (await opened(fileSystem)).close();
});

test('Z5 the same machine opens after a crash of the process or of itself', async () => {
  const fileSystem = new FaultyFileSystem();
  await opened(fileSystem);
  fileSystem.moveToMachine('machine', 'boot');
  await opened(fileSystem);
  fileSystem.moveToMachine('machine', 'next boot');
  await (await opened(fileSystem)).close();
});

test('Z5 another container on the same kernel sees who lives and who is dead', async () => {
  const fileSystem = new FaultyFileSystem();
  const first = await opened(fileSystem);
  fileSystem.machineId = 'container';
  await expect(opened(fileSystem)).rejects.toMatchObject(locked);
  await expect(opened(fileSystem, { takeOver: true })).rejects.toMatchObject(locked);
  await first.close();
  fileSystem.machineId = 'machine';
  await opened(fileSystem);
  fileSystem.moveToMachine('container', 'boot');
  await (await opened(fileSystem)).close();
});

test('Z5 an unreadable lock file is refused, until takeOver', async () => {
  const fileSystem = new FaultyFileSystem();
  await opened(fileSystem);
  fileSystem.crash(() => true);
  const path = fileSystem.files(directory).find((name) => /lock-[0-9]{16}$/.test(name)) ?? '';
  fileSystem.setContent(path, new Uint8Array([1, 2, 3]));
  await expect(opened(fileSystem)).rejects.toMatchObject(locked);
  await (await opened(fileSystem, { takeOver: true })).close();
});

test('Z5 a process that slept looks at the lock before it acknowledges: taken over', async () => {
  const fileSystem = new FaultyFileSystem();
  let nowMs = 0;
  const sleeper = await opened(fileSystem, { monotonicNow: () => nowMs });
  await sleeper.persist({ number: 1, hardState, entries: entries(1, 1, 2) });
  fileSystem.moveToMachine('other', 'other boot');
  const thief = await opened(fileSystem, { takeOver: true });
  nowMs += 60_000;
  const late = sleeper.persist({ number: 2, hardState, entries: entries(1, 2, 3) });
  await expect(late).rejects.toMatchObject({ code: 'STORAGE_LOST' });
  await expect(sleeper.readCache()).rejects.toMatchObject({ code: 'STORAGE_LOST' });
  await sleeper.close();
  // The refused sleeper did not free what is not its own.
  await expect(opened(fileSystem)).rejects.toMatchObject(locked);
  await thief.close();
});

test('Z5 a process that slept looks at the lock before it acknowledges: removed', async () => {
  const fileSystem = new FaultyFileSystem();
  let nowMs = 0;
  const sleeper = await opened(fileSystem, { monotonicNow: () => nowMs });
  await fileSystem.remove(directory);
  nowMs += 60_000;
  const late = sleeper.persist({ number: 1, hardState, entries: entries(1, 1, 2) });
  await expect(late).rejects.toMatchObject({ code: 'STORAGE_LOST' });
  await sleeper.close();
});

test('Z5 a process that slept goes on when the directory is still its own', async () => {
  const fileSystem = new FaultyFileSystem();
  let nowMs = 0;
  const sleeper = await opened(fileSystem, { monotonicNow: () => (nowMs += 400) });
  for (let index = 1; index < 9; index += 1) {
    nowMs += 60_000;
    const entry = entries(1, index, index + 1);
    await sleeper.persist({ number: index, hardState, entries: entry });
  }
  await sleeper.close();
});

test('Z5 every opening has a later lock file; the earlier ones go', async () => {
  const fileSystem = new FaultyFileSystem();
  for (let opening = 1; opening <= 3; opening += 1) {
    const storage = await opened(fileSystem);
    const locks = fileSystem.files(directory).filter((path) => /lock-[0-9]{16}$/.test(path));
    expect(locks).toEqual([`${directory}/lock-${opening.toString().padStart(16, '0')}`]);
    if (opening === 2) fileSystem.crash(() => false);
    else await storage.close();
  }
});
