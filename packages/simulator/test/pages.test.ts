/** Worlds in which several members live in one page: they stand still together, and die together. */
import { expect, test } from 'vitest';
import { runClusterWorld } from '../src/cluster-world.ts';

const quiet = { stormMs: 15_000, wanderingClientCount: 0 };

test('T11 Z44 a page with all voters in it stands still again and again, and keeps its term', async () => {
  const result = await runClusterWorld({ seed: 4, weather: { ...quiet, pagePauseEveryMs: 1_500 } });
  expect(result.failure).toBe(null);
  expect(result.counts['pauses of a page']).toBeGreaterThan(1);
});

test('T11 Z61 a page stands still and dies beside others: nobody in it stands against a neighbour', async () => {
  const weather = { ...quiet, pagePauseEveryMs: 2_000, pageDeathEveryMs: 4_000 };
  const result = await runClusterWorld({ seed: 39, weather });
  expect(result.failure).toBe(null);
  expect(result.counts['pauses of a page']).toBeGreaterThan(0);
  expect(result.counts['deaths of a page']).toBeGreaterThan(0);
});
