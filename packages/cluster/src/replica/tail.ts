/**
 * How much of the log is kept behind a snapshot: a trailing window, in entries and in bytes, and what
 * the followers need that a snapshot is on its way to. Compacted without a look at them, the entry that
 * one needs next is gone each time a snapshot has arrived there, and it starts again for ever (Z62).
 *
 * What is kept for them has a bound. A follower that votes, or is about to, is waited for: of two
 * bytes that it takes one may be written, so that it arrives. Another one is let go of, and starts
 * again after a pause that doubles.
 */
import type { NodeId, ProposeResult, Raft, Status } from '@quorate/core';
import type { Clock } from '@quorate/contracts';
import type { Policy } from '../state/policy.ts';
import type { SnapshotTransfer } from './snapshot-transfer.ts';

export type TailOptions = {
  readonly raft: Raft;
  readonly clock: Clock;
  readonly policy: Pick<
    Policy,
    'trailingEntries' | 'trailingBytes' | 'catchUpBytes' | 'replaceAfterMs' | 'electionTimeoutMsMax'
  >;
  readonly transfer: Pick<SnapshotTransfer, 'send' | 'abandon' | 'acknowledgedBytes'>;
  /** Those of them that vote, or would if they were up to date. */
  readonly wanted: (ids: readonly NodeId[]) => ReadonlySet<NodeId>;
  /** The core has something new to look at. */
  readonly schedule: () => void;
};

/** A follower that is being brought up to date. */
type Held = {
  /** It has, or is about to have, everything through this. */
  index: number;
  /** Of the snapshot; null once all of it is there. */
  acknowledgedBytes: number | null;
  /** Of the log, since then. */
  takenBytes: number;
  /** What the log holds beyond `index`. */
  tailBytes: number;
  /** What that may become: beside what there was when the stream began. */
  readonly bytesMax: number;
  /** When it counts as arrived although it has not said so; null: that is not waited for. */
  arrivedAt: number | null;
  progressedAt: number;
  wanted: boolean;
};

export class Tail {
  readonly #options: TailOptions;
  readonly #held = new Map<NodeId, Held>();
  readonly #pauses = new Map<NodeId, { readonly until: number; readonly ms: number }>();
  /** Proposed since `look` counted. */
  #proposedBytes = 0;
  #commitIndexBefore = 0;

  constructor(options: TailOptions) {
    this.#options = options;
  }

  /** A follower needs a snapshot: it goes out now, or after the pause of one that was let go of. */
  sendSnapshot(to: NodeId): void {
    const { raft, clock, transfer, policy } = this.#options;
    const now = clock.now();
    const pauseMs = (this.#pauses.get(to)?.until ?? now) - now;
    if (pauseMs > 0) {
      clock.setTimeout(() => this.#report(to, false), pauseMs);
      return;
    }
    // One that is under way goes on, and what is kept for it is what it needs.
    if (transfer.acknowledgedBytes(to) !== null) return;
    const index = raft.status().snapshot?.index ?? 0;
    const tailBytes = raft.tailBytes(index + 1);
    this.#held.set(to, {
      index,
      acknowledgedBytes: 0,
      takenBytes: 0,
      tailBytes,
      bytesMax: tailBytes + policy.catchUpBytes,
      arrivedAt: null,
      progressedAt: now,
      wanted: false,
    });
    transfer.send(to);
  }

  /**
   * The stream to `to` ended. Its last words may be under way for longer than a heartbeat: asked before
   * they are there, it would say that it has nothing, and be sent another one. What it acknowledges
   * once it has installed it comes by itself.
   */
  reported(to: NodeId, ok: boolean): void {
    const { clock, policy } = this.#options;
    const held = this.#held.get(to);
    if (held === undefined || !ok) {
      this.#held.delete(to);
      this.#report(to, ok);
      return;
    }
    held.acknowledgedBytes = null;
    held.progressedAt = clock.now();
    held.arrivedAt = clock.now() + policy.electionTimeoutMsMax;
  }

  /**
   * Through which entry the log may be dropped, now that a snapshot at `index` is durable. `isShort`:
   * there is no room for a window.
   */
  through(index: number, isShort: boolean = false): number {
    const { raft, policy } = this.#options;
    const byBytes = raft.indexBehind(index, policy.trailingBytes);
    let through = isShort ? index : Math.max(0, byBytes, index - policy.trailingEntries);
    for (const held of this.#held.values()) through = Math.min(through, held.index);
    if (!isShort) return through;
    // Of followers that listen none has to begin with a snapshot.
    for (const { matchIndex, recentActive } of raft.status().progress) {
      if (recentActive) through = Math.min(through, matchIndex);
    }
    return through;
  }

  /** Proposes what clients wrote, unless somebody is waited for: then it is `overloaded`. */
  offer<Other>(
    bodies: readonly Uint8Array[],
    propose: () => ProposeResult | Other,
  ): ProposeResult | Other {
    if (this.#held.size === 0) return propose();
    const bytes = bodies.reduce((sum, body) => sum + body.length, 0);
    for (const held of this.#held.values()) {
      const tailBytes = held.tailBytes + this.#proposedBytes;
      // Who has everything is waited for no more, however little may be kept.
      const isFull = tailBytes > 0 && tailBytes + bytes > this.#allowedBytes(held);
      if (held.wanted && isFull) {
        return { ok: false, reason: 'overloaded', leader: this.#options.raft.status().leader };
      }
    }
    this.#proposedBytes += bytes;
    return propose();
  }

  /** Called regularly: looks at how far everybody is. */
  look(): void {
    this.#proposedBytes = 0;
    const status = this.#options.raft.status();
    const before = this.#commitIndexBefore;
    this.#commitIndexBefore = status.commitIndex;
    if (status.role !== 'leader') {
      this.#held.clear();
      this.#pauses.clear();
    }
    if (this.#held.size === 0) return;
    const wanted = this.#options.wanted([...this.#held.keys()]);
    for (const [peer, held] of this.#held) {
      held.wanted = wanted.has(peer);
      const isHeld = this.#follow(peer, held, status, before);
      const isLate = held.arrivedAt !== null && this.#options.clock.now() >= held.arrivedAt;
      if (held.arrivedAt !== null && (isLate || !isHeld)) {
        held.arrivedAt = null;
        this.#report(peer, true);
      }
      if (!isHeld) this.#held.delete(peer);
    }
  }

  /** False when nothing is kept for it any more. */
  #follow(peer: NodeId, held: Held, status: Status, commitIndexBefore: number): boolean {
    const { raft, clock, policy, transfer } = this.#options;
    const progress = status.progress.find((one) => one.peer === peer);
    if (progress === undefined) return false;
    const now = clock.now();
    const acknowledged = transfer.acknowledgedBytes(peer);
    if (held.acknowledgedBytes !== null && acknowledged !== null) {
      if (acknowledged > held.acknowledgedBytes) held.progressedAt = now;
      held.acknowledgedBytes = acknowledged;
    }
    held.tailBytes = raft.tailBytes(held.index + 1);
    if (progress.matchIndex > held.index) {
      const tailBytes = raft.tailBytes(progress.matchIndex + 1);
      held.takenBytes += held.tailBytes - tailBytes;
      held.tailBytes = tailBytes;
      held.index = progress.matchIndex;
      held.progressedAt = now;
    }
    if (progress.state !== 'snapshot' && progress.matchIndex >= commitIndexBefore) {
      this.#pauses.delete(peer);
      return false;
    }
    // Whose disk is full, or whose link is dead, is waited for by nobody.
    if (now - held.progressedAt >= policy.replaceAfterMs / 2) return false;
    if (held.wanted || held.tailBytes <= held.bytesMax) return true;
    const ms = Math.min(pauseMsMax, 2 * (this.#pauses.get(peer)?.ms ?? pauseMsMin / 2));
    this.#pauses.set(peer, { until: now + ms, ms });
    transfer.abandon(peer);
    return false;
  }

  #report(to: NodeId, ok: boolean): void {
    this.#options.raft.reportSnapshot(to, ok);
    this.#options.schedule();
  }

  /** Of two bytes that it takes one may be written, while the half of what is kept is left for that. */
  #allowedBytes({ acknowledgedBytes, takenBytes, bytesMax }: Held): number {
    const { catchUpBytes } = this.#options.policy;
    if (acknowledgedBytes === null) return bytesMax - takenBytes / 2;
    return bytesMax - (catchUpBytes - Math.min(catchUpBytes, acknowledgedBytes)) / 2;
  }
}

const pauseMsMin = 1_000;
const pauseMsMax = 60_000;
