/** Which multiaddrs are WebSockets, and the URL that each stands for. */
import type { Multiaddr } from '@multiformats/multiaddr';

/**
 * The URL of `/…/tcp/port/ws`, `/…/tcp/port/wss` or `/…/tcp/port/tls[/sni/name]/ws`, with or without
 * the peer behind it; null for every other address.
 */
export function socketUrl(address: Multiaddr): string | null {
  const [machine, tcp, ...rest] = address.getComponents();
  if (machine === undefined || !machines.has(machine.name) || tcp?.name !== 'tcp') return null;
  if (rest.at(-1)?.name === 'p2p') rest.pop();
  const words = rest.map(({ name }) => name).join('/');
  if (!wordings.has(words)) return null;
  const sni = rest.find(({ name }) => name === 'sni')?.value;
  const host = machine.name === 'ip6' ? `[${machine.value ?? ''}]` : (machine.value ?? '');
  return `${words === 'ws' ? 'ws' : 'wss'}://${sni ?? host}:${tcp.value ?? ''}`;
}

/** Whether a listener without a certificate can be there. */
export function isPlain(address: Multiaddr): boolean {
  return socketUrl(address)?.startsWith('ws:') === true;
}

const machines: ReadonlySet<string> = new Set(['ip4', 'ip6', 'dns', 'dns4', 'dns6']);
const wordings: ReadonlySet<string> = new Set(['ws', 'wss', 'tls/ws', 'tls/sni/ws']);
