/**
 * What the demo's tabs tell each other beside the cluster: how far the leader knows the others to
 * be, which of them is about to close, which should. Nothing here is needed for the cluster to work.
 */

import type { ClusterStatus } from 'quorate';

export type NeighbourEvents = {
  /** Positions in the log by NodeId, as the leader knows them. */
  readonly positions: (positions: ReadonlyMap<string, number>) => void;
  /** A seat is being left: a tab closed or reloaded, a process killed; by this machine's clock. */
  readonly left: (key: string, atMs: number) => void;
  /** This tab was asked to close. */
  readonly closeAsked: () => void;
};

type Message =
  | { readonly type: 'positions'; readonly positions: readonly (readonly [string, number])[] }
  | { readonly type: 'left'; readonly key: string; readonly atMs: number }
  | { readonly type: 'close'; readonly name: string };

export class Neighbours {
  readonly #channel: BroadcastChannel;
  readonly #ended = new AbortController();
  #toldAtMs = -Infinity;

  constructor(realm: string, name: string, events: NeighbourEvents) {
    this.#channel = new BroadcastChannel(`quorate demo ${realm}`);
    this.#channel.onmessage = ({ data }: MessageEvent<Message>) => {
      switch (data.type) {
        case 'positions':
          return events.positions(new Map(data.positions));
        case 'left':
          return events.left(data.key, data.atMs);
        case 'close':
          if (data.name === name) events.closeAsked();
      }
    };
    const { signal } = this.#ended;
    addEventListener('pagehide', () => this.#post({ type: 'left', key: name, atMs: wallMs() }), {
      signal,
    });
  }

  /** Tells how far the others are, not more often than anybody can read. */
  tellPositions(positions: readonly (readonly [string, number])[]): void {
    const now = performance.now();
    if (positions.length === 0) return;
    if (now - this.#toldAtMs < tellMs) return;
    this.#toldAtMs = now;
    this.#post({ type: 'positions', positions });
  }

  /** Somebody other than a tab was lost. */
  tellLeft(key: string, atMs: number): void {
    this.#post({ type: 'left', key, atMs });
  }

  /** Asks the tab of that name to close. */
  askToClose(name: string): void {
    this.#post({ type: 'close', name });
  }

  close(): void {
    this.#ended.abort();
    this.#channel.close();
  }

  #post(message: Message): void {
    this.#channel.postMessage(message);
  }
}

/** Milliseconds since 1970, finer than `Date.now()`; the same in all pages of this machine. */
export function wallMs(): number {
  return performance.timeOrigin + performance.now();
}

/** A leader knows all of them, everybody else its own. */
export function knownPositions({ members }: ClusterStatus): readonly (readonly [string, number])[] {
  return members.flatMap(({ nodeId, matchIndex }) =>
    matchIndex === null ? [] : [[nodeId, matchIndex] as const],
  );
}

const tellMs = 150;
