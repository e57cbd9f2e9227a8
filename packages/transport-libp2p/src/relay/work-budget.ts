/**
 * What a stranger can take of a relay's processor (T25): work is counted per peer and per address, over
 * all sessions of either, in units of about an eighth of a millisecond. Whoever has used up his share
 * waits for the next, and nobody else does.
 */

export type WorkSource = {
  readonly peer: string;
  /** What stands for a network address; the peer again where none does, and then it counts once. */
  readonly address: string;
};

/** In units. Whatever a relay does for somebody is one of these. */
export const costs = {
  /** To read a request and answer it. */
  request: 1,
  /** To look at a signature: some 2.5 ms. */
  check: 20,
  /** On top of that where it was wrong: honest hosts send none. */
  wrong: 1_000,
  /** To begin a stream of requests. */
  session: 20,
  /** To give a place, which the relay signs. */
  place: 20,
  /** To join two hosts. */
  circuit: 20,
  /** Hosts that are told, or listed, for one unit. */
  hostsPerUnit: 16,
} as const;

type Limit = { readonly burst: number; readonly perSecond: number };

/**
 * A peer is announced in 160 namespaces at once; an address has 800 hosts, and 130 that come at one
 * moment. An address that takes all it can has a quarter of a core.
 */
export const workLimits: { readonly peer: Limit; readonly address: Limit } = {
  peer: { burst: 2_000, perSecond: 400 },
  address: { burst: 40_000, perSecond: 2_000 },
};

/** Of both kinds; each was a proven connection once. */
const defaultSourcesMax = 16_384;

type Bucket = { readonly limit: Limit; units: number; atMs: number };

export class WorkBudget {
  readonly #now: () => number;
  readonly #sourcesMax: number;
  /** Those that have not all they may have, the one asked for last at the end. */
  readonly #buckets = new Map<string, Bucket>();
  #refused = 0;

  /** `now`: monotonic milliseconds. */
  constructor(now: () => number, sourcesMax: number = defaultSourcesMax) {
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
  take(source: WorkSource, units: number): boolean {
    const buckets = this.#bucketsOf(source);
    const isThere = buckets.every((bucket) => bucket.units >= units);
    if (isThere) for (const bucket of buckets) bucket.units -= units;
    else this.#refused += 1;
    return isThere;
  }

  /** Spends what was known afterwards only, also where it makes a debt of up to a burst. */
  charge(source: WorkSource, units: number): void {
    for (const bucket of this.#bucketsOf(source)) {
      bucket.units = Math.max(-bucket.limit.burst, bucket.units - units);
    }
  }

  #bucketsOf({ peer, address }: WorkSource): readonly Bucket[] {
    const nowMs = this.#now();
    this.#forget(nowMs);
    const ofPeer = this.#bucket(`peer ${peer}`, workLimits.peer, nowMs);
    if (address === peer) return [ofPeer];
    return [ofPeer, this.#bucket(`address ${address}`, workLimits.address, nowMs)];
  }

  #bucket(key: string, limit: Limit, nowMs: number): Bucket {
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
