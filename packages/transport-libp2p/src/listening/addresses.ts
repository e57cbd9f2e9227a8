/** Addresses to listen on, and the names under which others know a listener. */
import { parseAddress } from '../host/addresses.ts';
import { socketUrl } from '../web-sockets/socket-url.ts';

/**
 * Multiaddrs to listen on; `ws://localhost` means this machine, for a name cannot be listened on.
 * With a certificate each of them is served by TLS, however it is written. Throws TypeError for an
 * address that cannot be read, and for `wss://` without a certificate.
 */
export function listenAddresses(given: readonly string[], isSecure: boolean): string[] {
  return given.map((text) => {
    const address = parseAddress(text);
    if (!isSecure && socketUrl(address)?.startsWith('wss:') === true) {
      throw new TypeError(
        `Cannot use address '${text}' to listen on without a certificate, wanted ws://`,
      );
    }
    return address.toString().replace('/dns/localhost/', '/ip4/127.0.0.1/');
  });
}

/** The hosts in `announced` addresses, as a URL writes them. */
export function namesOf(announced: readonly string[]): string[] {
  return announced.flatMap((text) => {
    const [machine] = parseAddress(text).getComponents();
    const { name, value } = machine ?? {};
    if (value === undefined || name === undefined) return [];
    return [name === 'ip6' ? `[${value}]` : value];
  });
}
