/**
 * Loads that once took a member's memory or its leader's seat: what they take now, and a failure where
 * that is beyond the table below. Three members with disks, one machine.
 */
import { connectClient } from '@quorate/client';
import { fill, rangesByPages, rangesInOneRequest } from './bounds/answers.ts';
import { openDeafWatches } from './bounds/deaf-watches.ts';
import { largeWrites } from './bounds/large-writes.ts';
import type { Seen } from './bounds/watcher.ts';
import { look } from './bounds/watcher.ts';
import { rounded, table } from './figures.ts';
import { startCluster } from './processes.ts';
import type { Cluster } from './processes.ts';

type Load = {
  readonly name: string;
  readonly memoryMbMax: number;
  /** Resolves with what it came to, in words, and with what is wrong with that. */
  readonly run: (cluster: Cluster) => Promise<{ told: string; wrong: string | null }>;
  readonly before?: (cluster: Cluster) => Promise<void>;
};

const loads: readonly Load[] = [
  {
    name: '80 unlimited ranges of 8 MB, one request',
    memoryMbMax: 200,
    before: (cluster) => fill(cluster, 80, 100_000),
    async run(cluster) {
      const answers = await rangesInOneRequest(cluster, 80);
      return { told: answers.text, wrong: beside(answers.beside(['OK', 'OVERLOADED'])) };
    },
  },
  {
    name: '16 unlimited ranges of 64 MB',
    memoryMbMax: 200,
    before: (cluster) => fill(cluster, 64, 1_000_000),
    async run(cluster) {
      const answers = await rangesByPages(cluster, 16);
      return { told: answers.text, wrong: beside(answers.beside(['OK', 'OVERLOADED'])) };
    },
  },
  {
    name: '12, then 40 clients, 4 writes of 1 MB each',
    memoryMbMax: 300,
    before: (cluster) => fill(cluster, 1, 10),
    async run(cluster) {
      const few = await largeWrites(cluster, 12, 10_000);
      const many = await largeWrites(cluster, 40, 10_000);
      const told =
        `${rounded(few.mbPerSecond)} MB/s (${few.outcomes.text}), ` +
        `${rounded(many.mbPerSecond)} MB/s (${many.outcomes.text})`;
      const fine = ['OK', 'OVERLOADED'];
      const others = few.outcomes.beside(fine) + many.outcomes.beside(fine);
      const isSlower = many.mbPerSecond < slowestShare * few.mbPerSecond;
      return { told, wrong: isSlower ? '40 clients are slower than 12' : beside(others) };
    },
  },
  {
    name: '1,024 watches that nobody reads, 60 writes of 100 kB',
    memoryMbMax: 100,
    before: (cluster) => fill(cluster, 1, 10),
    async run(cluster) {
      const [{ gateway } = { gateway: '' }] = cluster.nodes;
      const client = connectClient({ url: gateway, timeoutMs: 60_000 });
      const aloneMs = await writesMs(client.kv.put.bind(client.kv), 20);
      const close = await openDeafWatches(gateway, 1_024);
      try {
        const watchedMs = await writesMs(client.kv.put.bind(client.kv), 60);
        const told = `a write takes ${rounded(watchedMs)} ms, ${rounded(aloneMs)} without them`;
        const isSlow = watchedMs > Math.max(slowMs, slowTimes * aloneMs);
        return { told, wrong: isSlow ? 'writes are slow' : null };
      } finally {
        close();
        client.close();
      }
    },
  },
];

/** Throws when one load took more than its limits. */
export async function benchBounds(): Promise<void> {
  const rows: string[][] = [];
  const wrongs: string[] = [];
  for (const load of loads) {
    const cluster = await startCluster();
    try {
      await load.before?.(cluster);
      await new Promise((resolve) => setTimeout(resolve, restMs));
      const end = await look(cluster);
      const { told, wrong } = await load.run(cluster);
      const seen = await end();
      rows.push([load.name, ...figuresOf(seen), told]);
      for (const one of [...beyond(load, seen), ...(wrong === null ? [] : [wrong])]) {
        wrongs.push(`${load.name}: ${one}`);
      }
    } catch (error) {
      // Such as for a member that ended.
      wrongs.push(`${load.name}: ${String(error)}`);
    } finally {
      await cluster.close();
    }
  }
  const head = ['', 'memory MB', 'longest /healthz ms', 'new terms', ''];
  console.log('\nBounds: what loads add to a member; limits are 200, 300 and 100 MB, no new term');
  console.log(table(head, rows));
  if (wrongs.length > 0) throw new Error(`Beyond the limits:\n${wrongs.join('\n')}`);
}

function figuresOf(seen: Seen): string[] {
  return [seen.memoryMb, seen.healthzMs, seen.termChanges].map(rounded);
}

function* beyond(load: Load, seen: Seen): Generator<string> {
  if (seen.memoryMb > load.memoryMbMax) yield `${rounded(seen.memoryMb)} MB`;
  if (seen.healthzMs > healthzMsMax) yield `${rounded(seen.healthzMs)} ms for /healthz`;
  if (seen.termChanges > 0) yield `${seen.termChanges} new terms`;
}

function beside(count: number): string | null {
  return count === 0 ? null : `${count} other outcomes`;
}

/** Milliseconds a write takes, on average. */
async function writesMs(
  put: (key: string, value: string) => Promise<unknown>,
  count: number,
): Promise<number> {
  const from = performance.now();
  for (let at = 0; at < count; at++) await put('watched', String(at).padEnd(100_000, 'x'));
  return (performance.now() - from) / count;
}

const slowMs = 200;
const slowTimes = 3;
const restMs = 2_000;
/** One machine is nobody's promise: a tenth less is the same. */
const slowestShare = 0.9;
const healthzMsMax = 2_000;
