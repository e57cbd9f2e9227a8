/** A disk of a few kilobytes, and the room that is kept on it for when there is none. */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { FileStorage } from '../src/index.ts';
import { FaultyFileSystem } from './faulty-file-system.ts';
import { directory, entries, inspect, nextNonce, nodeId } from './scenario.ts';

const hardState = { currentTerm: 1, votedFor: nodeId, commitIndex: 0 };
const full = { code: 'STORAGE_FULL' };
const reserveBytes = 20_000;
const reservePath = `${directory}/replica/reserve`;

function storageOn(fileSystem: FaultyFileSystem): FileStorage {
  return new FileStorage({ directory, fileSystem, segmentBytes: 1_024, reserveBytes });
}

async function opened(fileSystem: FaultyFileSystem): Promise<FileStorage> {
  const storage = storageOn(fileSystem);
  await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
  await storage.load();
  return storage;
}

/** Leaves `bytes` of room. */
function fill(fileSystem: FaultyFileSystem, bytes: number = 0): void {
  fileSystem.capacityBytes = fileSystem.usedBytes + bytes;
}

const batch = (number: number, dataBytes: number = 700) => ({
  number,
  hardState,
  entries: entries(1, number, number + 1, dataBytes),
});

test('T20 D5 a full disk takes what waits once its reserve is given back, and nothing is lost', async () => {
  const fileSystem = new FaultyFileSystem();
  const storage = await opened(fileSystem);
  await storage.persist(batch(1));
  expect(await storage.takeReserve()).toBe(true);
  expect(fileSystem.content(reservePath).length).toBe(reserveBytes);
  fill(fileSystem);
  await expect(storage.persist(batch(2))).rejects.toMatchObject(full);
  await expect(storage.persist(batch(2))).rejects.toMatchObject(full);
  await storage.releaseReserve();
  expect(fileSystem.files(directory)).not.toContain(reservePath);
  for (let number = 2; number <= 10; number += 1) await storage.persist(batch(number));
  expect(await storage.takeReserve(), 'there is no room for it').toBe(false);
  fileSystem.crash(() => false);
  fileSystem.capacityBytes = Infinity;
  expect((await inspect(fileSystem)).held.entries).toEqual(entries(1, 1, 11, 700));
});

test('T20 Z46 a batch that is half written before the reserve is given back is written whole after it', async () => {
  for (let room = 0; room <= 1_600; room += 40) {
    const fileSystem = new FaultyFileSystem();
    const storage = await opened(fileSystem);
    await storage.persist(batch(1));
    await storage.takeReserve();
    fill(fileSystem, room);
    let isRefused = false;
    await storage.persist(batch(2, 1_500)).catch((error: unknown) => {
      expect(error).toMatchObject(full);
      isRefused = true;
    });
    expect(isRefused || room > 700).toBe(true);
    await storage.releaseReserve();
    if (isRefused) await storage.persist(batch(2, 1_500));
    fileSystem.crash(() => false);
    fileSystem.capacityBytes = Infinity;
    const wanted = [...entries(1, 1, 2, 700), ...entries(1, 2, 3, 1_500)];
    expect((await inspect(fileSystem)).held.entries, `${room} bytes of room`).toEqual(wanted);
  }
});

test('T20 it is taken again once it fits twice, whoever made the room', async () => {
  const fileSystem = new FaultyFileSystem();
  const storage = await opened(fileSystem);
  await storage.takeReserve();
  fill(fileSystem);
  await storage.releaseReserve();
  expect(await storage.takeReserve(), 'exactly what was given back').toBe(false);
  fill(fileSystem, 2 * reserveBytes - 1);
  expect(await storage.takeReserve()).toBe(false);
  fill(fileSystem, 2 * reserveBytes);
  expect(await storage.takeReserve()).toBe(true);
  expect(fileSystem.content(reservePath).length).toBe(reserveBytes);
});

test('T20 what is free by the system, and not by a quota, leaves nothing behind', async () => {
  for (const type of ['write', 'sync'] as const) {
    const fileSystem = new FaultyFileSystem();
    const storage = await opened(fileSystem);
    fileSystem.fault = (operation) =>
      operation.type === type && operation.path.includes('reserve')
        ? { code: 'EDQUOT', writtenBytes: 3_000 }
        : null;
    expect(await storage.takeReserve()).toBe(false);
    expect(fileSystem.files(directory).filter((path) => path.includes('reserve'))).toEqual([]);
    await storage.persist(batch(1));
    await storage.close();
    expect((await inspect(fileSystem)).held.entries).toEqual(entries(1, 1, 2, 700));
  }
});

test('T20 a run that finds no room to begin gives the reserve back, and begins', async () => {
  const fileSystem = new FaultyFileSystem();
  const first = await opened(fileSystem);
  await first.persist(batch(1));
  await first.takeReserve();
  await first.close();
  fill(fileSystem);
  const second = storageOn(fileSystem);
  const run = await second.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
  expect(run.epoch).toBe(2);
  await second.load();
  expect(await second.takeReserve()).toBe(false);
  await second.persist(batch(2));
  await second.close();
  // All of it is used up: nothing is changed, and nobody has the directory.
  fill(fileSystem);
  const third = storageOn(fileSystem);
  const options = { create: true, newNodeId: nodeId, nonce: nextNonce() };
  await expect(third.open(options)).rejects.toMatchObject(full);
  await third.close();
  fileSystem.capacityBytes = Infinity;
  expect((await inspect(fileSystem)).held.entries).toEqual(entries(1, 1, 3, 700));
});

test('T20 a second process on a full disk leaves the reserve of the first alone', async () => {
  const fileSystem = new FaultyFileSystem();
  const storage = await opened(fileSystem);
  await storage.takeReserve();
  fill(fileSystem);
  const options = { create: true, newNodeId: nodeId, nonce: nextNonce() };
  await expect(storageOn(fileSystem).open(options)).rejects.toMatchObject({
    code: 'STORAGE_LOCKED',
  });
  expect(fileSystem.content(reservePath).length).toBe(reserveBytes);
});

test('T20 a crash at any moment of taking it or giving it back leaves a replica as it was', async () => {
  for (let count = 0; ; count += 1) {
    const fileSystem = new FaultyFileSystem();
    const storage = await opened(fileSystem);
    await storage.persist(batch(1));
    const before = fileSystem.operations;
    const crashed = new Promise<'crashed'>((resolve) => {
      fileSystem.fault = (operation) => {
        if (operation.count !== before + count) return null;
        fileSystem.crash(() => count % 2 === 0);
        resolve('crashed');
        return null;
      };
    });
    const life = (async () => {
      await storage.takeReserve();
      await storage.releaseReserve();
      await storage.takeReserve();
    })();
    const end = await Promise.race([crashed, life]);
    fileSystem.fault = () => null;
    if (end !== 'crashed') {
      expect(count).toBeGreaterThan(8);
      return;
    }
    const again = await opened(fileSystem);
    expect(await again.takeReserve(), `operation ${count}`).toBe(true);
    await again.persist(batch(2));
    await again.close();
    expect((await inspect(fileSystem)).held.entries).toEqual(entries(1, 1, 3, 700));
  }
});

test('T20 an archive is left without it', async () => {
  const fileSystem = new FaultyFileSystem();
  const storage = await opened(fileSystem);
  await storage.takeReserve();
  await storage.archive('left');
  expect(fileSystem.files(directory).filter((path) => path.includes('reserve'))).toEqual([]);
});

test('T20 a directory in its place is damage', async () => {
  const fileSystem = new FaultyFileSystem();
  await (await opened(fileSystem)).close();
  await fileSystem.makeDirectory(reservePath);
  const options = { create: true, newNodeId: nodeId, nonce: nextNonce() };
  await expect(storageOn(fileSystem).open(options)).rejects.toMatchObject({
    code: 'STORAGE_CORRUPT',
  });
});

test('T20 on a real disk it is 4 MiB, and none of it is sparse', async () => {
  const place = await mkdtemp(join(tmpdir(), 'quorate-reserve-'));
  try {
    const storage = new FileStorage({ directory: join(place, 'data') });
    await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
    await storage.load();
    expect(await storage.takeReserve()).toBe(true);
    const { size, blocks } = await stat(join(place, 'data', 'replica', 'reserve'));
    expect(size).toBe(4 * 1_048_576);
    expect(blocks * 512).toBeGreaterThanOrEqual(size);
    await storage.close();
  } finally {
    await rm(place, { recursive: true });
  }
});
