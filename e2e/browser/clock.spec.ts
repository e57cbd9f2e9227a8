/** The clock of a page in browsers that slow down the timers of pages nobody looks at. */
import { chromium, expect, firefox, test as base } from '@playwright/test';
import type { BrowserContext, LaunchOptions, Page } from '@playwright/test';
import { buildSync } from 'esbuild';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';

/** What the page's script offers. */
type ClockApi = {
  kind(): 'worker' | 'page';
  /** Ticks of 50 ms, of the clock and of the page's own timers, each as many as come within `ms`. */
  count(ms: number): Promise<{ readonly clock: number; readonly page: number }>;
};

declare global {
  var clockPage: ClockApi;
}

const script = `
import { createPageClock } from './join/src/browser/worker-clock.ts';
const clock = createPageClock();
const pageTimers = { setTimeout: (callback, ms) => setTimeout(callback, ms) };
const count = (timers, until) => {
  let ticks = 0;
  const tick = () => {
    if (performance.now() >= until) return;
    ticks += 1;
    timers.setTimeout(tick, 50);
  };
  timers.setTimeout(tick, 50);
  return () => ticks;
};
globalThis.clockPage = {
  kind: () => clock.kind,
  count: (ms) =>
    new Promise((resolve) => {
      const until = performance.now() + ms;
      const [ofClock, ofPage] = [count(clock, until), count(pageTimers, until)];
      // Whichever is slower may end it late, not early.
      setTimeout(() => resolve({ clock: ofClock(), page: ofPage() }), ms);
    }),
};
`;

const test = base.extend<{ readonly window: BrowserContext }, { readonly clockOrigin: string }>({
  clockOrigin: [
    // Playwright reads from the parameter which fixtures this one needs: none.
    // eslint-disable-next-line no-empty-pattern
    async ({}, use) => {
      const bundle = bundled();
      const server = createServer((request, response) => {
        const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
        const policy = searchParams.get('policy');
        if (policy !== null) response.setHeader('content-security-policy', policy);
        const isScript = pathname === '/clock.js';
        response.setHeader('content-type', isScript ? 'text/javascript' : 'text/html');
        response.end(isScript ? bundle : html);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
    { scope: 'worker' },
  ],
  /** A window with tabs of which one is shown, in a browser that slows the others down. */
  window: async ({ browserName, launchOptions, channel }, use) => {
    const options = { ...launchOptions, ...(channel === undefined ? {} : { channel }) };
    const { context, close } =
      browserName === 'firefox' ? await slowFirefox(options) : await slowChromium(options);
    await use(context);
    await close();
  },
});

test('PageClock ticks of 50 ms go on in a hidden tab, where the page’s own timers do not', async ({
  window,
  clockOrigin,
}) => {
  const page = await openPage(window, clockOrigin);
  await expect.poll(() => kindOf(page)).toBe('worker');
  await hide(page);
  const ticks = await page.evaluate(() => globalThis.clockPage.count(6_000));
  // The page's timers are held to one a second; nobody says how fast this machine is.
  expect(ticks.page).toBeGreaterThan(0);
  expect(ticks.clock).toBeGreaterThan(3 * ticks.page);
});

for (const policy of ["worker-src 'none'", "worker-src 'self'", "script-src 'self'"]) {
  test(`PageClock under the policy ${policy} runs on the page’s timers`, async ({
    page,
    clockOrigin,
  }) => {
    await page.goto(`${clockOrigin}?policy=${encodeURIComponent(policy)}`);
    const ticks = await page.evaluate(() => globalThis.clockPage.count(1_000));
    expect(ticks.clock).toBeGreaterThan(0);
    expect(await kindOf(page)).toBe('page');
  });
}

async function openPage(context: BrowserContext, url: string): Promise<Page> {
  const page = await context.newPage();
  await page.goto(url);
  return page;
}

function kindOf(page: Page): Promise<'worker' | 'page'> {
  return page.evaluate(() => globalThis.clockPage.kind());
}

/** Another tab in front of it, in the same window. */
async function hide(page: Page): Promise<void> {
  await page.evaluate(() => void window.open('about:blank'));
  await expect.poll(() => page.evaluate(() => document.visibilityState)).toBe('hidden');
}

type SlowBrowser = { readonly context: BrowserContext; readonly close: () => Promise<void> };

/** Playwright attached in its usual way would keep every tab visible: it only starts the browser. */
async function slowChromium(options: LaunchOptions): Promise<SlowBrowser> {
  const port = await freePort();
  const started = await chromium.launchServer({
    ...options,
    args: [...(options.args ?? []), `--remote-debugging-port=${port}`],
    ignoreDefaultArgs: [
      '--disable-background-timer-throttling',
      '--disable-backgrounding-occluded-windows',
      '--disable-renderer-backgrounding',
    ],
  });
  const address = `http://127.0.0.1:${port}`;
  const browser = await chromium.connectOverCDP(address, { noDefaults: true });
  const [context] = browser.contexts();
  if (context === undefined) throw new Error('Chromium has no window');
  const close = async (): Promise<void> => {
    await browser.close();
    await started.close();
  };
  return { context, close };
}

/** What Firefox does for everybody, and undoes for those who drive it. */
async function slowFirefox(options: LaunchOptions): Promise<SlowBrowser> {
  const context = await firefox.launchPersistentContext('', {
    ...options,
    firefoxUserPrefs: {
      ...options.firefoxUserPrefs,
      'dom.disable_open_during_load': false,
      'dom.min_background_timeout_value': 1_000,
      'dom.min_background_timeout_value_without_budget_throttling': 1_000,
    },
  });
  return { context, close: () => context.close() };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

function bundled(): string {
  const { outputFiles } = buildSync({
    stdin: { contents: script, resolveDir: packages, sourcefile: 'clock.js' },
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2023',
    conditions: ['source'],
    logLevel: 'warning',
  });
  return outputFiles[0]?.text ?? '';
}

const packages = fileURLToPath(new URL('../../packages', import.meta.url));
const html = '<!doctype html><title>Clock</title><script src="/clock.js"></script>';
