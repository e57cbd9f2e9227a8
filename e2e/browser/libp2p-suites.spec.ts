/** The Transport suite over libp2p, where pages live: with each other, with Node, across browsers. */
import type { Browser, Page } from '@playwright/test';
import { listCases, test } from './libp2p-page.ts';
import type { World } from './libp2p-page.ts';
import { otherBrowser } from './other-browser.ts';

const cases = [...listCases().entries()].map(([position, name]) => ({ position, name }));
const isBetweenPages = (name: string): boolean => name.startsWith('two pages');

async function openPage(browser: Browser, origin: string, world: World): Promise<Page> {
  const { relay, control } = world;
  const page = await browser.newPage();
  await page.goto(origin);
  await page.evaluate((given) => globalThis.quorateLibp2p.setWorld(given), { relay, control });
  return page;
}

async function run(page: Page | null, position: number): Promise<void> {
  const failure = await page?.evaluate(async (at) => {
    try {
      await globalThis.quorateLibp2p.cases[at]?.run();
      return null;
    } catch (error) {
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
  }, position);
  if (failure !== null) throw new Error(failure ?? 'there is no page');
}

test.describe('in one browser', () => {
  let shared: Page | null = null;
  let others: Page | null = null;

  test.beforeAll(async ({ browser, origin, world }) => {
    shared = await openPage(browser, origin, world);
    others = await openPage(browser, origin, world);
    await others.evaluate(() => globalThis.quorateLibp2p.serveHosts());
  });

  test.afterAll(async () => {
    await shared?.close();
    await others?.close();
  });

  for (const { position, name } of cases) {
    test(`transport-libp2p: ${name}`, async () => run(shared, position));
  }
});

test.describe('between Chromium and Firefox', () => {
  let shared: Page | null = null;
  let other: Browser | null = null;

  test.beforeAll(async ({ browser, browserName, origin, world }) => {
    other = await otherBrowser(browserName, test.info().config.projects);
    if (other === null) return;
    const others = await openPage(other, origin, world);
    await others.evaluate(() => globalThis.quorateLibp2p.serveHosts());
    shared = await openPage(browser, origin, world);
  });

  test.afterAll(async () => {
    await shared?.close();
    await other?.close();
  });

  for (const { position, name } of cases.filter((one) => isBetweenPages(one.name))) {
    test(`transport-libp2p: across browsers, ${name}`, async () => {
      // Skipped: the other browser could not be had on this machine.
      test.skip(other === null, 'the other browser is not there');
      await run(shared, position);
    });
  }
});
