/** Real time and real chance. */
import { randomBytes } from 'node:crypto';
import type { Clock, RandomBytes } from '@quorate/cluster';

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  defer: (callback) => {
    setImmediate(callback);
  },
};

export const systemRandom: RandomBytes = (count) => new Uint8Array(randomBytes(count));
