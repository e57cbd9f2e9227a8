/** Hosts in Node: WebSockets in and out, and circuits through relays. */
import './polyfills.ts';
import { patient, systemClock, systemRandom } from '@quorate/contracts';
import type { Clock, RandomBytes } from '@quorate/contracts';
import { createHost } from '../host/host.ts';
import type { Libp2pHost } from '../host/host.ts';
import type { LinkTiming } from '../host/options.ts';
import { readPrivateKey } from '../host/private-key.ts';
import { nodeWebSockets } from './web-sockets.ts';

export type Libp2pHostOptions = {
  /** From `generatePrivateKey()`, kept by the caller: a member stays the same host. Default: new. */
  readonly privateKey?: Uint8Array;
  /** Addresses to listen on, such as `/ip4/0.0.0.0/tcp/7900/ws` or `ws://127.0.0.1:0`. Default none. */
  readonly listen?: readonly string[];
  /** Addresses to tell others instead of those listened on. */
  readonly announce?: readonly string[];
  /** `ws://host[:port]`, `wss://host[:port][#group]` or multiaddrs. The first one's register decides (Z9). */
  readonly relays?: readonly string[];
  /** False: not reachable through relays. Default true. */
  readonly reserve?: boolean;
  readonly timing?: Partial<LinkTiming>;
  readonly clock?: Clock;
  readonly random?: RandomBytes;
};

/**
 * Starts the network of this process. Rejects with `UNREACHABLE` where it cannot listen, with
 * TypeError for an address that cannot be read. A relay that is away is tried again for ever.
 */
export async function createLibp2pHost(options: Libp2pHostOptions = {}): Promise<Libp2pHost> {
  return createHost({
    privateKey: await readPrivateKey(options.privateKey),
    // Z44: links judge by silence.
    clock: patient(options.clock ?? systemClock),
    random: options.random ?? systemRandom,
    listen: options.listen ?? [],
    announce: options.announce ?? [],
    relays: options.relays ?? [],
    reserve: options.reserve ?? true,
    webSockets: nodeWebSockets,
    createPeerConnection: null,
    canDial: () => true,
    ...(options.timing === undefined ? {} : { timing: options.timing }),
  });
}
