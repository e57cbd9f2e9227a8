/**
 * What a member remembers across a restart beside its log: where others were, and what they swore
 * (Z3). It is written beside the batches, as soon as there is news worth it.
 */
import { decodeCborMap, encodeCbor, isQuorateError } from '@quorate/contracts';
import { asArray, asId, asMap } from '@quorate/contracts';
import type { Clock, LogStorage, QuorateError } from '@quorate/contracts';
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

/** Trouble of the whole store. */
function isLost(error: QuorateError): boolean {
  return error.code !== 'STORAGE_CORRUPT' && error.code !== 'BAD_REQUEST';
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
  /** What is stored is damaged, or hosts were met or moved since. */
  #isStale = false;
  #savedAt = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * What an earlier run stored. What cannot be read is as good as none, each part by itself: that an
   * address is damaged is no reason to forget a refusal. It is said, for a person may know what
   * befell the disk; and it is no reason to stop, for a power cut may leave half of what nobody syncs.
   */
  async read(
    storage: LogStorage | undefined,
    told: { say(about: string, notice: string): void },
  ): Promise<Remembered> {
    const readable = async <T>(read: () => T | Promise<T>, otherwise: T): Promise<T> => {
      try {
        return await read();
      } catch (error) {
        if (!isQuorateError(error) || isLost(error)) throw error;
        told.say('memory', `what it remembered of others is made anew: ${error.message}`);
        this.#isStale = true;
        return otherwise;
      }
    };
    const cache = await readable(async () => (await storage?.readCache()) ?? null, null);
    if (cache === null) return { acquaintances: [], witnesses: [], refused: [] };
    const map = await readable(() => decodeCborMap(cache), {});
    return {
      acquaintances: await readable(() => acquaintancesFrom(map['acquaintances']), []),
      witnesses: await readable(() => witnessesFrom(map['witnesses']), []),
      refused: await readable(() => refusedFrom(map['refused']), []),
    };
  }

  /** Hosts were met or moved. */
  linksChanged(): void {
    this.#isStale = true;
  }

  /** Stores what is new, and what moves with every commit at a slower pace. */
  save(storage: LogStorage, host: Host, isLast: boolean): void {
    const { witnesses } = host;
    const { news } = witnesses;
    if (!this.#isStale && news === 'none') return;
    const now = this.#clock.now();
    const isUrgent = isLast || this.#isStale || news === 'facts';
    if (!isUrgent && now - this.#savedAt < progressSaveMs) return;
    this.#isStale = false;
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
