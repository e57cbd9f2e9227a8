/** Addresses as people write them on a command line. */
import { relayAddress } from '@quorate/contracts/addresses';
import { UsageError } from './flags.ts';

/** Where to reach somebody: `HOST:PORT` means `ws://HOST:PORT`; URLs and multiaddrs stay. */
export function dialAddress(text: string): string {
  const complete = hostAndPort.test(text) ? `ws://${text}` : text;
  // Behind # may stand a relay's group.
  if (!relayAddress.fits(complete)) throw badAddress(text);
  return complete;
}

/** Where to listen: like the above, and a port alone means all interfaces. */
export function listenAddress(text: string): string {
  if (/^:?\d{1,5}$/.test(text)) return `ws://0.0.0.0:${text.replace(':', '')}`;
  // A name would have to be looked up first; this one everybody knows.
  return dialAddress(text).replace(/^(wss?:\/\/)localhost(?=:|$)/, '$1127.0.0.1');
}

/** Whether only programs of this machine are there. */
export function isHere(address: string): boolean {
  return /^(wss?:\/\/(localhost|127\.\d+\.\d+\.\d+|\[::1\])(?=[:/#]|$)|\/ip4\/127\.|\/ip6\/::1\/|\/dns[46]?\/localhost\/)/.test(
    address,
  );
}

function badAddress(text: string): UsageError {
  return new UsageError(
    `Cannot use the address ${JSON.stringify(text)}: wanted HOST:PORT, ws://HOST:PORT, wss://HOST or a multiaddr`,
  );
}

const hostAndPort = /^(\[[0-9a-f:.]+\]|[^:/[\]\s]+):\d{1,5}$/i;
