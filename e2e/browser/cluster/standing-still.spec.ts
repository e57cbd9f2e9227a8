/** Tabs that stand still, as browsers make them: frozen, throttled, behind others. */
import { expect } from '@playwright/test';
import type { Found } from '../../src/tab-history.ts';
import { sleep } from '../../src/wait.ts';
import { patience } from './tab.ts';
import type { Tab } from './tab.ts';
import { test } from './test.ts';
import type { World } from './world.ts';

async function spreadTabs(world: World): Promise<{ leader: Tab; others: Tab[] }> {
  const tabs = await world.openReady(3);
  await world.untilSpread();
  const leader = await world.leader();
  return { leader, others: tabs.filter((tab) => tab !== leader) };
}

/** Wakes the tab up, and resolves with the first answer that it has. */
async function firstAnswer(tab: Tab, way: 'frozen' | 'stopped'): Promise<Found> {
  if (way === 'frozen') {
    await tab.thaw();
    return tab.find();
  }
  // The question waits for it: nothing in the page can come before.
  const answer = tab.find();
  await sleep(500);
  tab.resume();
  return answer;
}

for (const way of ['frozen', 'stopped'] as const) {
  test(`B3 the leader's tab is ${way}: another leads; back, it answers nothing stale`, async ({
    world,
    browserName,
  }) => {
    // Skipped: only Chromium can be told to freeze a page.
    test.skip(browserName !== 'chromium', 'tabs that stand still on request: Chromium only');
    // Skipped: only Linux shows which process is whose.
    test.skip(way === 'stopped' && process.platform !== 'linux', 'needs the processes of Linux');
    const { leader, others } = await spreadTabs(world);
    const { term } = (await leader.status()).raft;
    await leader.writing(5);
    await leader.reading(1);
    for (const tab of others) await tab.writing(5);
    for (const tab of [leader, ...others]) await tab.untilSaid('acked', 5);
    if (way === 'frozen') await leader.freeze();
    else await leader.suspend();
    // Until they have noticed, the old leader is theirs, and may already have moved to one of them.
    const lowestTerm = async (): Promise<number> =>
      Math.min(...(await Promise.all(others.map((tab) => tab.status()))).map((s) => s.raft.term));
    await expect.poll(lowestTerm, { ...patience, message: 'a later term' }).toBeGreaterThan(term);
    const next = await world.leader(others);
    expect(next).not.toBe(leader);
    for (const tab of others) await tab.untilSaid('acked', 30);
    const known = others.flatMap((tab) => tab.said('acked').map(({ key }) => key));
    // Whatever it says first already has what was acknowledged meanwhile.
    const answered = new Set((await firstAnswer(leader, way)).marks.map(({ key }) => key));
    expect(known.filter((key) => !answered.has(String(key)))).toEqual([]);
    await leader.untilReady();
    await leader.untilSaid('read', 20);
    await leader.untilSaid('acked', 5);
    await world.verify();
  });
}

test('Z6 B3 what a tab is asked while it is frozen or put aside is done once it goes on', async ({
  world,
  browserName,
}) => {
  // Skipped: only Chromium can be told to freeze a page, and keeps one that held a lock.
  test.skip(browserName !== 'chromium', 'tabs that stand still on request: Chromium only');
  const { leader, others } = await spreadTabs(world);
  const writer = await leader.page.evaluate(() => globalThis.app.writer);
  for (const tab of others) await tab.writing(20);
  // These listeners come behind those of the member, which has let go of everything by then.
  await leader.page.evaluate(() => {
    document.addEventListener('freeze', () => void globalThis.app.mark());
    addEventListener('pagehide', () => void globalThis.app.mark());
  });
  await leader.freeze();
  for (const tab of others) await tab.untilSaid('acked', 10);
  expect(leader.said('acked')).toEqual([]);
  await leader.thaw();
  await expect.poll(() => leader.said('acked').length, patience).toBe(1);
  await leader.leaveTo(world.site.plain);
  for (const tab of others) await tab.untilSaid('acked', 10);
  await leader.back();
  // A machine that is too busy to put the page away in time loads it anew.
  if (leader.cameFromCache) {
    // A page that is put away may be frozen besides: whatever it asked has its answer.
    const asked = leader.said('began').length;
    expect(asked).toBeGreaterThanOrEqual(2);
    await expect.poll(() => leader.said('acked').length, patience).toBe(asked);
    expect(await leader.page.evaluate(() => globalThis.app.writer)).toBe(writer);
  }
  expect([...leader.said('refused'), ...leader.said('unknown')]).toEqual([]);
  await world.verify();
});

test('B4 the hidden tab of the leader leads no more or still beats; shown again, nothing storms', async ({
  world,
}) => {
  const { leader, others } = await spreadTabs(world);
  for (const tab of others) await tab.writing(20);
  await leader.show();
  await leader.hide();
  // Timers of hidden pages slow down by a factor of twenty and more within this time.
  const shownFrom = others.map((tab) => tab.said('acked').length);
  await sleep(6_000);
  for (const [at, tab] of others.entries()) {
    expect(tab.said('acked').length).toBeGreaterThan(shownFrom[at]! + 20);
    expect(tab.said('refused').length + tab.said('unknown').length).toBe(0);
  }
  const hidden = (await others[0]!.status()).raft.term;
  await leader.show();
  await leader.untilReady();
  expect(await leader.mark()).toBe(true);
  for (const tab of others) await tab.untilSaid('acked', 20);
  // Leadership may have moved to the tab that is looked at, by one election and no more.
  const shown = (await others[0]!.status()).raft.term;
  expect(shown - hidden).toBeLessThanOrEqual(1);
  await world.verify();
});

test('B4 all tabs of the cluster are hidden: they write on', async ({ world }) => {
  const { leader, others } = await spreadTabs(world);
  const tabs = [leader, ...others];
  for (const tab of tabs) await tab.writing(20);
  for (const tab of tabs) await tab.hide();
  const { term } = (await leader.status()).raft;
  for (const tab of tabs) await tab.untilSaid('acked', 5);
  await sleep(3_000);
  for (const tab of tabs) await tab.untilSaid('acked', 3);
  const after = (await leader.status()).raft.term;
  expect(after - term).toBeLessThanOrEqual(1);
  await world.verify();
});

test('B4 the clock of a hidden tab is a worker, which browsers do not slow down', async ({
  world,
}) => {
  const [tab] = await world.openReady(1);
  await tab!.hide();
  const clock = async (): Promise<string> => (await tab!.status()).raft.clock;
  await expect.poll(clock, patience).toBe('worker');
  await tab!.writing(20);
  await tab!.untilSaid('acked', 10);
  await world.verify();
});
