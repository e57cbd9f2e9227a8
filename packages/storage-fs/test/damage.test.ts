/** Files that were cut short or changed while nobody had them open. */
import { isQuorateError } from '@quorate/contracts';
import type { OpenOptions } from '@quorate/contracts';
import { beforeEach, expect, test, vi } from 'vitest';
import { FaultyFileSystem } from './faulty-file-system.ts';
import {
  directory,
  entries,
  inspect,
  live,
  newProgress,
  newStorage,
  nextNonce,
  nodeId,
  persist,
  snapshot,
  statesOf,
  type Held,
  type Step,
} from './scenario.ts';

// Thousands of lives; nothing here is measured.
vi.setConfig({ testTimeout: 180_000 });

const steps: readonly Step[] = [
  persist(entries(1, 1, 6)),
  persist(entries(1, 6, 20)),
  persist(entries(2, 15, 25)),
  persist(entries(2, 25, 27, 200)),
  persist(entries(3, 27, 30)),
  persist(entries(3, 30, 31)),
];
const states: readonly Held[] = statesOf(steps);

let fileSystem: FaultyFileSystem;

beforeEach(() => {
  fileSystem = new FaultyFileSystem();
});

/** Runs `batches` of the steps and stops without a clean close, as a killed process would. */
async function liveAndDie(count: number = steps.length): Promise<void> {
  const storage = newStorage(fileSystem);
  await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
  await storage.load();
  let number = 0;
  for (const step of steps.slice(0, count)) {
    if (step.type !== 'persist') continue;
    for (const batch of step.batches) await storage.persist({ ...batch, number: ++number });
  }
  fileSystem.crash(() => true);
}

function segments(): string[] {
  return fileSystem.files(`${directory}/replica/log`);
}

/** Where the last byte that is not zero lies, plus one. */
function usedBytes(bytes: Uint8Array): number {
  return bytes.findLastIndex((byte) => byte !== 0) + 1;
}

function recordStarts(bytes: Uint8Array): number[] {
  const starts: number[] = [];
  for (let at = 64; at < bytes.length; at += 8) {
    if (String.fromCharCode(...bytes.subarray(at, at + 4)) === 'QREC') starts.push(at);
  }
  return starts;
}

async function outcomeOf(): Promise<Held | { readonly code: unknown; readonly details: unknown }> {
  try {
    return (await inspect(fileSystem)).held;
  } catch (error) {
    if (!isQuorateError(error)) throw error;
    return { code: error.code, details: error.details };
  }
}

test('D2 the log cut at every byte of its last record has the record before', async () => {
  await liveAndDie();
  const path = segments().at(-1) ?? '';
  const whole = fileSystem.content(path);
  const start = recordStarts(whole).at(-1) ?? 0;
  expect(start).toBeGreaterThan(64);
  const end = usedBytes(whole);
  const before = states.at(-2);
  for (let cut = start; cut < end; cut += 1) {
    // The rest is gone, or still the zeros that the file was laid out with.
    const zeroed = whole.slice().fill(0, cut);
    for (const content of [whole.slice(0, cut), zeroed]) {
      fileSystem.setContent(path, content);
      expect(await outcomeOf(), `cut at ${cut}`).toEqual(before);
    }
  }
  fileSystem.setContent(path, whole);
  expect(await outcomeOf()).toEqual(states.at(-1));
});

test('D2 a last segment cut anywhere in its header is as if it had not begun', async () => {
  await liveAndDie(2);
  const files = segments();
  const last = files.at(-1) ?? '';
  const storage = newStorage(fileSystem);
  await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
  await storage.load();
  // Dies between the new segment's header and what tells of it, the extent.
  const died = new Promise<void>((resolve) => {
    fileSystem.fault = (operation) => {
      if (operation.type !== 'create' || !operation.path.endsWith('/extent.tmp')) return null;
      fileSystem.crash(() => true);
      resolve();
      return null;
    };
  });
  const hardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
  storage.persist({ number: 1, hardState, entries: entries(1, 20, 40) }).catch(() => {});
  await died;
  fileSystem.fault = () => null;
  const added = segments().at(-1) ?? '';
  expect(added).not.toBe(last);
  const header = fileSystem.content(added).slice(0, 64);
  for (let cut = 0; cut <= 64; cut += 1) {
    fileSystem.crash(() => true);
    if (!segments().includes(added)) {
      const file = await fileSystem.open(added, 'create');
      await file.close();
    }
    fileSystem.setContent(added, header.slice(0, cut));
    expect(await outcomeOf(), `cut at ${cut}`).toEqual(states[2]);
  }
});

test('T5 a segment that the extent knows of is damaged wherever its header is cut', async () => {
  await liveAndDie(2);
  const path = segments().at(-1) ?? '';
  const whole = fileSystem.content(path);
  for (let cut = 0; cut < 64; cut += 1) {
    fileSystem.setContent(path, whole.slice(0, cut));
    const wanted = { code: 'STORAGE_CORRUPT', details: { file: path } };
    expect(await outcomeOf(), `cut at ${cut}`).toMatchObject(wanted);
    expect(fileSystem.content(path).length, 'nothing is repaired').toBe(cut);
  }
});

test('T5 a replica all of whose files are gone is none that never began', async () => {
  for (const [count, step] of steps.entries()) {
    if (step.type !== 'persist') continue;
    fileSystem = new FaultyFileSystem();
    await liveAndDie(count + 1);
    for (const path of segments()) await fileSystem.remove(path);
    await fileSystem.syncDirectory(`${directory}/replica/log`);
    expect(await outcomeOf(), `after ${count + 1} steps`).toMatchObject({
      code: 'STORAGE_CORRUPT',
      details: { file: expect.stringContaining(`${directory}/replica/log`) as string },
    });
  }
});

test('T5 a snapshot that is gone is missed, though the log would do without', async () => {
  await live(fileSystem, [persist(entries(1, 1, 4)), snapshot(1, 2)], newProgress());
  for (const path of fileSystem.files(`${directory}/replica/snapshot`)) {
    await fileSystem.remove(path);
  }
  expect(await outcomeOf()).toMatchObject({
    code: 'STORAGE_CORRUPT',
    details: { file: `${directory}/replica/snapshot` },
  });
});

test('T5 Z42 a log whose files are gone is not blank: another secret does not replace it', async () => {
  const opening = (topic: string): OpenOptions => {
    return { create: true, newNodeId: nodeId, nonce: nextNonce(), topics: [topic] };
  };
  const storage = newStorage(fileSystem);
  await storage.open(opening('a'));
  await storage.load();
  const hardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
  await storage.persist({ number: 1, hardState, entries: entries(1, 1, 3) });
  await storage.close();
  for (const path of segments()) await fileSystem.remove(path);
  const other = newStorage(fileSystem).open(opening('b'));
  await expect(other).rejects.toMatchObject({ code: 'BAD_SECRET' });
  const own = newStorage(fileSystem).open(opening('a'));
  await expect(own).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' });
});

test('T5 D5 an extent that finds no space waits for the next, and nobody waits for it', async () => {
  const storage = newStorage(fileSystem);
  await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
  await storage.load();
  fileSystem.fault = ({ type, path }) =>
    type === 'create' && path.endsWith('/extent.tmp') ? { code: 'ENOSPC' } : null;
  const hardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
  await storage.persist({ number: 1, hardState, entries: entries(1, 1, 3) });
  fileSystem.fault = () => null;
  await storage.close();
  for (const path of segments()) await fileSystem.remove(path);
  expect(await outcomeOf()).toMatchObject({ code: 'STORAGE_CORRUPT' });
});

test('D3 any bit flipped before the last record is STORAGE_CORRUPT with file and offset', async () => {
  await liveAndDie();
  const files = segments();
  expect(files.length).toBeGreaterThan(1);
  for (const path of files) {
    const whole = fileSystem.content(path);
    const isLast = path === files.at(-1);
    const end = isLast ? (recordStarts(whole).at(-1) ?? 0) : whole.length;
    for (let at = 0; at < end; at += 1) {
      for (const mask of at % 64 < 24 ? [1, 16, 128] : [1 << (at % 8)]) {
        const damaged = whole.slice();
        damaged[at] = (damaged[at] ?? 0) ^ mask;
        fileSystem.setContent(path, damaged);
        const outcome = await outcomeOf();
        const place = `bit ${mask} of byte ${at} in ${path}`;
        expect(outcome, place).toMatchObject({ code: 'STORAGE_CORRUPT', details: { file: path } });
        const { offset } = (outcome as { details: { offset: number } }).details;
        expect(offset, place).toBeLessThanOrEqual(at);
        const untouched = Buffer.compare(fileSystem.content(path), damaged) === 0;
        expect(untouched, `${place}: nothing is repaired`).toBe(true);
      }
    }
    fileSystem.setContent(path, whole);
  }
  expect(await outcomeOf()).toEqual(states.at(-1));
});

test('D3 any bit flipped in the last record loses that record or nothing, never more', async () => {
  await liveAndDie();
  const path = segments().at(-1) ?? '';
  const whole = fileSystem.content(path);
  const start = recordStarts(whole).at(-1) ?? 0;
  for (let at = start; at < usedBytes(whole); at += 1) {
    const damaged = whole.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 4;
    fileSystem.setContent(path, damaged);
    expect([states.at(-2), states.at(-1)], `byte ${at}`).toContainEqual(await outcomeOf());
  }
});

test('D3 after a clean close a flipped bit in the last batch is corruption too', async () => {
  const progress = newProgress();
  await live(fileSystem, steps, progress);
  expect(progress.error).toBe(null);
  const path = segments().at(-1) ?? '';
  const whole = fileSystem.content(path);
  const mark = recordStarts(whole).at(-1) ?? 0;
  for (let at = 64; at < mark; at += 1) {
    const damaged = whole.slice();
    damaged[at] = (damaged[at] ?? 0) ^ 16;
    fileSystem.setContent(path, damaged);
    expect(await outcomeOf(), `byte ${at}`).toMatchObject({ code: 'STORAGE_CORRUPT' });
  }
});

test('D3 a record or a segment that is missing in the middle is corruption', async () => {
  await liveAndDie();
  const files = segments();
  const middle = files[1] ?? '';
  expect(files.length).toBeGreaterThan(2);
  const whole = fileSystem.content(middle);
  const [first = 0, second = whole.length] = recordStarts(whole);
  const without = new Uint8Array([...whole.slice(0, first), ...whole.slice(second)]);
  fileSystem.setContent(middle, without);
  expect(await outcomeOf(), 'a record').toMatchObject({ code: 'STORAGE_CORRUPT' });
  fileSystem.setContent(middle, whole.slice().fill(0, first));
  expect(await outcomeOf(), 'zeros').toMatchObject({ code: 'STORAGE_CORRUPT' });
  await fileSystem.remove(middle);
  expect(await outcomeOf(), 'a segment').toMatchObject({ code: 'STORAGE_CORRUPT' });
  fileSystem.crash(() => false);
  await fileSystem.remove(files[0] ?? '');
  await fileSystem.syncDirectory(`${directory}/replica/log`);
  expect(await outcomeOf(), 'the first segment').toMatchObject({ code: 'STORAGE_CORRUPT' });
});

test('D3 any bit flipped in a snapshot is STORAGE_CORRUPT with file and offset', async () => {
  await live(fileSystem, [...steps, snapshot(3, 28, 700)], newProgress());
  const path = fileSystem.files(`${directory}/replica/snapshot`)[0] ?? '';
  const whole = fileSystem.content(path);
  for (let at = 0; at < whole.length; at += 1) {
    for (const mask of [1, 128]) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ mask;
      fileSystem.setContent(path, damaged);
      const place = `bit ${mask} of byte ${at}`;
      const wanted = { code: 'STORAGE_CORRUPT', details: { file: path } };
      expect(await outcomeOf(), place).toMatchObject(wanted);
    }
  }
  for (const length of [0, 10, 100, 500, whole.length - 1]) {
    fileSystem.setContent(path, whole.slice(0, length));
    expect(await outcomeOf(), `cut at ${length}`).toMatchObject({ code: 'STORAGE_CORRUPT' });
  }
  fileSystem.setContent(path, new Uint8Array([...whole, 0]));
  expect(await outcomeOf(), 'one byte more').toMatchObject({ code: 'STORAGE_CORRUPT' });
});

test('D3 any bit flipped in the identity is STORAGE_CORRUPT; a missing one too', async () => {
  await live(fileSystem, steps, newProgress());
  const path = `${directory}/replica/identity`;
  const whole = fileSystem.content(path);
  for (let at = 0; at < whole.length; at += 1) {
    for (const mask of [1, 2, 64]) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ mask;
      fileSystem.setContent(path, damaged);
      const wanted = { code: 'STORAGE_CORRUPT', details: { file: path } };
      expect(await outcomeOf(), `bit ${mask} of byte ${at}`).toMatchObject(wanted);
    }
  }
  await fileSystem.remove(path);
  expect(await outcomeOf(), 'missing').toMatchObject({ code: 'STORAGE_CORRUPT' });
});

test('T5 a damaged cache is STORAGE_CORRUPT, stops nothing, and the next one replaces it', async () => {
  const storage = newStorage(fileSystem);
  await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
  await storage.load();
  await storage.writeCache(new Uint8Array([1, 2, 3, 4, 5]));
  const path = `${directory}/replica/cache`;
  const whole = fileSystem.content(path);
  fileSystem.setContent(
    path,
    whole.map((byte) => byte ^ 1),
  );
  const wanted = { code: 'STORAGE_CORRUPT', details: { file: path } };
  await expect(storage.readCache()).rejects.toMatchObject(wanted);
  for (const length of [0, 3, whole.length - 1]) {
    fileSystem.setContent(path, whole.slice(0, length));
    await expect(storage.readCache(), `${length} bytes`).rejects.toMatchObject(wanted);
  }
  await storage.writeCache(new Uint8Array([6]));
  expect(await storage.readCache()).toEqual(new Uint8Array([6]));
  fileSystem.setContent(path, whole);
  expect(await storage.readCache()).toEqual(new Uint8Array([1, 2, 3, 4, 5]));
});

test('a copy of a segment inside a value is never taken for records', async () => {
  await liveAndDie(4);
  const copied = segments().flatMap((path) => [...fileSystem.content(path)]);
  fileSystem = new FaultyFileSystem();
  await liveAndDie(1);
  const storage = newStorage(fileSystem);
  await storage.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
  await storage.load();
  const hardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
  const data = new Uint8Array([0, 0, 0, ...copied]);
  const died = storage.persist({
    number: 1,
    hardState,
    entries: [{ term: 1, index: 6, type: 'normal', data }],
  });
  await died;
  fileSystem.crash(() => true);
  const path = segments().at(-1) ?? '';
  const whole = fileSystem.content(path);
  // The record that holds it is torn at its start, and its data are all there.
  whole.fill(0, 64, 64 + 24);
  fileSystem.setContent(path, whole);
  expect(await outcomeOf()).toEqual(states[1]);
});
