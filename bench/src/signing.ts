/** What the key of a replica costs: at each opening of its store, and whenever somebody hears it. */
import { randomBytes as systemBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SignedRuns } from '@quorate/cluster/signed';
import { runSigner } from '@quorate/crypto';
import { FileStorage } from '@quorate/storage-fs';
import { median, percentile, rounded, table } from './figures.ts';

const openings = 100;
const hearings = 500;
const host = '12D3KooW'.padEnd(52, 'x');

/**
 * Prints a table in ms. Openings are of two stores on this machine's disk, in turns: one replica has a
 * key and signs its run, the other, the control, has none.
 */
export async function benchSigning(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'quorate-bench-signing-'));
  try {
    const [bare, signed]: [number[], number[]] = [[], []];
    const last = { bare: '', signed: '' };
    for (let i = 0; i < openings; i++) {
      // Whoever comes first would pay for what the one before left to the disk.
      const order = i % 2 === 0 ? (['bare', 'signed'] as const) : (['signed', 'bare'] as const);
      for (const kind of order) {
        const opened = await timeOpening(join(directory, kind), kind === 'signed');
        last[kind] = opened.nodeId;
        // The first one makes the replica, and its directory.
        if (i > 0) (kind === 'signed' ? signed : bare).push(opened.ms);
      }
    }
    if (last.bare === '' || last.bare === last.signed) throw new Error('They are one replica');
    const more = signed.map((ms, at) => ms - (bare[at] ?? Number.NaN));
    const { signing, hearing, refusing } = timeSignatures();
    console.log('\nMilliseconds that the key of a replica costs, by one thread');
    console.log(
      table(
        ['', 'median ms', 'p95'],
        [
          row('opening a store, no key (control)', bare),
          row('opening a store, run signed', signed),
          row('the difference of each pair', more),
          row('signing alone', signing),
          row('verifying a run, once a link', hearing),
          row('refusing one of another key', refusing),
        ],
      ),
    );
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

function row(name: string, values: readonly number[]): string[] {
  const sorted = [...values].sort((a, b) => a - b);
  return [name, rounded(median(values)), rounded(percentile(sorted, 0.95))];
}

/** One run of the store there, begun and ended. */
async function timeOpening(
  directory: string,
  hasKey: boolean,
): Promise<{ readonly ms: number; readonly nodeId: string }> {
  const signedRuns = hasKey ? new SignedRuns(runSigner) : null;
  const storage = new FileStorage({ directory });
  const fresh = signedRuns?.create(random) ?? { nodeId: hex(16), key: null };
  const nonce = hex(8);
  const startedAt = performance.now();
  const { key, ...run } = await storage.open({
    create: true,
    newNodeId: fresh.nodeId,
    newKey: fresh.key,
    nonce,
  });
  const proof = signedRuns?.proof(key, run, host) ?? null;
  const ms = performance.now() - startedAt;
  await storage.load();
  await storage.close();
  if ((proof !== null) !== hasKey) throw new Error('It was not signed as it should be');
  return { ms, nodeId: run.nodeId };
}

function timeSignatures(): Record<'signing' | 'hearing' | 'refusing', number[]> {
  const times = { signing: [] as number[], hearing: [] as number[], refusing: [] as number[] };
  const signedRuns = new SignedRuns(runSigner);
  const { nodeId, key } = signedRuns.create(random);
  const other = signedRuns.create(random);
  // Each run is another one: proofs are kept.
  for (let epoch = 1; epoch <= hearings; epoch++) {
    const run = { nodeId, epoch, nonce: hex(8), past: [hex(8)] };
    const proof = timed(times.signing, () => signedRuns.proof(key, run, host));
    const forged = signedRuns.proof(other.key, { ...run }, host);
    const isHeard = timed(times.hearing, () => signedRuns.isSigned({ ...run, proof }, host));
    const isBelieved = timed(times.refusing, () =>
      signedRuns.isSigned({ ...run, proof: forged }, host),
    );
    if (!isHeard || isBelieved) throw new Error('A signature counts where it should not');
  }
  // Before the engine knew what is done often.
  for (const values of Object.values(times)) values.splice(0, hearings / 10);
  return times;
}

function timed<T>(times: number[], run: () => T): T {
  const startedAt = performance.now();
  const result = run();
  times.push(performance.now() - startedAt);
  return result;
}

function random(count: number): Uint8Array {
  return new Uint8Array(systemBytes(count));
}

function hex(count: number): string {
  return systemBytes(count).toString('hex');
}
