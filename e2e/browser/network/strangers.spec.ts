/** Pages of different makes in one cluster, and pages that do not belong there. */
import { expect } from '@playwright/test';
import { patience } from '../cluster/tab.ts';
import { otherBrowser } from '../other-browser.ts';
import { test } from './test.ts';
import { newSecret } from './world.ts';

test('B12 tabs of Chromium and of Firefox and Node members are one cluster, tabs joined by WebRTC', async ({
  world,
  browserName,
}, info) => {
  const other = await otherBrowser(browserName, info.config.projects);
  // Skipped: the other browser could not be had on this machine.
  test.skip(other === null, 'the other browser is not there');
  await world.startMembers(3);
  const [here, there] = await world.openIn(world.profile, await world.guest(other!));
  const toNode = { a: 'websocket', b: 'websocket', c: 'websocket' };
  await world.untilLinks(here!, { ...toNode, [there!.label]: 'webrtc' });
  await world.untilLinks(there!, { ...toNode, [here!.label]: 'webrtc' });
  for (const tab of [here!, there!]) await tab.writing(10);
  for (const tab of [here!, there!]) await tab.untilSaid('acked', 20);
  await world.verify();
});

test('F16 a tab with a wrong secret: BAD_SECRET, in words; the cluster does not take it in', async ({
  world,
}) => {
  await world.startMembers(3);
  const [right] = await world.openIn(world.profile);
  const { text } = await newSecret(world.processes, 'wrong');
  const wrong = await world.openTab('wrong', {
    profile: await world.another(),
    query: { secret: text },
  });
  const state = async (): Promise<unknown> => {
    const { phase, reason, canWrite } = await wrong.status();
    return { phase, reason, canWrite };
  };
  await expect
    .poll(state, patience)
    .toEqual({ phase: 'stopped', reason: 'BAD_SECRET', canWrite: false });
  expect((await wrong.status()).message).toMatch(/secret/);
  // At once, and without a doubt.
  expect(await wrong.mark()).toBe(false);
  expect(wrong.said('refused').at(-1)).toMatchObject({ outcome: 'not-applied' });

  expect(await right!.mark()).toBe(true);
  const labels = (await right!.status()).members.map(({ label }) => label);
  expect(labels.sort()).toEqual(['a', 'b', 'c', right!.label]);
  await world.verify([right!]);
});
