/** How often each outcome came. */
export type Tally = {
  add(outcome: string): void;
  /** Of `count` that were asked for, those without an outcome. */
  missing(count: number): void;
  count(outcome: string): number;
  /** Outcomes that are none of `fine`. */
  beside(fine: readonly string[]): number;
  readonly text: string;
};

export function tally(): Tally {
  const counts = new Map<string, number>();
  const total = (): number => [...counts.values()].reduce((sum, count) => sum + count, 0);
  return {
    add: (outcome) => void counts.set(outcome, (counts.get(outcome) ?? 0) + 1),
    missing(count) {
      if (count > total()) counts.set('no answer', count - total());
    },
    count: (outcome) => counts.get(outcome) ?? 0,
    beside: (fine) => total() - fine.reduce((sum, one) => sum + (counts.get(one) ?? 0), 0),
    get text() {
      return [...counts].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
    },
  };
}
