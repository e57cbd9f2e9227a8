/**
 * What a member remembers across a restart beside its log: where others were, and what they swore
 * (Z3). It is written beside the batches, as soon as there is news worth it.
 */
import { decodeCborMap, encodeCbor, isQuorateError } from '@quorate/contracts';
import { asArray, asId, asMap } from '@quorate/contracts';
import type { Clock, LogStorage } from '@quorate/contracts';
import type { Acquaintance } from '../links/acquaintances.ts';
import { announcementsFrom } from '../links/hello.ts';
import type { Host } from '../links/host.ts';
import { witnessesFrom } from '../links/witnesses.ts';
import type { Witness } from '../links/witnesses.ts';

export type Remembered = {
  readonly acquaintances: readonly Acquaintance[];
  readonly witnesses: readonly Witness[];
};

/** What an earlier run stored. A cache that cannot be read is as good as none. */
export async function readMemberCache(storage: LogStorage | undefined): Promise<Remembered> {
  const cache = await storage?.readCache();
  if (cache instanceof Uint8Array) {
    try {
      const map = decodeCborMap(cache);
      return {
        acquaintances: acquaintancesFrom(map['acquaintances']),
        witnesses: witnessesFrom(map['witnesses']),
      };
    } catch (error) {
      if (!isQuorateError(error)) throw error;
    }
  }
  return { acquaintances: [], witnesses: [] };
}

function acquaintancesFrom(value: unknown): Acquaintance[] {
  return asArray(value, 'acquaintances', acquaintancesMax).flatMap((item) =>
    announcementsFrom([item]).map((announcement) => ({
      ...announcement,
      runs: asArray(asMap(item, 'acquaintance')['runs'], 'runs', 64).map((id) => asId(id, 'run')),
    })),
  );
}

export class MemberCache {
  readonly #clock: Clock;
  #linksChanged = false;
  #savedAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Hosts were met or moved. */
  linksChanged(): void {
    this.#linksChanged = true;
  }

  /** Stores what is new, and what moves with every commit at a slower pace. */
  save(storage: LogStorage, host: Host, isLast: boolean): void {
    const { witnesses } = host;
    const { news } = witnesses;
    if (!this.#linksChanged && news === 'none') return;
    const now = this.#clock.now();
    const isUrgent = isLast || this.#linksChanged || news === 'facts';
    if (!isUrgent && now - this.#savedAt < progressSaveMs) return;
    this.#linksChanged = false;
    this.#savedAt = now;
    const bytes = encodeCbor({ acquaintances: host.acquaintances(), witnesses: witnesses.store() });
    storage.writeCache(bytes).catch((error: unknown) => {
      // A store that fails says so where it matters.
      if (!isQuorateError(error)) throw error;
    });
  }
}

const acquaintancesMax = 1_024;
const progressSaveMs = 1_000;

/** Is the replica's store where it was? Rejects with `STORAGE_LOST` where it is not; what is in memory outlives nothing. */
export async function isStillThere(storage: LogStorage): Promise<boolean> {
  await storage.readCache();
  return storage.durable;
}
