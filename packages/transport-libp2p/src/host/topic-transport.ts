/**
 * The Transport of one namespace on a host that may carry many. It keeps, per remote host, at most
 * one live link and the wish for one.
 *
 * Two hosts that open links at once are told apart by their ids: while the lower one is opening, it
 * refuses the higher one's attempt, and the higher one drops its own for the lower one's. A link
 * that the other side opens anew replaces the one we have: it would not ask if its own were alive.
 */
import { onAbort, QuorateError, assert } from '@quorate/contracts';
import type {
  Channel,
  Clock,
  HostId,
  RandomBytes,
  Transport,
  TransportHandler,
} from '@quorate/contracts';
import { isRelayed, isWebRtc, parseAddress, readable } from './addresses.ts';
import type { ConnectionWire } from './connection-wire.ts';
import { firstWaitMs } from './dial-policy.ts';
import type { FramedStreamEvents } from './framed-stream.ts';
import { Libp2pLink } from './libp2p-link.ts';
import type { LinkStreams } from './libp2p-link.ts';
import { answers, confirmation } from './link-protocol.ts';
import { frameBytesMax } from './options.ts';
import { openStreams } from './open-streams.ts';
import { PathFinder } from './path-finder.ts';
import type { Destination, Networks } from './path-finder.ts';
import type { Wire } from './wire.ts';

/** What the host does for its namespaces. */
export type Carrier = Networks & {
  readonly host: HostId;
  readonly clock: Clock;
  readonly random: RandomBytes;
  addresses(): readonly string[];
  /** A wire on which nobody answered: it goes unless a link of any namespace lives on it. */
  distrust(wire: Wire): void;
  /** The transport of `topic` is closed. */
  retire(topic: string): void;
};

type Attempt = {
  readonly controller: AbortController;
  /** True from the moment the other side may see it. */
  opening: boolean;
};

type Peer = Destination & {
  link: Libp2pLink | null;
  /** What the link runs on. */
  wire: Wire | null;
  attempt: Attempt | null;
  /** Accepted by us, not yet confirmed by the other side. */
  candidate: { readonly wire: Wire; drop(): void } | null;
  retryMs: number;
  upSinceMs: number;
  upgradeMs: number;
  /** Since when its own dial is waited for; null when it is not. */
  yieldingSinceMs: number | null;
  cancelTimer: () => void;
  /** Those who wait for a link to be up. */
  readonly waiting: Set<() => void>;
};

export class TopicTransport implements Transport {
  readonly host: HostId;
  readonly frameBytesMax: number = frameBytesMax;
  readonly #topic: string;
  readonly #carrier: Carrier;
  readonly #finder: PathFinder;
  readonly #peers = new Map<HostId, Peer>();
  #handler: TransportHandler | null = null;
  #state: 'new' | 'running' | 'closed' = 'new';

  constructor(topic: string, carrier: Carrier) {
    this.#topic = topic;
    this.#carrier = carrier;
    this.#finder = new PathFinder(carrier);
    this.host = carrier.host;
  }

  /** Answers links from now on. */
  async start(handler: TransportHandler, signal?: AbortSignal): Promise<void> {
    assert(this.#state === 'new', 'start() is called once, before close()');
    if (signal?.aborted === true) {
      throw new QuorateError('UNREACHABLE', 'Cannot start the transport: aborted');
    }
    this.#handler = handler;
    this.#state = 'running';
    for (const peer of this.#peers.values()) this.#schedule(peer, 0);
  }

  addresses(): readonly string[] {
    return this.#state === 'closed' ? [] : this.#carrier.addresses();
  }

  connect(host: HostId, addresses: readonly string[]): void {
    if (this.#state === 'closed' || host === this.host) return;
    const peer = this.#peer(host);
    const known = peer.addresses;
    peer.addresses = [...addresses];
    if (known === null) {
      peer.retryMs = this.#carrier.timing.retryMsMin;
      this.#schedule(peer, this.#firstWaitMs(peer));
    } else if (addresses.some((address) => !known.includes(address))) {
      // New addresses are news: the pause that the old ones earned is over.
      peer.retryMs = this.#carrier.timing.retryMsMin;
      if (peer.attempt === null) this.#schedule(peer, 0);
    }
  }

  async dial(address: string, signal: AbortSignal): Promise<HostId> {
    const failed = (cause: unknown): QuorateError =>
      new QuorateError('UNREACHABLE', `Cannot dial ${address}, wanted a host that answers`, {
        cause,
      });
    if (signal.aborted || this.#state !== 'running') throw failed(signal.reason);
    let wire: ConnectionWire;
    try {
      wire = await this.#carrier.dialAddress(address, signal);
    } catch (error) {
      throw failed(error);
    }
    // The transport may have been closed meanwhile, and a link may have come up by itself.
    if (this.#isClosed() || signal.aborted) throw failed(signal.reason);
    const peer = this.#peer(wire.host);
    if (peer.link === null && peer.attempt === null && peer.candidate === null) {
      const webRtc = isWebRtc(parseAddress(address));
      const connect = async (within: AbortSignal): Promise<Wire> =>
        webRtc ? this.#finder.overWebRtc(peer, wire, within) : wire;
      const outcome = await this.#attempt(peer, connect, signal);
      if (outcome !== 'up' && outcome !== 'mineComes') throw failed(outcome);
    }
    if (!(await this.#linked(peer, signal))) throw failed(signal.reason);
    return peer.host;
  }

  broken(): void {
    this.#handler?.broken?.();
  }

  disconnect(host: HostId): void {
    const peer = this.#peers.get(host);
    if (peer === undefined) return;
    peer.addresses = null;
    peer.cancelTimer();
    peer.attempt?.controller.abort();
    peer.candidate?.drop();
    peer.link?.close('disconnected');
    this.#forget(peer);
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    for (const peer of [...this.#peers.values()]) {
      peer.addresses = null;
      peer.cancelTimer();
      peer.attempt?.controller.abort();
      peer.candidate?.drop();
      peer.link?.close('closed');
      for (const wake of [...peer.waiting]) wake();
    }
    this.#peers.clear();
    this.#handler = null;
    this.#carrier.retire(this.#topic);
  }

  /**
   * The other side has opened the three streams of a link. Answers, and takes the link once the
   * other side confirms.
   */
  receive(wire: Wire, streams: LinkStreams): void {
    if (this.#state !== 'running') {
      refuse(streams, answers.unknownTopic);
      return;
    }
    const peer = this.#peer(wire.host);
    if (peer.attempt?.opening === true && this.host < peer.host) {
      refuse(streams, answers.mineComes);
      return;
    }
    peer.attempt?.controller.abort();
    peer.candidate?.drop();
    let over = false;
    const drop = (): void => {
      if (over) return;
      over = true;
      cancelTimer();
      peer.candidate = null;
      for (const stream of Object.values(streams)) stream.abort('given up');
      // The wish for a link outlives every way in which a candidate fails.
      if (peer.link === null && peer.attempt === null) this.#schedule(peer, this.#jittered(peer));
    };
    const cancelTimer = this.#carrier.clock.setTimeout(drop, this.#carrier.timing.openTimeoutMs);
    peer.candidate = { wire, drop };
    const waiting: FramedStreamEvents = {
      prefix: drop,
      frame: drop,
      control: drop,
      drained: () => {},
      ended: drop,
    };
    streams.raft.setEvents(waiting);
    streams.bulk.setEvents(waiting);
    streams.rpc.setEvents({
      ...waiting,
      prefix: (bytes) => {
        if (over) return;
        if (bytes[0] !== confirmation) {
          drop();
          return;
        }
        over = true;
        cancelTimer();
        peer.candidate = null;
        this.#up(peer, wire, streams, false);
      },
    });
    streams.rpc.sendPrefix(Uint8Array.of(answers.accepted));
  }

  #peer(host: HostId): Peer {
    const known = this.#peers.get(host);
    if (known !== undefined) return known;
    const { timing } = this.#carrier;
    const peer: Peer = {
      host,
      addresses: null,
      link: null,
      wire: null,
      attempt: null,
      candidate: null,
      retryMs: timing.retryMsMin,
      upSinceMs: 0,
      upgradeMs: timing.upgradeMs,
      webRtcFailures: 0,
      yieldingSinceMs: null,
      turn: -1,
      cancelTimer: () => {},
      waiting: new Set(),
    };
    this.#peers.set(host, peer);
    return peer;
  }

  /** Keeps no memory of hosts that nobody wants and nobody is linked to. */
  #forget(peer: Peer): void {
    const idle = peer.link === null && peer.attempt === null && peer.candidate === null;
    if (idle && peer.addresses === null && peer.waiting.size === 0) this.#peers.delete(peer.host);
  }

  /** Whether a link of this namespace lives on the wire, or is about to. */
  uses(wire: Wire): boolean {
    return [...this.#peers.values()].some(
      (peer) => peer.wire?.id === wire.id || peer.candidate?.wire.id === wire.id,
    );
  }

  #firstWaitMs(peer: Peer): number {
    const own = readable(this.#carrier.addresses());
    const reach = {
      direct: own.some((address) => !isRelayed(address) && !isWebRtc(address)),
      webRtc: this.#carrier.webRtc !== null && own.some(isWebRtc),
    };
    const hosts = { own: this.host, other: peer.host };
    return firstWaitMs(hosts, reach, this.#finder.paths(peer), this.#carrier.timing);
  }

  /** The lower of two hosts has begun to dial: the higher one gives it some time to finish. */
  #yields(peer: Peer): boolean {
    const { webRtc, clock, timing } = this.#carrier;
    if (this.host < peer.host || webRtc === null || !webRtc.isAnswering(peer.host)) return false;
    peer.yieldingSinceMs ??= clock.now();
    return clock.now() - peer.yieldingSinceMs < timing.silenceMs;
  }

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  /** Between half of the present pause and all of it; the next one is twice as long. */
  #jittered(peer: Peer): number {
    const byte = this.#carrier.random(1)[0] ?? 0;
    const delayMs = peer.retryMs * (0.5 + byte / 512);
    peer.retryMs = Math.min(2 * peer.retryMs, this.#carrier.timing.retryMsMax);
    return delayMs;
  }

  #schedule(peer: Peer, delayMs: number): void {
    peer.cancelTimer();
    if (this.#state !== 'running' || peer.addresses === null) {
      this.#forget(peer);
      return;
    }
    peer.cancelTimer = this.#carrier.clock.setTimeout(() => {
      if (peer.addresses === null || peer.attempt !== null || peer.candidate !== null) return;
      if (peer.link === null && this.#yields(peer)) {
        this.#schedule(peer, this.#carrier.timing.yieldMs);
      } else if (peer.link === null) void this.#reach(peer);
      else if (peer.link.kind === 'relayed') void this.#upgrade(peer);
    }, delayMs);
  }

  async #reach(peer: Peer): Promise<void> {
    const outcome = await this.#attempt(peer, async (signal) => this.#finder.find(peer, signal));
    if (outcome !== 'up') this.#keepWishing(peer);
  }

  /** A wish for a link survives each attempt that came to nothing. */
  #keepWishing(peer: Peer): void {
    if (peer.link === null && peer.attempt === null && peer.candidate === null) {
      this.#schedule(peer, this.#jittered(peer));
    }
  }

  /** A relayed link works, and a direct one is better: look for one now and then. */
  async #upgrade(peer: Peer): Promise<void> {
    const before = peer.link;
    if (this.#finder.hasDirect(peer)) {
      await this.#attempt(peer, async (signal) => this.#finder.findDirect(peer, signal));
    }
    if (peer.link === null) this.#keepWishing(peer);
    else if (peer.link === before) {
      peer.upgradeMs = Math.min(2 * peer.upgradeMs, upgradeMsMax);
      this.#schedule(peer, peer.upgradeMs);
    }
  }

  /** One try to open a link. Never throws. */
  async #attempt(
    peer: Peer,
    connect: (signal: AbortSignal) => Promise<Wire>,
    outer?: AbortSignal,
  ): Promise<'up' | 'mineComes' | 'refused' | 'failed'> {
    const { timing } = this.#carrier;
    const attempt: Attempt = { controller: new AbortController(), opening: false };
    const within = (timeoutMs: number): AbortSignal =>
      AbortSignal.any([
        attempt.controller.signal,
        AbortSignal.timeout(timeoutMs),
        ...(outer === undefined ? [] : [outer]),
      ]);
    let made: { readonly wire: Wire; readonly streams: LinkStreams } | null = null;
    peer.attempt = attempt;
    try {
      const wire = await connect(within(timing.dialTimeoutMs));
      if (attempt.controller.signal.aborted) {
        // What carries one link is over with it; a connection of libp2p may serve others.
        if (wire.kind === 'webrtc') wire.discard('given up');
        return 'failed';
      }
      attempt.opening = true;
      const signal = within(timing.openTimeoutMs);
      let answer: number | null = null;
      try {
        const opened = await openStreams(wire, this.#topic, this.#carrier.random, signal);
        answer = await orAborted(opened.answer, signal);
        if (answer === answers.accepted && !signal.aborted) {
          made = { wire, streams: opened.streams };
        } else {
          for (const stream of Object.values(opened.streams)) stream.abort('given up');
        }
      } finally {
        // Nobody answers there: it must not be what the next attempt finds.
        const isMute = made === null && answer === null && signal.aborted;
        if (isMute && !attempt.controller.signal.aborted) this.#carrier.distrust(wire);
      }
      if (made === null) {
        if (answer === answers.mineComes) return 'mineComes';
        return answer === null || answer === answers.accepted ? 'failed' : 'refused';
      }
    } catch {
      // Dials fail for as many reasons as networks have; each means: not now.
      return 'failed';
    } finally {
      if (peer.attempt === attempt) peer.attempt = null;
      if (made === null) this.#forget(peer);
    }
    // Outside of the try: what the handler throws is a bug, and nobody's to swallow.
    made.streams.rpc.sendPrefix(Uint8Array.of(confirmation));
    this.#up(peer, made.wire, made.streams, true);
    return 'up';
  }

  #up(peer: Peer, wire: Wire, streams: LinkStreams, initiator: boolean): void {
    if (this.#state !== 'running') {
      for (const stream of Object.values(streams)) stream.abort('closed');
      return;
    }
    peer.link?.close('replaced');
    const { timing, clock } = this.#carrier;
    const link = new Libp2pLink({
      host: peer.host,
      kind: wire.kind,
      initiator,
      streams,
      clock,
      timing,
      frameBytesMax,
      owner: {
        frame: (from, channel, frame) => this.#handler?.frame(from, channel, frame),
        drained: (on, channel: Channel) => this.#handler?.drained(on, channel),
        down: (gone, reason) => this.#down(peer, gone, reason),
      },
    });
    // It may be gone from the table: a link can outlive the wish for it.
    this.#peers.set(peer.host, peer);
    peer.link = link;
    peer.wire = wire;
    peer.upSinceMs = clock.now();
    peer.yieldingSinceMs = null;
    if (link.kind === 'webrtc') {
      peer.webRtcFailures = 0;
      this.#carrier.webRtc?.record.worked();
    }
    // A first link over the relay starts the search for a better one; a later one does not hurry it.
    if (link.kind !== 'relayed') peer.upgradeMs = timing.upgradeMs;
    this.#handler?.linkUp(link);
    for (const wake of [...peer.waiting]) wake();
    if (peer.link === link) this.#schedule(peer, peer.upgradeMs);
  }

  #down(peer: Peer, link: Libp2pLink, reason: string): void {
    if (peer.link !== link) return;
    const { clock, timing } = this.#carrier;
    const { wire } = peer;
    peer.link = null;
    peer.wire = null;
    if (wire !== null && deaths.has(reason)) {
      this.#carrier.distrust(wire);
      // The path died: the next link takes the relay, and looks for a better one from there.
      if (wire.kind === 'webrtc') peer.webRtcFailures = 1;
    }
    // A link that lived a while owes nothing to earlier failures.
    if (clock.now() - peer.upSinceMs > 2 * timing.retryMsMax) peer.retryMs = timing.retryMsMin;
    this.#handler?.linkDown(link, reason);
    if (peer.link === null && peer.attempt === null) {
      const wait = wire?.kind === 'webrtc' && this.host > peer.host ? timing.yieldMs : 0;
      this.#schedule(peer, this.#jittered(peer) + wait);
    }
  }

  /** Resolves with true once a link is up, with false when that is not to be. */
  async #linked(peer: Peer, signal: AbortSignal): Promise<boolean> {
    if (peer.link !== null) return true;
    return new Promise((resolve) => {
      const settle = (): void => {
        peer.waiting.delete(settle);
        forget();
        resolve(peer.link !== null);
        this.#forget(peer);
      };
      peer.waiting.add(settle);
      const forget = onAbort(signal, settle);
    });
  }
}

/** How links end that nobody closed: here, or where the other side was the first to notice. */
const deaths: ReadonlySet<string> = new Set(['silent', 'reset', 'ended']);

const upgradeMsMax = 60_000;

/** What comes first: the value, or null for the abort. */
async function orAborted<Value>(
  promise: Promise<Value>,
  signal: AbortSignal,
): Promise<Value | null> {
  if (signal.aborted) return null;
  return new Promise((resolve) => {
    const aborted = (): void => resolve(null);
    signal.addEventListener('abort', aborted);
    void promise.then((value) => {
      signal.removeEventListener('abort', aborted);
      resolve(value);
    });
  });
}

function refuse(streams: LinkStreams, answer: number): void {
  streams.rpc.sendPrefix(Uint8Array.of(answer));
  for (const stream of Object.values(streams)) stream.close(1_000);
}
