/**
 * Places at which hosts can be reached through a relay, given back when their host goes (T23).
 * circuit-relay-v2 keeps one for two hours whoever has it: a thousand visitors that had left long ago
 * kept everybody else out.
 */
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2';
import type { PeerId } from '@libp2p/interface';
import type { Clock } from '@quorate/contracts';
import type { Libp2p } from 'libp2p';

type Place = Parameters<CircuitRelayService['reservations']['set']>[1];

type Options = {
  readonly node: Libp2p;
  readonly service: Pick<CircuitRelayService, 'reservations'>;
  readonly clock: Clock;
  /** Never more places. */
  readonly placesMax: number;
  /** When each host that speaks the relay's protocol was last heard. */
  readonly heardAt: () => ReadonlyMap<string, number>;
  /** Hosts that are announced on a topic: nobody else is to be reached here. */
  readonly announced: () => ReadonlySet<string>;
};

/**
 * Longer than a page in the background, which may wake once a minute, takes to speak. A place has no end
 * that is told: libp2p's is a moment of the relay's wall clock, and that of a host may be hours off.
 */
export const silentMs = 240_000;
/** A host that has a place is announced within this, or others get it. */
export const unannouncedMs = 60_000;
const sweepMs = 10_000;

export class Reservations {
  readonly #options: Options;
  /** Who has a place and never spoke, since when. */
  readonly #silentSince = new Map<string, number>();
  /** Who has a place and is not announced, since when. */
  readonly #unannouncedSince = new Map<string, number>();
  /** What was taken from those: who is announced at last has it again. */
  readonly #withheld = new Map<string, Place>();
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

  /** A host that was told of its place, and lost it for it was announced nowhere, is announced now. */
  announced(peer: PeerId): void {
    const place = this.#withheld.get(peer.toString());
    const { reservations } = this.#options.service;
    if (place === undefined || reservations.size >= this.#options.placesMax) return;
    this.#withheld.delete(peer.toString());
    if (!reservations.has(peer)) reservations.set(peer, place);
  }

  #giveBack(peer: PeerId): void {
    const host = peer.toString();
    const { reservations } = this.#options.service;
    const place = reservations.get(peer) ?? this.#withheld.get(host);
    for (const of of [this.#silentSince, this.#unannouncedSince, this.#withheld]) of.delete(host);
    reservations.delete(peer);
    // Its timer of hours would hold all that the request for it had to do with.
    place?.signal?.clear();
  }

  /** A connection that is dead, and nobody said so, is closed: its place goes with it. */
  #sweep(): void {
    const { node, service, clock, heardAt } = this.#options;
    const nowMs = clock.now();
    const heard = heardAt();
    const announced = this.#options.announced();
    for (const [peer, place] of [...service.reservations]) {
      const host = peer.toString();
      if (announced.has(host)) this.#unannouncedSince.delete(host);
      else this.#withhold(peer, place, nowMs);
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

  #withhold(peer: PeerId, place: Place, nowMs: number): void {
    const host = peer.toString();
    const sinceMs = this.#unannouncedSince.get(host) ?? nowMs;
    this.#unannouncedSince.set(host, sinceMs);
    if (nowMs - sinceMs < unannouncedMs) return;
    this.#unannouncedSince.delete(host);
    this.#options.service.reservations.delete(peer);
    this.#withheld.set(host, place);
  }
}
