/** What exists only while leading: gone, counters and all, the moment leadership is lost (L11). */
import { Progress } from './progress.ts';
import { ReadIndexQueue } from './read-index.ts';
import type { Settings } from './settings.ts';
import type { NodeId } from './types.ts';

export class Leadership {
  readonly progress: Map<NodeId, Progress> = new Map();
  readonly reads: ReadIndexQueue = new ReadIndexQueue();
  /** The no-op's index: from its commit on the leader knows what is committed (§8). */
  readonly termStartIndex: number;
  /** Bytes of entries in the log that are not committed. */
  uncommittedBytes: number;
  heartbeatElapsedTicks = 0;
  transferTarget: NodeId | null = null;
  transferElapsedTicks = 0;
  /** A `TimeoutNow` left: somebody may be elected without waiting, so no lease holds in this term (Z23). */
  leaseEnded = false;
  /** Ticks since the removal of those who depart was committed. */
  departingTicks = 0;
  readonly #settings: Settings;

  constructor(settings: Settings, termStartIndex: number, uncommittedBytes: number) {
    this.#settings = settings;
    this.termStartIndex = termStartIndex;
    this.uncommittedBytes = uncommittedBytes;
  }

  /**
   * Follows `peers`: keeps whom it knows, probes whom it does not. Those who are not among them any
   * more depart: they are followed until they know of it, and count nowhere.
   */
  track(peers: readonly NodeId[], nextIndex: number, nowTick: number): void {
    this.departingTicks = 0;
    for (const progress of this.progress.values()) {
      progress.departing = !peers.includes(progress.peer);
    }
    for (const peer of peers) {
      if (!this.progress.has(peer)) this.restart(peer, nextIndex, nowTick);
    }
  }

  /** Lets go of all who depart: they had an election timeout to hear of it. */
  forgetDeparted(): void {
    for (const progress of this.progress.values()) {
      if (progress.departing) this.progress.delete(progress.peer);
    }
  }

  /** Knows nothing about `peer` (any more). */
  restart(peer: NodeId, nextIndex: number, nowTick: number): void {
    const { inflightCountMax, inflightBytesMax } = this.#settings;
    const departing = this.progress.get(peer)?.departing ?? false;
    const progress = new Progress({ peer, nextIndex, nowTick, inflightCountMax, inflightBytesMax });
    progress.departing = departing;
    this.progress.set(peer, progress);
  }
}
