/**
 * Linearizable reads from any member (ReadIndex, thesis §6.4): all reads of a turn share one round;
 * a round that is refused or lost is repeated until the deadline, never answered stale (R5).
 */
import type { Raft, ReadState } from '@quorate/core';
import type { BarrierOptions, Clock } from '@quorate/contracts';
import { onAbort, QuorateError } from '@quorate/contracts';
import { overloaded } from '../state/limits.ts';
import type { MemberLimits } from '../state/limits.ts';

type Waiter = { readonly resolve: () => void; readonly reject: (error: QuorateError) => void };

type Round = { readonly waiters: Set<Waiter>; readonly startedAt: number };

export type ReadsOptions = {
  readonly clock: Clock;
  readonly raft: Raft;
  readonly timeoutMs: number;
  readonly limits: MemberLimits;
  /** A round without an answer for so long is repeated. */
  readonly retryMs: number;
  readonly schedule: () => void;
  readonly appliedIndex: () => number;
  /** What a lease allows to be read now, or null. Asked when it is used, not before (Z23). */
  readonly leaseIndex: () => number | null;
  /** Says why a read cannot be served now, at its deadline. */
  readonly excuse: () => QuorateError;
};

export class Reads {
  readonly #options: ReadsOptions;
  #waiting = new Set<Waiter>();
  /** Would be content with a lease. */
  #hopeful = new Set<Waiter>();
  readonly #rounds = new Map<number, Round>();
  /** Confirmed, and waiting until this replica has applied that far. */
  readonly #confirmed = new Map<number, Set<Waiter>>();
  #nextRequestId = 1;
  #holdUntil = 0;

  constructor(options: ReadsOptions) {
    this.#options = options;
  }

  get pendingCount(): number {
    let count = this.#waiting.size + this.#hopeful.size;
    for (const round of this.#rounds.values()) count += round.waiters.size;
    for (const waiters of this.#confirmed.values()) count += waiters.size;
    return count;
  }

  barrier(options: BarrierOptions): Promise<void> {
    const { clock } = this.#options;
    if (options.signal?.aborted === true) {
      return Promise.reject(new QuorateError('ABORTED', 'Stopped waiting for a read'));
    }
    const { limits } = this.#options;
    if (this.pendingCount >= limits.pendingReads) {
      return Promise.reject(overloaded('pendingReads', limits));
    }
    return new Promise((resolve, reject) => {
      const cleanUp = (): void => {
        cancelTimer();
        forget();
      };
      const waiter: Waiter = {
        resolve: () => {
          cleanUp();
          resolve();
        },
        reject: (error) => {
          cleanUp();
          reject(error);
        },
      };
      const give = (error: QuorateError): void => {
        this.#forget(waiter);
        waiter.reject(error);
      };
      const cancelTimer = clock.setTimeout(
        () => give(this.#options.excuse()),
        options.timeoutMs ?? this.#options.timeoutMs,
      );
      const forget = onAbort(options.signal, () =>
        give(new QuorateError('ABORTED', 'Stopped waiting for a read')),
      );
      (options.lease === true ? this.#hopeful : this.#waiting).add(waiter);
      this.#options.schedule();
    });
  }

  /** Starts a round for what gathered, and repeats what was lost. Part of `collect`. */
  collect(): void {
    this.#useLease();
    const now = this.#options.clock.now();
    for (const [id, round] of this.#rounds) {
      if (now - round.startedAt < this.#options.retryMs) continue;
      this.#rounds.delete(id);
      for (const waiter of round.waiters) this.#waiting.add(waiter);
    }
    if (this.#waiting.size === 0 || now < this.#holdUntil) return;
    const id = this.#nextRequestId++;
    this.#rounds.set(id, { waiters: this.#waiting, startedAt: now });
    this.#waiting = new Set();
    this.#options.raft.readIndex(id);
  }

  answered(reads: readonly ReadState[]): void {
    for (const { requestId, index } of reads) {
      const round = this.#rounds.get(requestId);
      if (round === undefined) continue;
      this.#rounds.delete(requestId);
      if (index === null) {
        for (const waiter of round.waiters) this.#waiting.add(waiter);
        this.#holdUntil = this.#options.clock.now() + refusedPauseMs;
        this.#options.clock.setTimeout(() => this.#options.schedule(), refusedPauseMs);
        continue;
      }
      this.#confirm(index, round.waiters);
    }
    this.applied();
  }

  /** Resolves what was confirmed at or below the index applied here. */
  applied(): void {
    if (this.#confirmed.size === 0) return;
    const applied = this.#options.appliedIndex();
    for (const [index, waiters] of this.#confirmed) {
      if (index > applied) continue;
      this.#confirmed.delete(index);
      for (const waiter of waiters) waiter.resolve();
    }
  }

  /** A leader is known again: ask at once. */
  leaderChanged(): void {
    this.#holdUntil = 0;
  }

  /** Rejects everything; with `keepConfirmed` only what has no read index yet. */
  rejectAll(error: QuorateError): void {
    const sets = [
      this.#waiting,
      this.#hopeful,
      ...[...this.#rounds.values()].map((round) => round.waiters),
    ];
    this.#waiting = new Set();
    this.#hopeful = new Set();
    this.#rounds.clear();
    for (const waiters of [...sets, ...this.#confirmed.values()]) {
      for (const waiter of waiters) waiter.reject(error);
    }
    this.#confirmed.clear();
  }

  /** Confirms at once who is content with a lease, if there is one; else they go with the others. */
  #useLease(): void {
    if (this.#hopeful.size === 0) return;
    const hopeful = this.#hopeful;
    this.#hopeful = new Set();
    const index = this.#options.leaseIndex();
    if (index === null) {
      for (const waiter of hopeful) this.#waiting.add(waiter);
      return;
    }
    this.#confirm(index, hopeful);
    this.applied();
  }

  #confirm(index: number, confirmed: Set<Waiter>): void {
    const waiters = this.#confirmed.get(index);
    if (waiters === undefined) this.#confirmed.set(index, confirmed);
    else for (const waiter of confirmed) waiters.add(waiter);
  }

  #forget(waiter: Waiter): void {
    this.#waiting.delete(waiter);
    this.#hopeful.delete(waiter);
    for (const round of this.#rounds.values()) round.waiters.delete(waiter);
    for (const waiters of this.#confirmed.values()) waiters.delete(waiter);
  }
}

const refusedPauseMs = 25;
