import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { systemClock } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import { beforeEach, describe, expect, test } from 'vitest';
import { folder } from '../../test/watching.ts';
import { RegisterFiles } from './register-files.ts';
import { RegisterStore } from './register-store.ts';
import type { SetResult } from './register-store.ts';

const topicOf = (name: string): string => Buffer.from(name.padEnd(32, '.')).toString('hex');
const from = { peer: 'peer', address: '192.0.2.1' };
const dayMs = 24 * 3_600_000;

let path = '';
let time = 0;
let checks = 0;
let isSound: (topic: string) => boolean = () => true;

const clock: Clock = {
  now: () => time,
  originMs: 1_700_000_000_000,
  setTimeout: systemClock.setTimeout.bind(systemClock),
  defer: systemClock.defer.bind(systemClock),
};

async function opened(): Promise<RegisterStore> {
  const verify = (topic: string): boolean => {
    checks += 1;
    return isSound(topic);
  };
  const store = new RegisterStore({ disk: new RegisterFiles(path), verify, clock });
  expect(await store.load()).toBeNull();
  return store;
}

async function claim(store: RegisterStore, name: string, active = false): Promise<SetResult> {
  const known = { topic: topicOf(name), nameTag: name, beside: false };
  const { current, floor } = store.read(known);
  const expectedVersion = current?.version ?? floor;
  const change = { expectedVersion, record: new TextEncoder().encode(name), active };
  const result = await store.compareAndSet(known, change, from);
  return result.ok || result.current !== null ? result : claim(store, name, active);
}

function versionOf(store: RegisterStore, name: string): number | null {
  const known = { topic: topicOf(name), nameTag: name, beside: false };
  return store.read(known).current?.version ?? null;
}

async function files(): Promise<string[]> {
  const names = (await readdir(path)).filter((name) => name.endsWith('.cbor'));
  return names.map((name) => Buffer.from(name.slice(0, 64), 'hex').toString().replaceAll('.', ''));
}

beforeEach(async () => {
  path = join(await folder(), 'register');
  await mkdir(path);
  await writeFile(join(path, 'topics'), `${'0'.repeat(64)}\n`);
  [time, checks, isSound] = [0, 0, () => true];
});

describe('RegisterStore', () => {
  test('Z57 versions go on after a release, across restarts, and so do those of a damaged file', async () => {
    let store = await opened();
    await claim(store, 'a');
    await claim(store, 'a');
    expect(await store.release(topicOf('a'))).toBe(true);
    store = await opened();
    await claim(store, 'a');
    expect(versionOf(store, 'a')).toBe(3);
    await writeFile(join(path, `${topicOf('a')}.cbor`), 'damaged');
    store = await opened();
    expect(store.damagedTopics).toEqual([topicOf('a')]);
    expect(await store.release(topicOf('a'))).toBe(true);
    store = await opened();
    await claim(store, 'a');
    expect(versionOf(store, 'a')).toBeGreaterThan(1_000_000);
  });

  test('T21 what was never used leaves the disk after a day, and stays away', async () => {
    let store = await opened();
    for (const name of ['a', 'b', 'c']) await claim(store, name, name === 'b');
    time += dayMs + 1;
    await claim(store, 'd');
    expect((await files()).sort()).toEqual(['b', 'd']);
    store = await opened();
    expect(['a', 'b', 'c', 'd'].map((name) => versionOf(store, name))).toEqual([null, 1, null, 2]);
  });

  test('T21 a crash between list and file leaves neither a lost register nor a name that came back', async () => {
    let store = await opened();
    for (const name of ['a', 'b', 'c', 'd']) await claim(store, name, name === 'd');
    const kept = await Promise.all(
      ['a', 'b', 'c'].map(async (name) => readFile(join(path, `${topicOf(name)}.cbor`))),
    );
    time += dayMs + 1;
    await claim(store, 'e');
    // As if the machine had died before the files went.
    for (const [index, name] of ['a', 'b', 'c'].entries()) {
      await writeFile(join(path, `${topicOf(name)}.cbor`), kept[index]!);
    }
    store = await opened();
    expect(versionOf(store, 'a')).toBeNull();
    expect((await files()).sort()).toEqual(['d', 'e']);
  });

  test('T26 a start looks at no signature, the first question to each name at one', async () => {
    const store = await opened();
    for (const name of ['a', 'b']) await claim(store, name);
    checks = 0;
    isSound = (topic) => topic === topicOf('a');
    const again = await opened();
    expect(checks).toBe(0);
    expect(versionOf(again, 'a')).toBe(1);
    expect(versionOf(again, 'a')).toBe(1);
    expect(checks).toBe(1);
    expect(() => versionOf(again, 'b')).toThrow('damaged');
    expect(again.damagedTopics).toEqual([topicOf('b')]);
  });

  test('T5 one flipped bit anywhere in a file is damage of that name alone', async () => {
    const store = await opened();
    for (const name of ['a', 'b']) await claim(store, name);
    const file = join(path, `${topicOf('a')}.cbor`);
    const sound = await readFile(file);
    for (let at = 0; at < sound.length; at += 1) {
      const flipped = Buffer.from(sound);
      flipped[at]! ^= 1 << (at % 8);
      await writeFile(file, flipped);
      const again = await opened();
      expect(again.damagedTopics).toEqual([topicOf('a')]);
      expect(versionOf(again, 'b')).toBe(1);
    }
  });
});
