/**
 * Places at which hosts can be reached through a relay, given back when their host goes (T23).
 * circuit-relay-v2 keeps one for two hours whoever has it: a thousand visitors that had left long ago
 * kept everybody else out.
 */
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2';
import type { PeerId } from '@libp2p/interface';
import type { Clock } from '@quorate/contracts';
import type { Libp2p } from 'libp2p';

type Options = {
  readonly node: Libp2p;
  readonly service: Pick<CircuitRelayService, 'reservations'>;
  readonly clock: Clock;
  /** When each host that speaks the relay's protocol was last heard. */
  readonly heardAt: () => ReadonlyMap<string, number>;
};

/**
 * Longer than a page in the background, which may wake once a minute, takes to speak. A place has no end
 * that is told: libp2p's is a moment of the relay's wall clock, and that of a host may be hours off.
 */
export const silentMs = 240_000;
const sweepMs = 10_000;

export class Reservations {
  readonly #options: Options;
  /** Who has a place and never spoke, since when. */
  readonly #silentSince = new Map<string, number>();
  readonly #onGone = ({ detail }: CustomEvent<PeerId>): void => this.#giveBack(detail);
  #cancelSweep: () => void = () => {};

  constructor(options: Options) {
    this.#options = options;
    options.node.addEventListener('peer:disconnect', this.#onGone);
    this.#sweep();
  }

  get count(): number {
    return this.#options.service.reservations.size;
  }

  close(): void {
    this.#cancelSweep();
    this.#options.node.removeEventListener('peer:disconnect', this.#onGone);
  }

  #giveBack(peer: PeerId): void {
    this.#silentSince.delete(peer.toString());
    this.#options.service.reservations.delete(peer);
  }

  /** A connection that is dead, and nobody said so, is closed: its place goes with it. */
  #sweep(): void {
    const { node, service, clock, heardAt } = this.#options;
    const nowMs = clock.now();
    const heard = heardAt();
    for (const peer of [...service.reservations.keys()]) {
      const host = peer.toString();
      const heardMs = heard.get(host);
      if (heardMs !== undefined) this.#silentSince.delete(host);
      else if (!this.#silentSince.has(host)) this.#silentSince.set(host, nowMs);
      const sinceMs = heardMs ?? this.#silentSince.get(host) ?? nowMs;
      if (nowMs - sinceMs <= silentMs) continue;
      this.#giveBack(peer);
      for (const connection of node.getConnections(peer)) {
        connection.abort(new Error('Nothing was heard of it for minutes'));
      }
    }
    this.#cancelSweep = clock.setTimeout(() => this.#sweep(), sweepMs);
  }
}
