// Real browsers: where they come from, and how their tests are run and counted.
//
// On Debian, as root, they come from the system's packages; elsewhere from Playwright. One that cannot
// be had is skipped, loudly: what was not tried is not said to work. WebKit is tried where somebody has
// installed Playwright's build of it, and never fetched: it wants libraries that few systems have.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { countBrowserTests } from './count.mjs';
import { environment, run, runBin } from './run.mjs';
import { root } from './workspace.mjs';

/** By the name of the Playwright project. */
const browsers = {
  chromium: { path: '/usr/bin/chromium', systemPackage: 'chromium' },
  firefox: { path: '/usr/bin/firefox-esr', systemPackage: 'firefox-esr' },
  webkit: { path: null, systemPackage: null },
};

/** Runs the specs in every browser that can be had; resolves with their counts. */
export async function runBrowserTests(args, options) {
  const names = await obtainBrowsers();
  const absent = Object.keys(browsers).filter((name) => !names.includes(name));
  let result = { passed: 0, failed: 0, skipped: 0, tests: 0 };
  if (names.length > 0) result = await runSpecs(names, args, options);
  for (const name of absent) {
    console.log(`\n!!! SKIPPED: ${name} could not be had, and nothing was tried in it !!!\n`);
  }
  const counts = `${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped`;
  console.log(`browsers: ${names.join(', ') || 'none'}: ${counts}`);
  return { ...result, skipped: result.skipped + absent.length };
}

async function runSpecs(names, args, options) {
  const directory = mkdtempSync(`${tmpdir()}/quorate-browsers-`);
  const report = `${directory}/report.json`;
  const projects = names.flatMap((name) => ['--project', name]);
  const { code } = await runBin(
    '@playwright/test',
    'playwright',
    ['test', ...projects, '--reporter=list,json', ...args],
    { ...options, cwd: root, env: { ...environment, PLAYWRIGHT_JSON_OUTPUT_NAME: report } },
  );
  const text = existsSync(report) ? readFileSync(report, 'utf8') : undefined;
  rmSync(directory, { recursive: true, force: true });
  return countBrowserTests(text, code);
}

/** The names of those that are there, after an attempt to get those that are not. */
async function obtainBrowsers() {
  for (const install of [installFromSystem, installFromPlaywright]) {
    const wanting = await missing();
    const wanted = wanting.filter((name) => browsers[name].systemPackage !== null);
    if (wanted.length > 0) await install(wanted);
  }
  const wanting = await missing();
  return Object.keys(browsers).filter((name) => !wanting.includes(name));
}

async function missing() {
  const wanting = [];
  for (const name of Object.keys(browsers)) if (!(await isThere(name))) wanting.push(name);
  return wanting;
}

async function isThere(name) {
  const { path } = browsers[name];
  if (path !== null && existsSync(path)) return true;
  const playwright = await import('@playwright/test');
  return existsSync(playwright[name].executablePath());
}

const limits = { timeoutMs: 5 * 60_000, quiet: true };

/** Where the system is Debian, or like it, and lets us. */
async function installFromSystem(names) {
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) return;
  const packages = names.map((name) => browsers[name].systemPackage);
  const env = { ...environment, DEBIAN_FRONTEND: 'noninteractive' };
  console.log(`browsers: installing ${packages.join(', ')} from the system's packages`);
  await run('apt-get', ['update', '-q'], { ...limits, env });
  // One by one: a package that does not exist must not keep the others away.
  for (const name of packages) {
    await run('apt-get', ['install', '-y', '-q', '--no-install-recommends', name], {
      ...limits,
      env,
    });
  }
}

async function installFromPlaywright(names) {
  console.log(`browsers: installing ${names.join(', ')} from Playwright`);
  for (const name of names) {
    await runBin('@playwright/test', 'playwright', ['install', name], limits);
  }
}
