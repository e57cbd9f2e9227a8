/** The environment that a real page gives. */
import { patient, systemRandom } from '@quorate/contracts';
import type { Environment } from './environment.ts';
import { createPageClock } from './worker-clock.ts';

let shared: ReturnType<typeof sharedClock> | null = null;
let profile: string | null = null;

/** One clock for the whole page. */
export function browserEnvironment(): Environment {
  const { clock, kind } = (shared ??= sharedClock());
  const { locks, storage } = navigator as Partial<Navigator>;
  return {
    clock,
    clockName: kind,
    random: systemRandom,
    isSecure: isSecureContext,
    locks,
    indexedDB: factory(),
    page: { window, document },
    get profile() {
      return (profile ??= profileName());
    },
    // Asked, never requested: a request would put a question to the person (DESIGN §13).
    isPersisted: async () => (await storage?.persisted?.().catch(() => false)) ?? false,
  };
}

/** Links judge by silence as members do: all of them let waiting input in first (Z44). */
function sharedClock() {
  const pageClock = createPageClock({ workerAfterMs: workerAfterMs() });
  return { clock: patient(pageClock), kind: () => pageClock.kind };
}

/** Kept where every page of the origin reads it at once; a hint for spreading votes, nothing more. */
function profileName(): string {
  const key = 'quorate profile';
  const fresh = crypto.getRandomValues(new Uint32Array(4)).join('');
  try {
    const known = localStorage.getItem(key);
    if (known !== null) return known.slice(0, 64);
    localStorage.setItem(key, fresh);
  } catch {
    // Blocked by the person's settings: this page is a profile of its own.
  }
  return fresh;
}

/** A thread that starts takes its time from what the person waits for, and is needed when hidden only. */
function workerAfterMs(): number {
  return document.visibilityState === 'visible' ? 300 : 0;
}

function factory(): IDBFactory | undefined {
  try {
    return globalThis.indexedDB;
  } catch {
    // Blocked by the person's settings: naming it throws.
    return undefined;
  }
}
