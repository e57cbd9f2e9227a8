/**
 * Three members beside three of etcd, in one run and in turns: the same machine, disk, sizes and
 * client. The client is plain HTTP/1.1 with JSON over kept connections from this process, one write
 * a request, spread over the three members of each; etcd's gateway turns it into gRPC.
 */
import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, percentile, rounded, table } from './figures.ts';
import { startCluster } from './processes.ts';

/** Something that takes writes over HTTP. */
type Store = {
  readonly name: string;
  readonly urls: readonly string[];
  /** Of a put, as a JSON text. */
  body(key: string, value: string): string;
  close(): Promise<void>;
};

type Round = { readonly perSecond: number; readonly p50: number; readonly p99: number };

export async function benchEtcd(): Promise<void> {
  const etcd = await startEtcd();
  if (etcd === null) {
    console.log('\netcd: not measured, it is not installed (apt-get install etcd-server)');
    return;
  }
  const quorate = await startQuorate();
  try {
    const rows: string[][] = [];
    for (const store of [quorate, etcd]) await round(store, 16, warmUpMs);
    for (const clients of [1, 64, 256]) {
      const results = new Map<Store, Round[]>([
        [quorate, []],
        [etcd, []],
      ]);
      for (let i = 0; i < rounds; i += 1) {
        for (const [store, own] of results) own.push(await round(store, clients, roundMs));
      }
      rows.push(...rowsOf(clients, results.get(quorate) ?? [], results.get(etcd) ?? []));
    }
    console.log('\nWrites of 256 B over HTTP/JSON, three members each with fsync, in turns');
    console.log(table(['clients', '', 'quorate', 'etcd', 'quorate / etcd', 'min', 'max'], rows));
  } finally {
    await quorate.close();
    await etcd.close();
  }
}

/** The ratio of each pair of neighbouring rounds, and the median of what both measured. */
function rowsOf(clients: number, ours: readonly Round[], theirs: readonly Round[]): string[][] {
  const names = { perSecond: 'writes/s', p50: 'p50 ms', p99: 'p99 ms' } as const;
  return (['perSecond', 'p50', 'p99'] as const).map((figure) => {
    const own = ours.map((one) => one[figure]);
    const others = theirs.map((one) => one[figure]);
    const ratios = own.map((value, i) => value / (others[i] ?? Number.NaN));
    return [
      String(clients),
      names[figure],
      rounded(median(own)),
      rounded(median(others)),
      median(ratios).toFixed(2),
      Math.min(...ratios).toFixed(2),
      Math.max(...ratios).toFixed(2),
    ];
  });
}

async function round(store: Store, clients: number, forMs: number): Promise<Round> {
  const agent = new Agent({ keepAlive: true });
  const times: number[] = [];
  const startedAt = performance.now();
  const end = startedAt + forMs;
  const write = async (number: number): Promise<void> => {
    const url = store.urls[number % store.urls.length] ?? '';
    for (let i = 0; performance.now() < end; i += 1) {
      const from = performance.now();
      await post(url, agent, store.body(`bench/${number}/${i % 100}`, value));
      times.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => write(number)));
  const seconds = (performance.now() - startedAt) / 1_000;
  agent.destroy();
  times.sort((a, b) => a - b);
  return {
    perSecond: times.length / seconds,
    p50: percentile(times, 0.5),
    p99: percentile(times, 0.99),
  };
}

async function post(url: string, agent: Agent, body: string): Promise<void> {
  const headers = { 'content-type': 'application/json', 'content-length': String(body.length) };
  const status = await new Promise<number>((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      response.resume();
      response.once('end', () => resolve(response.statusCode ?? 0));
      response.once('error', reject);
    });
    sent.once('error', reject);
    sent.end(body);
  });
  if (status !== 200) throw new Error(`Cannot write to ${url}: status ${status}, wanted 200`);
}

async function startQuorate(): Promise<Store> {
  const cluster = await startCluster();
  return {
    name: 'quorate',
    urls: cluster.nodes.map(({ gateway }) => `${gateway}/v1/put`),
    body: (key, text) => JSON.stringify({ key, value: text }),
    close: () => cluster.close(),
  };
}

/** Null where it is not installed. Its own defaults, which sync each batch like ours. */
async function startEtcd(): Promise<Store | null> {
  const ports = await freePorts(6);
  const url = (i: number): string => `http://127.0.0.1:${ports[i] ?? 0}`;
  const names = ['one', 'two', 'three'];
  const initial = names.map((name, i) => `${name}=${url(i + 3)}`).join(',');
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-etcd-'));
  const children: ChildProcess[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(children.map(end));
    await rm(directory, { recursive: true, force: true });
  };
  for (const [i, name] of names.entries()) {
    const child = spawn(
      program,
      [
        ...['--name', name, '--data-dir', join(directory, name), '--log-level', 'error'],
        ...['--listen-client-urls', url(i), '--advertise-client-urls', url(i)],
        ...['--listen-peer-urls', url(i + 3), '--initial-advertise-peer-urls', url(i + 3)],
        ...['--initial-cluster', initial, '--initial-cluster-state', 'new'],
      ],
      { stdio: 'ignore' },
    );
    if (!(await spawned(child))) {
      await close();
      return null;
    }
    children.push(child);
  }
  const base64 = (text: string): string => Buffer.from(text).toString('base64');
  const store: Store = {
    name: 'etcd',
    urls: names.map((_, i) => `${url(i)}/v3/kv/put`),
    body: (key, text) => JSON.stringify({ key: base64(key), value: base64(text) }),
    close,
  };
  for (const at of store.urls) await answers(at, store.body('first', value));
  return store;
}

/** False where there is no such program. */
async function spawned(child: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    child.once('spawn', () => resolve(true));
    child.once('error', () => resolve(false));
  });
}

async function answers(url: string, body: string): Promise<void> {
  for (const startedAt = performance.now(); ;) {
    try {
      return await post(url, new Agent(), body);
    } catch (error) {
      if (performance.now() - startedAt > startMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const exited = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await exited;
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return server;
    }),
  );
  return Promise.all(
    servers.map(async (server) => {
      const { port } = server.address() as AddressInfo;
      await new Promise((resolve) => server.close(resolve));
      return port;
    }),
  );
}

const program = 'etcd';
const rounds = 5;
const roundMs = 3_000;
const warmUpMs = 2_000;
const startMs = 30_000;
const value = 'x'.repeat(256);
