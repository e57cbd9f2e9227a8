/** Hosts in pages: WebSockets out, WebRTC between pages, and circuits through relays. */
import { patient, systemClock, systemRandom } from '@quorate/contracts';
import type { Clock, RandomBytes } from '@quorate/contracts';
import { createHost } from '../host/host.ts';
import type { Libp2pHost } from '../host/host.ts';
import type { LinkTiming } from '../host/options.ts';
import { readPrivateKey } from '../host/private-key.ts';
import type { KeptRelays } from '../host/relay-memory.ts';
import { webSocketsOver } from '../web-sockets/web-sockets.ts';
import { canDialFromPage } from './dialable.ts';

export type Libp2pHostOptions = KeptRelays & {
  /** `ws://host[:port]`, `wss://host[:port][#group]` or multiaddrs. Their group's register decides (Z9). */
  readonly relays: readonly string[];
  /**
   * STUN and TURN servers that WebRTC asks for ways through the networks between two pages. Default
   * none: pages of one network meet directly, others through a relay, and no third party hears of
   * anybody.
   */
  readonly iceServers?: readonly RTCIceServer[];
  /** False: no WebRTC; pages meet through a relay or a Node member. Default: wherever it exists. */
  readonly direct?: boolean;
  /** From `generatePrivateKey()`. Default: new, and so is the host. */
  readonly privateKey?: Uint8Array;
  readonly timing?: Partial<LinkTiming>;
  readonly clock?: Clock;
  readonly random?: RandomBytes;
};

/**
 * Starts the network of this page. Rejects with TypeError for an address that cannot be read. A
 * relay that is away is tried again for ever.
 */
export async function createLibp2pHost(options: Libp2pHostOptions): Promise<Libp2pHost> {
  return createHost({
    privateKey: await readPrivateKey(options.privateKey),
    // Z44: links judge by silence.
    clock: patient(options.clock ?? systemClock),
    random: options.random ?? systemRandom,
    listen: [],
    announce: [],
    relays: options.relays,
    reserve: true,
    webSockets: () => webSocketsOver({ connect: (url) => new WebSocket(url) }),
    createPeerConnection: peerConnections(options),
    canDial: (address) => canDialFromPage(address, location),
    knownRelays: options.knownRelays,
    ...(options.onRelays === undefined ? {} : { onRelays: options.onRelays }),
    ...(options.timing === undefined ? {} : { timing: options.timing }),
  });
}

/** Null where WebRTC is not wanted, or does not exist. */
function peerConnections(options: Libp2pHostOptions): (() => RTCPeerConnection) | null {
  if (options.direct === false || typeof RTCPeerConnection === 'undefined') return null;
  const iceServers = [...(options.iceServers ?? [])];
  return () => new RTCPeerConnection({ iceServers });
}
