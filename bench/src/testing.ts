/** What a cluster inside a test costs: `quorate/testing`, whole members in virtual time. */
import { performance } from 'node:perf_hooks';
import { testCluster } from 'quorate/testing';
import { percentile, table } from './figures.ts';

const runs = 120;
/** The first ones pay for the compiler. */
const warmUpRuns = 60;

export async function benchTesting(): Promise<void> {
  const rows: string[][] = [];
  for (const members of [1, 3, 5]) {
    const startMs: number[] = [];
    const putMs: number[] = [];
    for (let seed = 1; seed <= runs; seed++) {
      const startedAt = performance.now();
      const cluster = await testCluster({ members, seed });
      const readyAt = performance.now();
      await cluster.members[0]?.kv.put('key', seed);
      putMs.push(performance.now() - readyAt);
      startMs.push(readyAt - startedAt);
      cluster.close();
    }
    const [first = Number.NaN] = startMs;
    rows.push([String(members), first, ...[startMs, putMs].map(warm)].map(text));
  }
  console.log('\nA cluster inside a test: until it is ready, and a write after that');
  console.log(table(['members', 'ms first', 'ms warm', 'ms a write'], rows));
}

const warm = (all: readonly number[]): number =>
  percentile(
    all.slice(warmUpRuns).sort((a, b) => a - b),
    0.5,
  );

const text = (value: number | string): string =>
  typeof value === 'string' ? value : value.toFixed(1);
