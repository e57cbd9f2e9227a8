/**
 * A link of the virtual network: two sides, what is under way between them, and how it ends.
 */
import type { Channel, HostId, Link, LinkKind, TransportHandler } from '@quorate/contracts';
import type { ProcessClock } from './virtual-clock.ts';
import { frameBytesMax } from './virtual-conditions.ts';
import type { Surroundings } from './virtual-conditions.ts';

/** A transport as the links that end there see it. */
export type LinkEnd = {
  readonly host: HostId;
  readonly process: ProcessClock;
  readonly handler: TransportHandler | null;
  /** The link to `host` is down: makes another, if it is wanted still. */
  wantAgain(host: HostId): void;
};

/** Bytes that may be under way on one channel of a link, one way. */
const queueBytesMax = 4 * 1024 * 1024;

/** Both sides of one link. */
export class VirtualLinkPair {
  readonly #network: Surroundings;
  readonly #initiator: Side;
  readonly #responder: Side;
  readonly #forget: () => void;
  alive = true;

  constructor(network: Surroundings, from: LinkEnd, to: LinkEnd, forget: () => void) {
    this.#network = network;
    this.#initiator = new Side(network, this, from, to, true);
    this.#responder = new Side(network, this, to, from, false);
    this.#initiator.peer = this.#responder;
    this.#responder.peer = this.#initiator;
    this.#forget = forget;
  }

  sideOf(host: HostId): Side {
    return this.#initiator.local.host === host ? this.#initiator : this.#responder;
  }

  belongsTo(a: LinkEnd, b: LinkEnd): boolean {
    const locals = [this.#initiator.local, this.#responder.local];
    return locals.includes(a) && locals.includes(b);
  }

  begin(): void {
    // An event later than the end of the link it replaces.
    this.#network.clock.setTimeout(() => {
      this.#responder.up();
      this.#initiator.up();
    }, 0);
  }

  /** Ends the link unless both directions work again within the timeout. */
  watchCut(): void {
    const { linkTimeoutMs } = this.#network.conditions;
    this.#network.clock.setTimeout(
      () => {
        if (this.alive && this.#isCut()) this.end('timeout');
      },
      linkTimeoutMs * this.#network.prng.between(1, 1.5),
    );
  }

  /** Breaks: both sides learn it at once, and what is under way is lost. */
  end(reason: string): void {
    if (!this.alive) return;
    this.finish(reason);
  }

  /** `closer` said goodbye: what it sent before arrives before its peer is told. */
  endAfter(closer: Side, reason: string): void {
    if (!this.alive) return;
    this.alive = false;
    const { clock } = this.#network;
    const restMs = Math.max(closer.lastArrivalAt() - clock.now(), 0) + this.#network.delay();
    closer.lingering = true;
    clock.setTimeout(() => {
      this.finish(reason);
    }, restMs);
  }

  finish(reason: string): void {
    this.alive = false;
    this.#initiator.lingering = false;
    this.#responder.lingering = false;
    this.#initiator.down(reason);
    this.#responder.down(reason);
    this.#forget();
  }

  #isCut(): boolean {
    const a = this.#initiator.local.host;
    const b = this.#responder.local.host;
    return this.#network.isCut(a, b) || this.#network.isCut(b, a);
  }
}

/** One end of a link: what its process holds, and the frames it sent that are under way. */
class Side implements Link {
  readonly kind: LinkKind = 'memory';
  readonly initiator: boolean;
  readonly local: LinkEnd;
  readonly host: HostId;
  peer!: Side;
  /** The process died and will not be told. */
  gone = false;
  /** Closed by this side, with frames still under way to the other. */
  lingering = false;
  readonly #network: Surroundings;
  readonly #pair: VirtualLinkPair;
  readonly #unsentBytes: Record<Channel, number> = { raft: 0, bulk: 0, rpc: 0 };
  readonly #refused = new Set<Channel>();
  readonly #arrivesAt: Record<Channel, number> = { raft: 0, bulk: 0, rpc: 0 };
  #held: { readonly channel: Channel; readonly frame: Uint8Array }[] = [];
  /** Told up and not yet told down. */
  #reported = false;
  #roundTripMs: number | undefined;

  constructor(
    network: Surroundings,
    pair: VirtualLinkPair,
    local: LinkEnd,
    remote: LinkEnd,
    initiator: boolean,
  ) {
    this.#network = network;
    this.#pair = pair;
    this.local = local;
    this.host = remote.host;
    this.initiator = initiator;
  }

  get roundTripMs(): number | undefined {
    return this.#roundTripMs;
  }

  send(channel: Channel, frame: Uint8Array): boolean {
    if (frame.length < 1 || frame.length > frameBytesMax) {
      throw new RangeError(
        `Cannot send a frame of ${frame.length} bytes: wanted 1 to ${frameBytesMax}`,
      );
    }
    if (!this.#pair.alive || !this.#reported || !this.local.process.alive) return false;
    if (this.#unsentBytes[channel] + frame.length > queueBytesMax) {
      this.#refused.add(channel);
      return false;
    }
    const network = this.#network;
    const { conditions, prng, clock } = network;
    network.tap.sent?.(this.local.host, this.host, channel, frame);
    this.#unsentBytes[channel] += frame.length;
    const delayMs = network.delay() + frame.length / conditions.bytesPerMs;
    let copies = 1;
    let arrivesAt = Math.max(this.#arrivesAt[channel], clock.now() + delayMs);
    if (conditions.lossy && channel === 'raft') {
      if (prng.chance(conditions.lossChance)) copies = 0;
      else if (prng.chance(conditions.duplicateChance)) copies = 2;
      if (prng.chance(conditions.reorderChance)) arrivesAt = clock.now() + delayMs;
      else this.#arrivesAt[channel] = arrivesAt;
    } else {
      this.#arrivesAt[channel] = arrivesAt;
    }
    clock.setTimeout(() => {
      this.#unsentBytes[channel] -= frame.length;
      this.#drain(channel);
      for (let copy = 0; copy < copies; copy++) {
        this.#arrive(channel, copy === 0 ? frame : frame.slice());
      }
    }, arrivesAt - clock.now());
    return true;
  }

  unsentBytes(channel: Channel): number {
    return this.#unsentBytes[channel];
  }

  close(reason: string): void {
    this.#pair.endAfter(this, reason);
    this.down(reason);
  }

  /** As `close`, told at once: the transport is closing. */
  closeNow(reason: string): void {
    this.#pair.endAfter(this, reason);
    if (!this.#reported) return;
    this.#reported = false;
    this.local.handler?.linkDown(this, reason);
  }

  lastArrivalAt(): number {
    return Math.max(this.#arrivesAt.raft, this.#arrivesAt.bulk, this.#arrivesAt.rpc);
  }

  up(): void {
    this.#roundTripMs = 2 * this.#network.conditions.delayMsMax;
    this.local.process.enter(() => {
      if (!this.#pair.alive || this.gone) return;
      this.#reported = true;
      this.local.handler?.linkUp(this);
    });
  }

  /** Tells the process; a frozen one learns it at the thaw. */
  down(reason: string): void {
    if (this.gone) return;
    this.#network.clock.setTimeout(() => {
      this.local.process.enter(() => {
        if (!this.#reported) return;
        this.#reported = false;
        this.local.handler?.linkDown(this, reason);
        this.local.wantAgain(this.host);
      });
    }, 0);
  }

  /** The direction works again: what was held back arrives, in order, and newer frames after it. */
  release(): void {
    this.#network.clock.setTimeout(() => {
      if (!this.#pair.alive || this.#network.isCut(this.local.host, this.host)) return;
      const held = this.#held;
      this.#held = [];
      for (const { channel, frame } of held) this.#deliver(channel, frame);
    }, this.#network.delay());
  }

  #arrive(channel: Channel, frame: Uint8Array): void {
    if (!this.#pair.alive && !this.lingering) return;
    const cut = this.#network.isCut(this.local.host, this.host);
    const datagram = this.#network.conditions.lossy && channel === 'raft';
    if (datagram) {
      if (!cut) this.#deliver(channel, frame);
    } else if (cut || this.#held.length > 0) {
      this.#held.push({ channel, frame });
    } else {
      this.#deliver(channel, frame);
    }
  }

  #deliver(channel: Channel, frame: Uint8Array): void {
    const peer = this.peer;
    peer.local.process.enter(() => {
      if (!peer.#reported || peer.gone) return;
      this.#network.tap.delivered?.(this.local.host, this.host, channel, frame);
      peer.local.handler?.frame(peer, channel, frame);
    });
  }

  #drain(channel: Channel): void {
    if (!this.#refused.has(channel) || this.#unsentBytes[channel] > queueBytesMax / 2) return;
    this.#refused.delete(channel);
    this.local.process.enter(() => {
      if (this.#reported && this.#pair.alive) this.local.handler?.drained(this, channel);
    });
  }
}
