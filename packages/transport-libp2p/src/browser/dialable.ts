/**
 * Which addresses a page may dial. A page from the network does not try the machine it is shown on:
 * nobody of its cluster listens there, and browsers ask the person for leave first.
 */

/** The part of `location` that matters. */
export type PagePlace = { readonly protocol: string; readonly hostname: string };

/** Whether a page at `place` dials a direct address (a multiaddr). */
export function canDialFromPage(address: string, place: PagePlace): boolean {
  if (!/\/wss?(\/|$)/.test(address)) return false;
  const isLocalPage = isLoopback(place.hostname);
  if (isLoopbackAddress(address)) return isLocalPage;
  // A secure page is not let open a socket in clear.
  const isSecure = /\/(tls|wss)(\/|$)/.test(address);
  return isSecure || place.protocol !== 'https:' || isLocalPage;
}

function isLoopbackAddress(address: string): boolean {
  const host = /^\/(?:ip4|ip6|dns|dns4|dns6)\/([^/]+)/.exec(address)?.[1] ?? '';
  return isLoopback(host);
}

function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  return (
    name === 'localhost' || name.endsWith('.localhost') || name === '::1' || /^127\./.test(name)
  );
}
