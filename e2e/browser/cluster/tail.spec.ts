/** What of a log stays in a tab and on its disk, however much was written. */
import { expect } from '@playwright/test';
import { test } from './test.ts';

const writes = 240;
const valueBytes = 900_000;

test('T17 Z45 240 writes of 900 kB under one key in one tab: its log stays within tens of MB, and a reload has the last', async ({
  world,
}) => {
  test.setTimeout(180_000);
  const tab = await world.openTab();
  await tab.untilReady();
  await tab.page.evaluate(
    async ([count, bytes]) => {
      for (let at = 1; at <= count; at++) {
        await globalThis.app.put('one', String(at).padEnd(bytes, 'x'));
      }
    },
    [writes, valueBytes] as const,
  );
  const { raft } = await tab.status();
  expect(raft.lastIndex).toBeGreaterThan(writes);
  // A snapshot is due each 16 MiB; 4 MiB stay behind it; and one is being written meanwhile.
  expect((raft.lastIndex + 1 - raft.firstIndex) * valueBytes).toBeLessThan(45_000_000);
  const stored = await tab.page.evaluate(() => globalThis.app.storedBytes());
  // Log, two snapshots of a value and what its history keeps.
  expect(stored).toBeGreaterThan(valueBytes);
  expect(stored).toBeLessThan(80_000_000);
  await tab.reload();
  await tab.untilReady();
  const value = await tab.page.evaluate(() => globalThis.app.get('one'));
  expect(value).toBe(String(writes).padEnd(valueBytes, 'x'));
});
