/** More tabs than replicas. */
import { expect } from '@playwright/test';
import { patience } from './tab.ts';
import { test } from './test.ts';
import { learnersOf, votersOf } from './world.ts';

const crowd = 12;

test('B1 twelve tabs write at once: counts are exact, three replicas vote, the rest listen and are forgotten', async ({
  world,
}) => {
  test.setTimeout(240_000);
  const tabs = [];
  for (let i = 0; i < crowd; i += 1) tabs.push(await world.openTab());
  for (const tab of tabs) await tab.untilReady();
  await world.untilVoters(3);
  const replicas = await world.replicas(tabs[0]!);
  for (const tab of tabs) await tab.writing(50);
  for (const tab of tabs) await tab.untilSaid('acked', 10);
  const { total } = await world.verify();
  expect(total).toBeGreaterThanOrEqual(crowd * 10);
  const status = await tabs[0]!.status();
  expect(votersOf(status)).toHaveLength(3);
  // Those beyond the slots keep their copy in memory, and there is one for each tab at most.
  expect(learnersOf(status).length).toBeLessThanOrEqual(crowd);
  expect(learnersOf(status).filter(({ durable }) => durable)).toEqual([]);
  const durabilities = new Set<string>();
  for (const tab of tabs) durabilities.add((await tab.status()).durability);
  expect([...durabilities].sort()).toEqual(['best-effort', 'memory']);

  // All who ran a replica go: others take the replicas over.
  for (const tab of tabs.slice(0, crowd - 2)) await tab.close();
  const rest = tabs.slice(crowd - 2);
  for (const tab of rest) {
    await tab.untilReady();
    await tab.writing(50);
    await tab.untilSaid('acked', 10);
    await tab.stop();
  }
  expect(await world.replicas(rest[0]!)).toEqual(replicas);
  const left = async (): Promise<number> => learnersOf(await rest[0]!.status()).length;
  await expect.poll(left, { ...patience, timeout: 60_000 }).toBeLessThanOrEqual(rest.length);
  await world.verify();
});
