/**
 * The relay: carries connections of hosts that cannot be dialled (circuit relay v2), lets hosts of
 * a namespace find each other, and, in a directory made with `init`, keeps the register.
 */
import '../node/polyfills.ts';
import type { CircuitRelayService } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import type { Identify } from '@libp2p/identify';
import { QuorateError, assert, systemClock } from '@quorate/contracts';
import type { Clock, VerifyRecord } from '@quorate/contracts';
import { address, relayAddress } from '@quorate/contracts/addresses';
import { listeningKinds } from '@quorate/contracts/listening';
import type { Metric } from '@quorate/contracts/metrics-text';
import {
  callback,
  flag,
  list,
  needed,
  object,
  takeOptions,
  text,
} from '@quorate/contracts/options';
import type { Kinds } from '@quorate/contracts/options';
import { createLibp2p } from 'libp2p';
import type { Connection, PeerId } from '@libp2p/interface';
import type { Libp2p } from 'libp2p';
import { parseAddress } from '../host/addresses.ts';
import { boundedNoise, boundedYamux } from '../host/bounded-stack.ts';
import { forgetAbsentPeers } from '../host/connections.ts';
import { connectionGater, connectionManager } from '../host/host.ts';
import { listenAddresses, namesOf } from '../listening/addresses.ts';
import { Listening } from '../listening/listening.ts';
import type { ListeningLimits, ListeningOptions } from '../listening/listening.ts';
import { sourceOf as networkOf } from '../listening/source.ts';
import { nodeWebSockets } from '../node/web-sockets.ts';
import { generatePrivateKey, readPrivateKey } from '../host/private-key.ts';
import { counterIn, groupOf, readCertificate } from '../wire/certificate.ts';
import { relayProtocol } from '../wire/relay-messages.ts';
import type { Answer, Greeting } from '../wire/relay-messages.ts';
import { Budget } from './budget.ts';
import type { Source } from './budget.ts';
import { boundedCircuitServer } from './circuits.ts';
import type { Tolls } from './circuits.ts';
import { serveControl } from './control.ts';
import type { ReleaseAnswer, ReleaseRequest } from './control.ts';
import { RelayDirectory } from './directory.ts';
import type { RelayIdentity } from './directory.ts';
import { GroupProof } from './group-proof.ts';
import { carriedShares, costs, takeLimits, workShares } from './limits.ts';
import type { RelayLimits } from './limits.ts';
import { MeetingPoint } from './meeting-point.ts';
import { refuseSecondGroup } from './other-relays.ts';
import { PausableStream } from './pausable-stream.ts';
import { RegisterFiles } from './register-files.ts';
import { RegisterStore } from './register-store.ts';
import { RememberedChecks } from './remembered-checks.ts';
import { Reservations } from './reservations.ts';
import { ServedTopics, topic } from './served-topics.ts';
import { RelaySession } from './session.ts';
import { Turns } from './turns.ts';

export type RelayOptions = Omit<ListeningOptions, 'limits'> & {
  readonly limits?: Partial<ListeningLimits & RelayLimits>;
  /** Where key, group and register live. Required unless `ephemeral`. */
  readonly directory?: string;
  /** Nothing is kept: a new key, and with `init` a new and empty register, at each start. */
  readonly ephemeral?: boolean;
  /** Addresses to listen on: multiaddrs, or `ws://host:port`. Default `/ip4/127.0.0.1/tcp/7700/ws`. */
  readonly listen?: readonly string[];
  /** Addresses to tell others instead of those listened on. */
  readonly announce?: readonly string[];
  /** Makes the directory one that decides (Z11); where it does already, nothing changes. */
  readonly init?: boolean;
  /**
   * No cluster of this register can be alive: a register that was just made, or holds nothing yet,
   * takes first claims at once. Otherwise it refuses them for 7 s, so that members of a cluster whose
   * register was lost are announced before somebody founds beside them (Z58).
   */
  readonly fresh?: boolean;
  /** Other relays of the lists that members are given: while one of them is of a group, `init` makes none. */
  readonly peers?: readonly string[];
  /** Topics of the namespaces that it serves, of 64 hex digits; others hear `NOT_ALLOWED`. Default: all. */
  readonly allow?: readonly string[];
  /** Checks signatures; from the crypto package. */
  readonly verify: VerifyRecord;
  readonly onEvent?: (event: RelayEvent) => void;
  readonly clock?: Clock;
};

export type RelayEvent =
  | { readonly type: 'listening'; readonly addresses: readonly string[] }
  /** `group` is null for a relay that only carries traffic; `lost` says why a register is gone. */
  | {
      readonly type: 'register';
      readonly group: string | null;
      readonly lost: string | null;
      /** For so long from now it takes no first claim (Z58). */
      readonly heldMs: number;
    }
  /** A host showed that the register was put back to an earlier state; see `isIncomplete`. */
  | { readonly type: 'reverted'; readonly message: string }
  | { readonly type: 'stopped' };

export interface Relay {
  readonly peerId: string;
  readonly group: string | null;
  /** Why its register is lost (Z11); null when it is not. */
  readonly lost: string | null;
  /**
   * The register was put back to an earlier state, and may have forgotten namespaces: of those that it
   * does not know it says `REGISTER_LOST`, until a member writes them back or a person says that nothing is missing.
   */
  readonly isIncomplete: boolean;
  /** Connections that ended because of what the other side sent on them. */
  readonly brokenConnections: number;
  /** How long first claims are refused from its start on, in milliseconds (Z58). */
  readonly heldMs: number;
  addresses(): readonly string[];
  /**
   * Serves these topics from now on, null: all. What the register holds of others stays there. Throws
   * TypeError for what is no topic.
   */
  allow(topics: readonly string[] | null): void;
  /** Finishes what it is writing, then stops. Idempotent. */
  close(): Promise<void>;
}

export const revertedMessage: string =
  'The register was put back to an earlier state: namespaces founded since are not in it. Their members ' +
  'write them back (quorate register restore); when all are there, quorate register complete --data DIR';
/** How often peers that have no connection any more are forgotten. */
const forgetMs = 10_000;
/** Longer than members take to come back (RelayClient's attempts), and to be announced. */
const firstClaimsWaitMs = 7_000;
const streamsPerConnectionMax = 4;
/** Carried bytes are counted in pieces of this: for each small frame it would be a tenth of its cost. */
const paidBytes = 16 * 1024;

/**
 * Starts a relay. Errors: `UNREACHABLE` where it cannot listen, `STORAGE_LOCKED` for a directory in
 * use, `STORAGE_CORRUPT` for one that cannot be read, `CONFLICT` where `init` would make a second group. A lost register is no error: the relay
 * carries traffic, refuses claims with `REGISTER_LOST`, and says so.
 */
export async function startRelay(given: RelayOptions): Promise<Relay> {
  const options = takeOptions(given, kinds, 'start a relay') as RelayOptions;
  const path = options.directory;
  if (options.ephemeral !== true && path === undefined) {
    throw new TypeError('Cannot start a relay: no directory, wanted one or ephemeral: true');
  }
  const directory =
    options.ephemeral === true || path === undefined ? null : new RelayDirectory(path);
  try {
    const isToMake = options.init === true && (await directory?.hasGroup()) !== true;
    if (isToMake) await refuseSecondGroup(options.peers ?? []);
    const identity =
      directory === null
        ? await ephemeralIdentity(options.init === true)
        : await directory.open(options.init === true);
    const relay = new RunningRelay(options, identity, directory);
    await relay.start();
    return relay;
  } catch (error) {
    await directory?.close();
    throw error;
  }
}

const kinds: Kinds = {
  ...listeningKinds,
  limits: object,
  directory: text,
  ephemeral: flag,
  listen: list(address),
  announce: list(address),
  init: flag,
  fresh: flag,
  peers: list(relayAddress),
  allow: list(topic),
  verify: needed(callback),
  onEvent: callback,
  clock: object,
};

type RelayServices = { readonly identify: Identify; readonly relay: CircuitRelayService };

class RunningRelay implements Relay {
  readonly group: string | null;
  readonly #options: RelayOptions;
  readonly #limits: RelayLimits;
  readonly #identity: RelayIdentity;
  readonly #directory: RelayDirectory | null;
  readonly #clock: Clock;
  readonly #meetingPoint: MeetingPoint;
  readonly #served: ServedTopics;
  readonly #sessions = new Set<RelaySession>();
  readonly #listening: Listening;
  readonly #checks: RememberedChecks;
  readonly #work: Budget;
  readonly #carried: Budget;
  #carriedBytes = 0;
  readonly #turns: Turns;
  #store: RegisterStore | null;
  #proof: GroupProof | null = null;
  #lost: string | null;
  #heldMs = 0;
  #node: Libp2p<RelayServices> | null = null;
  #reservations: Reservations | null = null;
  #cancelForgetting: () => void = () => {};
  #closed: Promise<void> | null = null;

  constructor(options: RelayOptions, identity: RelayIdentity, directory: RelayDirectory | null) {
    this.#options = options;
    const { listening, relaying } = takeLimits(options.limits);
    this.#limits = relaying;
    this.#identity = identity;
    this.#directory = directory;
    this.#clock = options.clock ?? systemClock;
    this.#meetingPoint = new MeetingPoint(this.#clock, relaying);
    this.#served = new ServedTopics(options.allow);
    this.#checks = new RememberedChecks(options.verify);
    this.#work = new Budget(workShares(relaying), () => this.#clock.now());
    this.#carried = new Budget(carriedShares(relaying), () => this.#clock.now());
    this.#turns = new Turns((callback) => this.#clock.defer(callback));
    this.#listening = new Listening(
      { ...options, limits: listening },
      {
        names: namesOf(options.announce ?? []),
        clock: this.#clock,
        sentence: 'This is a Quorate relay, where members of clusters meet.',
        metrics: () => this.#metrics(),
      },
    );
    this.group = identity.group;
    this.#lost = identity.lost;
    this.#store =
      identity.group === null || identity.lost !== null
        ? null
        : new RegisterStore({
            disk: directory === null ? null : new RegisterFiles(directory.registerPath),
            verify: this.#checks.verify,
            limits: relaying,
            clock: this.#clock,
            isAnnounced: (topic) => this.#meetingPoint.list(topic).length > 0,
          });
  }

  get lost(): string | null {
    return this.#lost;
  }

  get heldMs(): number {
    return this.#heldMs;
  }

  get isIncomplete(): boolean {
    return this.#store?.isIncomplete ?? false;
  }

  get peerId(): string {
    assert(this.#node !== null, 'a relay that was handed out has started');
    return this.#node.peerId.toString();
  }

  get brokenConnections(): number {
    return this.#listening.broken;
  }

  addresses(): readonly string[] {
    return this.#closed === null
      ? (this.#node?.getMultiaddrs() ?? []).map((address) => address.toString())
      : [];
  }

  allow(topics: readonly string[] | null): void {
    this.#served.change(topics);
    this.#meetingPoint.keep((one) => this.#served.serves(one));
  }

  async start(): Promise<void> {
    try {
      await this.#load();
      await this.#listen();
    } catch (error) {
      this.#meetingPoint.close();
      throw error;
    }
    this.#options.onEvent?.({ type: 'listening', addresses: this.addresses() });
    const damaged = this.#store?.damagedTopics.length ?? 0;
    const lost = this.lost ?? (damaged === 0 ? null : `${damaged} files cannot be read`);
    const { group, heldMs } = this;
    this.#options.onEvent?.({ type: 'register', group, lost, heldMs });
    this.#hold();
    const directory = this.#directory;
    if (directory !== null) {
      directory.onAsked = (socket) =>
        serveControl(socket, {
          release: (request) => this.#release(request),
          complete: async () => (await this.#store?.complete()) ?? false,
        });
    }
  }

  async #load(): Promise<void> {
    const store = this.#store;
    if (store === null) return;
    this.#lost = await store.load();
    if (this.#lost !== null) this.#store = null;
    const isNew = this.#identity.made || store.isEmpty;
    if (this.#lost === null && isNew && this.#options.fresh !== true)
      this.#heldMs = firstClaimsWaitMs;
    this.#hold();
  }

  #hold(): void {
    if (this.#heldMs > 0) this.#store?.holdFirstClaims(this.#clock.now() + this.#heldMs);
  }

  async #release({ topic, force }: ReleaseRequest): Promise<ReleaseAnswer> {
    const announced = this.#meetingPoint.list(topic).length;
    if (announced > 0 && !force) return { released: false, announced };
    const released = (await this.#store?.release(topic)) ?? false;
    if (announced > 0) this.#meetingPoint.forget(topic);
    return { released: released || announced > 0, announced };
  }

  async close(): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #listen(): Promise<void> {
    const { listen: given = ['/ip4/127.0.0.1/tcp/7700/ws'], certificate } = this.#options;
    const listen = listenAddresses(given, certificate !== undefined);
    const announce = (this.#options.announce ?? []).map((text) => parseAddress(text).toString());
    try {
      this.#node = await createLibp2p({
        privateKey: await readPrivateKey(this.#identity.privateKey),
        addresses: { listen, announce },
        transports: [nodeWebSockets(undefined, this.#listening)],
        connectionEncrypters: [boundedNoise()],
        streamMuxers: [boundedYamux()],
        connectionGater: {
          ...connectionGater((peer, connection) => this.#listening.turnsAway(peer, connection)),
          denyInboundRelayReservation: (peer) => !this.#takes(peer, costs.place),
          denyOutboundRelayedConnection: (from, to) =>
            !this.#isAnnounced(to.toString()) || !this.#takes(from, costs.circuit),
        },
        connectionManager,
        connectionMonitor: { enabled: false },
        services: {
          identify: identify(),
          relay: boundedCircuitServer(
            {
              maxInboundHopStreams: this.#limits.circuitsPerPeer,
              maxOutboundHopStreams: this.#limits.circuitsPerPeer,
              maxOutboundStopStreams: this.#limits.circuitsPerPeer,
              // With the default limit a relayed connection would end after 2 minutes or 128 KiB.
              reservations: { applyDefaultLimit: false, maxReservations: this.#limits.places },
            },
            this.#tolls(),
          ),
        },
      });
    } catch (cause) {
      throw new QuorateError(
        'UNREACHABLE',
        `Cannot listen on ${listen.join(', ')}: the address is taken or not of this machine`,
        { cause },
      );
    }
    this.#keepForgetting(this.#node);
    this.#keepReservations(this.#node);
    await this.#startProving(this.#node.peerId.toString());
    await this.#node.handle(
      relayProtocol,
      (stream, connection) => {
        const source = sourceOf(connection);
        if (!this.#work.take(source, costs.session)) {
          stream.abort(new Error('More work was asked for than its share'));
          return;
        }
        const session = new RelaySession({
          stream: new PausableStream(stream),
          host: source.peer,
          address: source.address,
          greeting: this.#greeting(),
          store: this.#store,
          refusal: this.#refusal(),
          meetingPoint: this.#meetingPoint,
          served: this.#served,
          receipt: async () => (await this.#proof?.current()) ?? null,
          shown: async (receipt) => this.#shown(receipt),
          checks: this.#checks,
          budget: this.#work,
          turns: this.#turns,
          clock: this.#clock,
          mayWait: (bytes) =>
            this.#unsentBytes(source.address) + bytes <= this.#limits.unsentBytesPerAddress,
          onAnnounced: () => this.#reservations?.announced(connection.remotePeer),
          onEnd: () => this.#sessions.delete(session),
        });
        this.#sessions.add(session);
      },
      { maxInboundStreams: streamsPerConnectionMax },
    );
  }

  async #startProving(peer: string): Promise<void> {
    const { groupKey } = this.#identity;
    if (groupKey === null) return;
    this.#proof = new GroupProof({
      groupKey: await readPrivateKey(groupKey),
      ...{ peer, clock: this.#clock, counter: () => this.#store?.revision ?? 0 },
      onRenewed: () => {
        for (const session of [...this.#sessions]) session.greet(this.#greeting());
      },
    });
    await this.#proof.start();
  }

  /** A host has seen that the register had come further than it is: it was put back (Z53). */
  async #shown(receipt: Uint8Array): Promise<void> {
    const store = this.#store;
    const named = counterIn(receipt);
    if (store === null || named === null || named <= store.revision) return;
    const seen = await readCertificate(receipt);
    if (seen === null || seen.group !== this.group) return;
    if (!(await store.revert(seen.counter))) return;
    await this.#proof?.renew();
    this.#options.onEvent?.({ type: 'reverted', message: revertedMessage });
  }

  #tolls(): Tolls {
    return {
      of: (connection) => {
        const source = sourceOf(connection);
        let unpaidBytes = 0;
        return {
          pay: (bytes) => {
            this.#carriedBytes += bytes;
            unpaidBytes += bytes;
            if (unpaidBytes < paidBytes) return false;
            this.#carried.charge(source, unpaidBytes);
            unpaidBytes = 0;
            return true;
          },
          debtMs: () => this.#carried.debtMs(source),
        };
      },
      setTimeout: (callback, delayMs) => this.#clock.setTimeout(callback, delayMs),
    };
  }

  #unsentBytes(address: string): number {
    let bytes = 0;
    for (const session of this.#sessions) {
      if (session.address === address) bytes += session.unsentBytes;
    }
    return bytes;
  }

  #isAnnounced(host: string): boolean {
    for (const session of this.#sessions) {
      if (session.host === host && session.isAnnounced) return true;
    }
    return false;
  }

  /** Whether there is work left for a host that is connected. */
  #takes(peer: PeerId, units: number): boolean {
    const [connection] = this.#node?.getConnections(peer) ?? [];
    return connection !== undefined && this.#work.take(sourceOf(connection), units);
  }

  #keepReservations(node: Libp2p<RelayServices>): void {
    this.#reservations = new Reservations({
      node,
      service: node.services.relay,
      placesMax: this.#limits.places,
      announced: () => {
        const announced = [...this.#sessions].filter(({ isAnnounced }) => isAnnounced);
        return new Set(announced.map(({ host }) => host));
      },
      clock: this.#clock,
      heardAt: () => {
        const heard = new Map<string, number>();
        for (const { host, heardAt } of this.#sessions) {
          heard.set(host, Math.max(heardAt, heard.get(host) ?? 0));
        }
        return heard;
      },
    });
  }

  #keepForgetting(node: Libp2p): void {
    void forgetAbsentPeers(node);
    this.#cancelForgetting = this.#clock.setTimeout(() => this.#keepForgetting(node), forgetMs);
  }

  #metrics(): Metric[] {
    const gauge = (name: string, help: string, value: number): Metric => {
      return { name, type: 'gauge', help, samples: [[{}, value]] };
    };
    const isLost = this.lost === null ? 0 : 1;
    return [
      gauge('relay_sessions', 'Hosts that talk to this relay.', this.#sessions.size),
      gauge(
        'relay_reservations',
        'Hosts that can be reached through this relay.',
        this.#reservations?.count ?? 0,
      ),
      {
        name: 'relay_carried_bytes_total',
        type: 'counter',
        help: 'Bytes that hosts sent each other through this relay.',
        samples: [[{}, this.#carriedBytes]],
      },
      {
        name: 'relay_overloaded_total',
        type: 'counter',
        help: 'Requests, places and circuits refused to hosts that asked for more than their share.',
        samples: [[{}, this.#work.refused]],
      },
      gauge('relay_decides', '1 if this relay keeps a register.', this.#store === null ? 0 : 1),
      gauge('relay_register_lost', '1 if its register is lost.', isLost),
      gauge(
        'relay_register_incomplete',
        '1 if its register was put back to an earlier state.',
        this.isIncomplete ? 1 : 0,
      ),
    ];
  }

  #greeting(): Greeting {
    const certificate = this.#proof?.certificate ?? null;
    return { type: 'greeting', group: this.group, registerLost: this.lost !== null, certificate };
  }

  /** What a claim hears where there is no register. */
  #refusal(): Extract<Answer, { type: 'error' }> {
    if (this.lost !== null) {
      const message = 'Cannot decide: this relay lost its register, wanted it restored by a person';
      return { type: 'error', id: 0, code: 'REGISTER_LOST', message };
    }
    const message =
      'Cannot decide: this relay only carries traffic, wanted one started once with --init';
    return { type: 'error', id: 0, code: 'FORMATION_WAITING', message };
  }

  async #close(): Promise<void> {
    this.#meetingPoint.close();
    this.#proof?.stop();
    this.#cancelForgetting();
    this.#reservations?.close();
    for (const session of [...this.#sessions]) session.close();
    await this.#store?.settle();
    await this.#node?.stop();
    await this.#directory?.close();
    this.#options.onEvent?.({ type: 'stopped' });
  }
}

/** Programs of this machine, and of whatever forwards to it, are counted by their peer alone. */
function sourceOf({ remoteAddr, remotePeer }: Connection): Source {
  const peer = remotePeer.toString();
  const [network] = remoteAddr.getComponents();
  return { peer, address: networkOf(network?.value ?? '') ?? peer };
}

async function ephemeralIdentity(init: boolean): Promise<RelayIdentity> {
  const groupKey = init ? await generatePrivateKey() : null;
  const group = groupKey === null ? null : groupOf(await readPrivateKey(groupKey));
  return { privateKey: await generatePrivateKey(), groupKey, group, lost: null, made: init };
}
