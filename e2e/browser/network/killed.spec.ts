/** Processes are killed while tabs write. */
import { expect } from '@playwright/test';
import { test } from './test.ts';

test('F10 K1 the Node member that leads is killed, three times, while tabs write: every acknowledged write is there once', async ({
  world,
}) => {
  const members = await world.startMembers(3);
  const tabs = await world.openIn(world.profile, await world.another());
  for (const tab of tabs) await tab.writing(5);
  for (let round = 1; round <= 3; round += 1) {
    const leader = await world.processes.leader(members);
    for (const tab of tabs) await tab.untilSaid('acked', 20);
    await leader.kill();
    for (const tab of tabs) await tab.untilSaid('acked', 20);
    await leader.start();
    await world.processes.voters(members);
  }
  await world.verify();
});

test('F15 the relay is killed: tabs and Node members write on over the links that there are; back, it lets a new tab in', async ({
  world,
}) => {
  await world.startMembers(3);
  const [one, other] = await world.openIn(world.profile, await world.another());
  const toNode = { a: 'websocket', b: 'websocket', c: 'websocket' };
  await world.untilLinks(one!, { ...toNode, [other!.label]: 'webrtc' });
  const refused = (): number =>
    [one!, other!].flatMap((tab) => [...tab.said('refused'), ...tab.said('unknown')]).length;
  for (const tab of [one!, other!]) await tab.writing(10);
  for (const tab of [one!, other!]) await tab.untilSaid('acked', 10);

  await world.relay.kill();
  // Longer than anything that could still hold a link up.
  await one!.page.waitForTimeout(5_000);
  for (const tab of [one!, other!]) await tab.untilSaid('acked', 20);
  expect(refused()).toBe(0);
  await world.untilLinks(one!, { ...toNode, [other!.label]: 'webrtc' });

  const late = await world.openTab('late', { profile: await world.another() });
  await world.relay.start();
  await late.untilReady();
  await late.writing(10);
  await late.untilSaid('acked', 10);
  await world.untilLinks(late, toNode);
  expect(refused()).toBe(0);
  await world.verify();
});
