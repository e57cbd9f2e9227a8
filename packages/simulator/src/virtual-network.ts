/**
 * A network in one process, on virtual time: the transport contract with weather.
 *
 * Links are streams, as in life: frames of a channel arrive in order, a cut holds them back (packets
 * are sent again), and a cut that lasts ends the link. In `lossy` mode the `raft` channel behaves
 * like datagrams instead: frames are lost, repeated and overtaken, which needs a cipher that does
 * not count.
 */
import type { Announcement, Channel, HostId, Link, LinkKind } from '@quorate/cluster';
import type { Rendezvous, Transport, TransportHandler } from '@quorate/cluster';
import { QuorateError } from '@quorate/cluster';
import type { Prng } from './prng.ts';
import type { ProcessClock, VirtualClock } from './virtual-clock.ts';

export type NetworkConditions = {
  /** One way. */
  delayMsMin: number;
  delayMsMax: number;
  /** Chance that a frame takes ten times as long. */
  slowChance: number;
  bytesPerMs: number;
  /** Below: the `raft` channel only, and only in lossy mode. */
  lossy: boolean;
  lossChance: number;
  duplicateChance: number;
  reorderChance: number;
  /** A cut of this length ends a link. */
  linkTimeoutMs: number;
};

/** Sees each frame as it is handed over and as it arrives. */
export type NetworkTap = {
  sent?(from: HostId, to: HostId, channel: Channel, frame: Uint8Array): void;
  delivered?(from: HostId, to: HostId, channel: Channel, frame: Uint8Array): void;
};

const frameBytesMax = 1024 * 1024;
const queueBytesMax = 4 * 1024 * 1024;
const announcementTtlMs = 5_000;

export class VirtualNetwork {
  readonly clock: VirtualClock;
  readonly prng: Prng;
  readonly conditions: NetworkConditions;
  readonly tap: NetworkTap;
  readonly #hosts = new Map<HostId, VirtualTransport>();
  readonly #pairs = new Map<string, Pair>();
  /** `from>to` of directions that carry nothing. */
  readonly #cuts = new Set<string>();
  readonly #announcements = new Map<HostId, Announcement>();
  readonly #watchers = new Map<HostId, Set<(announcement: Announcement) => void>>();
  rendezvousUp = true;

  constructor(options: {
    clock: VirtualClock;
    prng: Prng;
    conditions: NetworkConditions;
    tap?: NetworkTap;
  }) {
    this.clock = options.clock;
    this.prng = options.prng;
    this.conditions = options.conditions;
    this.tap = options.tap ?? {};
  }

  /** A new transport for `host`, in the life of `process`. Replaces one that died. */
  transport(host: HostId, process: ProcessClock): Transport {
    const transport = new VirtualTransport(this, host, process);
    return transport;
  }

  rendezvous(host: HostId, process: ProcessClock): Rendezvous {
    const watchers = new Set<(announcement: Announcement) => void>();
    this.#watchers.set(host, watchers);
    let closed = false;
    return {
      announce: (announcement) => {
        this.clock.setTimeout(() => {
          if (closed || !process.alive) return;
          this.#announcements.set(host, announcement);
          if (!this.rendezvousUp) return;
          for (const [other, listeners] of this.#watchers) {
            if (other === host) continue;
            for (const listener of listeners) listener(announcement);
          }
        }, this.delay());
      },
      list: (signal) =>
        new Promise((resolve, reject) => {
          const fail = (): void => {
            reject(new QuorateError('UNREACHABLE', `Cannot list hosts: no answer`));
          };
          signal.addEventListener('abort', fail);
          this.clock.setTimeout(() => {
            process.enter(() => {
              if (!this.rendezvousUp) return fail();
              resolve([...this.#announcements.values()].filter((one) => one.host !== host));
            });
          }, 2 * this.delay());
        }),
      watch: (listener) => {
        const guarded = (announcement: Announcement): void => {
          process.enter(() => {
            if (watchers.has(guarded)) listener(announcement);
          });
        };
        watchers.add(guarded);
        this.clock.setTimeout(() => {
          for (const announcement of this.#announcements.values()) {
            if (announcement.host !== host) guarded(announcement);
          }
        }, 2 * this.delay());
        return () => watchers.delete(guarded);
      },
      close: () => {
        closed = true;
        watchers.clear();
        this.#announcements.delete(host);
        return Promise.resolve();
      },
    };
  }

  /** The process of `host` died: its side of every link is gone; the peers notice later. */
  crash(host: HostId): void {
    this.#hosts.delete(host);
    this.#watchers.delete(host);
    // The rendezvous goes on naming it for a while.
    const announcement = this.#announcements.get(host);
    this.clock.setTimeout(() => {
      if (this.#announcements.get(host) === announcement) this.#announcements.delete(host);
    }, announcementTtlMs);
    for (const pair of this.#pairs.values()) {
      if (pair.a !== host && pair.b !== host) continue;
      const link = pair.link;
      if (link === null) continue;
      link.sideOf(host).gone = true;
      const noticeMs = this.prng.chance(0.5) ? this.delay() : this.conditions.linkTimeoutMs;
      this.clock.setTimeout(() => {
        link.end('the peer is gone');
      }, noticeMs);
    }
  }

  /** Stops (or restores) one direction. */
  setCut(from: HostId, to: HostId, cut: boolean): void {
    const key = `${from}>${to}`;
    if (this.#cuts.has(key) === cut) return;
    if (cut) this.#cuts.add(key);
    else this.#cuts.delete(key);
    const link = this.#pairs.get(pairKey(from, to))?.link;
    if (link === undefined || link === null) return;
    if (cut) link.watchCut();
    else link.sideOf(from).release();
  }

  isCut(from: HostId, to: HostId): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  /** Ends the link between two hosts, as a reset does; whoever wants it makes a new one. */
  dropLink(a: HostId, b: HostId): void {
    this.#pairs.get(pairKey(a, b))?.link?.end('reset');
  }

  heal(): void {
    for (const key of [...this.#cuts]) {
      const [from = '', to = ''] = key.split('>');
      this.setCut(from, to, false);
    }
    this.conditions.lossChance = 0;
    this.conditions.duplicateChance = 0;
    this.conditions.reorderChance = 0;
    this.conditions.slowChance = 0;
    this.rendezvousUp = true;
  }

  delay(): number {
    const { delayMsMin, delayMsMax, slowChance } = this.conditions;
    const delayMs = this.prng.between(delayMsMin, delayMsMax);
    return this.prng.chance(slowChance) ? delayMs * 10 : delayMs;
  }

  register(transport: VirtualTransport): void {
    this.#hosts.set(transport.host, transport);
  }

  unregister(transport: VirtualTransport): void {
    if (this.#hosts.get(transport.host) === transport) this.#hosts.delete(transport.host);
    for (const pair of this.#pairs.values()) {
      const side = pair.link?.sideOf(transport.host);
      if (side !== undefined && side.local === transport) side.closeNow('closed');
    }
  }

  linkBetween(a: HostId, b: HostId): VirtualLinkPair | null {
    return this.#pairs.get(pairKey(a, b))?.link ?? null;
  }

  /**
   * One attempt of `from` to reach `to`: after a round trip and a half either a link is up on both
   * sides or `done(false)` tells that none came up.
   */
  attempt(from: VirtualTransport, to: HostId, done: (up: boolean) => void): void {
    this.clock.setTimeout(() => {
      const peer = this.#hosts.get(to);
      const open =
        peer !== undefined &&
        from.open &&
        peer.process.alive &&
        !peer.process.frozen &&
        from.process.alive &&
        !from.process.frozen &&
        !this.isCut(from.host, to) &&
        !this.isCut(to, from.host);
      if (!open) return done(false);
      const key = pairKey(from.host, to);
      let pair = this.#pairs.get(key);
      if (pair === undefined) {
        const [a, b] = from.host < to ? [from.host, to] : [to, from.host];
        pair = { a, b, link: null };
        this.#pairs.set(key, pair);
      }
      const old = pair.link;
      if (old !== null) {
        if (old.alive && old.belongsTo(from, peer)) return done(true);
        // A dead process's side, or a link one side has already given up: make room first.
        old.finish('replaced');
      }
      const link = new VirtualLinkPair(this, from, peer, () => {
        if (pair.link === link) pair.link = null;
      });
      pair.link = link;
      link.begin();
      done(true);
    }, 3 * this.delay());
  }
}

type Pair = { readonly a: HostId; readonly b: HostId; link: VirtualLinkPair | null };

/** Both sides of one link. */
class VirtualLinkPair {
  readonly #network: VirtualNetwork;
  readonly #initiator: Side;
  readonly #responder: Side;
  readonly #forget: () => void;
  alive = true;

  constructor(
    network: VirtualNetwork,
    from: VirtualTransport,
    to: VirtualTransport,
    forget: () => void,
  ) {
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

  belongsTo(a: VirtualTransport, b: VirtualTransport): boolean {
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
  readonly local: VirtualTransport;
  readonly host: HostId;
  peer!: Side;
  /** The process died and will not be told. */
  gone = false;
  /** Closed by this side, with frames still under way to the other. */
  lingering = false;
  readonly #network: VirtualNetwork;
  readonly #pair: VirtualLinkPair;
  readonly #unsentBytes: Record<Channel, number> = { raft: 0, bulk: 0, rpc: 0 };
  readonly #refused = new Set<Channel>();
  readonly #arrivesAt: Record<Channel, number> = { raft: 0, bulk: 0, rpc: 0 };
  #held: { readonly channel: Channel; readonly frame: Uint8Array }[] = [];
  /** Told up and not yet told down. */
  #reported = false;
  #roundTripMs: number | undefined;

  constructor(
    network: VirtualNetwork,
    pair: VirtualLinkPair,
    local: VirtualTransport,
    remote: VirtualTransport,
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

/** The transport of one host in the life of one process. */
class VirtualTransport implements Transport {
  readonly host: HostId;
  readonly frameBytesMax: number = frameBytesMax;
  readonly process: ProcessClock;
  readonly #network: VirtualNetwork;
  readonly #wanted = new Set<HostId>();
  /** Hosts with an attempt or a pause under way. */
  readonly #trying = new Set<HostId>();
  handler: TransportHandler | null = null;
  open = false;

  constructor(network: VirtualNetwork, host: HostId, process: ProcessClock) {
    this.#network = network;
    this.host = host;
    this.process = process;
  }

  start(handler: TransportHandler): Promise<void> {
    return new Promise((resolve) => {
      this.#network.clock.setTimeout(() => {
        this.process.enter(() => {
          this.handler = handler;
          this.open = true;
          this.#network.register(this);
          resolve();
        });
      }, 1);
    });
  }

  addresses(): readonly string[] {
    return this.open ? [`virtual:${this.host}`] : [];
  }

  connect(host: HostId, _addresses: readonly string[]): void {
    if (host === this.host) return;
    this.#wanted.add(host);
    this.#try(host, 0);
  }

  dial(address: string, signal: AbortSignal): Promise<HostId> {
    const host = address.replace(/^virtual:/, '');
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        reject(new QuorateError('UNREACHABLE', `Cannot dial ${address}: no answer`));
      };
      if (signal.aborted || !this.open || host === this.host) return fail();
      signal.addEventListener('abort', fail);
      this.#network.attempt(this, host, (up) => {
        this.process.enter(() => {
          if (up) resolve(host);
          else fail();
        });
      });
    });
  }

  disconnect(host: HostId): void {
    this.#wanted.delete(host);
    this.#network.linkBetween(this.host, host)?.sideOf(this.host).close('disconnected');
  }

  close(): Promise<void> {
    this.open = false;
    this.#wanted.clear();
    this.#network.unregister(this);
    this.handler = null;
    return Promise.resolve();
  }

  wantAgain(host: HostId): void {
    if (this.#wanted.has(host)) this.#try(host, 0);
  }

  #try(host: HostId, failures: number): void {
    if (this.#trying.has(host) || !this.open) return;
    this.#trying.add(host);
    const pauseMs = failures === 0 ? 0 : Math.min(2_000, 50 * 2 ** Math.min(failures, 6));
    this.process.setTimeout(
      () => {
        const over = (): boolean =>
          !this.open || !this.#wanted.has(host) || this.#linkedTo(host) || !this.process.alive;
        if (over()) {
          this.#trying.delete(host);
          return;
        }
        this.#network.attempt(this, host, (up) => {
          this.#trying.delete(host);
          if (!up && !over()) this.#try(host, failures + 1);
        });
      },
      pauseMs * this.#network.prng.between(0.5, 1),
    );
  }

  #linkedTo(host: HostId): boolean {
    const link = this.#network.linkBetween(this.host, host);
    return link !== null && link.alive && link.sideOf(this.host).local === this;
  }
}

function pairKey(a: HostId, b: HostId): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}
