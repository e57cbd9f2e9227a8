/**
 * A network in one process, on virtual time: the transport contract with weather.
 *
 * Links are streams, as in life: frames of a channel arrive in order, a cut holds them back (packets
 * are sent again), and a cut that lasts ends the link. In `lossy` mode the `raft` channel behaves
 * like datagrams instead: frames are lost, repeated and overtaken, which needs a cipher that does
 * not count.
 */
import type { HostId, Transport } from '@quorate/contracts';
import type { Prng } from './prng.ts';
import type { ProcessClock, VirtualClock } from './virtual-clock.ts';
import type { NetworkConditions, NetworkTap, Surroundings } from './virtual-conditions.ts';
import { VirtualLinkPair } from './virtual-link.ts';
import { VirtualMeetingPoint } from './virtual-rendezvous.ts';
import { VirtualTransport } from './virtual-transport.ts';
import type { Ether } from './virtual-transport.ts';

export class VirtualNetwork implements Ether, Surroundings {
  readonly clock: VirtualClock;
  readonly prng: Prng;
  readonly conditions: NetworkConditions;
  readonly tap: NetworkTap;
  readonly meetingPoint: VirtualMeetingPoint;
  readonly #hosts = new Map<HostId, VirtualTransport>();
  readonly #pairs = new Map<string, Pair>();
  /** `from>to` of directions that carry nothing. */
  readonly #cuts = new Set<string>();

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
    this.meetingPoint = new VirtualMeetingPoint(this.clock, () => this.delay());
  }

  /** A new transport for `host`, in the life of `process`. Replaces one that died. */
  transport(host: HostId, process: ProcessClock): Transport {
    return new VirtualTransport(this, host, process);
  }

  /** The process of `host` died: its side of every link is gone; the peers notice later. */
  crash(host: HostId): void {
    this.#hosts.delete(host);
    this.meetingPoint.crash(host);
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
    this.meetingPoint.up = true;
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

function pairKey(a: HostId, b: HostId): string {
  return a < b ? `${a}|${b}` : `${b}|${a}`;
}
