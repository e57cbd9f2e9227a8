import { describe, test } from 'vitest';
import { logStorageConformance } from '@quorate/contracts/conformance';
import { Prng } from '../src/prng.ts';
import { ProcessClock } from '../src/virtual-clock.ts';
import { VirtualDisk } from '../src/virtual-disk.ts';
import { followRealTime } from './real-time.ts';

describe('VirtualDisk', () => {
  let seed = 1;
  logStorageConformance({
    test,
    crashes: true,
    create: async () => {
      const { clock, stop } = followRealTime();
      const disk = new VirtualDisk({
        clock,
        prng: new Prng(seed++),
        conditions: { syncMsMin: 0.1, syncMsMax: 1, stallChance: 0 },
      });
      return {
        storage: () => disk.storage(new ProcessClock(clock)),
        crash: async () => {
          disk.crash();
        },
        cleanup: async () => {
          stop();
        },
      };
    },
  });
});
