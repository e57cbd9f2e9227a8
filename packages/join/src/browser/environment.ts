/** What a page's member takes from its browser, so that tests can bring their own. */
import { QuorateError } from '@quorate/contracts';
import type { Clock, RandomBytes } from '@quorate/contracts';
import type { PageTarget } from './page-life.ts';
import type { SlotLocks } from './slots.ts';

export type Environment = {
  readonly clock: Clock;
  /** What drives the clock now. */
  readonly clockName: () => string;
  readonly random: RandomBytes;
  /** Is the page from https or localhost? Others get no locks. */
  readonly isSecure: boolean;
  /** Absent without a secure context. */
  readonly locks: SlotLocks | undefined;
  /** Absent where the person's settings forbid it. */
  readonly indexedDB: IDBFactory | undefined;
  readonly page: PageTarget;
  /** Names the browser profile: all its pages of this origin share its fate (Z16). */
  readonly profile: string;
  /** May the browser throw the data away by itself when space is short? */
  readonly isPersisted: () => Promise<boolean>;
};

/** Can a replica be kept here? */
export function hasDisk({ locks, indexedDB }: Environment): boolean {
  return locks !== undefined && indexedDB !== undefined;
}

/** Why no replica can be kept here, as the rest of a sentence; null where one can. */
export function whyNoDisk(environment: Environment): string | null {
  if (hasDisk(environment)) return null;
  if (!environment.isSecure) return 'this page is not from https or localhost';
  return environment.locks === undefined
    ? 'the browser has no Web Locks'
    : 'the browser gives this page no IndexedDB';
}

/** Throws `UNSUPPORTED`, naming what this page lacks. */
export function checkEnvironment(environment: Environment): {
  readonly locks: SlotLocks;
  readonly indexedDB: IDBFactory;
} {
  const { locks, indexedDB } = environment;
  if (locks === undefined || indexedDB === undefined) {
    throw new QuorateError('UNSUPPORTED', `Cannot keep a replica here: ${whyNoDisk(environment)}`);
  }
  if (typeof BroadcastChannel === 'undefined') {
    throw new QuorateError(
      'UNSUPPORTED',
      'Cannot meet other tabs: the browser has no BroadcastChannel',
    );
  }
  return { locks, indexedDB };
}
