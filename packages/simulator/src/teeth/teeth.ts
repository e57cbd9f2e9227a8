/**
 * Shows that the simulator bites: builds it once per deliberate bug and runs seeds until a check
 * fails. A bug that no seed finds is a hole in workload, faults or checks.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runTasks } from '../pool.ts';
import type { WorkerTask } from '../pool.ts';
import type { Suite, WorldResult } from '../world.ts';
import type { Bug } from './bug.ts';
import { buildProgram } from './build.ts';

export type TeethOptions = {
  readonly bugs: readonly Bug[];
  /** Seeds tried at most per bug, from `from` on. */
  readonly seedCount: number;
  readonly from: number;
  readonly workerCount: number;
  readonly taskTimeoutMs: number;
};

const controlSeedCount = 10;

/** No bug at all: whatever fails then is no proof of teeth. */
function control(suite: Suite): Bug {
  return { id: 'none', what: 'the sources as they are', breaks: '', suite, edits: [] };
}

/** What the first seed that failed said. */
type Bite = { readonly seed: number; readonly check: string; readonly failure: string };

/** Prints one line per bug; resolves with how many were found by no seed. */
export async function runTeeth(options: TeethOptions): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-teeth-'));
  let missed = 0;
  const suites = new Set(options.bugs.map(({ suite }) => suite));
  const bugs = [...[...suites].map(control), ...options.bugs];
  console.log(row('bug', 'breaks', 'seeds', 'check', 'what it said'));
  try {
    for (const [position, bug] of bugs.entries()) {
      const program = join(directory, `${position}.mjs`);
      await buildProgram(bug, program);
      const bite = await firstBite(bug, program, options);
      if (bug.edits.length === 0) {
        if (bite !== null) throw new Error(`Cannot show teeth: seed ${bite.seed} fails as it is`);
      } else if (bite === null) {
        missed += 1;
        console.log(row(bug.id, bug.breaks, `>${options.seedCount}`, 'NOT CAUGHT', bug.what));
      } else {
        const said = bite.failure.split('\n')[0] ?? '';
        const count = bite.seed - options.from + 1;
        console.log(row(bug.id, bug.breaks, String(count), bite.check, said));
      }
    }
  } finally {
    await rm(directory, { recursive: true });
  }
  console.log(`${options.bugs.length - missed} bugs caught, ${missed} missed`);
  return missed;
}

/** The lowest seed that fails: lanes take seeds in order, and those under way are waited for. */
async function firstBite(bug: Bug, script: string, options: TeethOptions): Promise<Bite | null> {
  let first: Bite | null = null;
  function* tasks(): Iterable<WorkerTask> {
    const seedCount = bug.edits.length === 0 ? controlSeedCount : options.seedCount;
    for (let i = 0; i < seedCount && first === null; i++) {
      yield { suite: bug.suite, seed: options.from + i };
    }
  }
  await runTasks(tasks(), {
    script,
    workerCount: options.workerCount,
    taskTimeoutMs: options.taskTimeoutMs,
    execArgv: [],
    done: (task, result, trouble) => {
      const bite = biteOf(task, result, trouble);
      if (bite !== null && (first === null || bite.seed < first.seed)) first = bite;
    },
  });
  return first;
}

function biteOf(task: WorkerTask, result: WorldResult | null, trouble: string | null): Bite | null {
  const { seed } = task;
  if (trouble !== null) return { seed, check: 'crash', failure: trouble };
  if (result?.check == null) return null;
  return { seed, check: result.check, failure: result.failure ?? '' };
}

function row(id: string, breaks: string, seeds: string, check: string, said: string): string {
  const text = said.startsWith(`${check}: `) ? said.slice(check.length + 2) : said;
  return `${id.padEnd(34)} ${breaks.padEnd(18)} ${seeds.padStart(5)} ${check.padEnd(24)} ${text.slice(0, 100)}`;
}
