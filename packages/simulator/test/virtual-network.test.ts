import { describe, test } from 'vitest';
import { rendezvousConformance, transportConformance } from '@quorate/contracts/conformance';
import { Prng } from '../src/prng.ts';
import { ProcessClock } from '../src/virtual-clock.ts';
import { VirtualNetwork } from '../src/virtual-network.ts';
import type { NetworkConditions } from '../src/virtual-conditions.ts';
import { followRealTime } from './real-time.ts';

const calm: NetworkConditions = {
  delayMsMin: 0.1,
  delayMsMax: 2,
  slowChance: 0,
  bytesPerMs: 1_000_000,
  lossy: false,
  lossChance: 0,
  duplicateChance: 0,
  reorderChance: 0,
  linkTimeoutMs: 2_000,
};

describe('VirtualNetwork', () => {
  transportConformance({
    test,
    create: async () => {
      const { clock, stop } = followRealTime();
      const network = new VirtualNetwork({ clock, prng: new Prng(1), conditions: { ...calm } });
      let count = 0;
      return {
        transport: async () => network.transport(`host-${(count += 1)}`, new ProcessClock(clock)),
        again: async (host) => network.transport(host, new ProcessClock(clock)),
        unreachableAddress: 'virtual:nobody',
        cleanup: async () => {
          stop();
        },
      };
    },
  });

  rendezvousConformance({
    test,
    create: async () => {
      const { clock, stop } = followRealTime();
      const networks = new Map<string, VirtualNetwork>();
      let count = 0;
      return {
        join: async (namespace) => {
          const conditions = { ...calm };
          const network =
            networks.get(namespace) ?? new VirtualNetwork({ clock, prng: new Prng(1), conditions });
          networks.set(namespace, network);
          const host = `host-${(count += 1)}`;
          return { host, rendezvous: network.meetingPoint.client(host, new ProcessClock(clock)) };
        },
        cleanup: async () => {
          stop();
        },
      };
    },
  });
});
