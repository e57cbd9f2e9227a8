/**
 * A relay for everybody: what a crowd of pages costs it, and what strangers who lie take from those
 * whom it carries. Real processes, one machine.
 */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, percentile, rounded, table } from './figures.ts';
import { startCluster, startRelay } from './processes.ts';
import type { Cluster } from './processes.ts';
import type { CrowdOrder, CrowdTold } from './relay/crowd-main.ts';
import type { LiarsOrder } from './relay/liars-main.ts';
import { Program } from './relay/program.ts';
import { round } from './writes.ts';

/** Prints two tables. Throws where the crowd met a limit, or liars took more than a fifth. */
export async function benchRelay(): Promise<void> {
  const wrongs = [...(await crowd()), ...(await liars())];
  if (wrongs.length > 0) throw new Error(`Beyond the limits:\n${wrongs.join('\n')}`);
}

async function crowd(): Promise<readonly string[]> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-relay-'));
  const { relay, address } = await startRelay(directory, ['--trusted-proxy', '127.0.0.1']);
  const program = new Program<CrowdOrder, CrowdTold>('./crowd-main.ts');
  const { pid } = relay.child;
  const port = portOf(address);
  const rows: string[][] = [];
  const failures: string[] = [];
  const order = async (what: string, one: CrowdOrder): Promise<void> => {
    const before = lookAt(pid);
    const told = await program.tell(one);
    failures.push(...told.failures);
    // Who left is forgotten within seconds.
    await sleep(restMs);
    const after = lookAt(pid);
    const times = [...told.joinedMs].sort((a, b) => a - b);
    const metrics = await metricsAt(port);
    rows.push([
      what,
      ...(times.length === 0
        ? ['', '']
        : [rounded(median(times)), rounded(percentile(times, 0.99))]),
      rounded(after.processorMs - before.processorMs),
      rounded(after.residentMb),
      String(metrics.get('quorate_relay_sessions')),
      String(metrics.get('quorate_relay_reservations')),
    ]);
  };
  try {
    rows.push(['nobody', '', '', '', rounded(lookAt(pid).residentMb), '0', '0']);
    await order(`${hosts} hosts of 50 namespaces come`, { type: 'come', port, count: hosts });
    const idle = lookAt(pid);
    await sleep(idleMs);
    const share = (lookAt(pid).processorMs - idle.processorMs) / idleMs;
    await order('they leave', { type: 'leave' });
    await order(`${visits} come and go`, { type: 'visit', port, count: visits });
    await order('as many again', { type: 'visit', port, count: visits });
    const refused = (await metricsAt(port)).get('quorate_relay_overloaded_total') ?? 0;
    console.log('\nA relay, and a crowd from one address');
    console.log(
      table(['', 'joined p50 ms', 'p99', 'processor ms', 'memory MB', 'sessions', 'places'], rows),
    );
    console.log(`${hosts} hosts that do nothing take ${(100 * share).toFixed(1)} % of a core`);
    console.log(`${failures.length} did not join, ${refused} requests met a limit`);
    return failures.length + refused === 0
      ? []
      : [`the crowd met a limit: ${failures[0] ?? refused}`];
  } finally {
    await program.end();
    await relay.kill('SIGTERM');
    await rm(directory, { recursive: true, force: true });
  }
}

/** What carried members write while liars ask the relay, and while the same goes to a port that drops it. */
async function liars(): Promise<readonly string[]> {
  const dropping = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.resume();
  });
  await new Promise<void>((resolve) => dropping.listen(0, '127.0.0.1', resolve));
  const cluster = await startCluster(true);
  const program = new Program<LiarsOrder, object>('./liars-main.ts');
  try {
    const { port: bare } = dropping.address() as AddressInfo;
    await program.tell({ type: 'come', relay: cluster.relay, bare });
    const perSecond: Record<Where, number[]> = { nobody: [], bare: [], relay: [] };
    // Tells the liars what it costs them, too.
    await program.tell({ type: 'say', to: 'relay' });
    await round(cluster, clients, roundMs);
    await program.tell({ type: 'say', to: 'nobody' });
    for (let turn = 0; turn < rounds; turn += 1) {
      // Whoever comes first would pay for what the one before left to do.
      const order: readonly Where[] = turn % 2 === 0 ? wheres : [...wheres].reverse();
      for (const to of order) {
        await program.tell({ type: 'say', to });
        await sleep(settleMs);
        perSecond[to].push((await round(cluster, clients, roundMs)).perSecond);
        await program.tell({ type: 'say', to: 'nobody' });
      }
    }
    const carried = await carriedBytes(cluster);
    const base = median(perSecond.bare);
    const ratio = median(perSecond.relay) / base;
    console.log(`\nWrites of 256 B of three members that the relay carries, ${clients} clients`);
    console.log(
      table(
        ['32 sessions of wrong signatures go to', 'writes/s', 'least', 'most', 'ratio'],
        wheres.map((to) => {
          const values = [...perSecond[to]].sort((a, b) => a - b);
          return [
            names[to],
            rounded(median(values)),
            rounded(values[0] ?? Number.NaN),
            rounded(values.at(-1) ?? Number.NaN),
            (median(values) / base).toFixed(2),
          ];
        }),
      ),
    );
    if (carried === 0) return ['the relay carried nothing: members found other ways'];
    return ratio < leastRatio ? [`liars leave ${ratio.toFixed(2)} of the writes`] : [];
  } finally {
    await program.end();
    await cluster.close();
    dropping.close();
  }
}

/** 1 where the relay does not count them. */
async function carriedBytes({ relay }: Cluster): Promise<number> {
  return (await metricsAt(portOf(relay))).get('quorate_relay_carried_bytes_total') ?? 1;
}

async function metricsAt(port: number): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const lines = text.split('\n').filter((line) => /^[a-z]/.test(line));
  return new Map(lines.map((line) => [line.split(' ')[0] ?? '', Number(line.split(' ')[1])]));
}

function portOf(address: string): number {
  return Number(/\/tcp\/(\d+)\//.exec(address)?.[1]);
}

/** Of a process on Linux. */
function lookAt(pid: number | undefined): {
  readonly processorMs: number;
  readonly residentMb: number;
} {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return {
    // In ticks of 10 ms.
    processorMs: 10 * (Number(stat[11]) + Number(stat[12])),
    residentMb: Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024,
  };
}

async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

type Where = 'nobody' | 'bare' | 'relay';
const wheres: readonly Where[] = ['nobody', 'bare', 'relay'];
const names = { nobody: 'nobody', bare: 'a port that drops it', relay: 'the relay' } as const;

const hosts = 500;
const visits = 2_000;
const idleMs = 20_000;
const restMs = 12_000;
const clients = 16;
const rounds = 5;
const roundMs = 4_000;
const settleMs = 2_000;
const leastRatio = 0.8;
