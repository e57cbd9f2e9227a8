/** How worlds went: failures with the command that shows them again, and totals at the end. */
import type { Options } from './options.ts';
import type { WorkerTask } from './pool.ts';
import type { Bug } from './teeth/bug.ts';
import type { Suite, MeasuredResult } from './world.ts';

/** Hears how each world went, and prints what a person should know. */
export class Report {
  readonly #options: Options;
  readonly #startedAt = performance.now();
  readonly #failedSeeds = new Set<number>();
  readonly #seeds = new Set<number>();
  readonly #hashes = new Map<string, string>();
  readonly #counts = new Map<string, number>();
  #doneCount = 0;
  readonly #speeds = new Map<Suite, Speed>();
  #virtualMs = 0;
  readonly #print: (text: string) => void;

  constructor(options: Options, print: (text: string) => void = console.log) {
    this.#options = options;
    this.#print = print;
  }

  done(task: WorkerTask, result: MeasuredResult | null, trouble: string | null): void {
    this.#doneCount += 1;
    this.#seeds.add(task.seed);
    this.#virtualMs += result?.virtualMs ?? 0;
    if (result !== null) this.#measure(result);
    for (const [name, count] of Object.entries(result?.counts ?? {})) {
      const key = `${task.suite} ${name}`;
      this.#counts.set(key, (this.#counts.get(key) ?? 0) + count);
    }
    const failure = trouble ?? result?.failure ?? this.#differs(task, result);
    if (failure !== null) {
      this.#failedSeeds.add(task.seed);
      this.#print(`\nseed ${task.seed}, ${task.suite}: ${failure}`);
      this.#print(`  see it again: ${replayCommand(task, this.#options.bug)}`);
      if (!this.#options.shrink)
        this.#print(`  make it smaller: ${shrinkCommand(task, this.#options.bug)}`);
    } else if (this.#options.verbose && result !== null) {
      this.#print(`seed ${task.seed}, ${task.suite}: ok ${result.eventHash}`);
    }
    this.#progress();
  }

  /** Prints the totals and, alone on the last line, how many seeds passed and failed. */
  end(): number {
    const seconds = (performance.now() - this.#startedAt) / 1_000;
    const totals = [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
    this.#print(`\n${totals.map(([name, count]) => `${name} ${count}`).join(', ')}`);
    this.#print(
      `${(this.#virtualMs / 1_000).toFixed(0)} virtual seconds in ${seconds.toFixed(1)} s`,
    );
    for (const [suite, { cpuMs, fiveNodeMs }] of this.#speeds) {
      const speed = Math.round(fiveNodeMs / cpuMs);
      this.#print(`${suite}: ${speed} seconds of five nodes in a second of one processor`);
    }
    const failed = this.#failedSeeds.size;
    this.#print(`${this.#seeds.size - failed} passed, ${failed} failed`);
    return failed === 0 ? 0 : 1;
  }

  #measure({ suite, virtualMs, memberCount, cpuMs }: MeasuredResult): void {
    const speed = this.#speeds.get(suite) ?? { cpuMs: 0, fiveNodeMs: 0 };
    this.#speeds.set(suite, {
      cpuMs: speed.cpuMs + cpuMs,
      fiveNodeMs: speed.fiveNodeMs + (virtualMs * memberCount) / 5,
    });
  }

  #differs(task: WorkerTask, result: MeasuredResult | null): string | null {
    if (result === null || !this.#options.twice) return null;
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
    else if (this.#doneCount % 50 === 0 || this.#doneCount === total) this.#print(text);
  }
}

/** A processor's time, and the virtual time that five nodes had in it. */
type Speed = { readonly cpuMs: number; readonly fiveNodeMs: number };

/** The one command that runs a world again: with everything it does, where it is not built anew. */
export function replayCommand(task: WorkerTask, bug?: Bug): string {
  if (bug === undefined) return `${commandOf(task)} --verbose`;
  const without = bug.without === undefined ? '' : ` --without ${bug.without}`;
  return `${commandOf(task)} --bug ${bug.id}${without}`;
}

function shrinkCommand(task: WorkerTask, bug: Bug | undefined): string {
  return `${bug === undefined ? commandOf(task) : replayCommand(task, bug)} --shrink`;
}

function commandOf({ suite, seed, members, weather }: WorkerTask): string {
  const size = members === undefined ? '' : ` --members ${members}`;
  const changes = weather === undefined ? '' : ` --weather '${JSON.stringify(weather)}'`;
  return `pnpm sim --seed ${seed} --suite ${suite}${size}${changes}`;
}
