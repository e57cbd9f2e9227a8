/**
 * Which term wrote each stored index: enough to tell what a batch may follow and whether the log
 * holds a snapshot's entry (§7), at a few bytes per term instead of a copy of the log.
 */
import type { Entry } from '@quorate/core';

/** Immutable: what was accepted and what is durable are two values. */
export class TermRuns {
  /** The last index, or the snapshot's when the log is empty. */
  readonly lastIndex: number;
  /** `base`: the entry that a snapshot stands for; index 0, term 0 without one. */
  readonly #base: Base;
  /** Ascending by `from`; each reaches to the next one, the last to `lastIndex`. */
  readonly #runs: readonly Base[];

  private constructor(base: Base, runs: readonly Base[], lastIndex: number) {
    this.#base = base;
    this.#runs = runs;
    this.lastIndex = lastIndex;
  }

  static empty(base: { readonly index: number; readonly term: number }): TermRuns {
    return new TermRuns({ from: base.index, term: base.term }, [], base.index);
  }

  /** The term of the entry at `index`, or null when neither log nor snapshot knows it. */
  termAt(index: number): number | null {
    if (index === this.#base.from) return this.#base.term;
    if (index > this.lastIndex) return null;
    return this.#runs.findLast((run) => run.from <= index)?.term ?? null;
  }

  /**
   * The log after `entries` replaced its suffix. Throws `RangeError` when they leave a gap, reach
   * below the snapshot or are not consecutive.
   */
  with(entries: readonly Entry[]): TermRuns {
    const first = entries[0];
    if (first === undefined) return this;
    if (first.index <= this.#base.from || first.index > this.lastIndex + 1) {
      throw new RangeError(
        `Cannot persist entry ${first.index}: the log ends at ${this.lastIndex} and the snapshot ` +
          `at ${this.#base.from}, wanted an index between`,
      );
    }
    let runs = this.#runs;
    if (first.index <= this.lastIndex) runs = runs.filter((run) => run.from < first.index);
    let index = first.index;
    for (const entry of entries) {
      if (entry.index !== index) {
        throw new RangeError(`Cannot persist entry ${entry.index}: wanted ${index} next`);
      }
      if (runs.at(-1)?.term !== entry.term) runs = [...runs, { from: index, term: entry.term }];
      index += 1;
    }
    return new TermRuns(this.#base, runs, index - 1);
  }

  /** The same log over a newer snapshot, whose entry it holds. */
  rebased(base: { readonly index: number; readonly term: number }): TermRuns {
    const next = this.#runs.findLastIndex((run) => run.from <= base.index + 1);
    const runs = next <= 0 ? this.#runs : this.#runs.slice(next);
    const lastIndex = Math.max(this.lastIndex, base.index);
    return new TermRuns({ from: base.index, term: base.term }, runs, lastIndex);
  }
}

type Base = { readonly from: number; readonly term: number };
