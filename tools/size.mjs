// What each part weighs: its own code, minified and gzipped, without what it imports from elsewhere
// (other parts have their own line, third-party packages are argued where they are added). Fails
// when one is over its budget: raise a budget only with a reason in the commit.
import { build } from 'esbuild';
import { existsSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { packages, root } from './lib/workspace.mjs';

const KB = 1000;

/** Budgets in bytes; parts that never reach a browser or an edge have none. */
const budgets = {
  core: 20 * KB,
  cluster: 30 * KB,
  kv: 18 * KB,
  client: 6 * KB,
  crypto: 8 * KB,
  'storage-indexeddb': 7 * KB,
  'transport-tabs': 5 * KB,
};

let over = 0;
console.log(
  `${'part'.padEnd(18)}${'min'.padStart(10)}${'min+gzip'.padStart(10)}${'budget'.padStart(10)}`,
);
for (const { short, directory } of packages()) {
  const entry = `${root}/${directory}/src/index.ts`;
  if (!existsSync(entry)) continue;
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    packages: 'external',
    logLevel: 'warning',
  });
  const [bundle] = outputFiles;
  const gzipped = gzipSync(bundle.contents, { level: 9 }).length;
  const budget = budgets[short];
  const tooBig = budget !== undefined && gzipped > budget;
  if (tooBig) over += 1;
  console.log(
    short.padEnd(18) +
      kilobytes(bundle.contents.length) +
      kilobytes(gzipped) +
      (budget === undefined ? '–'.padStart(10) : kilobytes(budget)) +
      (tooBig ? '  OVER' : ''),
  );
}
if (over > 0) console.log(`size: ${over} over budget`);
process.exitCode = over > 0 ? 1 : 0;

function kilobytes(bytes) {
  return `${(bytes / KB).toFixed(1)} kB`.padStart(10);
}
