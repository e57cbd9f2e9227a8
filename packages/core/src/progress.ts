/**
 * What a leader knows about one peer, per run of that peer (Z1).
 *
 * `probe`: the peer's log is unknown; one message at a time finds where it agrees.
 * `replicate`: it agrees; messages are pipelined within a window.
 * `snapshot`: its log ends before ours begins; nothing is sent until a snapshot was.
 */
import { assert } from './assert.ts';
import type { NodeId, ProgressState } from './types.ts';

export class Progress {
  readonly peer: NodeId;
  readonly inflight: Inflight;
  state: ProgressState = 'probe';
  /** Durable at the peer and equal to our log up to here. */
  matchIndex = 0;
  /** The next entry to send. Invariant: matchIndex < nextIndex. */
  nextIndex: number;
  /** Probe: a message is out; wait for its answer or for the next heartbeat's. */
  probeSent = false;
  /** Probe: this place was asked about before; ask again without the entries. */
  probeRepeated = false;
  /** Removed from the membership: followed only until it knows. */
  departing = false;
  /** Replicate: an empty append is owed, to find out whether something got lost. */
  pokeOwed = false;
  /** Replicate: an empty append went past the full window; no other does until the peer is heard. */
  emptySent = false;
  /** The snapshot the peer was sent; 0 unless in state `snapshot`. */
  snapshotIndex = 0;
  /** The largest commit index sent in an append. */
  commitIndexSent = 0;
  /** The newest read round the peer confirmed. */
  readRound = 0;
  /** Whether the peer answered an append or a heartbeat since this leader began. */
  heard = false;
  /** When it did last; at the start of the leadership, that start. */
  heardAtTick: number;

  constructor(options: ProgressOptions) {
    this.peer = options.peer;
    this.nextIndex = options.nextIndex;
    this.heardAtTick = options.nowTick;
    this.inflight = new Inflight(options.inflightCountMax, options.inflightBytesMax);
  }

  /** It answered an append or a heartbeat, whatever it said: only that is its life (thesis §6.2). */
  hear(nowTick: number): void {
    this.heard = true;
    this.heardAtTick = nowTick;
    this.emptySent = false;
  }

  becomeProbe(nextIndex: number): void {
    this.#enter('probe');
    this.nextIndex = Math.max(nextIndex, this.matchIndex + 1);
  }

  becomeReplicate(): void {
    this.#enter('replicate');
    this.nextIndex = this.matchIndex + 1;
  }

  becomeSnapshot(snapshotIndex: number): void {
    this.#enter('snapshot');
    this.snapshotIndex = snapshotIndex;
  }

  /** An acknowledgement up to `index`. False when it says nothing new. */
  acknowledge(index: number): boolean {
    this.inflight.freeTo(index);
    if (index <= this.matchIndex) return false;
    this.matchIndex = index;
    this.nextIndex = Math.max(this.nextIndex, index + 1);
    return true;
  }

  /** An append with entries left: the last one's index and the bytes of all. */
  sent(lastIndex: number, bytes: number): void {
    assert(lastIndex >= this.nextIndex, 'lastIndex >= nextIndex');
    if (this.state === 'replicate') {
      this.nextIndex = lastIndex + 1;
      this.inflight.add(lastIndex, bytes);
    }
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.probeSent = false;
    this.probeRepeated = false;
    this.pokeOwed = false;
    this.emptySent = false;
    this.snapshotIndex = 0;
    this.inflight.clear();
  }
}

export type ProgressOptions = {
  readonly peer: NodeId;
  readonly nextIndex: number;
  readonly nowTick: number;
  readonly inflightCountMax: number;
  readonly inflightBytesMax: number;
};

/**
 * The window of appends that were sent and not acknowledged: a ring, oldest first. It is full at
 * `countMax` messages or once `bytesMax` bytes are out, so that one larger message still fits.
 */
export class Inflight {
  readonly #countMax: number;
  readonly #bytesMax: number;
  readonly #lastIndexes: number[] = [];
  readonly #sizes: number[] = [];
  #head = 0;
  #count = 0;
  #bytes = 0;

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get full(): boolean {
    return this.#count >= this.#countMax || this.#bytes >= this.#bytesMax;
  }

  add(lastIndex: number, bytes: number): void {
    assert(!this.full, 'the window has room');
    const at = (this.#head + this.#count) % this.#countMax;
    this.#lastIndexes[at] = lastIndex;
    this.#sizes[at] = bytes;
    this.#count++;
    this.#bytes += bytes;
  }

  /** Forgets every message whose last entry is at or below `index`. */
  freeTo(index: number): void {
    while (this.#count > 0 && (this.#lastIndexes[this.#head] as number) <= index) {
      this.#bytes -= this.#sizes[this.#head] as number;
      this.#head = (this.#head + 1) % this.#countMax;
      this.#count--;
    }
  }

  clear(): void {
    this.#head = 0;
    this.#count = 0;
    this.#bytes = 0;
  }
}
