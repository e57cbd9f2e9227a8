/**
 * The Transport of one namespace on a host that may carry many. It keeps, per remote host, at most
 * one live link and the wish for one.
 *
 * Two hosts that open links at once are told apart by their ids: while the lower one is opening, it
 * refuses the higher one's attempt, and the higher one drops its own for the lower one's. A link
 * that the other side opens anew replaces the one we have: it would not ask if its own were alive.
 */
import type { Connection } from '@libp2p/interface';
import { QuorateError, assert } from '@quorate/cluster';
import type {
  Channel,
  Clock,
  HostId,
  RandomBytes,
  Transport,
  TransportHandler,
} from '@quorate/cluster';
import type { FramedStreamEvents } from './framed-stream.ts';
import { isRelayed, kindOf, readable } from './addresses.ts';
import { Libp2pLink } from './libp2p-link.ts';
import type { LinkStreams } from './libp2p-link.ts';
import { answers, confirmation } from './link-protocol.ts';
import { frameBytesMax } from './options.ts';
import type { LinkTiming } from './options.ts';

/** What the host does for its namespaces. */
export type Carrier = {
  readonly host: HostId;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly timing: LinkTiming;
  addresses(): readonly string[];
  /** Open connections to a host, direct ones first. */
  connectionsTo(host: HostId): readonly Connection[];
  /** `fresh`: not satisfied with a connection that exists. */
  dial(
    host: HostId,
    addresses: readonly string[],
    options: { readonly signal: AbortSignal; readonly fresh: boolean },
  ): Promise<Connection>;
  dialAddress(address: string, signal: AbortSignal): Promise<Connection>;
  /** Opens the three streams of a link and sends its header on each. */
  openStreams(connection: Connection, topic: string, signal: AbortSignal): Promise<OpenedStreams>;
  /** The transport of `topic` is closed. */
  retire(topic: string): void;
};

/** Streams whose first byte from the other side (on `rpc`) is still to come. */
export type OpenedStreams = {
  readonly streams: LinkStreams;
  /** The responder's answer byte, or null when the streams ended before it. */
  readonly answer: Promise<number | null>;
};

type Attempt = {
  readonly controller: AbortController;
  /** True from the moment the other side may see it. */
  opening: boolean;
};

type Peer = {
  readonly host: HostId;
  /** Null: nobody here wants a link to it. */
  addresses: readonly string[] | null;
  link: Libp2pLink | null;
  attempt: Attempt | null;
  /** Accepted by us, not yet confirmed by the other side. */
  candidate: { readonly streams: LinkStreams; drop(): void } | null;
  retryMs: number;
  upSinceMs: number;
  upgradeMs: number;
  /** Grows by one each time its addresses are used. */
  turn: number;
  cancelTimer: () => void;
  /** Those who wait for a link to be up. */
  readonly waiting: Set<() => void>;
};

export class TopicTransport implements Transport {
  readonly host: HostId;
  readonly frameBytesMax: number = frameBytesMax;
  readonly #topic: string;
  readonly #carrier: Carrier;
  readonly #peers = new Map<HostId, Peer>();
  #handler: TransportHandler | null = null;
  #state: 'new' | 'running' | 'closed' = 'new';

  constructor(topic: string, carrier: Carrier) {
    this.#topic = topic;
    this.#carrier = carrier;
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
      this.#schedule(peer, this.#leavesDialling(peer) ? this.#carrier.timing.yieldMs : 0);
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
    let connection: Connection;
    try {
      connection = await this.#carrier.dialAddress(address, signal);
    } catch (error) {
      throw failed(error);
    }
    // The transport may have been closed meanwhile, and a link may have come up by itself.
    if (this.#isClosed() || signal.aborted) throw failed(signal.reason);
    const peer = this.#peer(connection.remotePeer.toString());
    if (peer.link === null && peer.attempt === null && peer.candidate === null) {
      const outcome = await this.#attempt(peer, async () => connection, signal);
      if (outcome !== 'up' && outcome !== 'mineComes') throw failed(outcome);
    }
    if (!(await this.#linked(peer, signal))) throw failed(signal.reason);
    return peer.host;
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
  receive(connection: Connection, streams: LinkStreams): void {
    if (this.#state !== 'running') {
      refuse(streams, answers.unknownTopic);
      return;
    }
    const peer = this.#peer(connection.remotePeer.toString());
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
    peer.candidate = { streams, drop };
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
        this.#up(peer, connection, streams, false);
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
      attempt: null,
      candidate: null,
      retryMs: timing.retryMsMin,
      upSinceMs: 0,
      upgradeMs: timing.upgradeMs,
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

  /** The higher of two hosts that can both be reached lets the lower one dial. */
  #leavesDialling(peer: Peer): boolean {
    return (
      this.host > peer.host &&
      readable(this.#carrier.addresses()).some((address) => !isRelayed(address))
    );
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
      if (peer.link === null) void this.#reach(peer);
      else if (peer.link.kind === 'relayed') void this.#upgrade(peer);
    }, delayMs);
  }

  async #reach(peer: Peer): Promise<void> {
    const outcome = await this.#attempt(peer, async (signal) => this.#connection(peer, signal));
    if (outcome !== 'up' && peer.link === null && peer.candidate === null) {
      this.#schedule(peer, this.#jittered(peer));
    }
  }

  /** The best connection to be had: direct if that is quick, else through a relay. */
  async #connection(peer: Peer, signal: AbortSignal): Promise<Connection> {
    const [existing] = this.#carrier.connectionsTo(peer.host);
    if (existing !== undefined && !isRelayed(existing.remoteAddr)) return existing;
    const { direct, relayed } = this.#paths(peer);
    const hasOther = existing !== undefined || relayed.length > 0;
    if (direct.length > 0 || !hasOther) {
      try {
        // A dead address must not eat the time of the path through the relay.
        const quick = AbortSignal.timeout(this.#carrier.timing.dialTimeoutMs / 2);
        return await this.#carrier.dial(peer.host, direct, {
          signal: hasOther ? AbortSignal.any([signal, quick]) : signal,
          fresh: existing !== undefined,
        });
      } catch (error) {
        if (!hasOther || signal.aborted) throw error;
      }
    }
    // One may have come in meanwhile.
    const [now] = this.#carrier.connectionsTo(peer.host);
    return now ?? this.#carrier.dial(peer.host, relayed, { signal, fresh: false });
  }

  /** What is known of a host; each time another direct address comes first. */
  #paths(peer: Peer): { readonly direct: readonly string[]; readonly relayed: readonly string[] } {
    const addresses = peer.addresses ?? [];
    const relayed = addresses.filter((address) => readable([address]).some(isRelayed));
    const direct = addresses.filter((address) => !relayed.includes(address));
    peer.turn += 1;
    const first = peer.turn % Math.max(1, direct.length);
    return { direct: [...direct.slice(first), ...direct.slice(0, first)], relayed };
  }

  /** A relayed link works, and a direct one is better: look for one now and then. */
  async #upgrade(peer: Peer): Promise<void> {
    const before = peer.link;
    const { direct } = this.#paths(peer);
    if (direct.length > 0) {
      await this.#attempt(peer, async (signal) => {
        const [connection] = this.#carrier.connectionsTo(peer.host);
        if (connection !== undefined && !isRelayed(connection.remoteAddr)) return connection;
        return this.#carrier.dial(peer.host, direct, { signal, fresh: true });
      });
    }
    if (peer.link !== null && peer.link === before) {
      peer.upgradeMs = Math.min(2 * peer.upgradeMs, 60_000);
      this.#schedule(peer, peer.upgradeMs);
    }
  }

  /** One try to open a link. Never throws. */
  async #attempt(
    peer: Peer,
    connect: (signal: AbortSignal) => Promise<Connection>,
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
    let made: { readonly connection: Connection; readonly streams: LinkStreams } | null = null;
    peer.attempt = attempt;
    try {
      const connection = await connect(within(timing.dialTimeoutMs));
      if (attempt.controller.signal.aborted) return 'failed';
      attempt.opening = true;
      const signal = within(timing.openTimeoutMs);
      const opened = await this.#carrier.openStreams(connection, this.#topic, signal);
      const giveUp = (): void => {
        for (const stream of Object.values(opened.streams)) stream.abort('given up');
      };
      const answer = await orAborted(opened.answer, signal);
      if (signal.aborted || answer !== answers.accepted) {
        giveUp();
        if (answer === answers.mineComes) return 'mineComes';
        return answer === null ? 'failed' : 'refused';
      }
      made = { connection, streams: opened.streams };
    } catch {
      // Dials fail for as many reasons as networks have; each means: not now.
      return 'failed';
    } finally {
      if (peer.attempt === attempt) peer.attempt = null;
      if (made === null) this.#forget(peer);
    }
    // Outside of the try: what the handler throws is a bug, and nobody's to swallow.
    made.streams.rpc.sendPrefix(Uint8Array.of(confirmation));
    this.#up(peer, made.connection, made.streams, true);
    return 'up';
  }

  #up(peer: Peer, connection: Connection, streams: LinkStreams, initiator: boolean): void {
    if (this.#state !== 'running') {
      for (const stream of Object.values(streams)) stream.abort('closed');
      return;
    }
    peer.link?.close('replaced');
    const { timing, clock } = this.#carrier;
    const link = new Libp2pLink({
      host: peer.host,
      kind: kindOf(connection.remoteAddr),
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
    peer.upSinceMs = clock.now();
    peer.upgradeMs = timing.upgradeMs;
    this.#handler?.linkUp(link);
    for (const wake of [...peer.waiting]) wake();
    if (peer.link === link) this.#schedule(peer, peer.upgradeMs);
  }

  #down(peer: Peer, link: Libp2pLink, reason: string): void {
    if (peer.link !== link) return;
    peer.link = null;
    const { clock, timing } = this.#carrier;
    // A link that lived a while owes nothing to earlier failures.
    if (clock.now() - peer.upSinceMs > 2 * timing.retryMsMax) peer.retryMs = timing.retryMsMin;
    this.#handler?.linkDown(link, reason);
    if (peer.link === null && peer.attempt === null) this.#schedule(peer, this.#jittered(peer));
  }

  /** Resolves with true once a link is up, with false when that is not to be. */
  async #linked(peer: Peer, signal: AbortSignal): Promise<boolean> {
    if (peer.link !== null) return true;
    return new Promise((resolve) => {
      const settle = (): void => {
        peer.waiting.delete(settle);
        signal.removeEventListener('abort', settle);
        resolve(peer.link !== null);
        this.#forget(peer);
      };
      peer.waiting.add(settle);
      signal.addEventListener('abort', settle);
    });
  }
}

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
