/**
 * A process that owns a data directory, for tests that kill it: `member.ts <directory> <mode>`.
 * `hold` opens and waits. `write` appends for ever, several batches at a time, with a snapshot and a
 * compaction now and then. Prints one line of JSON per fact.
 */
import type { Entry } from '@quorate/core';
import { FileStorage } from '../src/index.ts';
import { randomBytes } from 'node:crypto';

const [directory = '', mode = ''] = process.argv.slice(2);

function say(fact: object): void {
  process.stdout.write(`${JSON.stringify(fact)}\n`);
}

function entryOf(term: number, index: number): Entry {
  const data = new Uint8Array(1 + ((index * 37) % 900)).fill(index & 0xff);
  return { term, index, type: 'normal', data };
}

async function main(): Promise<void> {
  const storage = new FileStorage({ directory, segmentBytes: 32_768 });
  const run = await storage.open({
    create: true,
    newNodeId: randomBytes(16).toString('hex'),
    nonce: randomBytes(8).toString('hex'),
  });
  say({ event: 'open', ...run });
  if (mode === 'hold') {
    setInterval(() => {}, 1000);
    return;
  }
  const log = await storage.load();
  let lastIndex = log.entries.at(-1)?.index ?? log.snapshot?.index ?? 0;
  const membership = { voters: [run.nodeId], votersOutgoing: [], learners: [], learnersNext: [] };
  let number = 0;
  for (;;) {
    const pending: Promise<void>[] = [];
    for (let batch = 0; batch < 4; batch += 1) {
      const from = lastIndex + 1;
      lastIndex += 1 + (number % 3);
      const entries: Entry[] = [];
      for (let index = from; index <= lastIndex; index += 1)
        entries.push(entryOf(run.epoch, index));
      const hardState = { currentTerm: run.epoch, votedFor: run.nodeId, commitIndex: from - 1 };
      const acknowledged = { event: 'acknowledged', index: lastIndex };
      number += 1;
      pending.push(storage.persist({ number, hardState, entries }).then(() => say(acknowledged)));
    }
    const saving =
      number % 20 === 0
        ? storage.saveSnapshot(
            { term: run.epoch, index: lastIndex, membership, membershipIndex: 1 },
            [new Uint8Array(50_000).fill(lastIndex & 0xff)],
          )
        : null;
    await Promise.all(pending);
    if (saving === null) continue;
    const { index } = { index: lastIndex };
    await saving;
    say({ event: 'snapshot', index });
    await storage.compact(index - 20 > 0 ? index - 20 : 0);
  }
}

main().catch((error: unknown) => {
  const code = error instanceof Error && 'code' in error ? error.code : String(error);
  say({ event: 'error', code });
  process.exitCode = 1;
});
