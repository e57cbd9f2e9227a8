/** The register under what browsers do to its database and its lock. */
import { expect, test, vi } from 'vitest';
import type { Clock } from '@quorate/contracts';
import { IndexedDbRegister } from '../src/indexeddb-register.ts';
import type { IndexedDbRegisterOptions } from '../src/indexeddb-register.ts';
import { rejectsWith } from './data.ts';
import { FakeMedium, settled } from './fake-medium.ts';
import { turnLocks } from './memory-locks.ts';

const name = 'test';

function registerOf(
  medium: FakeMedium,
  options: Partial<IndexedDbRegisterOptions> = {},
): IndexedDbRegister {
  return new IndexedDbRegister({
    name,
    namespace: 'hello',
    topic: 'topic',
    indexedDB: medium.options().indexedDB!,
    locks: null,
    ...options,
  });
}

function patience(): AbortSignal {
  return AbortSignal.timeout(10_000);
}

/** Timers that run when they are told to. */
function manualClock(): Clock & { fire(): void } {
  const timers = new Set<() => void>();
  return {
    now: () => 0,
    setTimeout: (callback) => {
      timers.add(callback);
      return () => void timers.delete(callback);
    },
    defer: (callback) => queueMicrotask(callback),
    fire: () => {
      for (const callback of timers) callback();
      timers.clear();
    },
  };
}

test('Z9 group is the same in every tab of the origin, before any answer', () => {
  expect(registerOf(new FakeMedium()).group).toBe('tabs');
});

test('D7 compareAndSet() asks for strict durability', async () => {
  const medium = new FakeMedium();
  await registerOf(medium).compareAndSet(0, Uint8Array.of(1), patience());
  expect(medium.view.transactions.map(({ mode, durability }) => [mode, durability])).toEqual([
    ['readwrite', 'strict'],
  ]);
});

test('D7 compareAndSet() that gets relaxed durability is STORAGE_FAILED, unless accepted', async () => {
  const medium = new FakeMedium();
  const refused = registerOf(medium);
  medium.view.durability = 'relaxed';
  await rejectsWith(refused.compareAndSet(0, Uint8Array.of(1), patience()), 'STORAGE_FAILED');
  const accepted = registerOf(medium, { acceptRelaxed: true });
  medium.view.durability = 'relaxed';
  expect(await accepted.compareAndSet(0, Uint8Array.of(1), patience())).toEqual({
    ok: true,
    version: 1,
  });
});

test('a namespace is claimed by one of many tabs that queue at the lock (Z10)', async () => {
  const medium = new FakeMedium();
  const locks = turnLocks();
  const results = await Promise.all(
    Array.from({ length: 6 }, async (_, at) =>
      registerOf(medium, { locks }).compareAndSet(0, Uint8Array.of(at), patience()),
    ),
  );
  expect(results.filter(({ ok }) => ok)).toHaveLength(1);
  expect(locks.granted).toEqual(Array.from({ length: 6 }, () => 'test hello'));
});

test('Z2 compareAndSet() goes on without the lock of a frozen tab', async () => {
  const medium = new FakeMedium();
  const locks = turnLocks();
  void locks.request('test hello', { signal: patience() }, () => new Promise(() => {}));
  const clock = manualClock();
  const setting = registerOf(medium, { locks, clock }).compareAndSet(
    0,
    Uint8Array.of(1),
    patience(),
  );
  await new Promise((resolve) => setTimeout(resolve, 5));
  expect(medium.view.connections).toHaveLength(0);
  clock.fire();
  expect(await setting).toEqual({ ok: true, version: 1 });
});

test('compareAndSet() that waits for the lock ends with its signal, and sets nothing', async () => {
  const medium = new FakeMedium();
  const locks = turnLocks();
  void locks.request('test hello', { signal: patience() }, () => new Promise(() => {}));
  const register = registerOf(medium, { locks, clock: manualClock() });
  const deadline = new AbortController();
  const setting = register.compareAndSet(0, Uint8Array.of(1), deadline.signal);
  deadline.abort();
  await rejectsWith(setting, 'UNREACHABLE');
  expect(await register.read(patience())).toBeNull();
});

test('read() of a browser that never answers is UNREACHABLE at its signal', async () => {
  const indexedDB = { open: () => ({}) } as unknown as IDBFactory;
  const deadline = new AbortController();
  const reading = registerOf(new FakeMedium(), { indexedDB }).read(deadline.signal);
  deadline.abort();
  await rejectsWith(reading, 'UNREACHABLE');
});

test('a connection that the browser closed is opened again', async () => {
  const medium = new FakeMedium();
  const register = registerOf(medium);
  await register.compareAndSet(0, Uint8Array.of(1), patience());
  medium.view.disconnect();
  expect(await register.compareAndSet(1, Uint8Array.of(2), patience())).toMatchObject({ ok: true });
  medium.view.disconnect();
  expect((await register.read(patience()))?.version).toBe(2);
  expect(medium.view.connections).toHaveLength(3);
});

test('compareAndSet() that a closing connection undid is carried out after all', async () => {
  const medium = new FakeMedium();
  const register = registerOf(medium);
  await register.compareAndSet(0, Uint8Array.of(1), patience());
  const setting = register.compareAndSet(1, Uint8Array.of(2), patience());
  while (medium.view.transactions.length === 1) await Promise.resolve();
  medium.view.disconnect();
  expect(await setting).toEqual({ ok: true, version: 2 });
  expect((await register.read(patience()))?.version).toBe(2);
});

test('compareAndSet() that may have been carried out is UNREACHABLE, never a wrong answer', async () => {
  const medium = new FakeMedium();
  const register = registerOf(medium);
  await register.read(patience());
  medium.view.silent = true;
  const setting = register.compareAndSet(0, Uint8Array.of(1), patience());
  while (medium.view.transactions.length === 1) await Promise.resolve();
  medium.view.silent = false;
  await rejectsWith(setting, 'UNREACHABLE');
  expect((await register.read(patience()))?.version).toBe(1);
});

test('B8 an open register stands in nobody’s way when site data are cleared, and is empty then', async () => {
  const medium = new FakeMedium();
  const register = registerOf(medium);
  await register.compareAndSet(0, Uint8Array.of(1), patience());
  await settled(medium.factory.deleteDatabase(name) as IDBRequest<unknown>);
  expect(await register.read(patience())).toBeNull();
  const late = await register.compareAndSet(1, Uint8Array.of(2), patience());
  expect(late).toEqual({ ok: false, current: null });
});

test('STORAGE_FULL and STORAGE_FAILED are told apart, and nothing is set', async () => {
  const medium = new FakeMedium();
  const register = registerOf(medium);
  for (const [failure, code] of [
    ['QuotaExceededError', 'STORAGE_FULL'],
    ['UnknownError', 'STORAGE_FAILED'],
  ] as const) {
    medium.view.failure = failure;
    await rejectsWith(register.compareAndSet(0, Uint8Array.of(1), patience()), code);
    medium.view.failure = null;
    expect(await register.read(patience())).toBeNull();
  }
});

test('Z20 a record or a database of a newer release is OUTDATED and stays untouched', async () => {
  const medium = new FakeMedium();
  const register = registerOf(medium);
  await register.read(patience());
  await medium.tamper((store) => store.put({ format: 2 }, 'hello'));
  await rejectsWith(register.read(patience()), 'OUTDATED');
  await rejectsWith(register.compareAndSet(0, Uint8Array.of(1), patience()), 'OUTDATED');
  expect((await medium.tamper((store) => store.get('hello'))).result).toEqual({ format: 2 });
  register.close();
  (await settled(medium.factory.open(name, 2))).close();
  await rejectsWith(registerOf(medium).read(patience()), 'OUTDATED');
});

test('close() ends later calls with CLOSED and leaves no connection open', async () => {
  const medium = new FakeMedium();
  const register = registerOf(medium);
  await register.read(patience());
  register.close();
  await rejectsWith(register.read(patience()), 'CLOSED');
  await rejectsWith(register.compareAndSet(0, Uint8Array.of(1), patience()), 'CLOSED');
  expect(medium.view.connections).toHaveLength(1);
  expect(() => medium.view.connections[0]!.transaction('quorate')).toThrow();
});

test('compareAndSet() of more than 16 KiB is the caller’s mistake', async () => {
  const value = new Uint8Array(16 * 1024 + 1);
  await expect(registerOf(new FakeMedium()).compareAndSet(0, value, patience())).rejects.toThrow(
    RangeError,
  );
});

test('without Web Locks the register works all the same', async () => {
  const medium = new FakeMedium();
  const { indexedDB } = medium.options();
  vi.stubGlobal('navigator', {});
  const register = new IndexedDbRegister({
    name,
    namespace: 'hello',
    topic: 'topic',
    indexedDB: indexedDB!,
  });
  vi.unstubAllGlobals();
  expect(await register.compareAndSet(0, Uint8Array.of(1), patience())).toMatchObject({ ok: true });
});
