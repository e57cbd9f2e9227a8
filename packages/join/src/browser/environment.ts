/** What a page's member takes from its browser, so that tests can bring their own. */
import { QuorateError, systemRandom } from '@quorate/cluster';
import type { Clock, RandomBytes } from '@quorate/cluster';
import type { PageTarget } from './page-life.ts';
import type { SlotLocks } from './slots.ts';
import { createPageClock } from './worker-clock.ts';
import type { PageClock } from './worker-clock.ts';

export type Environment = {
  readonly clock: Clock;
  /** What drives the clock now. */
  readonly clockName: () => string;
  readonly random: RandomBytes;
  /** Absent without a secure context. */
  readonly locks: SlotLocks | undefined;
  /** Absent where the person's settings forbid it. */
  readonly indexedDB: IDBFactory | undefined;
  readonly page: PageTarget;
  /** May the browser throw the data away by itself when space is short? */
  readonly isPersisted: () => Promise<boolean>;
};

let pageClock: PageClock | null = null;

/** One clock for the whole page. */
export function browserEnvironment(): Environment {
  const clock = (pageClock ??= createPageClock());
  const { locks, storage } = navigator as Partial<Navigator>;
  return {
    clock,
    clockName: () => clock.kind,
    random: systemRandom,
    locks: locks as SlotLocks | undefined,
    indexedDB: factory(),
    page: { window, document },
    // Asked, never requested: a request would put a question to the person (DESIGN §13).
    isPersisted: async () => (await storage?.persisted?.().catch(() => false)) ?? false,
  };
}

/** Throws `UNSUPPORTED`, naming what this page lacks. */
export function checkEnvironment({ locks, indexedDB }: Environment): {
  readonly locks: SlotLocks;
  readonly indexedDB: IDBFactory;
} {
  if (locks === undefined) {
    throw new QuorateError(
      'UNSUPPORTED',
      'Cannot keep a replica here: the page has no Web Locks, wanted https or localhost',
    );
  }
  if (indexedDB === undefined) {
    throw new QuorateError(
      'UNSUPPORTED',
      'Cannot keep a replica here: the browser gives this page no IndexedDB',
    );
  }
  if (typeof BroadcastChannel === 'undefined') {
    throw new QuorateError(
      'UNSUPPORTED',
      'Cannot meet other tabs: the browser has no BroadcastChannel',
    );
  }
  return { locks, indexedDB };
}

function factory(): IDBFactory | undefined {
  try {
    return globalThis.indexedDB;
  } catch {
    // Blocked by the person's settings: naming it throws.
    return undefined;
  }
}
