// What each part weighs: its own code, minified and gzipped, without what it imports from elsewhere
// (other parts have their own line, third-party packages are argued where they are added). Fails
// when one is over its budget: raise a budget only with a reason in the commit.
//
// Then the page that opens the README, as a bundler makes it, with everything it loads: what a person
// who opens it waits for.
import { build } from 'esbuild';
import { existsSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { bundleProgram } from './lib/bundles.mjs';
import { packages, root } from './lib/workspace.mjs';

const KB = 1000;

/** Budgets in bytes; parts that never reach a browser or an edge have none. */
const budgets = {
  core: 15.8 * KB,
  contracts: 4.8 * KB,
  cluster: 41.5 * KB,
  kv: 16 * KB,
  client: 6.5 * KB,
  crypto: 8 * KB,
  'storage-indexeddb': 8.7 * KB,
  'transport-tabs': 5 * KB,
};

/** What it may weigh, and what it should (DESIGN §1). Lower the first as the second comes closer. */
const programBudget = 102.4 * KB;
const programGoal = 45 * KB;

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
await weighProgram();
if (over > 0) console.log(`size: ${over} over budget`);
process.exitCode = over > 0 ? 1 : 0;

async function weighProgram() {
  const { contents, output } = await bundleProgram();
  const gzipped = gzipSync(contents, { level: 9 }).length;
  const tooBig = gzipped > programBudget;
  if (tooBig) over += 1;
  console.log(
    '\n' +
      'the page'.padEnd(18) +
      kilobytes(contents.length) +
      kilobytes(gzipped) +
      kilobytes(programBudget) +
      (tooBig ? '  OVER' : ''),
  );
  const byPart = new Map();
  for (const [input, { bytesInOutput }] of Object.entries(output.inputs)) {
    const part = partOf(input);
    byPart.set(part, (byPart.get(part) ?? 0) + bytesInOutput);
  }
  for (const [part, bytes] of [...byPart].sort(([, a], [, b]) => b - a)) {
    // What gzip makes of one part depends on all others: its share, by length.
    const share = (gzipped * bytes) / contents.length;
    if (bytes > 0) console.log(`  ${part.padEnd(16)}${kilobytes(bytes)}${kilobytes(share)}`);
  }
  console.log(`  the goal is ${kilobytes(programGoal).trim()}`);
}

function partOf(input) {
  const thirdParty = /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
  return thirdParty?.[1] ?? /packages\/([^/]+)/.exec(input)?.[1] ?? 'the page';
}

function kilobytes(bytes) {
  return `${(bytes / KB).toFixed(1)} kB`.padStart(10);
}
