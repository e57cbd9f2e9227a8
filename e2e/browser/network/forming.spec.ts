/** Tabs of several profiles and Node members come together. */
import { expect } from '@playwright/test';
import { demand, entry } from '../../src/gateway.ts';
import { patience } from '../cluster/tab.ts';
import type { Tab } from '../cluster/tab.ts';
import { learnersOf } from '../cluster/world.ts';
import { test } from './test.ts';
import type { NetworkWorld } from './world.ts';

/** Says something in each tab and at each gateway; everybody hears it. */
async function expectAllHearAll(world: NetworkWorld, tabs: readonly Tab[]): Promise<void> {
  const heard = async (key: string, value: unknown): Promise<void> => {
    for (const tab of tabs) {
      const seen = (): Promise<unknown> => tab.page.evaluate((k) => globalThis.app.peek(k), key);
      await expect.poll(seen, { ...patience, message: `${tab.label} sees ${key}` }).toEqual(value);
      expect(await tab.page.evaluate((k) => globalThis.app.get(k), key)).toEqual(value);
    }
    for (const { gateway } of world.members) {
      expect(await entry(gateway, key)).toMatchObject({ value });
    }
  };
  for (const { page, label } of tabs) {
    await page.evaluate((by) => globalThis.app.put(`said/${by}`, { by }), label);
    await heard(`said/${label}`, { by: label });
  }
  for (const { gateway, label } of world.members) {
    await demand(gateway, 'put', { key: `said/${label}`, value: { by: label } });
    await heard(`said/${label}`, { by: label });
  }
}

test('B1 Z16 tabs of two profiles and three Node members are one cluster, in which Node votes; what is written anywhere is seen everywhere', async ({
  world,
}) => {
  await world.startMembers(3);
  const [one, other] = await world.openIn(world.profile, await world.another());
  const [second] = await world.openIn(world.profile);
  const tabs = [one!, other!, second!];
  await world.untilLabelsVote('a', 'b', 'c');
  const clusters = new Set<string | null>();
  for (const tab of tabs) clusters.add((await tab.status()).clusterId);
  for (const member of world.members) clusters.add((await member.status()).clusterId);
  expect(clusters.size).toBe(1);
  expect(learnersOf(await one!.status())).toHaveLength(3);
  await expectAllHearAll(world, tabs);

  // Node by WebSocket, tabs by WebRTC.
  const toNode = { a: 'websocket', b: 'websocket', c: 'websocket' };
  for (const tab of tabs) {
    const toTabs = tabs.filter((it) => it !== tab).map(({ label }) => [label, 'webrtc']);
    await world.untilLinks(tab, { ...toNode, ...Object.fromEntries(toTabs) });
  }

  for (const tab of tabs) await tab.writing(10);
  for (const tab of tabs) await tab.untilSaid('acked', 20);
  await world.verify();
});

test('B11 without WebRTC, switched off or absent: Node by WebSocket, tabs through the relay, and all write', async ({
  world,
}) => {
  await world.startMembers(3);
  const without = await world.another();
  await without.context.addInitScript(() => {
    Reflect.deleteProperty(globalThis, 'RTCPeerConnection');
  });
  const off = await world.openTab('off', { query: { direct: 'no' } });
  const absent = await world.openTab('absent', { profile: without });
  const able = await world.openTab('able', { profile: await world.another() });
  const tabs = [off, absent, able];
  for (const tab of tabs) await tab.untilReady();
  expect(await absent.page.evaluate(() => typeof RTCPeerConnection)).toBe('undefined');
  for (const tab of tabs) {
    const toTabs = tabs.filter((it) => it !== tab).map(({ label }) => [label, 'relayed']);
    const toNode = { a: 'websocket', b: 'websocket', c: 'websocket' };
    await world.untilLinks(tab, { ...toNode, ...Object.fromEntries(toTabs) });
  }
  await expectAllHearAll(world, tabs);
  for (const tab of tabs) await tab.writing(10);
  for (const tab of tabs) await tab.untilSaid('acked', 20);
  await world.verify();
});
