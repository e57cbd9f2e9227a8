/** What happens to an open run when its database goes, comes back, or belongs to somebody else. */
import { expect, test } from 'vitest';
import { batchOf, indexesOf, metaOf, nodeIdB, openOptions, opened, rejectsWith } from './data.ts';
import { FakeMedium, settled } from './fake-medium.ts';

test('Z4 open() of a newer run ends the older one, in the middle of its writes', async () => {
  const medium = new FakeMedium();
  const older = await opened(medium.storage({ locks: null }));
  await older.storage.persist(batchOf(1, 1, 1, 4));
  const newer = await opened(medium.storage({ locks: null }), 2);
  const past = [older.run.nonce];
  expect(newer.run).toEqual({ ...older.run, epoch: 2, nonce: '0000000000000002', past });
  const refused = older.storage.persist(batchOf(2, 1, 4, 6));
  await expect(refused).rejects.toMatchObject({ code: 'STORAGE_LOST', details: { run: 2 } });
  await rejectsWith(older.storage.persist(batchOf(2, 1, 4, 6)), 'STORAGE_LOST');
  await rejectsWith(older.storage.readCache(), 'STORAGE_LOST');
  await newer.storage.persist(batchOf(1, 2, 4, 5));
  await newer.storage.close();
  const last = await opened(medium.storage({ locks: null }), 3);
  expect(indexesOf(last.log)).toEqual([1, 2, 3, 4]);
});

test('Z1 close() of a store that is being opened waits for a claim under way, and begins none', async () => {
  const medium = new FakeMedium();
  const begun = medium.storage({ locks: null });
  const claiming = rejectsOrResolves(begun.open(openOptions()));
  const { view } = medium;
  while (view.transactions.length === 0) await new Promise((resolve) => setImmediate(resolve));
  let isComplete = false;
  view.transactions[0]!.addEventListener('complete', () => (isComplete = true));
  await begun.close();
  expect(isComplete).toBe(true);
  expect(await claiming).toBe('persisted');

  const early = medium.storage({ locks: null });
  const opening = rejectsOrResolves(early.open(openOptions(2)));
  await early.close();
  expect(await opening).toBe('CLOSED');
  expect(medium.view.transactions).toHaveLength(0);
  const { run } = await opened(medium.storage(), 3);
  expect(run.epoch).toBe(2);
});

test('Z4 a read of an older run is STORAGE_LOST too, also of a snapshot half read', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage({ locks: null }));
  await storage.persist(batchOf(1, 1, 1, 4));
  await storage.saveSnapshot(metaOf(1, 3), [new Uint8Array(600_000)]);
  const snapshot = await storage.readSnapshot();
  const reader = snapshot!.chunks[Symbol.asyncIterator]();
  await reader.next();
  await opened(medium.storage({ locks: null }), 2);
  await rejectsWith(Promise.resolve(reader.next()), 'STORAGE_LOST');
  await rejectsWith(storage.readCache(), 'STORAGE_LOST');
});

test('Z4 B8 a database deleted under an open run is STORAGE_LOST, and is not made again', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 4));
  await settled(medium.factory.deleteDatabase('test') as IDBRequest<unknown>);
  await rejectsWith(storage.persist(batchOf(2, 1, 4, 5)), 'STORAGE_LOST');
  await storage.close();
  const names = (await medium.factory.databases()).map(({ name }) => name);
  expect(names).toEqual([]);
  await rejectsWith(medium.storage().open({ ...openOptions(), create: false }), 'STORAGE_LOST');
  const { run } = await opened(medium.storage());
  expect(run.epoch).toBe(1);
});

test('Z4 B8 site data cleared in the middle of a write are STORAGE_LOST, a failing disk is not', async () => {
  const ends = [
    ['Connection is closing because of: Force close delete origin', 'STORAGE_LOST'],
    ['Connection is closing because of: Force close backing store failure', 'STORAGE_FAILED'],
  ] as const;
  for (const [text, code] of ends) {
    const medium = new FakeMedium();
    const { storage } = await opened(medium.storage());
    Object.assign(medium.view, { failure: 'UnknownError', failureText: text, failsOnce: true });
    const write = rejectsWith(storage.persist(batchOf(1, 1, 1, 4)), code);
    await settled(medium.factory.deleteDatabase('test') as IDBRequest<unknown>);
    await write;
    await rejectsWith(storage.persist(batchOf(1, 1, 1, 4)), code);
  }
});

test('Z4 records erased, or another replica put in their place, are STORAGE_LOST', async () => {
  for (const changed of [undefined, { nodeId: nodeIdB }, { epoch: 9 }, { generation: 2 }]) {
    const medium = new FakeMedium();
    const { storage } = await opened(medium.storage());
    await medium.tamper((store) => {
      const request = store.get('replica');
      request.addEventListener('success', () => {
        if (changed === undefined) store.clear();
        else store.put({ ...(request.result as object), ...changed }, 'replica');
      });
    });
    await rejectsWith(storage.persist(batchOf(1, 1, 1, 4)), 'STORAGE_LOST');
  }
});

test('Z4 a database put back to an earlier state is STORAGE_LOST', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 4));
  const request = await medium.tamper((store) => store.get('replica'));
  await storage.persist(batchOf(2, 1, 4, 5));
  await medium.tamper((store) => store.put(request.result, 'replica'));
  await rejectsWith(storage.persist(batchOf(3, 1, 5, 6)), 'STORAGE_LOST');
});

test('a connection that the browser closed is opened again', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  for (let number = 1; number <= 3; number += 1) {
    await storage.persist(batchOf(number, 1, number * 2 - 1, number * 2 + 1));
    medium.view.disconnect();
    expect(medium.view.connections).toHaveLength(number);
  }
  await storage.persist(batchOf(4, 1, 7, 9));
  await storage.close();
  expect(medium.view.connections).toHaveLength(4);
  const { log } = await opened(medium.storage(), 2);
  expect(indexesOf(log)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
});

test('an opening that the browser aborts is tried again, but not for ever', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 3));
  medium.view.disconnect();
  medium.view.abortedOpenings = 3;
  await storage.persist(batchOf(2, 1, 3, 5));
  medium.view.disconnect();
  medium.view.abortedOpenings = 1000;
  await rejectsWith(storage.persist(batchOf(3, 1, 5, 6)), 'STORAGE_FAILED');
  expect(medium.view.abortedOpenings).toBeGreaterThan(0);
  await storage.close();
  const { log } = await opened(medium.storage(), 2);
  expect(indexesOf(log)).toEqual([1, 2, 3, 4]);
});

test('a write that the closing of the connection undid is carried out after all', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 3));
  const before = medium.view.transactions.length;
  const writing = storage.persist(batchOf(2, 1, 3, 5));
  while (medium.view.transactions.length === before) await Promise.resolve();
  medium.view.disconnect();
  await writing;
  await storage.persist(batchOf(3, 1, 5, 7));
  await storage.close();
  const { log } = await opened(medium.storage(), 2);
  expect(indexesOf(log)).toEqual([1, 2, 3, 4, 5, 6]);
});

test('B8 a write of which nothing is heard but that its connection closed is carried out after all', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 3));
  medium.view.mute = true;
  const before = medium.view.transactions.length;
  const writing = storage.persist(batchOf(2, 1, 3, 5));
  while (medium.view.transactions.length === before) await Promise.resolve();
  medium.view.mute = false;
  medium.view.disconnect();
  await writing;
  await storage.close();
  const { log } = await opened(medium.storage(), 2);
  expect(indexesOf(log)).toEqual([1, 2, 3, 4]);
});

test('a write that happened before the connection closed is written once more, and counts once', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 3));
  medium.view.silent = true;
  const before = medium.view.transactions.length;
  const writing = storage.persist(batchOf(2, 1, 3, 5));
  while (medium.view.transactions.length === before) await Promise.resolve();
  medium.view.silent = false;
  await writing;
  expect(medium.view.transactions.length).toBe(before + 2);
  await storage.persist(batchOf(3, 1, 5, 7));
  await storage.close();
  const { log } = await opened(medium.storage(), 2);
  expect(indexesOf(log)).toEqual([1, 2, 3, 4, 5, 6]);
});

test('Z6 drop() frees the store at once; what waits is CLOSED, the next run sees whole batches', async () => {
  const medium = new FakeMedium();
  const { storage } = await opened(medium.storage());
  await storage.persist(batchOf(1, 1, 1, 4));
  const pending = [2, 3, 4].map((number) =>
    rejectsOrResolves(storage.persist(batchOf(number, 1, number * 3 - 2, number * 3 + 1))),
  );
  await Promise.resolve();
  storage.drop();
  await rejectsWith(storage.persist(batchOf(5, 1, 13, 14)), 'CLOSED');
  await storage.close();
  const { log } = await opened(medium.storage(), 2);
  const outcomes = await Promise.all(pending);
  const acknowledged = outcomes.filter((outcome) => outcome === 'persisted').length;
  expect(log.entries.length % 3).toBe(0);
  expect(log.entries.length).toBeGreaterThanOrEqual(3 + 3 * acknowledged);
});

async function rejectsOrResolves(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'persisted',
    (error: { readonly code: string }) => error.code,
  );
}
