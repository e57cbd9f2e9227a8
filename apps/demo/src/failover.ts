/**
 * The stopwatch of the demo: from the loss of a leader to the next write that is committed. Whoever
 * measures writes by itself, so that the answer does not hang on somebody's clicking.
 */

export type Failover = {
  /** Who led. */
  readonly name: string;
  readonly elapsedMs: number;
};

export type StopwatchOptions = {
  readonly now: () => number;
  /** Writes something; resolves once it is committed. Rejects when that cannot be said. */
  readonly write: () => Promise<void>;
  /** Resolves when it may be worth another attempt. */
  readonly pause: () => Promise<void>;
  readonly done: (failover: Failover) => void;
  readonly started: (name: string) => void;
};

export class Stopwatch {
  readonly #options: StopwatchOptions;
  #running: { readonly name: string; readonly lostAtMs: number } | null = null;
  #doneAtMs = -Infinity;
  #closed = false;

  constructor(options: StopwatchOptions) {
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#running !== null;
  }

  /**
   * The leader was lost at `lostAtMs`. One loss may be told by several: the first counts, and what
   * lies before the end of the last measurement is old news.
   */
  lost(name: string, lostAtMs: number): void {
    if (this.#running !== null || this.#closed || lostAtMs <= this.#doneAtMs) return;
    this.#running = { name, lostAtMs };
    this.#options.started(name);
    void this.#measure(name, lostAtMs);
  }

  close(): void {
    this.#closed = true;
  }

  // A write begun before the loss could be committed before it: only one begun afterwards counts.
  async #measure(name: string, lostAtMs: number): Promise<void> {
    const { now, write, pause, done } = this.#options;
    while (!this.#closed) {
      try {
        await write();
        break;
      } catch {
        await pause();
      }
    }
    this.#doneAtMs = now();
    this.#running = null;
    if (!this.#closed) done({ name, elapsedMs: this.#doneAtMs - lostAtMs });
  }
}
