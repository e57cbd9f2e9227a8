import { expect, test } from 'vitest';
import { Budget } from './budget.ts';
import type { Source } from './budget.ts';
import { costs, defaultRelayLimits, workShares } from './limits.ts';

const shares = workShares(defaultRelayLimits);
const { peer, address } = shares;

function budgetAt(sourcesMax?: number): { budget: Budget; pass(ms: number): void } {
  let nowMs = 0;
  const budget = new Budget(shares, () => nowMs, sourcesMax);
  return { budget, pass: (ms) => void (nowMs += ms) };
}

/** How often `units` can be taken at once. */
function times(budget: Budget, source: Source, units: number): number {
  let count = 0;
  while (count < 100_000 && budget.take(source, units)) count += 1;
  return count;
}

const from = (peer: string, address = 'home'): Source => ({ peer, address });

test('T25: a peer has its burst, and then so much a second, whatever it has of sessions', () => {
  const { budget, pass } = budgetAt();
  expect(times(budget, from('a'), costs.check)).toBe(peer.burst / costs.check);
  pass(1_000);
  expect(times(budget, from('a'), costs.check)).toBe(peer.perSecond / costs.check);
  pass(3_600_000);
  expect(times(budget, from('a'), costs.check)).toBe(peer.burst / costs.check);
});

test('T25: many peers of one address have together what an address has; others have theirs', () => {
  const { budget } = budgetAt();
  let taken = 0;
  for (let index = 0; index < 100; index += 1) taken += times(budget, from(`${index}`), 20);
  expect(taken).toBe(address.burst / 20);
  expect(times(budget, from('elsewhere', 'another'), 20)).toBe(peer.burst / 20);
});

test('T25: what a peer is refused costs its address nothing', () => {
  const { budget } = budgetAt();
  times(budget, from('greedy'), 1);
  for (let index = 0; index < 10_000; index += 1) budget.take(from('greedy'), 20);
  expect(times(budget, from('neighbour'), 20)).toBe(peer.burst / 20);
});

test('T25: programs of the relay’s own machine are counted by peer alone', () => {
  const { budget } = budgetAt();
  for (let index = 0; index < 100; index += 1) {
    const own = from(`${index}`, `${index}`);
    expect(times(budget, own, 20)).toBe(peer.burst / 20);
  }
});

test('T25: a wrong signature is a debt, bounded, that is worked off', () => {
  const liar = from('liar', 'liar');
  const { budget, pass } = budgetAt();
  for (let index = 0; index < 1_000; index += 1) budget.charge(liar, costs.wrong);
  pass((peer.burst / peer.perSecond) * 1_000);
  expect(budget.take(liar, 1)).toBe(false);
  pass(1_000);
  expect(budget.take(liar, 1)).toBe(true);
});

test('T25: a debt is worked off in as many milliseconds as it says', () => {
  const { budget, pass } = budgetAt();
  const sender = from('sender');
  budget.charge(sender, peer.burst);
  expect(budget.debtMs(sender)).toBe(0);
  budget.charge(sender, peer.perSecond / 2);
  expect(budget.debtMs(sender)).toBe(500);
  expect(budget.debtMs(from('neighbour'))).toBe(0);
  pass(500);
  expect(budget.debtMs(sender)).toBe(0);
});

test('T25: a full house forgets those first that were quiet for longest', () => {
  const { budget, pass } = budgetAt(100);
  times(budget, from('first', 'first'), 1);
  for (let index = 0; index < 1_000; index += 1) {
    budget.take(from(`${index}`, `${index}`), 1);
    expect(budget.size).toBeLessThanOrEqual(100);
  }
  pass(60_000);
  for (let index = 0; index < 100; index += 1) budget.take(from('a', 'a'), 1);
  expect(budget.size).toBe(1);
});

/** A page: found in its first seconds, then announced every 8 s, with a ping every 3 s, until it goes. */
const loadUnits =
  costs.session +
  costs.place +
  5 * costs.circuit +
  4 * (costs.request + costs.check) +
  (costs.request + costs.check) +
  6 * costs.request;

test('T25: 2,000 page loads in two hours from one address, each open for ten minutes, meet no limit', () => {
  const { budget, pass } = budgetAt();
  const pages: { readonly peer: string; readonly untilSecond: number }[] = [];
  let loads = 0;
  let refused = 0;
  let most = 0;
  const ask = (page: string, units: number): void => {
    if (!budget.take(from(page), units)) refused += 1;
  };
  for (let second = 0; second < 7_200; second += 1) {
    // Lessons begin: fifty within ten seconds, a hundred times, not evenly spread.
    const arriving = loads < 2_000 && second % 72 < 10 ? 5 : 0;
    for (let count = 0; count < arriving && loads < 2_000; count += 1) {
      const page = `page ${loads}`;
      loads += 1;
      pages.push({ peer: page, untilSecond: second + 600 });
      ask(page, loadUnits);
    }
    for (const [at, page] of pages.entries()) {
      if (page.untilSecond <= second) continue;
      if ((second + at) % 8 === 0) ask(page.peer, costs.request + costs.check);
      if ((second + at) % 3 === 0) ask(page.peer, costs.request);
    }
    most = Math.max(most, pages.filter(({ untilSecond }) => untilSecond > second).length);
    pass(1_000);
  }
  expect(loads).toBe(2_000);
  expect(most).toBeGreaterThan(300);
  expect(refused).toBe(0);
});
