/** Writes through the gateways' client: how many a second, and how long one takes. */
import { connectClient } from '@quorate/client';
import { median, percentile, rounded, table } from './figures.ts';
import { startCluster } from './processes.ts';
import type { Cluster } from './processes.ts';

const rounds = 3;
const roundMs = 3_000;
const value = 'x'.repeat(256);

export type Round = { readonly perSecond: number; readonly p50: number; readonly p99: number };

/** Prints a table: three members with fsync on this machine, clients spread over the gateways. */
export async function benchWrites(): Promise<void> {
  const cluster = await startCluster();
  try {
    const rows: string[][] = [];
    await round(cluster, 16);
    let base = 0;
    for (const clients of [1, 64, 256]) {
      const results: Round[] = [];
      for (let i = 0; i < rounds; i++) results.push(await round(cluster, clients));
      const perSecond = median(results.map((one) => one.perSecond));
      base = base === 0 ? perSecond : base;
      rows.push([
        String(clients),
        rounded(perSecond),
        `${(perSecond / base).toFixed(1)} ×`,
        rounded(median(results.map((one) => one.p50))),
        rounded(median(results.map((one) => one.p99))),
      ]);
    }
    console.log('\nWrites of 256 B through the gateways, three members with fsync, one machine');
    console.log(table(['clients', 'writes/s', 'to 1 client', 'p50 ms', 'p99 ms'], rows));
  } finally {
    await cluster.close();
  }
}

export async function round(
  cluster: Cluster,
  clients: number,
  forMs: number = roundMs,
): Promise<Round> {
  const times: number[] = [];
  const end = performance.now() + forMs;
  const write = async (number: number): Promise<void> => {
    const url = cluster.nodes[number % cluster.nodes.length]?.gateway ?? '';
    const client = connectClient({ url });
    for (let i = 0; performance.now() < end; i++) {
      const from = performance.now();
      await client.kv.put(`bench/${number}/${i % 100}`, value);
      times.push(performance.now() - from);
    }
    client.close();
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: clients }, (_, number) => write(number)));
  const seconds = (performance.now() - startedAt) / 1_000;
  times.sort((a, b) => a - b);
  return {
    perSecond: times.length / seconds,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
  };
}
