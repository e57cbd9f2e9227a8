/** Addresses as people give them, looked at where they enter: long before anything is dialled. */
import type { Kind } from './options.ts';

const form = 'ws://host[:port], wss://host[:port] or a multiaddr';

/** Where somebody is reached, or listens. */
export const address: Kind = { wanted: form, fits: (value) => isAddress(value) };

/** The same for a relay: behind `#` may stand the group that its register must be of. */
export const relayAddress: Kind = {
  wanted: `${form}, behind # perhaps a group of 32 hex digits`,
  fits: (value) => {
    const [first, group, ...rest] = (value instanceof URL ? value.href : String(value)).split('#');
    const fits = rest.length === 0 && (group === undefined || /^[0-9a-f]{32}$/.test(group));
    return fits && (typeof value === 'string' || value instanceof URL) && isAddress(first);
  },
};

function isAddress(text: unknown): boolean {
  if (typeof text !== 'string') return false;
  if (text.startsWith('/')) return multiaddr.test(text);
  // Host and port alone: nobody serves below a path, and a name or password would be lost.
  if (!url.test(text)) return false;
  try {
    return new URL(text).hostname !== '';
  } catch {
    return false;
  }
}

const multiaddr = /^\/(ip4|ip6|ip6zone|dns|dns4|dns6|dnsaddr|p2p)(\/[^\s/]+)+$/;
const url = /^wss?:\/\/[^\s/?#@]+\/?$/i;
