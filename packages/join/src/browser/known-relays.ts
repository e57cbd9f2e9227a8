/**
 * What a browser profile remembers of relays, for all namespaces of an origin. Where pages may keep
 * nothing, each meets its relays as if for the first time.
 */
import type { Libp2pHostOptions } from '@quorate/transport-libp2p/browser';

export function knownRelays(
  place: () => Pick<Storage, 'getItem' | 'setItem'> = () => localStorage,
): Pick<Libp2pHostOptions, 'knownRelays' | 'onRelays'> {
  return {
    knownRelays: quietly((): unknown => JSON.parse(place().getItem(name) ?? 'null')),
    onRelays: (records) => quietly(() => place().setItem(name, JSON.stringify(records))),
  };
}

/** A sandboxed frame has storage that throws at every touch; and anybody of the origin writes there. */
function quietly<T>(run: () => T): T | null {
  try {
    return run();
  } catch {
    return null;
  }
}

const name = 'quorate relays';
