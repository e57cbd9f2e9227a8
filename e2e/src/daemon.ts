/** One long-running command: its events as they come, its end, its log. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { start } from './command.ts';
import type { SpawnOptions } from './command.ts';
import { until, within } from './wait.ts';

export type Event = {
  readonly event: string;
  readonly code?: string;
  readonly message?: string;
  readonly [field: string]: unknown;
};

export type Ending = { readonly code: number | null; readonly signal: string | null };

export class Daemon {
  readonly name: string;
  /** What it printed with `--json`, each line that is an object. */
  readonly events: Event[] = [];
  /** What it said aside, on stderr. */
  readonly asides: string[] = [];
  readonly ended: Promise<Ending>;
  readonly #child: ChildProcess;
  readonly #log: string[] = [];
  #ending: Ending | null = null;

  /** Starts `quorate <args> --json`. */
  constructor(name: string, args: readonly string[], options: SpawnOptions = {}) {
    this.name = name;
    this.#child = start([...args, '--json'], options);
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error(`Cannot read what ${name} says`);
    createInterface({ input: stdout }).on('line', (line) => this.#hear(line));
    createInterface({ input: stderr }).on('line', (line) => {
      this.asides.push(line);
      this.#note(line);
    });
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      this.#child.once('close', (code, signal) => {
        this.#ending = { code, signal };
        this.#note(`(ended: ${signal ?? `exit ${code}`})`);
        resolve(this.#ending);
      });
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  get isRunning(): boolean {
    return (
      this.#ending === null && this.#child.exitCode === null && this.#child.signalCode === null
    );
  }

  /** The last lines it said, with the milliseconds since this test process began. */
  tail(count = 15): string {
    const lines = this.#log.slice(-count).map((line) => `  ${line}`);
    return [`${this.name} (process ${this.pid}):`, ...lines].join('\n');
  }

  /** Resolves with the first such event, also one that came before; fails early if it ends. */
  async event(
    what: string,
    matches: (event: Event) => boolean,
    timeoutMs = 60_000,
  ): Promise<Event> {
    return until(
      `${this.name} says ${what}`,
      () => {
        const found = this.events.find(matches);
        if (found === undefined && !this.isRunning) {
          throw new Error(`${this.name} has ended`);
        }
        return found;
      },
      { timeoutMs, everyMs: 25, describe: () => this.tail() },
    );
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** As when the machine loses power: nothing is handed over, nothing is flushed. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.end();
  }

  /** SIGTERM, and how it ended. */
  async stop(): Promise<Ending> {
    this.signal('SIGTERM');
    return this.end();
  }

  async end(timeoutMs = 30_000): Promise<Ending> {
    return within(`${this.name} ends`, this.ended, timeoutMs, () => this.tail());
  }

  #hear(line: string): void {
    this.#note(line);
    let parsed: unknown;
    try {
      parsed = JSON.parse(line);
    } catch {
      return;
    }
    if (typeof parsed === 'object' && parsed !== null) this.events.push(parsed as Event);
  }

  #note(line: string): void {
    this.#log.push(`${Math.round(performance.now())} ${line.slice(0, 600)}`);
    if (this.#log.length > 2 * logLinesMax) this.#log.splice(0, logLinesMax);
  }
}

const logLinesMax = 500;
