/** What the command line of the simulator takes. */
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import type { Overrides } from './overrides.ts';
import type { Bug } from './teeth/bug.ts';
import { withoutCheck } from './teeth/bug.ts';
import { bugs } from './teeth/catalog.ts';
import { checks } from './violation.ts';
import type { Check } from './violation.ts';
import { suites as allSuites } from './world.ts';
import type { Suite } from './world.ts';

export const usage: string = `Runs simulated clusters, one world per seed and suite.

  pnpm sim [--seeds N] [--from N] [--seed N] [--suite core|cluster|restore|all] [--members N]
           [--workers N] [--twice] [--verbose] [--hours H]
  pnpm sim --seed N --suite S [--weather JSON] [--verbose] [--trace FILE] [--shrink]
  pnpm sim --seed N --bug ID [--without CHECK] [--weather JSON] [--shrink]
  pnpm sim --teeth [--bug ID] [--suite S] [--seeds N] [--from N] [--without CHECK|finder]
           [--table FILE]

  --seeds N     how many seeds (default 200)
  --from N      the first one (default 1)
  --seed N      only this one, in this process
  --suite S     core: bare consensus machines; cluster: whole members;
                restore: clusters that are backed up, lost and restored; all (default)
  --members N   how many members; default: drawn from the seed
  --workers N   processes side by side (default: one per core)
  --hours H     seed after seed until so many hours are over
  --twice       run each seed twice and compare everything that happened
  --teeth       build in one deliberate bug after another: which check finds it, after how many seeds
  --bug ID      only this bug; with --seed: a world with this bug in it
  --without C   with --bug or --teeth: as if there were no such check; finder: each bug once more,
                without the check that found it: does another one, in the same seeds?
  --table FILE  with --teeth: what was found goes into the table of this file
  --verbose     with --seed: print every event; else: one line per world
  --weather J   with --seed: fields of the weather that are not as drawn, as JSON
  --trace FILE  with --seed: what each replica does, as lines of JSON
  --help        this text
  --shrink      with --seed: take troubles away and end the storm sooner while it still fails
`;

export type Options = {
  readonly seeds: readonly number[];
  readonly suites: readonly Suite[];
  readonly members: number | undefined;
  readonly workerCount: number;
  readonly twice: boolean;
  readonly verbose: boolean;
  readonly single: boolean;
  /** Built into the only world. */
  readonly bug: Bug | undefined;
  readonly hours: number;
  readonly weather: Overrides | undefined;
  readonly traceFile: string | undefined;
  readonly shrink: boolean;
  readonly teeth: readonly Bug[] | null;
  /** With `teeth`; the only world's bug has its own built in. */
  readonly without: Check | 'finder' | undefined;
  readonly tableFile: string | undefined;
};

/** Null for what the usage does not allow; `say` hears what is wrong where that can be told. */
export function readOptions(
  args: readonly string[],
  say: (text: string) => void = () => undefined,
): Options | null {
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
        table: { type: 'string' },
        without: { type: 'string' },
        bug: { type: 'string' },
        twice: { type: 'boolean' },
        verbose: { type: 'boolean' },
      },
    }));
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return null;
  }
  const { suite = 'all' } = values;
  const seed = count(values['seed'], -1);
  const from = count(values['from'], 1);
  const seedCount = count(values['seeds'], 200);
  const members = count(values['members'], 0);
  const workers = count(values['workers'], availableParallelism());
  const hours = Number(values['hours'] ?? 0);
  const weather = overridesFrom(values['weather']);
  if (weather === null || !(hours >= 0)) return null;
  if ([seed, from, seedCount, members, workers].includes(Number.NaN) || workers < 1) return null;
  const suites = suite === 'all' ? allSuites : allSuites.filter((one) => one === suite);
  if (suites.length === 0) return null;
  const wanted = bugs
    .filter(({ id }) => values['bug'] === undefined || values['bug'] === id)
    .filter((bug) => suites.includes(bug.suite));
  if (wanted.length === 0) return null;
  const isTeeth = values['teeth'] === true;
  const single = seed >= 0;
  const without = withoutChoices.find((one) => one === values['without']);
  const named = values['bug'] === undefined || isTeeth ? undefined : wanted[0];
  const isBuilt = named !== undefined && without !== undefined && without !== 'finder';
  const bug = isBuilt ? withoutCheck(named, without) : named;
  const wrong = [
    [values['table'] !== undefined && !isTeeth, '--table goes with --teeth'],
    [
      values['without'] !== undefined && without === undefined,
      `--without takes one of ${withoutChoices.join(', ')}`,
    ],
    [
      without !== undefined && named === undefined && !isTeeth,
      '--without goes with --bug or --teeth',
    ],
    [without === 'finder' && !isTeeth, '--without finder goes with --teeth'],
    [
      values['table'] !== undefined && without !== undefined && without !== 'finder',
      '--table goes without --without, or with its finder',
    ],
    [isTeeth && (single || hours > 0), '--teeth goes with --seeds and --from'],
    [single && hours > 0, '--hours goes without --seed'],
    [values['shrink'] === true && !single, '--shrink goes with --seed'],
    [values['trace'] !== undefined && !single, '--trace goes with --seed'],
    [values['trace'] !== undefined && suites.length > 1, '--trace goes with --suite'],
    [bug !== undefined && !single, '--bug goes with --teeth or with --seed'],
    [bug !== undefined && values['verbose'] === true, '--bug goes without --verbose'],
    [bug !== undefined && values['trace'] !== undefined, '--bug goes without --trace'],
  ] as const;
  const objection = wrong.find(([isWrong]) => isWrong)?.[1];
  if (objection !== undefined) {
    say(objection);
    return null;
  }
  return {
    seeds: seed >= 0 ? [seed] : Array.from({ length: seedCount }, (_, i) => from + i),
    suites: bug === undefined ? suites : [bug.suite],
    members: members === 0 ? undefined : members,
    workerCount: workers,
    twice: values['twice'] === true,
    verbose: values['verbose'] === true,
    single,
    bug,
    hours,
    weather,
    traceFile: typeof values['trace'] === 'string' ? values['trace'] : undefined,
    shrink: values['shrink'] === true,
    teeth: isTeeth ? wanted : null,
    without,
    tableFile: typeof values['table'] === 'string' ? values['table'] : undefined,
  };
}

/** A world in which something throws has no end to be looked at. */
const withoutChoices = ['finder', ...checks.filter((one) => one !== 'crash')] as const;

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
