/**
 * A process that has used up its descriptors, but for what the storage keeps: `short-of-descriptors.ts
 * <directory>`. It takes whatever becomes free until it is told by a line on its input to let go. Prints
 * one line of JSON per fact.
 */
import { closeSync, openSync } from 'node:fs';
import { devNull } from 'node:os';
import { once } from 'node:events';
import { FileStorage } from '../src/index.ts';

const [directory = ''] = process.argv.slice(2);
const nodeId = 'ab'.repeat(16);
const taken: number[] = [];

function say(fact: object): void {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
}

function takeAll(): void {
  for (;;) {
    try {
      taken.push(openSync(devNull, 'r'));
    } catch {
      return;
    }
  }
}

async function main(): Promise<void> {
  const storage = new FileStorage({ directory, segmentBytes: 1_024 });
  await storage.open({ create: true, newNodeId: nodeId, nonce: '01'.repeat(8) });
  await storage.load();
  takeAll();
  say({ event: 'taken', count: taken.length });
  const membership = { voters: [nodeId], votersOutgoing: [], learners: [], learnersNext: [] };
  const persist = async (index: number): Promise<void> => {
    const data = new Uint8Array(700).fill(index);
    const hardState = { currentTerm: 1, votedFor: nodeId, commitIndex: index - 1 };
    const entries = [{ term: 1, index, type: 'normal', data } as const];
    await storage.persist({ number: index, hardState, entries });
  };
  // Each one begins a segment: a file to open, a directory to sync.
  for (let index = 1; index <= 10; index++) await persist(index);
  const meta = { term: 1, index: 10, membership, membershipIndex: 1 };
  await storage.saveSnapshot(meta, [new Uint8Array(1_000)]);
  await storage.compact(5);
  say({ event: 'kept' });
  // From here on the storage's own are gone, too.
  const taking = setInterval(takeAll, 1);
  const waited = persist(11).then(() => persist(12));
  say({ event: 'waiting' });
  await once(process.stdin, 'data');
  clearInterval(taking);
  for (const descriptor of taken.splice(0)) closeSync(descriptor);
  await waited;
  const read = await storage.readSnapshot();
  let bytes = 0;
  if (read !== null) for await (const chunk of read.chunks) bytes += chunk.length;
  say({ event: 'done', snapshot: read?.meta.index, bytes });
  await storage.close();
  process.stdin.destroy();
}

main().catch((error: unknown) => {
  say({ event: 'error', message: String(error) });
  process.exit(1);
});
