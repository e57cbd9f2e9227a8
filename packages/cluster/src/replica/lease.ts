/**
 * How long a leader may answer reads without asking anybody (thesis §6.4.1, Z23). The core says which
 * round of heartbeats a quorum answered; here stands when that round was sent, by two clocks: the
 * monotonic one may stop while the machine sleeps, the wall clock may be set. The one that says that
 * more time has passed counts, so that either can only end a lease too early.
 */
import type { Raft } from '@quorate/core';
import type { Clock } from '@quorate/contracts';

export type LeaseOptions = {
  readonly raft: Raft;
  readonly clock: Clock;
  /** As the core was told: the voters of a lease are bound for so many ticks. */
  readonly electionTimeoutTicksMin: number;
  readonly tickMs: number;
};

export class Lease {
  readonly #options: LeaseOptions;
  readonly #durationMs: number;
  #term = 0;
  /** Rounds up to here were seen. */
  #round = 0;
  #seenAt: Instant;
  /** Oldest first. Rounds after the entry before it, up to `round`, were sent at `at` or later. */
  #sent: Sent[] = [];
  /** When rounds up to here were sent is forgotten: too long ago to matter. */
  #forgotten = 0;

  constructor(options: LeaseOptions) {
    this.#options = options;
    // A tick may follow at once on what a voter heard, and its clock may run fast while ours is slow.
    const ticks = options.electionTimeoutTicksMin - 1;
    this.#durationMs = ticks * options.tickMs * (1 - 2 * clockDriftMax);
    this.#seenAt = this.#now();
  }

  /** To be called before each `tick()` and `ready()` of the core: what they send is sent after it. */
  observe(): void {
    const now = this.#now();
    const seen = this.#options.raft.heartbeatRound();
    if (seen === null || seen.term !== this.#term) {
      this.#term = seen?.term ?? 0;
      // A leadership that began since the last look has sent nothing before that look.
      this.#round = 0;
      this.#forgotten = 0;
      this.#sent = [];
    }
    if (seen !== null && seen.round > this.#round) {
      this.#sent.push({ round: seen.round, at: this.#seenAt });
      this.#round = seen.round;
      this.#forget(now);
    }
    this.#seenAt = now;
  }

  /**
   * Up to where state has to be applied for a read that is answered now; null when no lease holds,
   * or where there is no wall clock to tell of a sleep.
   */
  readIndex(): number | null {
    const { raft, clock } = this.#options;
    this.observe();
    const lease = raft.lease();
    if (lease === null || clock.wallNow === undefined) return null;
    if (lease.round <= this.#forgotten) return null;
    const sent = this.#sent.find(({ round }) => round >= lease.round);
    return sent !== undefined && this.#holds(sent.at, this.#now()) ? lease.readIndex : null;
  }

  #forget(now: Instant): void {
    let count = 0;
    for (const { round, at } of this.#sent) {
      if (this.#holds(at, now)) break;
      this.#forgotten = round;
      count++;
    }
    this.#sent.splice(0, count);
  }

  #holds(at: Instant, now: Instant): boolean {
    const elapsedMs = Math.max(now.monotonicMs - at.monotonicMs, now.wallMs - at.wallMs);
    return elapsedMs < this.#durationMs;
  }

  #now(): Instant {
    const { clock } = this.#options;
    return { monotonicMs: clock.now(), wallMs: clock.wallNow?.() ?? 0 };
  }
}

/**
 * For how many ticks a restarted run keeps silent: one maximal election timeout, on a clock that may
 * run as fast as an earlier leader's was slow.
 */
export function silentTicksOf(electionTimeoutTicksMax: number): number {
  return Math.ceil((electionTimeoutTicksMax * (1 + clockDriftMax)) / (1 - clockDriftMax));
}

type Sent = { readonly round: number; readonly at: Instant };
type Instant = { readonly monotonicMs: number; readonly wallMs: number };

/** How much faster or slower than true time a member's clock may run, as a share of it. */
const clockDriftMax = 0.1;
