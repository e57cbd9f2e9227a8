/**
 * Holds what was acknowledged against what is there. Every +1 adds to the total and, in the same
 * revision, to a number of the page that wrote it: nothing lost and nothing doubled means that both
 * move by exactly one, each time.
 */

export type Tally = {
  /** Writes of this page that were acknowledged. */
  readonly acknowledged: number;
  /** Writes of this page of which nobody can say yet whether they were applied. */
  readonly unknown: number;
  /** Values of the total that were seen here, of whoever wrote them. */
  readonly seen: number;
  readonly lost: number;
  readonly doubled: number;
};

export class Tallying {
  #acknowledged = 0;
  #unknown = 0;
  #seen = 0;
  #lost = 0;
  #doubled = 0;
  #own = 0;
  #total: number | null = null;

  get tally(): Tally {
    return {
      acknowledged: this.#acknowledged,
      unknown: this.#unknown,
      seen: this.#seen,
      lost: this.#lost,
      doubled: this.#doubled,
    };
  }

  /** A write was acknowledged, in call order; `own` is what this page's number became by it. */
  acked(own: number): void {
    this.#acknowledged += 1;
    const others = own - this.#own - 1;
    this.#own = own;
    if (others < 0) this.#lost += -others;
    // Writes in doubt lie in between: each was applied once or never.
    else if (others > this.#unknown) this.#doubled += others - this.#unknown;
    this.#unknown = 0;
  }

  /** A write ended without an answer: it may have been applied. */
  doubted(): void {
    this.#unknown += 1;
  }

  /** Where following begins, or begins again. */
  startAt(total: number): void {
    this.#total = total;
  }

  /** The next value of the total, as it was committed. */
  saw(total: number): void {
    const before = this.#total;
    this.#seen += 1;
    this.#total = total;
    if (before === null) return;
    if (total > before + 1) this.#lost += total - before - 1;
    if (total <= before) this.#doubled += before + 1 - total;
  }
}
