/** Tests in a browser of their own, started for each and gone after it. */
import { expect, firefox, test as base } from '@playwright/test';
import type {
  Browser,
  LaunchOptions,
  PlaywrightTestArgs,
  PlaywrightTestOptions,
  PlaywrightWorkerArgs,
  PlaywrightWorkerOptions,
  TestInfo,
  TestType,
} from '@playwright/test';
import { createProfile, firefoxOptions } from './profile.ts';
import { startSite } from './site.ts';
import type { Site } from './site.ts';
import { World } from './world.ts';

type WorkerFixtures = {
  readonly site: Site;
  /** One Firefox for many tests; null for other browsers. */
  readonly sharedFirefox: Browser | null;
};

type Fixtures = {
  readonly world: World;
  /** The test ends its browser and starts it again. */
  readonly restarts: boolean;
};

export const test: TestType<
  PlaywrightTestArgs & PlaywrightTestOptions & Fixtures,
  PlaywrightWorkerArgs & PlaywrightWorkerOptions & WorkerFixtures
> = base.extend<Fixtures, WorkerFixtures>({
  restarts: [false, { option: true }],
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
  sharedFirefox: [
    async ({ browserName, launchOptions, channel }, use) => {
      const options = withChannel(launchOptions, channel);
      const browser =
        browserName === 'firefox' ? await firefox.launch(firefoxOptions(options)) : null;
      await use(browser);
      await browser?.close();
    },
    { scope: 'worker' },
  ],
  world: async (
    { browserName, launchOptions, channel, sharedFirefox, restarts, site },
    use,
    info,
  ) => {
    // Many waits in a row, each of which may be long on a busy machine.
    info.setTimeout(120_000);
    const options = withChannel(launchOptions, channel);
    const profile = await createProfile(browserName, options, restarts ? null : sharedFirefox);
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

function withChannel(options: LaunchOptions, channel: string | undefined): LaunchOptions {
  return channel === undefined ? options : { ...options, channel };
}

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
