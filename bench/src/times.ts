/** How long people wait: from a start to a leader, from a killed leader to the next write. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectClient } from '@quorate/client';
import { median, rounded, table } from './figures.ts';
import { gatewayOf, hasThreeVoters, startCluster, startNode, startRelay } from './processes.ts';

const runs = 5;

export async function benchTimes(): Promise<void> {
  const toLeader: number[] = [];
  const toThree: number[] = [];
  for (let i = 0; i < runs; i++) {
    const started = await timeStart();
    toLeader.push(started.leaderMs);
    toThree.push(started.threeMs);
  }
  const toWrite: number[] = [];
  for (let i = 0; i < runs; i++) toWrite.push(await timeFailover());
  const row = (name: string, values: number[]): string[] => [
    name,
    rounded(median(values)),
    rounded(Math.min(...values)),
    rounded(Math.max(...values)),
  ];
  console.log('\nMilliseconds that people wait, processes started from nothing');
  console.log(
    table(
      ['', 'median ms', 'min', 'max'],
      [
        row('three started at once → all know a leader', toLeader),
        row('three started at once → three voters', toThree),
        row('leader killed → next committed write', toWrite),
      ],
    ),
  );
}

async function timeStart(): Promise<{ leaderMs: number; threeMs: number }> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-'));
  const { relay, address } = await startRelay(directory);
  const from = performance.now();
  const nodes = ['one', 'two', 'three'].map((name) => startNode(directory, address, name));
  await Promise.all(
    nodes.map((node) => node.event(({ event, leader }) => event === 'role' && leader !== null)),
  );
  const leaderMs = performance.now() - from;
  await Promise.all(nodes.map((node) => node.event(hasThreeVoters)));
  const threeMs = performance.now() - from;
  for (const node of nodes) await node.kill('SIGKILL');
  await relay.kill('SIGKILL');
  await rm(directory, { recursive: true, force: true });
  return { leaderMs, threeMs };
}

async function timeFailover(): Promise<number> {
  const cluster = await startCluster();
  try {
    const gateways = cluster.nodes.map(({ gateway }) => gateway);
    const asked = connectClient({ url: gateways[0] ?? '' });
    await asked.kv.put('before', 1);
    const { leader } = await asked.status();
    const ids = await Promise.all(
      cluster.nodes.map(async ({ process }) => {
        const started = await process.event(({ event }) => event === 'started');
        return started['nodeId'];
      }),
    );
    const at = ids.indexOf(leader);
    const killed = cluster.nodes[at];
    if (killed === undefined) throw new Error('The leader is none of the members');
    const client = connectClient({ url: gateways[(at + 1) % gateways.length] ?? '' });
    await gatewayOf(killed.process);
    await killed.process.kill('SIGKILL');
    const from = performance.now();
    await client.kv.put('after', 1);
    return performance.now() - from;
  } finally {
    await cluster.close();
  }
}
