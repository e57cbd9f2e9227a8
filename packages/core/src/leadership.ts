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
  readonly #settings: Settings;

  constructor(settings: Settings, termStartIndex: number, uncommittedBytes: number) {
    this.#settings = settings;
    this.termStartIndex = termStartIndex;
    this.uncommittedBytes = uncommittedBytes;
  }

  /** Follows exactly `peers`: keeps whom it knows, probes whom it does not. */
  track(peers: readonly NodeId[], nextIndex: number, nowTick: number): void {
    for (const peer of [...this.progress.keys()]) {
      if (!peers.includes(peer)) this.progress.delete(peer);
    }
    for (const peer of peers) {
      if (!this.progress.has(peer)) this.restart(peer, nextIndex, nowTick);
    }
  }

  /** Knows nothing about `peer` (any more). */
  restart(peer: NodeId, nextIndex: number, nowTick: number): void {
    const { inflightCountMax, inflightBytesMax } = this.#settings;
    this.progress.set(
      peer,
      new Progress({ peer, nextIndex, nowTick, inflightCountMax, inflightBytesMax }),
    );
  }
}
