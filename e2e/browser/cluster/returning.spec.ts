/** Tabs that come back, in the same browser and in the next one. */
import { expect } from '@playwright/test';
import { patience } from './tab.ts';
import { test } from './test.ts';

test('B7 all tabs closed and opened again: the same replicas with the same data', async ({
  world,
}) => {
  const before = await world.openReady(3);
  for (const tab of before) expect(await tab.mark()).toBe(true);
  const replicas = await world.replicas(before[0]!);
  // Something stays open, or the browser would end.
  await world.profile.context.newPage();
  for (const tab of before) await tab.close();
  const after = [await world.openTab(), await world.openTab()];
  for (const tab of after) await tab.untilReady();
  await world.untilVoters(3);
  for (const tab of after) expect(await world.replicas(tab)).toEqual(replicas);
  expect(await world.verify()).toMatchObject({ total: 3 });
});

test('B6 a duplicated tab shares nothing with the first one but the cluster', async ({ world }) => {
  const first = await world.openTab();
  await first.untilReady();
  await first.page.evaluate(() => sessionStorage.setItem('of', 'the first'));
  const second = await world.duplicate(first);
  expect(await second.page.evaluate(() => sessionStorage.getItem('of'))).toBe('the first');
  await second.untilReady();
  await world.untilVoters(3);
  const [one, two] = [await first.status(), await second.status()];
  expect(two.clusterId).toBe(one.clusterId);
  expect(two.nodeId).not.toBe(one.nodeId);
  for (const tab of [first, second]) {
    await tab.writing(5);
    await tab.untilSaid('acked', 20);
  }
  await first.close();
  await second.untilSaid('acked', 20);
  await world.verify();
});

test('B8 site data cleared under open tabs: they say so, and after a reload begin anew', async ({
  world,
}) => {
  const tabs = await world.openReady(2);
  for (const tab of tabs) expect(await tab.mark()).toBe(true);
  const before = await world.replicas(tabs[0]!);
  await tabs[0]!.clearSiteData();
  for (const tab of tabs) {
    const state = async (): Promise<unknown> => {
      await tab.mark();
      const { phase, reason, canWrite, message } = await tab.status();
      return { phase, reason, canWrite, says: message.length > 0 };
    };
    await expect
      .poll(state, patience)
      .toEqual({ phase: 'stopped', reason: 'STORAGE_LOST', canWrite: false, says: true });
  }
  for (const tab of tabs) await tab.reload();
  for (const tab of tabs) await tab.untilReady();
  await world.untilVoters(3);
  const after = await world.replicas(tabs[0]!);
  expect(after.filter((nodeId) => before.includes(nodeId))).toEqual([]);
  // Nothing of what was cleared: the browser's user asked for that.
  expect(await tabs[0]!.find()).toMatchObject({ total: 0, marks: [] });
  for (const tab of tabs) expect(await tab.mark()).toBe(true);
  expect(await tabs[1]!.find()).toMatchObject({ total: 2 });
});

test.describe('in the next run of the browser', () => {
  test.use({ restarts: true });

  test('B7 the browser closed and opened again: the same replicas with the same data', async ({
    world,
  }) => {
    const before = await world.openReady(2);
    for (const tab of before) expect(await tab.mark()).toBe(true);
    const replicas = await world.replicas(before[0]!);
    await world.restart('quit');
    const after = await world.openTab();
    await after.untilReady();
    await world.untilVoters(3);
    expect(await world.replicas(after)).toEqual(replicas);
    // The disk was shown first, as far as it was known to be committed there.
    const [shown] = after.said('shown');
    const ready = after.said('status').find(({ phase }) => phase === 'ready');
    expect(shown?.['value']).toBeGreaterThanOrEqual(1);
    expect(Number(shown?.atMs)).toBeLessThanOrEqual(Number(ready?.atMs));
    expect(await world.verify()).toMatchObject({ total: 2 });
  });

  test('B13 the browser is killed while three tabs write; one tab comes back with all of it', async ({
    world,
  }) => {
    const before = await world.openReady(3);
    const replicas = await world.replicas(before[0]!);
    for (const tab of before) await tab.writing(0);
    for (const tab of before) await tab.untilSaid('acked', 30);
    await world.restart('kill');
    const after = await world.openTab();
    await after.untilReady();
    expect(await after.mark()).toBe(true);
    await world.untilVoters(3);
    expect(await world.replicas(after)).toEqual(replicas);
    await world.verify();
  });
});
