import { systemClock, systemRandom } from '@quorate/contracts';
import type { HostId } from '@quorate/contracts';
import { transportConformance } from '@quorate/contracts/conformance';
import { test } from 'vitest';
import { createTabsTransport } from './tabs-transport.ts';

let worlds = 0;

transportConformance({
  test,
  create: async () => {
    const topic = `conformance ${(worlds += 1)}`;
    const transports: ReturnType<typeof createTabsTransport>[] = [];
    const create = (host?: HostId): ReturnType<typeof createTabsTransport> => {
      const transport = createTabsTransport({
        topic,
        clock: systemClock,
        random: systemRandom,
        ...(host === undefined ? {} : { host }),
      });
      transports.push(transport);
      return transport;
    };
    return {
      transport: async () => create(),
      again: async (host) => create(host),
      unreachableAddress: '/tabs/nobody',
      cleanup: async () => {
        for (const transport of transports) await transport.close();
      },
    };
  },
});
