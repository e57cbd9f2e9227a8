/** Addresses: multiaddrs, and the two forms of URL that people write. */
import { multiaddr } from '@multiformats/multiaddr';
import type { Multiaddr } from '@multiformats/multiaddr';
import type { LinkKind } from '@quorate/contracts';
import { address, relayAddress } from '@quorate/contracts/addresses';
import { checkValue } from '@quorate/contracts/options';

export type RelayAddress = {
  readonly text: string;
  readonly multiaddr: Multiaddr;
  /** The register group that the application pinned with `#…`. */
  readonly group: string | null;
};

/**
 * Reads `ws://host[:port]`, `wss://host[:port]` or a multiaddr. Throws TypeError for anything else.
 */
export function parseAddress(text: string): Multiaddr {
  if (text.startsWith('/')) {
    try {
      return multiaddr(text);
    } catch (cause) {
      throw new TypeError(`Cannot read address '${text}', wanted a multiaddr`, { cause });
    }
  }
  checkValue(text, address, 'read address', 'it');
  const url = new URL(text);
  const secure = url.protocol === 'wss:';
  const port = url.port === '' ? (secure ? '443' : '80') : url.port;
  return multiaddr(`/${hostPart(url.hostname)}/tcp/${port}/${secure ? 'tls/ws' : 'ws'}`);
}

/** Reads the address of a relay; behind `#` may stand the group that its register must be of. */
export function parseRelay(text: string): RelayAddress {
  checkValue(text, relayAddress, 'read relay', 'it');
  const [place = '', group = null] = text.split('#');
  return { text: place, multiaddr: parseAddress(place), group };
}

/** Multiaddrs that can be read; a hint that cannot is worth nothing. */
export function readable(addresses: readonly string[]): Multiaddr[] {
  return addresses.flatMap((address) => {
    try {
      return [parseAddress(address)];
    } catch {
      return [];
    }
  });
}

/** Whether a relay carries what is sent there. It only introduces those that meet by WebRTC. */
export function isRelayed(address: Multiaddr): boolean {
  return address.toString().includes('/p2p-circuit') && !isWebRtc(address);
}

/** A host behind a relay that answers WebRTC: `…/p2p-circuit/webrtc[/p2p/…]`. */
export function isWebRtc(address: Multiaddr): boolean {
  return /\/p2p-circuit\/webrtc(\/|$)/.test(address.toString());
}

/** The relayed address that a WebRTC address is met at. */
export function withoutWebRtc(address: string): string {
  return address.replace('/p2p-circuit/webrtc', '/p2p-circuit');
}

export function withWebRtc(relayed: string): string {
  return relayed.replace('/p2p-circuit', '/p2p-circuit/webrtc');
}

export function kindOf(remote: Multiaddr): LinkKind {
  const text = remote.toString();
  if (isWebRtc(remote)) return 'webrtc';
  if (text.includes('/p2p-circuit')) return 'relayed';
  if (/\/wss?(\/|$)/.test(text)) return 'websocket';
  return 'tcp';
}

function hostPart(hostname: string): string {
  if (hostname.startsWith('[')) return `ip6/${hostname.slice(1, -1)}`;
  if (/^\d+\.\d+\.\d+\.\d+$/.test(hostname)) return `ip4/${hostname}`;
  return `dns/${hostname}`;
}
