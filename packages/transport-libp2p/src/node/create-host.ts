/** Hosts in Node: WebSockets in and out, and circuits through relays. */
import './polyfills.ts';
import { patient, systemClock, systemRandom } from '@quorate/contracts';
import type { Clock, RandomBytes } from '@quorate/contracts';
import { createHost } from '../host/host.ts';
import type { Libp2pHost } from '../host/host.ts';
import type { LinkTiming } from '../host/options.ts';
import { readPrivateKey } from '../host/private-key.ts';
import type { KeptRelays } from '../host/relay-memory.ts';
import { listenAddresses, namesOf } from '../listening/addresses.ts';
import { Listening } from '../listening/listening.ts';
import type { ListeningOptions } from '../listening/listening.ts';
import { nodeWebSockets } from './web-sockets.ts';

export type Libp2pHostOptions = ListeningOptions &
  KeptRelays & {
    /** From `generatePrivateKey()`, kept by the caller: a member stays the same host. Default: new. */
    readonly privateKey?: Uint8Array;
    /** Addresses to listen on, such as `/ip4/0.0.0.0/tcp/7900/ws` or `ws://127.0.0.1:0`. Default none. */
    readonly listen?: readonly string[];
    /** Addresses to tell others instead of those listened on. */
    readonly announce?: readonly string[];
    /** `ws://host[:port]`, `wss://host[:port][#group]` or multiaddrs. Their group's register decides (Z9). */
    readonly relays?: readonly string[];
    /** False: not reachable through relays. Default true. */
    readonly reserve?: boolean;
    readonly timing?: Partial<LinkTiming>;
    readonly clock?: Clock;
    readonly random?: RandomBytes;
  };

/**
 * Starts the network of this process. Rejects with `UNREACHABLE` where it cannot listen, with
 * TypeError for an address that cannot be read, or served without a certificate. A relay that is away is tried again for ever.
 */
export async function createLibp2pHost(options: Libp2pHostOptions = {}): Promise<Libp2pHost> {
  const { announce = [], certificate } = options;
  // Z44: links judge by silence.
  const clock = patient(options.clock ?? systemClock);
  const listening = new Listening(options, { names: namesOf(announce), clock });
  return createHost({
    privateKey: await readPrivateKey(options.privateKey),
    clock,
    random: options.random ?? systemRandom,
    listen: listenAddresses(options.listen ?? [], certificate !== undefined),
    announce,
    relays: options.relays ?? [],
    reserve: options.reserve ?? true,
    webSockets: (onBroken) => nodeWebSockets(onBroken, listening),
    turnsAway: (peer, connection) => listening.turnsAway(peer, connection),
    createPeerConnection: null,
    canDial: () => true,
    knownRelays: options.knownRelays,
    ...(options.onRelays === undefined ? {} : { onRelays: options.onRelays }),
    ...(options.timing === undefined ? {} : { timing: options.timing }),
  });
}
