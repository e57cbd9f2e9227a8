import { systemClock } from '@quorate/contracts';
import type { Rendezvous } from '@quorate/contracts';
import { rendezvousConformance } from '@quorate/contracts/conformance';
import { test } from 'vitest';
import { createTabsRendezvous } from './tabs-rendezvous.ts';

let worlds = 0;

rendezvousConformance({
  test,
  create: async () => {
    const world = (worlds += 1);
    const joined: Rendezvous[] = [];
    return {
      join: async (namespace) => {
        const rendezvous = createTabsRendezvous({
          topic: `${namespace} ${world}`,
          clock: systemClock,
          listMs: 50,
        });
        joined.push(rendezvous);
        return { host: `host-${joined.length}`, rendezvous };
      },
      cleanup: async () => {
        for (const rendezvous of joined) await rendezvous.close();
      },
    };
  },
});
