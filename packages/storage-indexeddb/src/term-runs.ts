/**
 * Which term wrote each stored index: enough to tell what a batch may follow and whether the log
 * holds a snapshot's entry (§7), without a copy of the log. Immutable, so that what a transaction
 * is about to make true can be thrown away with it.
 */
import type { Entry } from '@quorate/core';

/** The entry that a snapshot stands for; index 0 and term 0 without one. */
export type LogBase = { readonly index: number; readonly term: number };

export class TermRuns {
  readonly base: LogBase;
  /** The last index, or the base's when the log is empty. */
  readonly lastIndex: number;
  /** Where each term begins, ascending; the first may begin below the base (a trailing window). */
  readonly #starts: readonly LogBase[];

  private constructor(base: LogBase, starts: readonly LogBase[], lastIndex: number) {
    this.base = base;
    this.lastIndex = lastIndex;
    this.#starts = starts;
  }

  static over(base: LogBase): TermRuns {
    return new TermRuns(base, [], base.index);
  }

  /** The term of the entry at `index`, or null when neither log nor snapshot knows it. */
  termAt(index: number): number | null {
    if (index === this.base.index) return this.base.term;
    if (index > this.lastIndex) return null;
    return this.#starts.findLast((start) => start.index <= index)?.term ?? null;
  }

  /** The log after `entries` replaced its suffix. Throws `RangeError` for entries that do not fit. */
  with(entries: readonly Entry[]): TermRuns {
    const first = entries[0];
    if (first === undefined) return this;
    if (first.index <= this.base.index || first.index > this.lastIndex + 1) {
      throw new RangeError(
        `Cannot persist entry ${first.index}: the log ends at ${this.lastIndex} and the snapshot ` +
          `at ${this.base.index}, wanted an index between`,
      );
    }
    const starts = this.#starts.filter((start) => start.index < first.index);
    for (const [offset, { term, index }] of entries.entries()) {
      if (index !== first.index + offset) {
        throw new RangeError(`Cannot persist entry ${index}: wanted ${first.index + offset} next`);
      }
      if (starts.at(-1)?.term !== term) starts.push({ index, term });
    }
    return new TermRuns(this.base, starts, first.index + entries.length - 1);
  }

  /** The same log over a newer snapshot, whose entry it holds. */
  rebased(base: LogBase): TermRuns {
    const next = this.#starts.findLastIndex((start) => start.index <= base.index + 1);
    return new TermRuns(base, this.#starts.slice(Math.max(0, next)), this.lastIndex);
  }
}
