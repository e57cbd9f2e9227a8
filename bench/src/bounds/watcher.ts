/** Looks at members while they are under load: memory, answers of /healthz, terms. */
import { readFileSync } from 'node:fs';
import type { Cluster } from '../processes.ts';

/** The worst of all members, since the look began. */
export type Seen = {
  /** Above what the member took when the look began. */
  readonly memoryMb: number;
  readonly healthzMs: number;
  readonly termChanges: number;
};

/** Resolves with a function that ends the look and tells what was seen. */
export async function look(cluster: Cluster): Promise<() => Promise<Seen>> {
  const members = cluster.nodes.map(({ process, gateway }) => {
    const { pid } = process.child;
    if (pid === undefined) throw new Error('A member has no process');
    return { pid, gateway };
  });
  const idle = members.map(({ pid }) => residentMb(pid));
  const before = await Promise.all(members.map(({ gateway }) => termOf(gateway)));
  let memoryMb = 0;
  let healthzMs = 0;
  let over = false;
  const weigh = setInterval(() => {
    members.forEach(({ pid }, at) => {
      const aboveMb = residentMb(pid) - (idle[at] ?? 0);
      if (aboveMb > memoryMb) memoryMb = aboveMb;
    });
  }, sampleMs);
  const asking = members.map(async ({ gateway }) => {
    while (!over) {
      const from = performance.now();
      const response = await fetch(`${gateway}/healthz`).catch(() => null);
      if (response === null) {
        // It has ended.
        healthzMs = Infinity;
        return;
      }
      await response.arrayBuffer();
      healthzMs = Math.max(healthzMs, performance.now() - from);
      await new Promise((resolve) => setTimeout(resolve, sampleMs));
    }
  });
  return async () => {
    over = true;
    await Promise.all(asking);
    clearInterval(weigh);
    const after = await Promise.all(
      // A member that has ended is the worst of all.
      members.map(({ gateway }) => termOf(gateway).catch(() => Infinity)),
    );
    return { memoryMb, healthzMs, termChanges: Math.max(...after) - Math.max(...before) };
  };
}

async function termOf(gateway: string): Promise<number> {
  const text = await (await fetch(`${gateway}/metrics`)).text();
  return Number(/^quorate_term (\S+)$/m.exec(text)?.[1] ?? Number.NaN);
}

function residentMb(pid: number): number {
  let status = '';
  try {
    status = readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    // It has ended.
  }
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

const sampleMs = 50;
