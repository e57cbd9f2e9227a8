/** The browsers of this machine: where they are, and profiles in them. */
import { chromium, firefox } from '@playwright/test';
import type { Browser, BrowserContext } from '@playwright/test';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type BrowserName = 'chromium' | 'firefox';

/** Runs `body` for each browser that is installed, and says so of the others. */
export async function inBrowsers(
  what: string,
  body: (name: BrowserName, executablePath: string) => Promise<void>,
): Promise<void> {
  for (const name of ['chromium', 'firefox'] as const) {
    const path = pathOf(name);
    if (path === null) console.log(`\n${what} in ${name}: not measured, it is not installed`);
    else await body(name, path);
  }
}

/** A profile on disk, gone at the end. */
export async function inProfile(
  name: BrowserName,
  executablePath: string,
  body: (context: BrowserContext) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  const options = optionsOf(name, executablePath);
  const context = await (name === 'chromium' ? chromium : firefox).launchPersistentContext(
    directory,
    options,
  );
  try {
    await body(context);
  } finally {
    await context.close();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** A browser whose contexts are profiles that forget. */
export async function inBrowser(
  name: BrowserName,
  executablePath: string,
  body: (browser: Browser) => Promise<void>,
): Promise<void> {
  const options = optionsOf(name, executablePath);
  const browser = await (name === 'chromium' ? chromium : firefox).launch(options);
  try {
    await body(browser);
  } finally {
    await browser.close();
  }
}

type LaunchOptions = NonNullable<Parameters<typeof chromium.launch>[0]>;

function optionsOf(name: BrowserName, executablePath: string): LaunchOptions {
  if (name === 'chromium') {
    return { executablePath, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] };
  }
  return {
    executablePath,
    ...(executablePath === debian.firefox ? { channel: 'moz-firefox' } : {}),
    firefoxUserPrefs: {
      // Times to the microsecond, as nowhere else: they are what is asked for here.
      'privacy.reduceTimerPrecision': false,
      // Two profiles of one machine reach each other on its own addresses.
      'media.peerconnection.ice.obfuscate_host_addresses': false,
      'media.peerconnection.ice.loopback': true,
    },
  };
}

/** Debian's builds where they exist, else Playwright's own. */
function pathOf(name: BrowserName): string | null {
  const own = (name === 'chromium' ? chromium : firefox).executablePath();
  return [debian[name], own].find((path) => existsSync(path)) ?? null;
}

const debian = { chromium: '/usr/bin/chromium', firefox: '/usr/bin/firefox-esr' };
