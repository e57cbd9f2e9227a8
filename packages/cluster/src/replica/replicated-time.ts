/**
 * Replicated time (Z24): milliseconds since genesis that only a leader stamps, from its monotonic
 * clock, going on where the newest entry of the log stands. It stamps; it decides nothing by itself.
 */
import type { Entry } from '@quorate/core';
import type { Clock } from '@quorate/contracts';
import { timeOf } from '../state/envelope.ts';

export class ReplicatedTime {
  readonly #clock: Clock;
  #newest: number;
  #base: { readonly time: number; readonly at: number };

  constructor(clock: Clock, time: number) {
    this.#clock = clock;
    this.#newest = time;
    this.#base = { time, at: clock.now() };
  }

  /** Entries that came into the log, committed or not. */
  note(entries: readonly Entry[]): void {
    for (let i = entries.length - 1; i >= 0; i--) {
      const entry = entries[i];
      if (entry?.type !== 'normal') continue;
      this.#newest = Math.max(this.#newest, timeOf(entry.data));
      return;
    }
  }

  /** A snapshot took the place of entries. */
  restored(time: number): void {
    this.#newest = Math.max(this.#newest, time);
  }

  /** This replica leads from now on. */
  lead(): void {
    this.#base = { time: this.#newest, at: this.#clock.now() };
  }

  /** The time to stamp now; never less than any before. */
  stamp(): number {
    const elapsed = Math.max(0, Math.floor(this.#clock.now() - this.#base.at));
    this.#newest = Math.max(this.#newest, this.#base.time + elapsed);
    return this.#newest;
  }
}
