/** Tests in a browser of their own, started for each and gone after it. */
import { expect, test as base } from '@playwright/test';
import type {
  PlaywrightTestArgs,
  PlaywrightTestOptions,
  PlaywrightWorkerArgs,
  PlaywrightWorkerOptions,
  TestInfo,
  TestType,
} from '@playwright/test';
import { createProfile } from './profile.ts';
import { startSite } from './site.ts';
import type { Site } from './site.ts';
import { World } from './world.ts';

export const test: TestType<
  PlaywrightTestArgs & PlaywrightTestOptions & { readonly world: World },
  PlaywrightWorkerArgs & PlaywrightWorkerOptions & { readonly site: Site }
> = base.extend<{ readonly world: World }, { readonly site: Site }>({
  site: [
    // Playwright reads from the parameter which fixtures this one needs: none.
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const site = await startSite();
      await use(site);
      await site.close();
    },
    { scope: 'worker' },
  ],
  world: async ({ browserName, launchOptions, channel, site }, use, info) => {
    const options = { ...launchOptions, ...(channel === undefined ? {} : { channel }) };
    const profile = await createProfile(browserName, options);
    const world = new World(profile, site, `test-${info.testId.slice(-8)}`);
    await world.startTrace();
    try {
      await use(world);
      expect(world.problems).toEqual([]);
    } finally {
      for (const tab of world.tabs) tab.resume();
      if (info.error === undefined) await world.dropTrace();
      else await attachEverything(world, info);
      await profile.dispose();
    }
  },
});

/** What a person needs who was not there. */
async function attachEverything(world: World, info: TestInfo): Promise<void> {
  const trace = info.outputPath('trace.zip');
  if (await world.saveTrace(trace)) await info.attach('trace', { path: trace });
  for (const [at, tab] of world.tabs.entries()) {
    const name = `${at + 1} ${tab.label}`;
    const lines = tab.events.map((event) => JSON.stringify(event)).join('\n');
    await info.attach(`log of ${name}`, { body: lines, contentType: 'text/plain' });
    if (!tab.isOpen) continue;
    const body = await tab.page.screenshot({ timeout: 5_000 }).catch(() => null);
    if (body !== null) await info.attach(`tab ${name}`, { body, contentType: 'image/png' });
  }
  if (world.problems.length > 0) {
    const body = world.problems.join('\n\n');
    await info.attach('problems', { body, contentType: 'text/plain' });
  }
}
