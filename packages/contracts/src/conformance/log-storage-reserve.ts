/** Cases of the log storage suite: room that is kept for when there is none (T20). */
import { batchOf, entriesOf, openAndLoad, same, sameEntries } from './log-storage-checks.ts';
import type { Case } from './log-storage-checks.ts';

export const reserveCases: readonly Case[] = [
  [
    'takeReserve() and releaseReserve() change nothing of what is stored, in any order (T20)',
    async (medium) => {
      const { storage } = await openAndLoad(medium.storage());
      await storage.releaseReserve?.();
      await storage.persist(batchOf(1, entriesOf(1, 1, 3)));
      const taken = await storage.takeReserve?.();
      same(taken ?? true, true, 'taken where there is room');
      same((await storage.takeReserve?.()) ?? true, true, 'taken a second time');
      const persisted = storage.persist(batchOf(2, entriesOf(1, 3, 5)));
      await storage.releaseReserve?.();
      await storage.releaseReserve?.();
      await persisted;
      same((await storage.takeReserve?.()) ?? true, true, 'taken again');
      await storage.persist(batchOf(3, entriesOf(1, 5, 7)));
      await storage.close();
      const { storage: next, log } = await openAndLoad(medium.storage(), 2);
      sameEntries(log.entries, entriesOf(1, 1, 7));
      same((await next.takeReserve?.()) ?? true, true, 'taken by the next run');
      await next.close();
    },
  ],
  [
    'a replica with a reserve is archived, and another one begins in its place (T20, Z7)',
    async (medium) => {
      const { storage } = await openAndLoad(medium.storage());
      await storage.takeReserve?.();
      await storage.persist(batchOf(1, entriesOf(1, 1, 3)));
      await storage.archive('old');
      const { storage: next, log } = await openAndLoad(medium.storage(), 2);
      same(log.entries, [], 'entries of the new replica');
      same((await next.takeReserve?.()) ?? true, true, 'taken by the new replica');
      await next.destroy();
      const { storage: last } = await openAndLoad(medium.storage(), 3);
      await last.close();
    },
  ],
];
