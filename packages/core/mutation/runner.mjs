// A test runner for Stryker that loads source and tests once. Mutants are switched on at run time, so one
// process can judge thousands of them: a run is a call of the functions that cover the mutant, cheapest
// first, until one throws.
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { tests } from './vitest.mjs';

const standIn = fileURLToPath(new URL('vitest.mjs', import.meta.url));
const measured = 'mutation-measured.json';
// Random schedules take longer than all the rest, and a survivor would depend on a seed.
const ignored = ['random.test.ts', 'fuzz.test.ts'];
// The same at a smaller scale: these three alone take twice as long as all the others together.
const ignoredTests = /whatever happens$|50,000 random|three that restart together/;

class OnceRunner {
  #tests = new Map();
  #costMs = new Map();
  #hits = {};

  capabilities() {
    return { reloadEnvironment: false };
  }

  /** The working directory is Stryker's copy of the package. */
  async init() {
    const files = ['src', 'test']
      .flatMap((directory) =>
        readdirSync(directory, { recursive: true }).map((f) => `${directory}/${f}`),
      )
      .filter((file) => file.endsWith('.test.ts') && !ignored.some((name) => file.endsWith(name)));
    mkdirSync('test', { recursive: true });
    // Beside the suites: what they read lies relative to them.
    const outfile = resolve('test', `all-${process.pid}.mjs`);
    await build({
      stdin: {
        contents: files.map((file) => `import './${file}';`).join('\n'),
        resolveDir: process.cwd(),
      },
      absWorkingDir: process.cwd(),
      outfile,
      bundle: true,
      format: 'esm',
      platform: 'node',
      target: 'node20',
      logLevel: 'error',
      packages: 'external',
      plugins: [aliases],
    });
    await import(pathToFileURL(outfile).href);
    for (const test of tests) if (!ignoredTests.test(test.name)) this.#tests.set(test.id, test);
    // A process that hung is replaced by one that knows what the first one measured.
    if (!existsSync(measured)) return;
    const { costMs, hits } = JSON.parse(readFileSync(measured, 'utf8'));
    this.#costMs = new Map(costMs);
    this.#hits = hits;
  }

  async dryRun() {
    const stryker = namespace();
    stryker.activeMutant = undefined;
    const results = [];
    for (const test of this.#tests.values()) {
      stryker.currentTestId = test.id;
      const startedAt = performance.now();
      const failure = await failureOf(test);
      const timeSpentMs = performance.now() - startedAt;
      stryker.currentTestId = undefined;
      this.#costMs.set(test.id, timeSpentMs);
      const { id, name, fileName } = test;
      const result = { id, name, fileName: resolve(fileName), timeSpentMs };
      results.push(
        failure === null
          ? { ...result, status: 0 }
          : { ...result, status: 1, failureMessage: failure },
      );
    }
    this.#hits = stryker.mutantCoverage.perTest;
    writeFileSync(measured, JSON.stringify({ costMs: [...this.#costMs], hits: this.#hits }));
    return { status: 'complete', tests: results, mutantCoverage: stryker.mutantCoverage };
  }

  async mutantRun({ testFilter, activeMutant }) {
    const stryker = namespace();
    stryker.activeMutant = activeMutant.id;
    const cost = (id) => this.#costMs.get(id) ?? 0;
    const ids = [...(testFilter ?? this.#tests.keys())].sort((a, b) => cost(a) - cost(b));
    try {
      for (const [done, id] of ids.entries()) {
        // Passed there many times more than without the change, a test goes in circles.
        stryker.hitCount = 0;
        stryker.hitLimit = 10_000 + 10 * (this.#hits[id]?.[activeMutant.id] ?? 0);
        const failure = await failureOf(this.#tests.get(id));
        if (stryker.hitCount > stryker.hitLimit) return { status: 'timeout', reason: id };
        if (failure === null) continue;
        return { status: 'killed', killedBy: [id], failureMessage: failure, nrOfTests: done + 1 };
      }
      return { status: 'survived', nrOfTests: ids.length };
    } finally {
      stryker.activeMutant = undefined;
    }
  }
}

/** Which file a test is of is said before its first line. */
const aliases = {
  name: 'aliases',
  setup(context) {
    context.onResolve({ filter: /^vitest$/ }, () => ({ path: standIn, external: true }));
    context.onLoad({ filter: /\.test\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const file = JSON.stringify(relative(process.cwd(), path));
      return { contents: `globalThis.testFile = ${file};\n${text}`, loader: 'ts' };
    });
  },
};

async function failureOf(test) {
  try {
    await test.run();
    return null;
  } catch (error) {
    return String(error?.message ?? error).slice(0, 500);
  }
}

/** What instrumented code reads and writes. */
function namespace() {
  return (globalThis.__stryker__ ??= {});
}

export const strykerPlugins = [{ kind: 'TestRunner', name: 'once', injectableClass: OnceRunner }];
