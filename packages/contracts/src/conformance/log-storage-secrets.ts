/** Cases of the suite of `LogStorage`: a store belongs to the secret it was made with (Z42). */
import {
  batchOf,
  entriesOf,
  nodeIdA,
  nodeIdB,
  nonceOf,
  runOf,
  same,
} from './log-storage-checks.ts';
import { rejectionOf } from './network-checks.ts';
import type { LogStorage } from '../log-storage.ts';

export const secretCases: readonly (readonly [
  string,
  (medium: { storage(): LogStorage }) => Promise<void>,
])[] = [
  [
    'Z42 T4 open() without the secret it was made with is BAD_SECRET and changes nothing',
    async (medium) => {
      const made = { create: true, newNodeId: nodeIdA, topics: ['a'] };
      const first = medium.storage();
      await first.open({ ...made, nonce: nonceOf(1) });
      await first.load();
      await first.persist(batchOf(1, entriesOf(1, 1, 3)));
      const stranger = async (nonce: number): Promise<void> => {
        const storage = medium.storage();
        const options = { create: true, newNodeId: nodeIdB, nonce: nonceOf(nonce) };
        const opening = storage.open({ ...options, topics: ['b', 'c'] });
        same(await rejectionOf(opening), 'BAD_SECRET', 'open with another secret');
        await storage.close();
      };
      // While its owner has it, too: that it is in use is nobody else's business.
      await stranger(2);
      await first.persist(batchOf(2, entriesOf(1, 3, 6)));
      await first.close();
      await stranger(3);
      await stranger(4);
      const heir = medium.storage();
      const run = await heir.open({ ...made, nonce: nonceOf(5), topics: ['d', 'a'] });
      same(run, runOf(2, [5, 1]), 'the run of one that holds it');
      same((await heir.load()).entries.length, 5, 'entries');
      await heir.close();
    },
  ],
  [
    'Z42 a marked replica does not even say so to another secret, and is not opened by its own (Z38)',
    async (medium) => {
      const options = { create: true, newNodeId: nodeIdA, nonce: nonceOf(1) };
      const mark = {
        code: 'REPLICA_CLONED',
        message: 'A copy',
        others: [],
        seatGivenUp: false,
      } as const;
      const first = medium.storage();
      await first.open({ ...options, topics: ['a'] });
      await first.load();
      await first.persist(batchOf(1, entriesOf(1, 1, 3)));
      await first.mark(mark);
      await first.close();
      for (const [topic, code] of [
        ['b', 'BAD_SECRET'],
        ['a', 'REPLICA_CLONED'],
      ] as const) {
        const storage = medium.storage();
        const opening = storage.open({ ...options, nonce: nonceOf(2), topics: [topic] });
        same(await rejectionOf(opening), code, `open with ${topic}`);
        await storage.close();
      }
      // A person's word needs no secret, and changes nothing about whose it is.
      const kept = medium.storage();
      await kept.open({ ...options, nonce: nonceOf(3), keepThis: true });
      await kept.close();
      const again = medium.storage();
      const run = await again.open({ ...options, nonce: nonceOf(4), topics: ['a'] });
      same(run, runOf(3, [4, 3, 1]), 'the run after it');
      await again.close();
    },
  ],
  [
    'Z42 T4 open() takes the place of a replica that never persisted anything',
    async (medium) => {
      const options = { create: true, newNodeId: nodeIdA, nonce: nonceOf(1) };
      const mistaken = medium.storage();
      await mistaken.open({ ...options, topics: ['mistyped'] });
      await mistaken.load();
      await mistaken.close();
      const storage = medium.storage();
      const run = await storage.open({ ...options, newNodeId: nodeIdB, topics: ['a'] });
      same(run, { ...runOf(1, [1]), nodeId: nodeIdB }, 'the run of the new replica');
      await storage.load();
      await storage.persist(batchOf(1, entriesOf(1, 1, 3)));
      await storage.close();
      const again = medium.storage();
      same(
        await rejectionOf(again.open({ ...options, topics: ['mistyped'] })),
        'BAD_SECRET',
        'open with the first secret',
      );
      await again.close();
    },
  ],
];
