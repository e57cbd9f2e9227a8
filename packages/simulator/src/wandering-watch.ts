/**
 * A watch that outlives members: it goes on at another one where it stood, as a page does whose
 * member went away. It must see everything once, in order, wherever it goes on.
 */
import { isQuorateError } from '@quorate/contracts';
import type { WatchBatch } from '@quorate/kv';
import type { Prng } from './prng.ts';
import type { SimProcess } from './sim-host.ts';
import { violated } from './violation.ts';
import type { VirtualClock } from './virtual-clock.ts';

export type WanderingWatchOptions = {
  readonly clock: VirtualClock;
  readonly prng: Prng;
  readonly prefix: string;
  readonly anyProcess: () => SimProcess | undefined;
};

export class WanderingWatch {
  readonly #options: WanderingWatchOptions;
  readonly #seen = new Map<string, number>();
  /** Everything up to here was seen. */
  #revision = 0;
  #stopped = false;
  moveCount = 0;

  constructor(options: WanderingWatchOptions) {
    this.#options = options;
  }

  /** Watches until `stop`; rejects with what must not happen. */
  async run(): Promise<void> {
    while (!this.#stopped) {
      const process = this.#options.anyProcess();
      if (process === undefined) await this.#pause(200);
      else await this.#watchAt(process);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  /** What it must have seen, once the end is known: keys with the revisions that wrote them. */
  check(entries: readonly { readonly key: string; readonly modRevision: number }[]): void {
    for (const { key, modRevision } of entries) {
      if (modRevision > this.#revision) continue;
      if (this.#seen.get(key) === modRevision) continue;
      const text = `A wandering watch at ${this.#revision} missed ${key} of ${modRevision} (K1)`;
      violated('watch', text);
    }
  }

  async #watchAt(process: SimProcess): Promise<void> {
    const { prng, prefix } = this.#options;
    this.moveCount += 1;
    const start = this.#revision === 0 ? { initial: true } : { from: this.#revision + 1 };
    const watch = process.kv.watch({ prefix, ...start });
    const until = this.#options.clock.now() + prng.between(200, prng.pick([2_000, 20_000]));
    let next = watch.next();
    try {
      while (!this.#stopped && process.host.process === process) {
        const result = await Promise.race([next, this.#pause(500)]);
        if (result === undefined) {
          if (this.#options.clock.now() >= until) break;
          continue;
        }
        if (result.done === true) return;
        this.#take(result.value);
        if (this.#options.clock.now() >= until) break;
        next = watch.next();
      }
    } catch (error) {
      if (!isQuorateError(error)) throw error;
      // Too long ago for the history there: begin again with what is.
      if (error.code === 'COMPACTED') this.#revision = 0;
      await this.#pause(200);
      return;
    }
    next.catch(() => undefined);
    await watch.return?.();
  }

  #take(batch: WatchBatch): void {
    if (batch.initial) {
      for (const { key, type } of batch.events) {
        if (type !== 'put') violated('watch', `A first batch deletes ${key} (K2)`);
      }
      const present = new Set(batch.events.map(({ key }) => key));
      for (const key of this.#seen.keys()) {
        if (!present.has(key)) violated('watch', `A watch lost sight of ${key}`);
      }
    } else if (batch.revision <= this.#revision) {
      const text = `A wandering watch went from ${this.#revision} to ${batch.revision} (K1)`;
      violated('watch', text);
    }
    for (const event of batch.events) {
      if (event.type !== 'put') continue;
      if (!batch.initial && this.#seen.has(event.key)) {
        violated('watch', `A wandering watch saw ${event.key} twice (K1)`);
      }
      this.#seen.set(event.key, event.entry.modRevision);
    }
    this.#revision = Math.max(this.#revision, batch.revision);
  }

  #pause(delayMs: number): Promise<undefined> {
    return new Promise((resolve) => {
      this.#options.clock.setTimeout(() => {
        resolve(undefined);
      }, delayMs);
    });
  }
}
