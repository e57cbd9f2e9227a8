/** Which host a tab is to the others, over a relay. */
import { expect } from '@playwright/test';
import { test } from './test.ts';

test('T23 Z67 a reloaded tab is the host that it was, a duplicated one is another, and both write', async ({
  world,
}) => {
  await world.startMembers(1);
  const [tab] = await world.openIn(world.profile);
  if (tab === undefined) throw new Error('There is no tab');
  const host = await tab.peerId();
  expect(host).not.toBeNull();

  await tab.reload();
  await tab.untilReady();
  expect(await tab.peerId()).toBe(host);

  const copy = await world.duplicate(tab);
  await copy.untilReady();
  const own = await copy.peerId();
  expect(own).not.toBe(host);
  expect(await tab.peerId()).toBe(host);
  for (const one of [tab, copy]) {
    await one.writing(10);
    await one.untilSaid('acked', 10);
  }

  // Its copy of the key is still used by the original; its own one comes back with it.
  await copy.reload();
  await copy.untilReady();
  expect(await copy.peerId()).toBe(own);
  await world.verify();
});
