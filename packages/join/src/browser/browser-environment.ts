/** The environment that a real page gives. */
import { systemRandom } from '@quorate/cluster';
import type { Environment } from './environment.ts';
import { createPageClock } from './worker-clock.ts';
import type { PageClock } from './worker-clock.ts';

let pageClock: PageClock | null = null;

/** One clock for the whole page. */
export function browserEnvironment(): Environment {
  const clock = (pageClock ??= createPageClock());
  const { locks, storage } = navigator as Partial<Navigator>;
  return {
    clock,
    clockName: () => clock.kind,
    random: systemRandom,
    locks: locks,
    indexedDB: factory(),
    page: { window, document },
    // Asked, never requested: a request would put a question to the person (DESIGN §13).
    isPersisted: async () => (await storage?.persisted?.().catch(() => false)) ?? false,
  };
}

function factory(): IDBFactory | undefined {
  try {
    return globalThis.indexedDB;
  } catch {
    // Blocked by the person's settings: naming it throws.
    return undefined;
  }
}
