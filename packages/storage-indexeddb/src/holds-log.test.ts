import { expect, test } from 'vitest';
import { batchOf, metaOf, opened } from '../test/data.ts';
import { FakeMedium } from '../test/fake-medium.ts';
import { holdsLog } from './holds-log.ts';

test('Z9 holdsLog() tells a replica of some cluster from a fresh one, and from none', async () => {
  const medium = new FakeMedium();
  const look = (): Promise<boolean> => holdsLog(medium.factory, ['other', 'test']);
  expect(await look()).toBe(false);
  // Older browsers cannot list what there is.
  const unlisted = medium.options().indexedDB!;
  expect(await holdsLog(unlisted, ['other', 'test'])).toBe(false);
  expect(await medium.factory.databases()).toEqual([]);

  const { storage } = await opened(medium.storage());
  expect(await look()).toBe(false);
  await storage.persist(batchOf(1, 1, 1, 4));
  expect([await look(), await holdsLog(unlisted, ['other', 'test'])]).toEqual([true, true]);
  await storage.saveSnapshot(metaOf(9, 30), [new Uint8Array(8)]);
  expect(await look()).toBe(true);
  // The run that has it goes on.
  await storage.persist(batchOf(2, 9, 31, 33));
  await storage.archive('left');
  expect(await look()).toBe(false);
});
