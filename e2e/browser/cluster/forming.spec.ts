/** Tabs that come together. */
import { expect } from '@playwright/test';
import { patience } from './tab.ts';
import { test } from './test.ts';
import { votersOf } from './world.ts';

test('B1 three tabs form one cluster; what one writes appears in the others', async ({ world }) => {
  const tabs = [await world.openTab(), await world.openTab(), await world.openTab()];
  for (const tab of tabs) await tab.untilReady();
  await world.untilVoters(3);
  const clusters = new Set<string | null>();
  for (const tab of tabs) clusters.add((await tab.status()).clusterId);
  expect(clusters.size).toBe(1);
  for (const [at, tab] of tabs.entries()) {
    await tab.page.evaluate((n) => globalThis.app.put('said', { by: n }), at);
    for (const other of tabs) {
      const seen = (): Promise<unknown> => other.page.evaluate(() => globalThis.app.peek('said'));
      await expect.poll(seen, patience).toEqual({ by: at });
      expect(await other.page.evaluate(() => globalThis.app.get('said'))).toEqual({ by: at });
    }
  }
  await world.verify();
});

test('B1 one tab alone has all replicas of the profile, and says that they are copies on one disk', async ({
  world,
}) => {
  const tab = await world.openTab();
  await tab.untilReady();
  expect(await tab.mark()).toBe(true);
  await world.untilVoters(3);
  const status = await tab.status();
  expect(votersOf(status)).toHaveLength(3);
  expect(status.durability).toBe('best-effort');
  expect(await tab.mark()).toBe(true);
  expect(await world.verify()).toMatchObject({ total: 2 });
});

test('B14 a page that calls joinCluster twice has one member', async ({ world }) => {
  const [tab] = await world.openReady(1);
  const again = await tab?.page.evaluate(() => globalThis.app.joinAgain());
  expect(again).toEqual({
    sameMember: true,
    read: await tab?.page.evaluate(() => globalThis.app.writer),
  });
  await world.untilVoters(3);
  // The handle that was closed was not the last one.
  expect(await tab?.mark()).toBe(true);
  const members = (await tab?.status())?.members ?? [];
  expect(members).toHaveLength(3);
  await world.verify();
});

test('B1 counters that many tabs add to at once are exact', async ({ world }) => {
  const tabs = [await world.openTab(), await world.openTab(), await world.openTab()];
  const sums = await Promise.all(
    tabs.map((tab) =>
      tab.page.evaluate(async () => {
        for (let i = 0; i < 20; i += 1) await globalThis.app.add(1);
        return globalThis.app.sum();
      }),
    ),
  );
  expect(Math.max(...sums)).toBe(60);
  expect(Math.min(...sums)).toBeGreaterThanOrEqual(20);
  await world.verify();
});
