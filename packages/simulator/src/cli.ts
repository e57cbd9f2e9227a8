/** The command line of the simulator: which seeds, how they went, how to see one again. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { WorkerTask } from './pool.ts';
import { runTasks } from './pool.ts';
import { runWorld } from './run.ts';
import type { Bug } from './teeth/bug.ts';
import { bugs } from './teeth/catalog.ts';
import { runTeeth } from './teeth/teeth.ts';
import type { Suite, WorldResult } from './world.ts';

const usage = `Runs simulated clusters, one world per seed and suite.

  pnpm sim [--seeds N] [--from N] [--seed N] [--suite core|cluster|all] [--members N]
           [--workers N] [--twice] [--verbose]
  pnpm sim --teeth [--bug ID] [--suite S] [--seeds N] [--from N]

  --seeds N     how many seeds (default 200)
  --from N      the first one (default 1)
  --seed N      only this one, in this process
  --suite S     core: bare consensus machines; cluster: whole members; all (default)
  --members N   how many members; default: drawn from the seed
  --workers N   processes side by side (default: one per core)
  --twice       run each seed twice and compare everything that happened
  --teeth       build in one deliberate bug after another: which check finds it, after how many seeds
  --bug ID      only this bug
  --verbose     with --seed: print every event; else: one line per world
`;

type Options = {
  readonly seeds: readonly number[];
  readonly suites: readonly Suite[];
  readonly members: number | undefined;
  readonly workerCount: number;
  readonly twice: boolean;
  readonly verbose: boolean;
  readonly single: boolean;
  readonly teeth: readonly Bug[] | null;
};

/** One world's real time is bounded, so that a world that hangs is told from a slow machine. */
const taskTimeoutMs = 120_000;

/** Runs what `args` ask for; resolves with the exit code. `script` is what workers run. */
export async function runCli(args: readonly string[], script: string): Promise<number> {
  const options = readOptions(args);
  if (options === null) {
    console.log(usage);
    return 2;
  }
  if (options.teeth !== null) {
    const { seeds, workerCount } = options;
    const [from = 1] = seeds;
    const range = { from, seedCount: seeds.length, workerCount, taskTimeoutMs };
    return (await runTeeth({ bugs: options.teeth, ...range })) === 0 ? 0 : 1;
  }
  const report = new Report(options);
  const tasks = options.seeds.flatMap((seed) =>
    options.suites.flatMap((suite) => {
      const task: WorkerTask = { suite, seed, members: options.members };
      return options.twice ? [task, task] : [task];
    }),
  );
  if (options.single) {
    for (const { suite, seed, members } of tasks) {
      const trace = options.verbose ? (line: string): void => console.log(line) : undefined;
      report.done({ suite, seed, members }, await runWorld(suite, { seed, members, trace }), null);
    }
  } else {
    await runTasks(tasks, {
      script,
      workerCount: Math.min(options.workerCount, tasks.length),
      taskTimeoutMs,
      done: (task, result, trouble) => {
        report.done(task, result, trouble);
      },
    });
  }
  return report.end();
}

class Report {
  readonly #options: Options;
  readonly #startedAt = performance.now();
  readonly #failedSeeds = new Set<number>();
  readonly #hashes = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  #doneCount = 0;
  #virtualMs = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  done(task: WorkerTask, result: WorldResult | null, trouble: string | null): void {
    this.#doneCount += 1;
    this.#virtualMs += result?.virtualMs ?? 0;
    for (const [name, count] of Object.entries(result?.counts ?? {})) {
      const key = `${task.suite} ${name}`;
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
    }
    const failure = trouble ?? result?.failure ?? this.#differs(task, result);
    if (failure !== null) {
      this.#failedSeeds.add(task.seed);
      console.log(`\nseed ${task.seed}, ${task.suite}: ${failure}`);
      console.log(`  see it again: ${replayCommand(task)}`);
    } else if (this.#options.verbose && result !== null) {
      console.log(`seed ${task.seed}, ${task.suite}: ok ${result.eventHash}`);
    }
    this.#progress();
  }

  /** Prints the totals and, alone on the last line, how many seeds passed and failed. */
  end(): number {
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    const totals = [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
    console.log(`\n${totals.map(([name, count]) => `${name} ${count}`).join(', ')}`);
    console.log(
      `${(this.#virtualMs / 1_000).toFixed(0)} virtual seconds in ${seconds.toFixed(1)} s`,
    );
    const failed = this.#failedSeeds.size;
    console.log(`${this.#options.seeds.length - failed} passed, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  }

  #differs(task: WorkerTask, result: WorldResult | null): string | null {
    if (result === null) return null;
    const key = `${task.suite} ${task.seed}`;
    const before = this.#hashes.get(key);
    this.#hashes.set(key, result.eventHash);
    if (before === undefined || before === result.eventHash) return null;
    return `not deterministic: ${before} and then ${result.eventHash}`;
  }

  #progress(): void {
    const { seeds, suites, twice, single } = this.#options;
    if (single) return;
    const total = seeds.length * suites.length * (twice ? 2 : 1);
    const text = `${this.#doneCount}/${total} worlds, ${this.#failedSeeds.size} seeds failed`;
    if (process.stdout.isTTY) process.stdout.write(`\r${text}`);
    else if (this.#doneCount % 50 === 0 || this.#doneCount === total) console.log(text);
  }
}

/** The one command that runs a world again, with everything it does. */
function replayCommand({ suite, seed, members }: WorkerTask): string {
  const size = members === undefined ? '' : ` --members ${members}`;
  return `pnpm sim --seed ${seed} --suite ${suite}${size} --verbose`;
}

function readOptions(args: readonly string[]): Options | null {
  let values: Record<string, string | boolean | undefined>;
  try {
    ({ values } = parseArgs({
      // `pnpm sim -- --seeds 5` hands the separator over too.
      args: args.filter((arg) => arg !== '--'),
      options: {
        seeds: { type: 'string' },
        from: { type: 'string' },
        seed: { type: 'string' },
        suite: { type: 'string' },
        members: { type: 'string' },
        workers: { type: 'string' },
        teeth: { type: 'boolean' },
        bug: { type: 'string' },
        twice: { type: 'boolean' },
        verbose: { type: 'boolean' },
      },
    }));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    return null;
  }
  const { suite = 'all' } = values;
  const seed = count(values['seed'], -1);
  const from = count(values['from'], 1);
  const seedCount = count(values['seeds'], 200);
  const members = count(values['members'], 0);
  const workers = count(values['workers'], availableParallelism());
  if (suite !== 'core' && suite !== 'cluster' && suite !== 'all') return null;
  if ([seed, from, seedCount, members, workers].includes(Number.NaN) || workers < 1) return null;
  const suites: readonly Suite[] = suite === 'all' ? ['core', 'cluster'] : [suite];
  const wanted = bugs
    .filter(({ id }) => values['bug'] === undefined || values['bug'] === id)
    .filter((bug) => suites.includes(bug.suite));
  if (wanted.length === 0) return null;
  return {
    seeds: seed >= 0 ? [seed] : Array.from({ length: seedCount }, (_, i) => from + i),
    suites,
    members: members === 0 ? undefined : members,
    workerCount: workers,
    twice: values['twice'] === true,
    verbose: values['verbose'] === true,
    single: seed >= 0,
    teeth: values['teeth'] === true ? wanted : null,
  };
}

/** A natural number, `fallback` where nothing was given, NaN for anything else. */
function count(text: string | boolean | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  return typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : Number.NaN;
}
