/** A backup and a restore of 64 MiB: how long each takes, and what memory the processes need for it. */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connectClient } from '@quorate/client';
import { table } from './figures.ts';
import { command, startCluster } from './processes.ts';
import type { Cluster } from './processes.ts';

const valueBytes = 64 * 1024;
const keyCount = 1_000;

/** Prints a table: three members with fsync on this machine, 62 MiB of values of 64 KiB. */
export async function benchBackup(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-backup-'));
  const cluster = await startCluster();
  try {
    await fill(cluster);
    const file = join(directory, 'backup');
    const gateway = cluster.nodes[0]?.gateway ?? '';
    const member = cluster.nodes[0]?.process.child.pid ?? -1;
    const idle = await residentMiB(member);
    const backup = await measured(['backup', file, '--gateway', gateway]);
    const during = await residentMiB(member);
    const { size } = await stat(file);
    const restore = await measured([
      ...['restore', file, '--data', join(directory, 'restored')],
      ...['--above', '1', '--yes'],
    ]);
    const exported = await measured([
      ...['export', join(directory, 'lines'), '--gateway', gateway],
    ]);
    console.log(
      `\n${(size / 2 ** 20).toFixed(1)} MiB in ${keyCount} keys, three members, one machine`,
    );
    const row = (name: string, { seconds, peakMiB }: Measured): string[] => [
      name,
      seconds.toFixed(1),
      (size / 2 ** 20 / seconds).toFixed(0),
      peakMiB.toFixed(0),
    ];
    console.log(
      table(
        ['command', 'seconds', 'MiB/s', 'peak MiB of the command'],
        [row('backup', backup), row('restore', restore), row('export', exported)],
      ),
    );
    console.log(
      `The member behind the gateway: ${idle.toFixed(0)} MiB before, ${during.toFixed(0)} MiB at the end`,
    );
  } finally {
    await cluster.close();
    await rm(directory, { recursive: true, force: true });
  }
}

async function fill({ nodes }: Cluster): Promise<void> {
  const client = connectClient({ url: nodes[0]?.gateway ?? '' });
  const value = 'x'.repeat(valueBytes - 64);
  for (let at = 0; at < keyCount; at += 10) {
    await client.kv.batch(
      Array.from({ length: 10 }, (_, n) => ({ type: 'put', key: `key ${at + n}`, value })),
    );
  }
  client.close();
}

type Measured = { readonly seconds: number; readonly peakMiB: number };

/** Runs the command to its end and looks at its memory meanwhile. */
async function measured(args: readonly string[]): Promise<Measured> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [command, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  let peakMiB = 0;
  const look = setInterval(() => {
    void residentMiB(child.pid ?? -1).then((mib) => (peakMiB = Math.max(peakMiB, mib)));
  }, 20);
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  clearInterval(look);
  if (code !== 0) throw new Error(`quorate ${args.join(' ')} ended with ${code}`);
  return { seconds: (performance.now() - startedAt) / 1_000, peakMiB };
}

/** 0 where it cannot be told. */
async function residentMiB(pid: number): Promise<number> {
  try {
    const text = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s+(\d+) kB/m.exec(text)?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}
