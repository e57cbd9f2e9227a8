/**
 * What a stranger can take of a relay (T25): counted per peer and per address, over all sessions and
 * circuits of either. Whoever has used up his share waits for the next, and nobody else does.
 */

/** Whose something is, for what he may take of a relay. */
export type Source = {
  readonly peer: string;
  /**
   * What stands for a network address: whoever changes it pays for it. The peer again where none does,
   * and then it counts once.
   */
  readonly address: string;
};

/** In units of what is counted. `burst`: what may be taken at once by who took nothing for a while. */
export type Share = { readonly burst: number; readonly perSecond: number };
export type Shares = { readonly peer: Share; readonly address: Share };

/** Of both kinds; each was a proven connection once. */
const defaultSourcesMax = 16_384;

type Bucket = { readonly limit: Share; units: number; atMs: number };

export class Budget {
  readonly #shares: Shares;
  readonly #now: () => number;
  readonly #sourcesMax: number;
  /** Those that have not all they may have, the one asked for last at the end. */
  readonly #buckets = new Map<string, Bucket>();
  #refused = 0;

  /** `now`: monotonic milliseconds. */
  constructor(shares: Shares, now: () => number, sourcesMax: number = defaultSourcesMax) {
    this.#shares = shares;
    this.#now = now;
    this.#sourcesMax = sourcesMax;
  }

  /** Sources that are remembered. */
  get size(): number {
    return this.#buckets.size;
  }

  /** How often something was refused. */
  get refused(): number {
    return this.#refused;
  }

  /** Spends `units` of both shares, or none: false. */
  take(source: Source, units: number): boolean {
    const buckets = this.#bucketsOf(source);
    const isThere = buckets.every((bucket) => bucket.units >= units);
    if (isThere) for (const bucket of buckets) bucket.units -= units;
    else this.#refused += 1;
    return isThere;
  }

  /** Spends what was known afterwards only, also where it makes a debt of up to a burst. */
  charge(source: Source, units: number): void {
    for (const bucket of this.#bucketsOf(source)) {
      bucket.units = Math.max(-bucket.limit.burst, bucket.units - units);
    }
  }

  /** Milliseconds until what was charged is worked off; 0 where nothing is owed. */
  debtMs(source: Source): number {
    const debts = this.#bucketsOf(source).map(
      ({ units, limit }) => (Math.max(0, -units) / limit.perSecond) * 1_000,
    );
    return Math.floor(Math.max(...debts));
  }

  #bucketsOf({ peer, address }: Source): readonly Bucket[] {
    const nowMs = this.#now();
    this.#forget(nowMs);
    const ofPeer = this.#bucket(`peer ${peer}`, this.#shares.peer, nowMs);
    if (address === peer) return [ofPeer];
    return [ofPeer, this.#bucket(`address ${address}`, this.#shares.address, nowMs)];
  }

  #bucket(key: string, limit: Share, nowMs: number): Bucket {
    const bucket = this.#buckets.get(key) ?? { limit, units: limit.burst, atMs: nowMs };
    refill(bucket, nowMs);
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    return bucket;
  }

  /** Whoever has all he may have again is as good as unknown. Leaves room for two. */
  #forget(nowMs: number): void {
    for (const [key, bucket] of this.#buckets) {
      refill(bucket, nowMs);
      const isFull = bucket.units >= bucket.limit.burst;
      if (!isFull && this.#buckets.size <= this.#sourcesMax - 2) return;
      this.#buckets.delete(key);
    }
  }
}

function refill(bucket: Bucket, nowMs: number): void {
  const earned = ((nowMs - bucket.atMs) / 1_000) * bucket.limit.perSecond;
  bucket.units = Math.min(bucket.limit.burst, bucket.units + earned);
  bucket.atMs = nowMs;
}
