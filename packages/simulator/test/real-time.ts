/** Lets virtual time follow real time, for suites that wait with real timers. */
import { VirtualClock } from '../src/virtual-clock.ts';

export function followRealTime(): { readonly clock: VirtualClock; stop(): void } {
  const clock = new VirtualClock();
  const start = performance.now();
  const timer = setInterval(() => {
    clock.runSync(performance.now() - start);
  }, 1);
  return {
    clock,
    stop: () => {
      clearInterval(timer);
    },
  };
}
