/** Virtual time for tests: nothing passes unless a test says so, and every run is the same. */
import type { Clock } from '@quorate/contracts';

type Timer = { readonly atMs: number; readonly order: number; readonly callback: () => void };

export class ManualClock implements Clock {
  /** How far the wall clock is ahead of the monotonic one. */
  wallAheadMs = 1_800_000_000_000;
  #nowMs = 0;
  #order = 0;
  readonly #timers = new Set<Timer>();
  #deferred: (() => void)[] = [];

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return this.#nowMs + this.wallAheadMs;
  }

  get timerCount(): number {
    return this.#timers.size;
  }

  setTimeout(callback: () => void, delayMs: number): () => void {
    const timer = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#order++, callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  defer(callback: () => void): void {
    this.#deferred.push(callback);
  }

  /** Runs what is deferred and every promise that can go on, until nothing moves. */
  async settle(): Promise<void> {
    do {
      for (const callback of this.#deferred.splice(0)) callback();
      // An immediate comes after all microtasks.
      await new Promise<void>((resolve) => setImmediate(resolve));
    } while (this.#deferred.length > 0);
  }

  /** Lets `durationMs` pass: each timer at its time, in order, everything settled in between. */
  async advance(durationMs: number): Promise<void> {
    const untilMs = this.#nowMs + durationMs;
    await this.settle();
    for (let next = this.#next(); next !== null && next.atMs <= untilMs; next = this.#next()) {
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#timers.delete(next);
      next.callback();
      await this.settle();
    }
    this.#nowMs = untilMs;
  }

  /** Lets time pass until `condition` holds; throws when it does not within `limitMs`. */
  async until(condition: () => boolean, limitMs: number = 60_000): Promise<void> {
    const untilMs = this.#nowMs + limitMs;
    await this.settle();
    while (!condition()) {
      const next = this.#next();
      if (next === null || next.atMs > untilMs) {
        throw new Error(`Nothing came of it within ${limitMs} virtual ms: ${String(condition)}`);
      }
      this.#nowMs = Math.max(this.#nowMs, next.atMs);
      this.#timers.delete(next);
      next.callback();
      await this.settle();
    }
  }

  /** Lets time pass until `promise` settles, and returns what it came to. */
  async wait<T>(promise: Promise<T>, limitMs?: number): Promise<T> {
    let settled = false;
    const mark = (): void => {
      settled = true;
    };
    promise.then(mark, mark);
    await this.until(() => settled, limitMs);
    return promise;
  }

  #next(): Timer | null {
    let first: Timer | null = null;
    for (const timer of this.#timers) {
      const earlier =
        first === null ||
        timer.atMs < first.atMs ||
        (timer.atMs === first.atMs && timer.order < first.order);
      if (earlier) first = timer;
    }
    return first;
  }
}

/** Chance from a seed (mulberry32). */
export function seededBytes(seed: number): (count: number) => Uint8Array {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return (count) => Uint8Array.from({ length: count }, () => next() & 0xff);
}
