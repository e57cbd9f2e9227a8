/**
 * Puts the browser suites of the packages into one page. A package takes part by having
 * `test/browser-suite.ts`; it is bundled from there, for nothing of the packages is imported here.
 */
import { buildSync } from 'esbuild';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packages = fileURLToPath(new URL('../../packages', import.meta.url));

/** Sets `globalThis.quorate`: see page.ts for what that is. */
const entry = `
import { registerSuite as storage, storagePage } from './storage-indexeddb/test/browser-suite.ts';
import { registerSuite as tabs, tabsPage } from './transport-tabs/test/browser-suite.ts';

const cases = [];
for (const [suite, register] of Object.entries({ 'storage-indexeddb': storage, 'transport-tabs': tabs })) {
  register((name, run) => cases.push({ suite, name, run }));
}
globalThis.quorate = { cases, storage: storagePage, tabs: tabsPage };
`;

/** The page's script. */
export function bundleForBrowsers(): string {
  return bundle('iife', 'browser');
}

/** The cases that the page will have, by suite and name; none of them is run. */
export function listCases(): readonly { readonly suite: string; readonly name: string }[] {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-suites-'));
  try {
    const file = join(directory, 'suites.cjs');
    writeFileSync(file, bundle('cjs', 'node'));
    createRequire(import.meta.url)(file);
    return globalThis.quorate.cases.map(({ suite, name }) => ({ suite, name }));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function bundle(format: 'iife' | 'cjs', platform: 'browser' | 'node'): string {
  const { outputFiles } = buildSync({
    stdin: { contents: entry, resolveDir: packages, sourcefile: 'suites.js' },
    bundle: true,
    write: false,
    format,
    platform,
    target: 'es2023',
    conditions: ['source'],
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  return outputFiles[0]?.text ?? '';
}
