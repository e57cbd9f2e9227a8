/** The command line of the simulator: which seeds, how they went, how to see one again. */
import { readFile, writeFile } from 'node:fs/promises';
import { readOptions, usage } from './options.ts';
import type { Options } from './options.ts';
import { joinOverrides } from './overrides.ts';
import type { PoolOptions, WorkerTask } from './pool.ts';
import { runTasks } from './pool.ts';
import { Report, replayCommand } from './report.ts';
import { runWorld } from './run.ts';
import { shrink } from './shrink.ts';
import type { Bug } from './teeth/bug.ts';
import { withProgram } from './teeth/build.ts';
import { bugs } from './teeth/catalog.ts';
import { withFindings } from './teeth/table.ts';
import { runTeeth } from './teeth/teeth.ts';
import type { MeasuredResult } from './world.ts';

/** One world's real time is bounded, so that a world that hangs is told from a machine with much to do. */
const taskTimeoutMs = 600_000;
/** The same for worlds with a bug in them, some of which do hang. */
const teethTimeoutMs = 180_000;

/** Runs what `args` ask for; resolves with the exit code. `script` is what workers run. */
export async function runCli(args: readonly string[], script: string): Promise<number> {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(usage);
    return 0;
  }
  const options = readOptions(args, console.error);
  if (options === null) {
    console.log(usage);
    return 2;
  }
  if (options.teeth !== null) return showTeeth(options, options.teeth);
  const report = new Report(options);
  if (options.single) await runSingles(options, report);
  else {
    await runTasks(
      tasksOf(options, () => performance.now()),
      {
        script,
        workerCount: Math.min(options.workerCount, options.seeds.length * options.suites.length),
        taskTimeoutMs,
        done: (task, result, trouble) => {
          report.done(task, result, trouble);
        },
      },
    );
  }
  return report.end();
}

async function showTeeth(options: Options, wanted: readonly Bug[]): Promise<number> {
  const { seeds, workerCount, without, tableFile } = options;
  const [from = 1] = seeds;
  const missed = await runTeeth({
    bugs: wanted,
    from,
    seedCount: seeds.length,
    without,
    workerCount,
    taskTimeoutMs: teethTimeoutMs,
    found: async (finding) => {
      if (tableFile === undefined) return;
      const text = await readFile(tableFile, 'utf8');
      await writeFile(tableFile, withFindings(text, [finding], bugs));
    },
  });
  return missed === 0 ? 0 : 1;
}

/** World after world; with `hours`, seeds go on until those are over. `now`: milliseconds. */
export function* tasksOf(options: Options, now: () => number): Iterable<WorkerTask> {
  const { seeds, suites, members, weather, twice, hours } = options;
  const endsAt = now() + hours * 3_600_000;
  const first = seeds[0] ?? 1;
  for (let i = 0; hours > 0 ? now() < endsAt : i < seeds.length; i++) {
    for (const suite of suites) {
      const task: WorkerTask = { suite, seed: first + i, members, weather };
      yield task;
      if (twice) yield task;
    }
  }
}

/** The worlds of one seed, in this process, or in one that is built with a bug. */
async function runSingles(options: Options, report: Report): Promise<void> {
  const { bug } = options;
  const states: string[] = [];
  const inHere: RunWorld = ({ suite, ...world }) => runWorld(suite, world);
  const seen: RunWorld = ({ suite, ...world }) =>
    runWorld(suite, {
      ...world,
      trace: options.verbose ? (line): void => console.log(line) : undefined,
      states: options.traceFile === undefined ? undefined : (line): number => states.push(line),
    });
  const tasks = tasksOf(options, () => performance.now());
  if (bug === undefined) {
    for (const task of tasks) await runSingle(task, options, report, seen, inHere);
    if (options.traceFile === undefined) return;
    await writeFile(options.traceFile, states.map((line) => `${line}\n`).join(''));
    return;
  }
  await withProgram(bug, async (script) => {
    const inThere: RunWorld = (task) => runElsewhere(task, script);
    for (const task of tasks) await runSingle(task, options, report, inThere, inThere);
  });
}

type RunWorld = (task: WorkerTask) => Promise<MeasuredResult>;

/** One world as `run` does it, and then as small as `again` still fails. */
async function runSingle(
  task: WorkerTask,
  options: Options,
  report: Report,
  run: RunWorld,
  again: RunWorld,
): Promise<void> {
  const result = await run(task);
  report.done(task, result, null);
  if (!options.shrink || result.check === null) return;
  const given = task.weather ?? {};
  const smaller = await shrink({
    weather: result.weather,
    check: result.check,
    run: (overrides) => again({ ...task, weather: joinOverrides(given, overrides) }),
    kept: (step) => {
      console.log(`  still fails with ${JSON.stringify(step)}`);
    },
  });
  const shrunk = { ...task, weather: joinOverrides(given, smaller) };
  console.log(`  shrunk: ${replayCommand(shrunk, options.bug)}`);
}

async function runElsewhere(task: WorkerTask, script: string): Promise<MeasuredResult> {
  let result: MeasuredResult | null = null;
  let trouble: string | null = null;
  const done: PoolOptions['done'] = (_, its, failure) => {
    result = its;
    trouble = failure;
  };
  await runTasks([task], { script, workerCount: 1, taskTimeoutMs, execArgv: [], done });
  if (result === null) throw new Error(`Cannot run seed ${task.seed}: ${trouble ?? 'no answer'}`);
  return result;
}
