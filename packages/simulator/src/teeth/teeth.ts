/**
 * Shows that the simulator bites: builds it once per deliberate bug and runs seeds until a check
 * fails. A bug that no seed finds is a hole in workload, faults or checks.
 */
import { runTasks } from '../pool.ts';
import type { WorkerTask } from '../pool.ts';
import type { Check } from '../violation.ts';
import type { Suite } from '../world.ts';
import { withoutCheck } from './bug.ts';
import type { Bug } from './bug.ts';
import { withProgram } from './build.ts';
import { describeOtherwise } from './table.ts';
import type { Finding } from './table.ts';

export type TeethOptions = {
  readonly bugs: readonly Bug[];
  /** Seeds tried at most per bug, from `from` on. */
  readonly seedCount: number;
  readonly from: number;
  /** A check that nobody looks at; `finder`: each bug is tried again without the one that found it. */
  readonly without: Check | 'finder' | undefined;
  readonly workerCount: number;
  readonly taskTimeoutMs: number;
  /** Hears of each bug what came of it. */
  readonly found: (finding: Finding) => Promise<void>;
};

const controlSeedCount = 10;
/** So many seeds say at least whether another check finds a bug. */
const otherwiseSeedCountMin = 10;

/** What the first seed that failed said. */
type Bite = { readonly seed: number; readonly check: Check; readonly failure: string };

/** Prints one line per bug; resolves with how many were found by no seed. */
export async function runTeeth(options: TeethOptions): Promise<number> {
  const { without } = options;
  let missed = 0;
  const suites = new Set(options.bugs.map(({ suite }) => suite));
  for (const suite of suites) await checkControl(suite, options);
  console.log(row('bug', 'breaks', 'seeds', 'check', 'what it said'));
  for (const bug of options.bugs) {
    const isFinder = without === undefined || without === 'finder';
    const built = isFinder ? bug : withoutCheck(bug, without);
    const { bite } = await biteInto(built, options.seedCount, options);
    if (bite === null) {
      missed += 1;
      await options.found({ bug, found: null });
      console.log(row(bug.id, bug.breaks, `>${options.seedCount}`, 'NOT CAUGHT', bug.what));
      continue;
    }
    const said = bite.failure.split('\n')[0] ?? '';
    const seedCount = bite.seed - options.from + 1;
    console.log(row(bug.id, bug.breaks, String(seedCount), bite.check, said));
    const found = { check: bite.check, seedCount };
    if (without !== 'finder') {
      await options.found({ bug, found });
      continue;
    }
    const count = Math.max(seedCount, otherwiseSeedCountMin);
    const other = await biteInto(withoutCheck(bug, bite.check), count, options);
    const otherwise = other.bite?.check ?? null;
    if (otherwise === null && other.endlessCount > 0) {
      // Nobody looked at the end of those: that is no survival.
      await options.found({ bug, found });
      console.log(`  without ${bite.check}: undecided, ${other.endlessCount} worlds had no end`);
      continue;
    }
    await options.found({ bug, found, otherwise });
    console.log(`  without ${bite.check}: ${describeOtherwise(otherwise)}, ${count} seeds`);
  }
  console.log(`${options.bugs.length - missed} bugs caught, ${missed} missed`);
  return missed;
}

/** Without any bug nothing fails: else what fails with one is no proof of teeth. */
async function checkControl(suite: Suite, options: TeethOptions): Promise<void> {
  const none: Bug = { id: 'none', what: 'the sources as they are', breaks: '', suite, edits: [] };
  const { bite } = await biteInto(none, controlSeedCount, options);
  if (bite !== null) throw new Error(`Cannot show teeth: seed ${bite.seed} fails as it is`);
}

type Search = { readonly bite: Bite | null; readonly endlessCount: number };

/** The lowest seed that fails: lanes take seeds in order, and those under way are waited for. */
async function biteInto(bug: Bug, seedCount: number, options: TeethOptions): Promise<Search> {
  let first: Bite | null = null;
  let endlessCount = 0;
  function* tasks(): Iterable<WorkerTask> {
    for (let i = 0; i < seedCount && first === null; i++) {
      yield { suite: bug.suite, seed: options.from + i };
    }
  }
  await withProgram(bug, (script) =>
    runTasks(tasks(), {
      script,
      workerCount: options.workerCount,
      taskTimeoutMs: options.taskTimeoutMs,
      execArgv: [],
      done: (task, result) => {
        if (result === null) endlessCount += 1;
        // A world without an end says nothing of what is wrong: another seed may.
        if (result?.check == null || (first !== null && first.seed < task.seed)) return;
        first = { seed: task.seed, check: result.check, failure: result.failure ?? '' };
      },
    }),
  );
  return { bite: first, endlessCount };
}

function row(id: string, breaks: string, seeds: string, check: string, said: string): string {
  const text = said.startsWith(`${check}: `) ? said.slice(check.length + 2) : said;
  return `${id.padEnd(34)} ${breaks.padEnd(18)} ${seeds.padStart(5)} ${check.padEnd(24)} ${text.slice(0, 100)}`;
}
