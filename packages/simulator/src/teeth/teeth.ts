/**
 * Shows that the simulator bites: builds it once per deliberate bug and runs seeds until a check
 * fails. A bug that no seed finds is a hole in workload, faults or checks.
 */
import { runTasks } from '../pool.ts';
import type { WorkerTask } from '../pool.ts';
import type { Suite } from '../world.ts';
import type { Bug } from './bug.ts';
import { withProgram } from './build.ts';
import type { Finding } from './table.ts';

export type TeethOptions = {
  readonly bugs: readonly Bug[];
  /** Seeds tried at most per bug, from `from` on. */
  readonly seedCount: number;
  readonly from: number;
  readonly workerCount: number;
  readonly taskTimeoutMs: number;
  /** Hears of each bug what came of it. */
  readonly found: (finding: Finding) => Promise<void>;
};

const controlSeedCount = 10;

/** What the first seed that failed said. */
type Bite = { readonly seed: number; readonly check: string; readonly failure: string };

/** Prints one line per bug; resolves with how many were found by no seed. */
export async function runTeeth(options: TeethOptions): Promise<number> {
  let missed = 0;
  const suites = new Set(options.bugs.map(({ suite }) => suite));
  for (const suite of suites) await checkControl(suite, options);
  console.log(row('bug', 'breaks', 'seeds', 'check', 'what it said'));
  for (const bug of options.bugs) {
    const bite = await biteInto(bug, options.seedCount, options);
    if (bite === null) {
      missed += 1;
      await options.found({ bug, found: null });
      console.log(row(bug.id, bug.breaks, `>${options.seedCount}`, 'NOT CAUGHT', bug.what));
      continue;
    }
    const said = bite.failure.split('\n')[0] ?? '';
    const seedCount = bite.seed - options.from + 1;
    await options.found({ bug, found: { check: bite.check, seedCount } });
    console.log(row(bug.id, bug.breaks, String(seedCount), bite.check, said));
  }
  console.log(`${options.bugs.length - missed} bugs caught, ${missed} missed`);
  return missed;
}

/** Without any bug nothing fails: else what fails with one is no proof of teeth. */
async function checkControl(suite: Suite, options: TeethOptions): Promise<void> {
  const none: Bug = { id: 'none', what: 'the sources as they are', breaks: '', suite, edits: [] };
  const bite = await biteInto(none, controlSeedCount, options);
  if (bite !== null) throw new Error(`Cannot show teeth: seed ${bite.seed} fails as it is`);
}

/** The lowest seed that fails: lanes take seeds in order, and those under way are waited for. */
async function biteInto(bug: Bug, seedCount: number, options: TeethOptions): Promise<Bite | null> {
  let first: Bite | null = null;
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
        // A world without an end says nothing of what is wrong: another seed may.
        if (result?.check == null || (first !== null && first.seed < task.seed)) return;
        first = { seed: task.seed, check: result.check, failure: result.failure ?? '' };
      },
    }),
  );
  return first;
}

function row(id: string, breaks: string, seeds: string, check: string, said: string): string {
  const text = said.startsWith(`${check}: `) ? said.slice(check.length + 2) : said;
  return `${id.padEnd(34)} ${breaks.padEnd(18)} ${seeds.padStart(5)} ${check.padEnd(24)} ${text.slice(0, 100)}`;
}
