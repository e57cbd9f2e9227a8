/** Cases of the log storage suite: where a run comes from, and replicas that must not run again. */
import { isQuorateError } from '../errors.ts';
import { pastCountMax } from '../run.ts';
import type { Mark } from '../run.ts';
import {
  batchOf,
  entriesOf,
  nodeIdA,
  nodeIdB,
  nonceOf,
  openAndLoad,
  runOf,
  same,
  sameEntries,
} from './log-storage-checks.ts';
import type { Case } from './log-storage-checks.ts';
import { check } from './network-checks.ts';

export const markCases: readonly Case[] = [
  [
    'open() keeps the nonces of the last 32 runs, the newest first (Z48)',
    async (medium) => {
      const count = pastCountMax + 4;
      for (let opening = 1; opening <= count; opening += 1) {
        const storage = medium.storage();
        const options = { create: true, newNodeId: nodeIdA, nonce: nonceOf(opening) };
        const run = await storage.open(options);
        const nonces = Array.from({ length: opening }, (_, at) => opening - at);
        same(run, runOf(opening, nonces.slice(0, pastCountMax + 1)), `run ${opening}`);
        await storage.close();
      }
    },
  ],
  [
    'open() gives the key that the replica was made with, in each run and through each mark (Z39)',
    async (medium) => {
      const key = '5e'.repeat(32);
      const options = { create: true, newNodeId: nodeIdA, newKey: key };
      const first = medium.storage();
      same((await first.open({ ...options, nonce: nonceOf(1) })).key, key, 'the key of the first');
      await first.mark(markOf('REPLICA_CLONED', []));
      await first.close();
      const kept = medium.storage();
      const other = { ...options, newNodeId: nodeIdB, newKey: '00'.repeat(32) };
      const run = await kept.open({ ...other, nonce: nonceOf(2), keepThis: true });
      same(run, { ...runOf(2, [2, 1]), key }, 'the second run');
      await kept.close();
    },
  ],
  [
    'mark() keeps open() from opening again, however often, and leaves the run as it is (Z38)',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      await first.storage.persist(batchOf(1, entriesOf(1, 1, 4)));
      await first.storage.mark(markOf('REPLICA_CLONED', [9]));
      await first.storage.mark(markOf('REPLICA_ROLLED_BACK', [7]));
      await first.storage.close();
      for (let attempt = 2; attempt <= 4; attempt += 1) {
        const storage = medium.storage();
        const options = { create: true, newNodeId: nodeIdB, nonce: nonceOf(attempt) };
        const error: unknown = await storage.open(options).catch((reason: unknown) => reason);
        check(isQuorateError(error, 'REPLICA_ROLLED_BACK'), 'the code of the last mark');
        same(error.details['mark'], markOf('REPLICA_ROLLED_BACK', [7]), 'what was marked');
        await storage.close();
      }
      const kept = medium.storage();
      const options = { create: false, newNodeId: nodeIdB, nonce: nonceOf(5) };
      const run = await kept.open({ ...options, keepThis: true });
      same(run, { ...runOf(2, [5, 1]), givenUp: [{ epoch: 7, nonce: nonceOf(7) }] }, 'the run');
      sameEntries((await kept.load()).entries, entriesOf(1, 1, 4));
      await kept.close();
      // What a person said holds from then on.
      const { storage, run: next } = await openAndLoad(medium.storage(), 6);
      same(next, { ...runOf(3, [6, 5, 1]), givenUp: run.givenUp }, 'the run after it');
      await storage.close();
    },
  ],
  [
    'open() as marked changes nothing: its mark can be written anew, and it can be archived (Z55)',
    async (medium) => {
      const first = await openAndLoad(medium.storage());
      const mark = markOf('REPLICA_CLONED', [9]);
      await first.storage.mark(mark);
      await first.storage.close();
      const options = { create: false, newNodeId: nodeIdB, asMarked: true };
      const second = medium.storage();
      same(await second.open({ ...options, nonce: nonceOf(2) }), runOf(1, [1]), 'the run');
      await second.mark({ ...mark, seatGivenUp: true });
      await second.close();
      const third = medium.storage();
      const error: unknown = await third
        .open({ create: true, newNodeId: nodeIdB, nonce: nonceOf(3) })
        .catch((reason: unknown) => reason);
      check(isQuorateError(error, 'REPLICA_CLONED'), 'it stays marked');
      same(error.details['mark'], { ...mark, seatGivenUp: true }, 'the mark');
      same(error.details['nodeId'], nodeIdA, 'whose it is');
      await third.close();
      const fourth = medium.storage();
      await fourth.open({ ...options, nonce: nonceOf(4) });
      await fourth.archive('refused');
      const { storage, run } = await openAndLoad(medium.storage(), 5);
      same(run, runOf(1, [5]), 'a new replica');
      await storage.close();
    },
  ],
  [
    'mark() is part of the replica: archived or destroyed with it, a new one begins (Z7, Z38)',
    async (medium) => {
      for (const [nonce, end] of ['archive', 'destroy'].entries()) {
        const { storage } = await openAndLoad(medium.storage(), nonce + 1);
        await storage.mark(markOf('REPLICA_ROLLED_BACK', []));
        await (end === 'archive' ? storage.archive('refused') : storage.destroy());
      }
      const { storage, run } = await openAndLoad(medium.storage(), 3);
      same(run, runOf(1, [3]), 'a new replica');
      await storage.close();
    },
  ],
];

function markOf(code: Mark['code'], epochs: readonly number[]): Mark {
  const others = epochs.map((epoch) => ({ epoch, nonce: nonceOf(epoch) }));
  return { code, message: `Run ${epochs.join()} is known`, others, seatGivenUp: false };
}
