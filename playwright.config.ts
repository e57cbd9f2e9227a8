import { existsSync } from 'node:fs';
import { defineConfig, webkit, type Project } from '@playwright/test';

// Real browsers, for tests named *.spec.ts. Debian's builds are used where they exist, Playwright's
// own elsewhere. Node processes are tried by vitest (project e2e) and need nothing of this.
const chromium = '/usr/bin/chromium';
const firefox = '/usr/bin/firefox-esr';

const chromiumProject: Project = {
  name: 'chromium',
  use: {
    browserName: 'chromium',
    launchOptions: {
      ...(existsSync(chromium) ? { executablePath: chromium } : {}),
      // Chromium refuses its sandbox to root.
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
    },
  },
};

// Debian's Firefox carries no patches of Playwright and is driven over WebDriver BiDi.
const firefoxProject: Project = existsSync(firefox)
  ? {
      name: 'firefox',
      use: {
        browserName: 'firefox',
        channel: 'moz-firefox',
        launchOptions: {
          executablePath: firefox,
          firefoxUserPrefs: {
            'media.peerconnection.ice.obfuscate_host_addresses': false,
            'media.peerconnection.ice.loopback': true,
          },
        },
      },
    }
  : { name: 'firefox', use: { browserName: 'firefox' } };

// No system packages a WebKit that Playwright can drive: it is tried where Playwright's own is there.
const webkitProjects: readonly Project[] = existsSync(webkit.executablePath())
  ? [{ name: 'webkit', use: { browserName: 'webkit' } }]
  : [];

export default defineConfig({
  testDir: 'e2e',
  testMatch: '**/*.spec.ts',
  forbidOnly: process.env['CI'] !== undefined,
  workers: 1,
  timeout: 60_000,
  projects: [chromiumProject, firefoxProject, ...webkitProjects],
});
