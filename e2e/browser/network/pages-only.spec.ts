/** Browser profiles without any Node member: a relay where they meet, and nothing else. */
import { expect } from '@playwright/test';
import type { Tab } from '../cluster/tab.ts';
import { test } from './test.ts';
import type { NetworkWorld } from './world.ts';

/** Three profiles, a tab each, all of which vote. */
async function threeProfiles(world: NetworkWorld): Promise<readonly [Tab, Tab, Tab]> {
  const profiles = [world.profile, await world.another(), await world.another()];
  const [one, two, three] = await world.openIn(...profiles);
  if (one === undefined || two === undefined || three === undefined) throw new Error('No tabs');
  await world.untilVoters(3);
  await world.untilLabelsVote(one.label, two.label, three.label);
  return [one, two, three];
}

test('Z16 B1 two profiles and no anchor: with a third all vote; the third is closed, and the two go on', async ({
  world,
}) => {
  const tabs = await threeProfiles(world);
  for (const tab of tabs) await tab.writing(10);
  for (const tab of tabs) await tab.untilSaid('acked', 10);
  const leader = await world.leader();
  const [one, two] = tabs.filter((tab) => tab !== leader);
  await one!.close();
  for (const tab of [leader, two!]) await tab.untilSaid('acked', 20);
  const [next] = await world.openIn(await world.another());
  await next!.writing(10);
  await next!.untilSaid('acked', 10);
  await world.verify();
});

test('Z16 the profile that leads is closed: the other two elect one of theirs and write on', async ({
  world,
}) => {
  const tabs = await threeProfiles(world);
  for (const tab of tabs) await tab.writing(10);
  for (const tab of tabs) await tab.untilSaid('acked', 10);
  const leader = await world.leader();
  const { term } = (await leader.status()).raft;
  const rest = tabs.filter((tab) => tab !== leader);
  // Something stays open, or the browser would end.
  await leader.page.context().newPage();
  await leader.close();
  for (const tab of rest) await tab.untilSaid('acked', 20);
  const next = await world.leader(rest);
  expect((await next.status()).raft.term).toBeGreaterThan(term);
  await world.verify();
});

test('F15 the relay is killed: three profiles joined by WebRTC write on; back, it lets a fourth in', async ({
  world,
}) => {
  const tabs = await threeProfiles(world);
  for (const tab of tabs) {
    const others = tabs.filter((it) => it !== tab).map(({ label }) => [label, 'webrtc']);
    await world.untilLinks(tab, Object.fromEntries(others));
  }
  for (const tab of tabs) await tab.writing(10);
  await world.relay.kill();
  // Longer than anything that could still hold a link up.
  await tabs[0].page.waitForTimeout(5_000);
  for (const tab of tabs) await tab.untilSaid('acked', 20);
  for (const tab of tabs) expect([...tab.said('refused'), ...tab.said('unknown')]).toEqual([]);
  await world.relay.start();
  const [late] = await world.openIn(await world.another());
  await late!.writing(10);
  await late!.untilSaid('acked', 10);
  await world.verify();
});
