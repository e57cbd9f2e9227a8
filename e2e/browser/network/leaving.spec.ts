/** Tabs beside Node members go, come back, lose their data, lose their network. */
import { expect } from '@playwright/test';
import { demand } from '../../src/gateway.ts';
import { patience } from '../cluster/tab.ts';
import type { Tab } from '../cluster/tab.ts';
import { test } from './test.ts';
import type { NetworkWorld } from './world.ts';

/** A tab to do things to, and one of another profile; both write all the time. */
async function writingTabs(world: NetworkWorld): Promise<readonly [Tab, Tab]> {
  await world.startMembers(3);
  const [tab, other] = await world.openIn(world.profile, await world.another());
  if (tab === undefined || other === undefined) throw new Error('There are no two tabs');
  for (const one of [tab, other]) await one.writing(10);
  for (const one of [tab, other]) await one.untilSaid('acked', 10);
  return [tab, other];
}

async function nodeIdOf(tab: Tab): Promise<string | null> {
  return (await tab.status()).nodeId;
}

test('B2 Z6 a tab in the middle of its writes is reloaded, left for another site and back, closed and opened: nothing is lost or counted twice', async ({
  world,
}) => {
  const [tab, other] = await writingTabs(world);
  const replica = await nodeIdOf(tab);

  await tab.reload();
  await other.untilSaid('acked', 10);
  await tab.untilReady();
  expect(await nodeIdOf(tab)).toBe(replica);
  await tab.writing(10);
  await tab.untilSaid('acked', 10);

  await tab.leaveTo(world.site.elsewhere);
  await other.untilSaid('acked', 10);
  await tab.back();
  await tab.untilReady();
  expect(await nodeIdOf(tab)).toBe(replica);
  if (!tab.cameFromCache) await tab.writing(10);
  await tab.untilSaid('acked', 10);

  // Something stays open, or the browser would end.
  await world.profile.context.newPage();
  await tab.close();
  await other.untilSaid('acked', 10);
  const [next] = await world.openIn(world.profile);
  expect(await nodeIdOf(next!)).toBe(replica);
  await next!.writing(10);
  await next!.untilSaid('acked', 10);
  await world.verify();
});

test('B8 Z4 site data cleared under an open tab: it says so; after a reload it is a new replica, and the others give it everything', async ({
  world,
}) => {
  const [tab, other] = await writingTabs(world);
  const replica = await nodeIdOf(tab);
  await tab.clearSiteData();
  const state = async (): Promise<unknown> => {
    const { phase, reason, canWrite } = await tab.status();
    return { phase, reason, canWrite };
  };
  await expect
    .poll(state, patience)
    .toEqual({ phase: 'stopped', reason: 'STORAGE_LOST', canWrite: false });
  await tab.stop();
  await other.untilSaid('acked', 10);
  await other.stop();
  const before = await other.find();

  await tab.reload();
  await tab.untilReady();
  expect(await nodeIdOf(tab)).not.toBe(replica);
  expect(await tab.find()).toEqual(before);
  const count = async (): Promise<number> => tab.countHere();
  await expect.poll(count, patience).toBe(before.total);
  expect(await tab.mark()).toBe(true);
  await world.verify();
});

test.describe('behind a gate', () => {
  test.use({ gated: true });

  test('B10 Z28 a tab that loses its network reads what it has and says why it cannot write; the others go on, and back it catches up', async ({
    world,
  }) => {
    await world.startMembers(3);
    const [tab] = await world.openIn(world.profile);
    await world.untilLinks(tab!, { a: 'websocket', b: 'websocket', c: 'websocket' });
    expect(world.gate.browsers).toBeGreaterThanOrEqual(4);
    await tab!.writing(10);
    await tab!.untilSaid('acked', 20);

    world.gate.cut();
    const state = async (): Promise<unknown> => {
      const { phase, canWrite, message } = await tab!.status();
      return { phase, canWrite, says: message.length > 0 };
    };
    await expect.poll(state, patience).toEqual({ phase: 'read-only', canWrite: false, says: true });
    expect(await tab!.countHere()).toBeGreaterThanOrEqual(20);
    const [gateway] = world.members.map((member) => member.gateway);
    for (let value = 1; value <= 10; value += 1) {
      await demand(gateway ?? '', 'put', { key: 'meanwhile', value });
    }
    const peek = (): Promise<unknown> => tab!.page.evaluate(() => globalThis.app.peek('meanwhile'));
    expect(await peek()).toBeUndefined();

    world.gate.heal();
    await tab!.untilReady();
    await expect.poll(peek, patience).toBe(10);
    await tab!.untilSaid('acked', 20);
    await world.verify();
  });
});
