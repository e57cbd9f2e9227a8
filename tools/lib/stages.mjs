// The stages of `pnpm check` and `npm test`: what runs, in which order, and how it is counted.
//
// A stage of tests counts its tests. Every other stage counts as one check: passed or failed.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { runBrowserTests } from './browsers.mjs';
import { countTests, summarise } from './count.mjs';
import { run, runBin } from './run.mjs';
import { root } from './workspace.mjs';

const minuteMs = 60_000;
const node = process.execPath;

export const stages = {
  format: check('every file is formatted', () =>
    runBin('prettier', 'prettier', ['--check', '.', '--log-level', 'warn'], limit(5)),
  ),
  lint: check('type-aware lint', () =>
    runBin('eslint', 'eslint', ['.', '--max-warnings', '0'], limit(10)),
  ),
  tidy: check('rules of the house', () => run(node, ['tools/tidy.mjs'], limit(5))),
  types: check('every package type-checks', () =>
    runBin(
      'turbo',
      'turbo',
      [
        'run',
        'typecheck',
        '--continue',
        '--concurrency=2',
        '--ui=stream',
        '--output-logs=errors-only',
      ],
      limit(10),
    ),
  ),
  boundaries: check('arrows between packages', () =>
    runBin('turbo', 'turbo', ['boundaries'], limit(5)),
  ),
  unused: check('no unused file, export or dependency', () =>
    runBin('knip', 'knip', ['--no-progress', '--no-config-hints'], limit(5)),
  ),
  build: check('the published package builds', () => run(node, ['tools/build.mjs'], limit(5))),
  size: check('size budgets', () => run(node, ['tools/size.mjs'], limit(5))),
  unit: tests('unit tests of every package', ['--project', '!e2e'], 20),
  sim: check('60 seeds of simulated clusters', () => simulate(['--seeds', '60'], 40)),
  pack: check('the packed package, installed and run', () =>
    run(node, ['tools/pack.mjs'], limit(10)),
  ),
  e2e: tests('real processes', ['--project', 'e2e'], 40),
  browsers: {
    what: 'real browsers',
    run: () => runBrowserTests(['--grep-invert', '@soak'], limit(45)),
  },
  crowds: {
    what: 'pages in numbers',
    run: () => runBrowserTests(['--grep', '@soak'], limit(20)),
  },
  seeds: check('3,000 simulated clusters', () => simulate(['--seeds', '3000'], 90)),
  teeth: check('every deliberate bug is caught', () => simulate(['--teeth'], 60)),
  attacks: check('strangers at a relay and a listening member', async () => {
    const built = await run(node, ['tools/build.mjs', '--no-types'], limit(5));
    if (built.code !== 0) return built;
    return run(node, ['--conditions=source', '--import', 'tsx', 'e2e/src/attacks.ts'], limit(30));
  }),
};

/** `pnpm check`: fast enough to run before each commit. */
export const checkStages = [
  'format',
  'lint',
  'tidy',
  'types',
  'boundaries',
  'unused',
  'build',
  'size',
  'unit',
];

/** `npm test`: everything that fits into 45 minutes on two cores. */
export const testStages = [...checkStages, 'sim', 'pack', 'e2e', 'browsers'];

/** `npm run soak`: what takes longer. */
export const soakStages = ['seeds', 'teeth', 'crowds', 'attacks'];

/**
 * Runs stages one after another, never stopping at a failure, then prints a table and, alone on the
 * last line, `N passed, N failed`. Resolves with the exit code.
 */
export async function runStages(names) {
  const results = [];
  for (const [position, name] of names.entries()) {
    console.log(`\n── ${position + 1}/${names.length} ${name}: ${stages[name].what} ──`);
    const startedAt = performance.now();
    const result = await stages[name].run();
    const seconds = (performance.now() - startedAt) / 1000;
    results.push({ name, seconds, ...result });
    const verdict = result.failed === 0 ? 'ok' : 'FAILED';
    console.log(`── ${name}: ${verdict} after ${seconds.toFixed(1)} s ──`);
  }
  const { text, code } = summarise(results);
  console.log(text);
  return code;
}

function check(what, action) {
  return {
    what,
    run: async () => {
      const { code } = await action();
      return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, skipped: 0 };
    },
  };
}

function simulate(args, minutes) {
  return run(
    node,
    ['--conditions=source', '--import', 'tsx', 'packages/simulator/src/main.ts', ...args],
    limit(minutes),
  );
}

/** A run of vitest, counted from its own JSON report. */
function tests(what, args, minutes) {
  return {
    what,
    run: async () => {
      const directory = mkdtempSync(`${tmpdir()}/quorate-test-`);
      const report = `${directory}/report.json`;
      const { code } = await runBin(
        'vitest',
        'vitest',
        ['run', ...args, '--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
        limit(minutes),
      );
      const result = countTests(
        existsSync(report) ? readFileSync(report, 'utf8') : undefined,
        code,
      );
      rmSync(directory, { recursive: true, force: true });
      return result;
    },
  };
}

function limit(minutes) {
  return { cwd: root, timeoutMs: minutes * minuteMs };
}
