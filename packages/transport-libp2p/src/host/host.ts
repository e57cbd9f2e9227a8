/**
 * One libp2p node that carries many namespaces. What differs between runtimes (which networks it
 * can use, how it gets a key) is passed in by their presets.
 */
import type { ConnectionGater, PrivateKey } from '@libp2p/interface';
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import { QuorateError } from '@quorate/contracts';
import type {
  Cipher,
  Clock,
  HostId,
  RandomBytes,
  Register,
  Rendezvous,
  Transport,
} from '@quorate/contracts';
import { createLibp2p } from 'libp2p';
import type { Libp2p, Libp2pOptions } from 'libp2p';
import { boundedNoise, boundedYamux } from './bounded-stack.ts';
import { parseAddress, parseRelay, withWebRtc, withoutWebRtc } from './addresses.ts';
import { refuseTwoPins } from './choose-relay.ts';
import { ConnectionWire, Libp2pStream } from './connection-wire.ts';
import { Connections } from './connections.ts';
import { IncomingLinks } from './incoming-links.ts';
import { channels, isTopic, protocolOf } from './link-protocol.ts';
import { defaultTiming } from './options.ts';
import type { LinkTiming } from './options.ts';
import { RelayClient } from './relay-client.ts';
import { RelayMemory } from './relay-memory.ts';
import type { KeptRelays } from './relay-memory.ts';
import { RelayRegister } from './relay-register.ts';
import { RelayRendezvous } from './relay-rendezvous.ts';
import { Reservation } from './reservation.ts';
import { TopicTransport } from './topic-transport.ts';
import { webRtcProtocol } from '../webrtc/signals.ts';
import type { WebSocketsFactory } from '../web-sockets/web-sockets.ts';
import { WebRtc } from '../webrtc/web-rtc.ts';

export type HostOptions = KeptRelays & {
  readonly privateKey: PrivateKey;
  readonly clock: Clock;
  readonly random: RandomBytes;
  /** Addresses to listen on. None: this host is reached through its relays. */
  readonly listen: readonly string[];
  /** Addresses to tell others instead of those it listens on. */
  readonly announce: readonly string[];
  /** `ws://host[:port]`, `wss://host[:port]` or multiaddrs; see `RelayRegister` for which decides. */
  readonly relays: readonly string[];
  /** Whether to be reachable through the relays. */
  readonly reserve: boolean;
  /**
   * Its WebSockets: in and out in Node, out in a page. `onBroken` is to be called for each that ended
   * because of what the other side sent.
   */
  readonly webSockets: (onBroken: () => void) => WebSocketsFactory;
  /** Whether a connection, whose peer has proved its key, has to go. Default: none has to. */
  readonly turnsAway?: (peer: HostId, connection: object) => boolean;
  /** Makes the connections of WebRTC; null where there is none, or none is wanted. */
  readonly createPeerConnection: (() => RTCPeerConnection) | null;
  /** Whether the transports reach a direct address at all. */
  readonly canDial: (address: string) => boolean;
  readonly timing?: Partial<LinkTiming>;
};

export type RelayGroup = { readonly relay: string; readonly group: string | null };

/** The network of one process or page, shared by its namespaces. */
export interface Libp2pHost {
  readonly peerId: HostId;
  /** Where others can reach this host now; direct ones first, then by WebRTC, then relayed. */
  addresses(): readonly string[];
  /** The transport of a namespace; one at a time. `topic`: 64 lowercase hex digits. */
  transport(topic: string): Transport;
  /** The namespace's register on the relays' group. Throws RangeError for a host without relays. */
  register(cipher: Cipher): Register;
  /** The namespace's rendezvous on all relays. */
  rendezvous(cipher: Cipher): Rendezvous;
  /** Of which group each relay says that it is; null where it does not answer, or is of none. */
  relayGroups(signal: AbortSignal): Promise<readonly RelayGroup[]>;
  /** Closes every transport and the node. Idempotent. */
  close(): Promise<void>;
}

/** Presets and relays share these: private addresses are lawful, and limits fit a cluster. */
export function connectionGater(
  turnsAway: (peer: HostId, connection: object) => boolean = () => false,
): ConnectionGater {
  return {
    denyDialMultiaddr: () => false,
    denyInboundUpgradedConnection: (peer, connection) => turnsAway(peer.toString(), connection),
  };
}
export const connectionManager: NonNullable<Libp2pOptions['connectionManager']> = {
  maxConnections: 4_096,
  inboundConnectionThreshold: 1_000,
  // The listener's door is where those that are not proven yet are bounded; circuits come besides.
  maxIncomingPendingConnections: 8_192,
  dialTimeout: 6_000,
  addressDialTimeout: 3_000,
  // Who dials has put the addresses in order.
  addressSorter: () => 0,
  reconnectRetries: 0,
};

/** Circuits through relays, in and out. */
export function boundedCircuits(): ReturnType<typeof circuitRelayTransport> {
  return circuitRelayTransport({
    maxInboundStopStreams: streamsMax,
    maxOutboundStopStreams: streamsMax,
  });
}

const streamsMax = 1_024;
const streamLimits = {
  maxInboundStreams: streamsMax,
  maxOutboundStreams: streamsMax,
  runOnLimitedConnection: true,
};

/** Starts a node. Rejects with `UNREACHABLE` where it cannot listen, TypeError for a bad address. */
export async function createHost(options: HostOptions): Promise<Libp2pHost> {
  const relays = options.relays.map(parseRelay);
  refuseTwoPins(relays);
  let host: Host | null = null;
  const listen = options.listen.map((address) => parseAddress(address).toString());
  const announce = options.announce.map((address) => parseAddress(address).toString());
  const node = await createLibp2p({
    privateKey: options.privateKey,
    addresses: { listen },
    transports: [options.webSockets(() => host?.broken()), boundedCircuits()],
    connectionEncrypters: [boundedNoise()],
    streamMuxers: [boundedYamux()],
    connectionGater: connectionGater(options.turnsAway),
    connectionManager,
    // Links ping for themselves, and know better when one is dead.
    connectionMonitor: { enabled: false },
    transportManager: { faultTolerance: 1 },
    services: { identify: identify() },
  });
  if (node.getMultiaddrs().length < Math.min(1, listen.length)) {
    await node.stop();
    throw new QuorateError('UNREACHABLE', `Cannot listen on ${listen.join(', ')}: not available`);
  }
  host = new Host(node, { ...options, announce }, relays);
  try {
    await host.serve();
  } catch (error) {
    await host.close();
    throw error;
  }
  return host;
}

class Host implements Libp2pHost {
  readonly peerId: HostId;
  readonly #node: Libp2p;
  readonly #options: HostOptions;
  readonly #timing: LinkTiming;
  readonly #connections: Connections;
  readonly #webRtc: WebRtc | null;
  readonly #memory: RelayMemory;
  readonly #relays: readonly { readonly client: RelayClient; readonly reservation: Reservation }[];
  readonly #transports = new Map<string, TopicTransport>();
  readonly #rendezvous = new Set<RelayRendezvous>();
  #closed: Promise<void> | null = null;

  constructor(
    node: Libp2p,
    options: HostOptions,
    relays: readonly ReturnType<typeof parseRelay>[],
  ) {
    this.#node = node;
    this.#options = options;
    this.#timing = { ...defaultTiming, ...options.timing };
    this.peerId = node.peerId.toString();
    const { createPeerConnection } = options;
    const { openTimeoutMs } = this.#timing;
    this.#webRtc =
      createPeerConnection === null ? null : new WebRtc({ createPeerConnection, openTimeoutMs });
    this.#memory = new RelayMemory(options.knownRelays, options.onRelays);
    this.#relays = relays.map((relay) => {
      const reservation = new Reservation(node);
      const client = new RelayClient({
        relay,
        clock: options.clock,
        random: options.random,
        memory: this.#memory,
        dial: async (signal) => node.dial(relay.multiaddr, { signal }),
        reserve: async (connection) => {
          if (!options.reserve || reservation.addresses().length > 0) return;
          await reservation.ensure(connection);
          // Others can reach this host from now on: they should know at once.
          for (const rendezvous of this.#rendezvous) rendezvous.refresh();
        },
      });
      return { client, reservation };
    });
    this.#connections = new Connections({
      node,
      clock: options.clock,
      idleAfterMs: this.#timing.idleAfterMs,
      isKept: (host) => this.#relays.some(({ client }) => client.isPeer(host)),
    });
  }

  async serve(): Promise<void> {
    const incoming = new IncomingLinks({
      clock: this.#options.clock,
      timeoutMs: this.#timing.openTimeoutMs,
      ownerOf: (topic) => this.#transports.get(topic),
    });
    for (const channel of channels) {
      await this.#node.handle(
        protocolOf[channel],
        (stream, connection) =>
          incoming.accept(channel, new Libp2pStream(stream), new ConnectionWire(connection)),
        streamLimits,
      );
    }
    const webRtc = this.#webRtc;
    if (webRtc === null) return;
    await this.#node.handle(
      webRtcProtocol,
      (stream, connection) =>
        webRtc.accept(new Libp2pStream(stream), connection.remotePeer.toString(), incoming),
      streamLimits,
    );
  }

  /** Nobody knows which namespace a stranger meant: each of them counts it. */
  broken(): void {
    for (const transport of this.#transports.values()) transport.broken();
  }

  addresses(): readonly string[] {
    if (this.#closed !== null) return [];
    const suffix = `/p2p/${this.peerId}`;
    const complete = (address: string): string =>
      address.endsWith(suffix) ? address : address + suffix;
    const direct =
      this.#options.announce.length > 0
        ? this.#options.announce
        : this.#node
            .getMultiaddrs()
            .map((address) => address.toString())
            .filter((address) => !address.includes('/p2p-circuit'));
    const relayed = this.#relays.flatMap(({ reservation }) => reservation.addresses());
    const webRtc = this.#webRtc === null ? [] : relayed.map(withWebRtc);
    return [...new Set([...direct, ...webRtc, ...relayed].map(complete))];
  }

  transport(topic: string): Transport {
    if (!isTopic(topic)) {
      throw new TypeError(`Cannot carry topic '${topic}', wanted 64 lowercase hex digits`);
    }
    if (this.#transports.has(topic)) {
      throw new TypeError('Cannot carry a topic twice, wanted its transport closed first');
    }
    const transport: TopicTransport = new TopicTransport(topic, {
      host: this.peerId,
      clock: this.#options.clock,
      random: this.#options.random,
      timing: this.#timing,
      addresses: () => this.addresses(),
      webRtc: this.#webRtc,
      canDial: this.#options.canDial,
      wiresTo: (host) => this.#connections.to(host),
      dial: async (host, addresses, how) => this.#connections.dial(host, addresses, how),
      dialAddress: async (address, signal) =>
        this.#connections.dialAddress(withoutWebRtc(address), signal),
      distrust: (wire) => {
        const isUsed = [...this.#transports.values()].some((one) => one.uses(wire));
        // The tie to a relay pings for itself.
        const isRelay = this.#relays.some(({ client }) => client.isPeer(wire.host));
        if (!isUsed && !isRelay) wire.discard('nobody answers');
      },
      retire: (of) => {
        if (this.#transports.get(of) === transport) this.#transports.delete(of);
      },
    });
    this.#transports.set(topic, transport);
    return transport;
  }

  register(cipher: Cipher): Register {
    if (this.#relays.length === 0) {
      throw new RangeError('Cannot give a register: no relay is configured, wanted one');
    }
    const clients = this.#relays.map(({ client }) => client);
    return new RelayRegister(clients, cipher, (address) => this.#memory.changedFrom(address));
  }

  async relayGroups(signal: AbortSignal): Promise<readonly RelayGroup[]> {
    const asking = this.#relays.map(async ({ client }) => {
      const standing = await client.standing(signal).catch(() => null);
      return { relay: client.relay.text, group: standing?.group ?? null };
    });
    return Promise.all(asking);
  }

  rendezvous(cipher: Cipher): Rendezvous {
    const rendezvous = new RelayRendezvous({
      clients: this.#relays.map(({ client }) => client),
      cipher,
      clock: this.#options.clock,
      host: this.peerId,
      addresses: () => this.addresses(),
    });
    this.#rendezvous.add(rendezvous);
    return rendezvous;
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#rendezvous].map(async (rendezvous) => rendezvous.close()));
    await Promise.all([...this.#transports.values()].map(async (transport) => transport.close()));
    await Promise.all(this.#relays.map(async ({ client }) => client.close()));
    this.#connections.stop();
    // Goodbyes are on their way; give them a moment before the sockets close.
    await new Promise<void>((resolve) => {
      this.#options.clock.setTimeout(resolve, 20);
    });
    await this.#node.stop();
  }
}
