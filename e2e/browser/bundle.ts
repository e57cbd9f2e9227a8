/**
 * Puts browser suites of packages into pages. A package takes part by having `test/browser-suite.ts`;
 * it is bundled from there, for nothing of the packages is imported here.
 */
import { buildSync } from 'esbuild';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A script, as if it lay in `home`, that sets something global. */
export type Entry = { readonly code: string; readonly home: string };

/** Serves pages with that script. */
export async function servePage(
  entry: Entry,
): Promise<{ readonly origin: string; close(): Promise<void> }> {
  const script = bundle(entry, 'iife', 'browser');
  const server = createServer((request, response) => {
    const isScript = request.url === '/page.js';
    const type = isScript ? 'text/javascript' : 'text/html';
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` });
    response.end(isScript ? script : html);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Runs the script here, to see what it will set in the page. */
export function runHere(entry: Entry): void {
  const directory = mkdtempSync(join(tmpdir(), 'quorate-suites-'));
  try {
    const file = join(directory, 'suites.cjs');
    writeFileSync(file, bundle(entry, 'cjs', 'node'));
    createRequire(import.meta.url)(file);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function bundle(
  { code, home }: Entry,
  format: 'iife' | 'cjs',
  platform: 'browser' | 'node',
): string {
  const { outputFiles } = buildSync({
    stdin: { contents: code, resolveDir: home, sourcefile: 'suites.js' },
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

const html = '<!doctype html><title>Quorate</title><script src="/page.js"></script>';
