/**
 * A network of hosts inside one process. Time comes from the injected clock and chance from the
 * caller's `fate`, so a run is a function of its inputs. It forgives no more than a real network
 * does: a link needs an address that leads to its host, frames take a turn, a full queue refuses.
 */
import { QuorateError, assert } from '../errors.ts';
import type { Clock } from '../clock.ts';
import type { Channel, HostId, Link, Transport, TransportHandler } from '../transport.ts';

/** One frame about to travel, as `fate` sees it. */
export type FrameInFlight = {
  readonly from: HostId;
  readonly to: HostId;
  readonly channel: Channel;
  readonly frame: Uint8Array;
};

export type MemoryNetworkOptions = {
  readonly clock: Clock;
  /** One way, where `fate` does not say otherwise. Default 0: the next turn. */
  readonly latencyMs?: number;
  /**
   * Decides what becomes of a frame: one delivery per returned delay in milliseconds, so `[]` loses
   * it and two delays duplicate it.
   */
  readonly fate?: (frame: FrameInFlight) => readonly number[];
  /** True lets a frame with a shorter delay overtake. Default false: order per channel. */
  readonly reorder?: boolean;
  /** Bytes under way per channel and direction before `send` refuses. Default 4 MiB. */
  readonly queueBytesMax?: number;
  /** How long a link with a cut lives until its deaf side gives it up. Default 4,000. */
  readonly silentAfterMs?: number;
  /** Pause between two attempts to link. Default 100. */
  readonly retryMs?: number;
};

const addressPrefix = 'memory:';
const channels = ['raft', 'bulk', 'rpc'] as const;

export class MemoryNetwork {
  readonly #clock: Clock;
  readonly #latencyMs: number;
  readonly #fate: ((frame: FrameInFlight) => readonly number[]) | undefined;
  readonly #reorder: boolean;
  readonly #queueBytesMax: number;
  readonly #silentAfterMs: number;
  readonly #retryMs: number;
  readonly #hosts = new Map<HostId, MemoryTransport>();
  readonly #cuts = new Map<string, () => void>();
  readonly #held = new Set<string>();

  constructor(options: MemoryNetworkOptions) {
    this.#clock = options.clock;
    this.#latencyMs = options.latencyMs ?? 0;
    this.#fate = options.fate;
    this.#reorder = options.reorder ?? false;
    this.#queueBytesMax = options.queueBytesMax ?? 4 * 1024 * 1024;
    this.#silentAfterMs = options.silentAfterMs ?? 4_000;
    this.#retryMs = options.retryMs ?? 100;
  }

  /** A transport for `host`; it can be reached at `memory:<host>` between `start` and `close`. */
  transport(host: HostId): Transport {
    return new MemoryTransport(host, {
      clock: this.#clock,
      latencyMs: this.#latencyMs,
      retryMs: this.#retryMs,
      queueBytesMax: this.#queueBytesMax,
      reorder: this.#reorder,
      find: (name) => this.#hosts.get(name),
      enlist: (transport) => this.#enlist(transport),
      delist: (transport) => {
        if (this.#hosts.get(transport.host) === transport) this.#hosts.delete(transport.host);
      },
      isCut: (from, to) => this.#cuts.has(direction(from, to)),
      isHeld: (from, to) => this.#held.has(direction(from, to)),
      fate: (frame) => this.#fate?.(frame) ?? [this.#latencyMs],
    });
  }

  /** Loses every frame from `from` to `to` until `heal`. The deaf side drops the link in the end. */
  cut(from: HostId, to: HostId): void {
    const key = direction(from, to);
    if (this.#cuts.has(key)) return;
    const cancel = this.#clock.setTimeout(() => {
      this.#hosts.get(to)?.linkTo(from)?.close('silent');
    }, this.#silentAfterMs);
    this.#cuts.set(key, cancel);
  }

  heal(from: HostId, to: HostId): void {
    const key = direction(from, to);
    this.#cuts.get(key)?.();
    this.#cuts.delete(key);
  }

  /** Keeps frames from `from` to `to` under way until `release`: a reader that does not read. */
  hold(from: HostId, to: HostId): void {
    this.#held.add(direction(from, to));
  }

  release(from: HostId, to: HostId): void {
    if (!this.#held.delete(direction(from, to))) return;
    this.#hosts.get(from)?.linkTo(to)?.resume();
  }

  /** Breaks the link between two hosts; each side that wants it makes a new one. */
  breakLink(a: HostId, b: HostId): void {
    this.#hosts.get(a)?.linkTo(b)?.goDown('broken');
  }

  /** Ends a host as a killed process ends: it hears nothing more, the others see a reset. */
  kill(host: HostId): void {
    this.#hosts.get(host)?.vanish();
  }

  #enlist(transport: MemoryTransport): void {
    if (this.#hosts.has(transport.host)) {
      throw new QuorateError(
        'UNREACHABLE',
        `Cannot start host ${transport.host}: the name is taken, wanted a free one`,
      );
    }
    this.#hosts.set(transport.host, transport);
  }
}

/** What a transport needs of its network. */
type Fabric = {
  readonly clock: Clock;
  readonly latencyMs: number;
  readonly retryMs: number;
  readonly queueBytesMax: number;
  readonly reorder: boolean;
  find(host: HostId): MemoryTransport | undefined;
  enlist(transport: MemoryTransport): void;
  delist(transport: MemoryTransport): void;
  isCut(from: HostId, to: HostId): boolean;
  isHeld(from: HostId, to: HostId): boolean;
  fate(frame: FrameInFlight): readonly number[];
};

class MemoryTransport implements Transport {
  readonly host: HostId;
  readonly frameBytesMax: number = 1024 * 1024;
  readonly #fabric: Fabric;
  readonly #links = new Map<HostId, MemoryLink>();
  readonly #wanted = new Map<HostId, { addresses: readonly string[]; cancel: () => void }>();
  #handler: TransportHandler | null = null;
  #state: 'new' | 'running' | 'closed' = 'new';

  constructor(host: HostId, fabric: Fabric) {
    this.host = host;
    this.#fabric = fabric;
  }

  async start(handler: TransportHandler, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    assert(this.#state === 'new', 'start() is called once, before close()');
    this.#fabric.enlist(this);
    this.#handler = handler;
    this.#state = 'running';
    for (const host of this.#wanted.keys()) this.#attempt(host, this.#fabric.latencyMs);
  }

  addresses(): readonly string[] {
    return this.#state === 'running' ? [addressPrefix + this.host] : [];
  }

  connect(host: HostId, addresses: readonly string[]): void {
    if (this.#state === 'closed' || host === this.host) return;
    const known = this.#wanted.get(host);
    if (known !== undefined) {
      known.addresses = addresses;
      return;
    }
    this.#wanted.set(host, { addresses, cancel: () => {} });
    if (this.#state === 'running') this.#attempt(host, this.#fabric.latencyMs);
  }

  async dial(address: string, signal: AbortSignal): Promise<HostId> {
    const host = address.startsWith(addressPrefix) ? address.slice(addressPrefix.length) : '';
    // Any turn of the clock will do: a round trip takes one.
    await new Promise<void>((resolve) => {
      this.#fabric.clock.setTimeout(resolve, 2 * this.#fabric.latencyMs);
    });
    if (!signal.aborted && (this.#links.has(host) || this.#link(host, [address]))) return host;
    throw new QuorateError(
      'UNREACHABLE',
      `Cannot dial ${address}: nobody answers, wanted a running host`,
    );
  }

  disconnect(host: HostId): void {
    this.#wanted.get(host)?.cancel();
    this.#wanted.delete(host);
    this.#links.get(host)?.close('disconnected');
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#unwant();
    for (const link of [...this.#links.values()]) link.close('closed');
    this.#handler = null;
    this.#fabric.delist(this);
  }

  linkTo(host: HostId): MemoryLink | undefined {
    return this.#links.get(host);
  }

  vanish(): void {
    this.#state = 'closed';
    this.#handler = null;
    this.#unwant();
    for (const link of [...this.#links.values()]) link.goDown('reset');
    this.#fabric.delist(this);
  }

  #unwant(): void {
    for (const wish of this.#wanted.values()) wish.cancel();
    this.#wanted.clear();
  }

  #attempt(host: HostId, delayMs: number): void {
    const wish = this.#wanted.get(host);
    if (wish === undefined || this.#state !== 'running') return;
    wish.cancel();
    wish.cancel = this.#fabric.clock.setTimeout(() => {
      if (this.#links.has(host) || this.#link(host, wish.addresses)) return;
      this.#attempt(host, this.#fabric.retryMs);
    }, 2 * delayMs);
  }

  /** Makes a link if the other side is there and a round trip would pass. */
  #link(host: HostId, addresses: readonly string[]): boolean {
    const peer = this.#fabric.find(host);
    if (this.#state !== 'running' || peer === undefined || peer === this) return false;
    if (!addresses.includes(addressPrefix + host)) return false;
    if (this.#fabric.isCut(this.host, host) || this.#fabric.isCut(host, this.host)) return false;
    if (this.#links.has(host) || peer.#links.has(this.host)) return false;
    const near = this.#end(peer, true);
    const far = peer.#end(this, false);
    near.join(far);
    far.join(near);
    this.#links.set(host, near);
    peer.#links.set(this.host, far);
    near.announce();
    far.announce();
    return true;
  }

  #end(peer: MemoryTransport, initiator: boolean): MemoryLink {
    return new MemoryLink({
      local: this.host,
      remote: peer.host,
      initiator,
      fabric: this.#fabric,
      handler: () => this.#handler,
      forget: (link) => {
        if (this.#links.get(peer.host) === link) this.#links.delete(peer.host);
        this.#attempt(peer.host, this.#fabric.retryMs);
      },
    });
  }
}

type LinkEndOptions = {
  readonly local: HostId;
  readonly remote: HostId;
  readonly initiator: boolean;
  readonly fabric: Fabric;
  handler(): TransportHandler | null;
  forget(link: MemoryLink): void;
};

class MemoryLink implements Link {
  readonly host: HostId;
  readonly kind = 'memory';
  readonly initiator: boolean;
  readonly #options: LinkEndOptions;
  readonly #pipes: Readonly<Record<Channel, Pipe>>;
  #other: MemoryLink | null = null;
  #state: 'made' | 'up' | 'down' = 'made';

  /** Like a measured one it is never the same twice. */
  get roundTripMs(): number {
    const { latencyMs, clock } = this.#options.fabric;
    return 2 * latencyMs + (clock.now() % 100) / 1_000;
  }

  constructor(options: LinkEndOptions) {
    this.#options = options;
    this.host = options.remote;
    this.initiator = options.initiator;
    const pipe = (channel: Channel): Pipe =>
      new Pipe(options.fabric, {
        isHeld: () => options.fabric.isHeld(options.local, options.remote),
        deliver: (frame) => this.#other?.arrive(channel, frame),
        drained: () => {
          if (this.#state === 'up') options.handler()?.drained(this, channel);
        },
      });
    this.#pipes = { raft: pipe('raft'), bulk: pipe('bulk'), rpc: pipe('rpc') };
  }

  send(channel: Channel, frame: Uint8Array): boolean {
    assert(frame.length > 0, 'a frame holds at least one byte');
    if (this.#state === 'down') return false;
    const { local, remote, fabric } = this.#options;
    const pipe = this.#pipes[channel];
    if (!pipe.admits(frame.length)) return false;
    if (fabric.isCut(local, remote)) return true;
    const delays = fabric.fate({ from: local, to: remote, channel, frame });
    for (const delayMs of delays) pipe.put(frame.slice(), delayMs);
    return true;
  }

  unsentBytes(channel: Channel): number {
    return this.#pipes[channel].bytes;
  }

  close(reason: string): void {
    if (this.#state === 'down') return;
    const { local, remote, fabric } = this.#options;
    const nowMs = fabric.clock.now();
    let goodbyeMs = nowMs + fabric.latencyMs;
    for (const channel of channels) goodbyeMs = Math.max(goodbyeMs, this.#pipes[channel].lastMs);
    this.goDown(reason, 'closing');
    // The goodbye travels behind what was sent. When it is lost, silence tells the other side.
    if (fabric.isCut(local, remote)) return;
    fabric.clock.setTimeout(() => {
      for (const channel of channels) this.#pipes[channel].stop();
      this.#other?.goDown(reason, 'told');
    }, goodbyeMs - nowMs);
  }

  join(other: MemoryLink): void {
    this.#other = other;
  }

  announce(): void {
    if (this.#state !== 'made') return;
    this.#state = 'up';
    this.#options.handler()?.linkUp(this);
  }

  resume(): void {
    for (const channel of channels) this.#pipes[channel].resume();
  }

  /** Ends this side: `broken` ends both at once, `closing` lets what was sent arrive. */
  goDown(reason: string, how: 'broken' | 'closing' | 'told' = 'broken'): void {
    if (this.#state === 'down') return;
    const wasUp = this.#state === 'up';
    this.#state = 'down';
    if (how !== 'closing') for (const channel of channels) this.#pipes[channel].stop();
    this.#options.forget(this);
    if (wasUp) this.#options.handler()?.linkDown(this, reason);
    if (how === 'broken') this.#other?.goDown(reason, 'told');
  }

  arrive(channel: Channel, frame: Uint8Array): void {
    if (this.#state === 'up') this.#options.handler()?.frame(this, channel, frame);
  }
}

type PipeEnds = {
  isHeld(): boolean;
  deliver(frame: Uint8Array): void;
  drained(): void;
};

/** One channel of one direction: frames under way, in the order of their arrival. */
class Pipe {
  readonly #fabric: Fabric;
  readonly #ends: PipeEnds;
  #underWay: { readonly frame: Uint8Array; readonly atMs: number }[] = [];
  #bytes = 0;
  #refused = false;
  #scheduled = false;
  #cancel: () => void = () => {};
  #stopped = false;

  constructor(fabric: Fabric, ends: PipeEnds) {
    this.#fabric = fabric;
    this.#ends = ends;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** When the last frame under way arrives; 0 for none. */
  get lastMs(): number {
    return this.#underWay.at(-1)?.atMs ?? 0;
  }

  admits(bytes: number): boolean {
    if (this.#bytes === 0 || this.#bytes + bytes <= this.#fabric.queueBytesMax) return true;
    this.#refused = true;
    return false;
  }

  put(frame: Uint8Array, delayMs: number): void {
    const wantedMs = this.#fabric.clock.now() + delayMs;
    const last = this.#underWay.at(-1);
    const atMs =
      last === undefined || this.#fabric.reorder ? wantedMs : Math.max(wantedMs, last.atMs);
    this.#bytes += frame.length;
    let position = this.#underWay.length;
    while (position > 0 && (this.#underWay[position - 1]?.atMs ?? 0) > atMs) position -= 1;
    this.#underWay.splice(position, 0, { frame, atMs });
    if (position === 0) this.#reschedule();
  }

  resume(): void {
    this.#reschedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
    this.#underWay = [];
    this.#bytes = 0;
  }

  #reschedule(): void {
    this.#cancel();
    this.#scheduled = false;
    this.#schedule();
  }

  #schedule(): void {
    const next = this.#underWay[0];
    if (next === undefined || this.#scheduled || this.#stopped || this.#ends.isHeld()) return;
    const delayMs = next.atMs - this.#fabric.clock.now();
    let cancelled = false;
    const wake = (): void => {
      if (cancelled) return;
      this.#scheduled = false;
      this.#deliverDue();
    };
    this.#scheduled = true;
    if (delayMs <= 0) {
      this.#cancel = () => {
        cancelled = true;
      };
      this.#fabric.clock.defer(wake);
    } else {
      this.#cancel = this.#fabric.clock.setTimeout(wake, delayMs);
    }
  }

  #deliverDue(): void {
    const nowMs = this.#fabric.clock.now();
    let due = 0;
    while (due < this.#underWay.length && (this.#underWay[due]?.atMs ?? Infinity) <= nowMs)
      due += 1;
    // Frames put meanwhile wait for the next turn, so two chatting handlers cannot starve the rest.
    for (const { frame } of this.#underWay.splice(0, due)) {
      if (this.#stopped) return;
      this.#bytes -= frame.length;
      this.#ends.deliver(frame);
    }
    if (this.#stopped) return;
    if (this.#refused && this.#bytes <= this.#fabric.queueBytesMax / 2) {
      this.#refused = false;
      this.#ends.drained();
    }
    this.#schedule();
  }
}

function direction(from: HostId, to: HostId): string {
  return `${from}\n${to}`;
}
