/** Tests in a browser of their own, started for each and gone after it. */
import { expect, firefox, test as base, webkit } from '@playwright/test';
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
import type { Profile } from './profile.ts';
import { startSite } from './site.ts';
import type { Site } from './site.ts';
import { World } from './world.ts';

export type WorkerFixtures = PlaywrightWorkerArgs &
  PlaywrightWorkerOptions & {
    readonly site: Site;
    /** One browser for many tests; null where each has its own, as in Chromium. */
    readonly sharedBrowser: Browser | null;
  };

export type ProfileFixtures = PlaywrightTestArgs &
  PlaywrightTestOptions & {
    /** A browser that runs, ended by the world that it is given to. */
    readonly profile: Profile;
    /** The test ends its browser and starts it again. */
    readonly restarts: boolean;
  };

/** Tests with a site and a browser. */
export const profileTest: TestType<ProfileFixtures, WorkerFixtures> = base.extend<
  Pick<ProfileFixtures, 'profile' | 'restarts'>,
  Pick<WorkerFixtures, 'site' | 'sharedBrowser'>
>({
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
  sharedBrowser: [
    async ({ browserName, launchOptions, channel }, use) => {
      const options = withChannel(launchOptions, channel);
      const browser =
        browserName === 'firefox'
          ? await firefox.launch(firefoxOptions(options))
          : browserName === 'webkit'
            ? await webkit.launch(options)
            : null;
      await use(browser);
      await browser?.close();
    },
    { scope: 'worker' },
  ],
  profile: async ({ browserName, launchOptions, channel, sharedBrowser, restarts }, use) => {
    const options = withChannel(launchOptions, channel);
    const profile = await createProfile(browserName, options, restarts ? null : sharedBrowser);
    await use(profile);
    await profile.dispose();
  },
});

/** Tests with a world of tabs. */
export const test: TestType<ProfileFixtures & { readonly world: World }, WorkerFixtures> =
  profileTest.extend<{ readonly world: World }>({
    world: async ({ profile, site }, use, info) => {
      // Many waits in a row, each of which may be long on a busy machine.
      info.setTimeout(120_000);
      await useWorld(new World(profile, site, { namespace: namespaceOf(info) }), use, info);
    },
  });

/** Runs the test in its world; if it fails, all that was seen and said there is kept with it. */
export async function useWorld<W extends World>(
  world: W,
  use: (world: W) => Promise<void>,
  info: TestInfo,
): Promise<void> {
  await world.startTrace();
  try {
    await use(world);
    expect(world.problems).toEqual([]);
  } finally {
    for (const tab of world.tabs) tab.resume();
    if (info.error === undefined) await world.dropTraces();
    else await attachEverything(world, info);
    await world.dispose();
  }
}

export function namespaceOf(info: TestInfo): string {
  return `test-${info.testId.slice(-8)}`;
}

function withChannel(options: LaunchOptions, channel: string | undefined): LaunchOptions {
  return channel === undefined ? options : { ...options, channel };
}

/** What a person needs who was not there. */
async function attachEverything(world: World, info: TestInfo): Promise<void> {
  const traces = await world.saveTraces((at) => info.outputPath(`trace-${at + 1}.zip`));
  for (const path of traces) await info.attach('trace', { path });
  for (const [at, tab] of world.tabs.entries()) {
    const name = `${at + 1} ${tab.label}`;
    const lines = tab.events.map((event) => JSON.stringify(event)).join('\n');
    await info.attach(`log of ${name}`, { body: lines, contentType: 'text/plain' });
    if (!tab.isOpen) continue;
    const body = await tab.page.screenshot({ timeout: 5_000 }).catch(() => null);
    if (body !== null) await info.attach(`tab ${name}`, { body, contentType: 'image/png' });
  }
  for (const [name, lines] of Object.entries(world.otherLogs())) {
    if (lines.length === 0) continue;
    await info.attach(name, { body: lines.join('\n\n'), contentType: 'text/plain' });
  }
}
