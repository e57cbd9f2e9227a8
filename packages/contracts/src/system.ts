/** Real time and real chance, the same names in Node, browsers and edge runtimes. */
import type { Clock, RandomBytes } from './clock.ts';

type Platform = { readonly setImmediate?: (callback: () => void) => unknown };

const platform = globalThis as Platform;

export const systemClock: Clock = {
  now: () => performance.now(),
  get originMs() {
    return performance.timeOrigin;
  },
  setTimeout: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
  defer: (callback) => {
    deferred ??= deferrer();
    deferred(callback);
  },
};

export const systemRandom: RandomBytes = (count) => crypto.getRandomValues(new Uint8Array(count));

/** Made at the first call: some runtimes have no ports, and an open one keeps a process alive. */
let deferred: ((callback: () => void) => void) | null = null;

/** After this turn, and before any timer: Node has a word for it, elsewhere a message port does it. */
function deferrer(): (callback: () => void) => void {
  const { setImmediate } = platform;
  if (setImmediate !== undefined) return (callback) => void setImmediate(callback);
  const channel = new MessageChannel();
  const queue: (() => void)[] = [];
  channel.port1.onmessage = () => queue.shift()?.();
  return (callback) => {
    queue.push(callback);
    channel.port2.postMessage(null);
  };
}
