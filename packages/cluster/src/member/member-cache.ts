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
import { refusedFrom, witnessesFrom } from '../links/witness-records.ts';
import type { RefusedBranch, Witness } from '../links/witness-records.ts';

export type Remembered = {
  readonly acquaintances: readonly Acquaintance[];
  readonly witnesses: readonly Witness[];
  readonly refused: readonly RefusedBranch[];
};

/**
 * What an earlier run stored. What cannot be read is as good as none, each part by itself: that an
 * address is damaged is no reason to forget a refusal.
 */
export async function readMemberCache(storage: LogStorage | undefined): Promise<Remembered> {
  const cache = await storage?.readCache();
  const map = cache instanceof Uint8Array ? readable(() => decodeCborMap(cache), {}) : {};
  return {
    acquaintances: readable(() => acquaintancesFrom(map['acquaintances']), []),
    witnesses: readable(() => witnessesFrom(map['witnesses']), []),
    refused: readable(() => refusedFrom(map['refused']), []),
  };
}

function readable<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch (error) {
    if (!isQuorateError(error)) throw error;
    return otherwise;
  }
}

function acquaintancesFrom(value: unknown): Acquaintance[] {
  return asArray(value, 'acquaintances', acquaintanceCountMax).flatMap((item) =>
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
    const bytes = encodeCbor({
      acquaintances: host.acquaintances().slice(-acquaintanceCountMax),
      witnesses: witnesses.store(),
      refused: witnesses.refused,
    });
    storage.writeCache(bytes).catch((error: unknown) => {
      // A store that fails says so where it matters.
      if (!isQuorateError(error)) throw error;
    });
  }
}

/** As many as whoever reads them takes. */
const acquaintanceCountMax = 256;
const progressSaveMs = 1_000;
