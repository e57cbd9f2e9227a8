/** The command line of the simulator: which seeds, how they went, how to see one again. */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { joinOverrides } from './overrides.ts';
import type { Overrides } from './overrides.ts';
import type { WorkerTask } from './pool.ts';
import { runTasks } from './pool.ts';
import { runWorld } from './run.ts';
import { shrink } from './shrink.ts';
import type { Bug } from './teeth/bug.ts';
import { bugs } from './teeth/catalog.ts';
import { runTeeth } from './teeth/teeth.ts';
import type { Suite, WorldResult } from './world.ts';

const usage = `Runs simulated clusters, one world per seed and suite.

  pnpm sim [--seeds N] [--from N] [--seed N] [--suite core|cluster|all] [--members N]
           [--workers N] [--twice] [--verbose] [--hours H]
  pnpm sim --seed N --suite S [--weather JSON] [--verbose] [--trace FILE] [--shrink]
  pnpm sim --teeth [--bug ID] [--suite S] [--seeds N] [--from N]

  --seeds N     how many seeds (default 200)
  --from N      the first one (default 1)
  --seed N      only this one, in this process
  --suite S     core: bare consensus machines; cluster: whole members; all (default)
  --members N   how many members; default: drawn from the seed
  --workers N   processes side by side (default: one per core)
  --hours H     seed after seed until so many hours are over
  --twice       run each seed twice and compare everything that happened
  --teeth       build in one deliberate bug after another: which check finds it, after how many seeds
  --bug ID      only this bug
  --verbose     with --seed: print every event; else: one line per world
  --weather J   with --seed: fields of the weather that are not as drawn, as JSON
  --trace FILE  with --seed: what each replica does, as lines of JSON
  --shrink      with --seed: take troubles away and end the storm sooner while it still fails
`;

type Options = {
  readonly seeds: readonly number[];
  readonly suites: readonly Suite[];
  readonly members: number | undefined;
  readonly workerCount: number;
  readonly twice: boolean;
  readonly verbose: boolean;
  readonly single: boolean;
  readonly hours: number;
  readonly weather: Overrides | undefined;
  readonly traceFile: string | undefined;
  readonly shrink: boolean;
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
  if (options.single) {
    for (const task of tasksOf(options)) await runSingle(task, options, report);
  } else {
    await runTasks(tasksOf(options), {
      script,
      workerCount: Math.min(options.workerCount, options.seeds.length * options.suites.length),
      taskTimeoutMs,
      done: (task, result, trouble) => {
        report.done(task, result, trouble);
      },
    });
  }
  return report.end();
}

/** World after world; with `hours`, seeds go on until those are over. */
function* tasksOf(options: Options): Iterable<WorkerTask> {
  const { seeds, suites, members, weather, twice, hours } = options;
  const endsAt = performance.now() + hours * 3_600_000;
  const first = seeds[0] ?? 1;
  for (let i = 0; hours > 0 ? performance.now() < endsAt : i < seeds.length; i++) {
    for (const suite of suites) {
      const task: WorkerTask = { suite, seed: first + i, members, weather };
      yield task;
      if (twice) yield task;
    }
  }
}

/** One world in this process: with its log, its trace, or made smaller. */
async function runSingle(task: WorkerTask, options: Options, report: Report): Promise<void> {
  const { suite, ...world } = task;
  const states: string[] = [];
  const result = await runWorld(suite, {
    ...world,
    trace: options.verbose ? (line): void => console.log(line) : undefined,
    states: options.traceFile === undefined ? undefined : (line): number => states.push(line),
  });
  if (options.traceFile !== undefined) {
    await writeFile(options.traceFile, states.map((line) => `${line}\n`).join(''));
  }
  report.done(task, result, null);
  if (!options.shrink || result.check === null) return;
  const given = task.weather ?? {};
  const smaller = await shrink({
    weather: result.weather,
    check: result.check,
    run: (overrides) => runWorld(suite, { ...world, weather: joinOverrides(given, overrides) }),
    kept: (step) => {
      console.log(`  still fails with ${JSON.stringify(step)}`);
    },
  });
  console.log(`  shrunk: ${replayCommand({ ...task, weather: joinOverrides(given, smaller) })}`);
}

class Report {
  readonly #options: Options;
  readonly #startedAt = performance.now();
  readonly #failedSeeds = new Set<number>();
  readonly #seeds = new Set<number>();
  readonly #hashes = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  #doneCount = 0;
  #virtualMs = 0;

  constructor(options: Options) {
    this.#options = options;
  }

  done(task: WorkerTask, result: WorldResult | null, trouble: string | null): void {
    this.#doneCount += 1;
    this.#seeds.add(task.seed);
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
      if (!this.#options.shrink) console.log(`  make it smaller: ${shrinkCommand(task)}`);
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
    console.log(`${this.#seeds.size - failed} passed, ${failed} failed`);
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
    const { seeds, suites, twice, single, hours } = this.#options;
    if (single) return;
    const total = hours > 0 ? -1 : seeds.length * suites.length * (twice ? 2 : 1);
    const of = total < 0 ? '' : `/${total}`;
    const text = `${this.#doneCount}${of} worlds, ${this.#failedSeeds.size} seeds failed`;
    if (process.stdout.isTTY) process.stdout.write(`\r${text}`);
    else if (this.#doneCount % 50 === 0 || this.#doneCount === total) console.log(text);
  }
}

/** The one command that runs a world again, with everything it does. */
function replayCommand(task: WorkerTask): string {
  return `${commandOf(task)} --verbose`;
}

function shrinkCommand(task: WorkerTask): string {
  return `${commandOf(task)} --shrink`;
}

function commandOf({ suite, seed, members, weather }: WorkerTask): string {
  const size = members === undefined ? '' : ` --members ${members}`;
  const changes = weather === undefined ? '' : ` --weather '${JSON.stringify(weather)}'`;
  return `pnpm sim --seed ${seed} --suite ${suite}${size}${changes}`;
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
        hours: { type: 'string' },
        weather: { type: 'string' },
        trace: { type: 'string' },
        shrink: { type: 'boolean' },
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
  const hours = Number(values['hours'] ?? 0);
  const weather = overridesFrom(values['weather']);
  if (weather === null || !(hours >= 0)) return null;
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
    hours,
    weather,
    traceFile: typeof values['trace'] === 'string' ? values['trace'] : undefined,
    shrink: values['shrink'] === true,
    teeth: values['teeth'] === true ? wanted : null,
  };
}

/** Null for what is not an object in JSON. */
function overridesFrom(text: string | boolean | undefined): Overrides | undefined | null {
  if (typeof text !== 'string') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? (value as Overrides) : null;
  } catch {
    return null;
  }
}

/** A natural number, `fallback` where nothing was given, NaN for anything else. */
function count(text: string | boolean | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  return typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : Number.NaN;
}
