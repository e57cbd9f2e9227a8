/** Who is behind a connection, as far as an address tells: what bounds are counted by. */
import { BlockList, isIP } from 'node:net';
import type { IncomingMessage } from 'node:http';

/**
 * The source that an address stands for: an IPv4 address, or the /64 of an IPv6 one, since a single
 * machine has all of that. Null for the loopback, which tells programs of this machine from nobody.
 */
export function sourceOf(address: string): string | null {
  const plain = withoutMapping(address);
  if (isLoopback(plain)) return null;
  return isIP(plain) === 6 ? `${expand(plain).slice(0, 4).join(':')}::/64` : plain;
}

/** Proxies whose word on whom they carry is taken. Immutable. */
export class TrustedProxies {
  readonly #list = new BlockList();
  readonly isEmpty: boolean;

  /** `ranges`: addresses, or ranges such as `10.0.0.0/8`; as the kind `addressRange` takes them. */
  constructor(ranges: readonly string[]) {
    this.isEmpty = ranges.length === 0;
    for (const range of ranges) {
      const [address = '', bits] = range.split('/');
      const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
      this.#list.addSubnet(address, Number(bits ?? (family === 'ipv6' ? 128 : 32)), family);
    }
  }

  has(address: string): boolean {
    const plain = withoutMapping(address);
    const version = isIP(plain);
    return version !== 0 && this.#list.check(plain, version === 6 ? 'ipv6' : 'ipv4');
  }

  /**
   * Whose request this is. Each proxy appends to `X-Forwarded-For` whom it was called by, and a client
   * may have begun the list with anything: so the last one that is no trusted proxy counts.
   */
  clientOf(request: IncomingMessage, peer: string): string {
    let client = peer;
    const named = forwardedFor(request).reverse();
    for (const next of named) {
      if (!this.has(client) || isIP(next) === 0) break;
      client = next;
    }
    return withoutMapping(client);
  }
}

/** Whether a proxy wrote this request, or passed it on. */
export function isForwarded({ headers }: IncomingMessage): boolean {
  return ['x-forwarded-for', 'forwarded', 'via', 'x-real-ip'].some((name) => name in headers);
}

export function isLoopback(address: string): boolean {
  const plain = withoutMapping(address);
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

function forwardedFor({ headers }: IncomingMessage): string[] {
  const value = headers['x-forwarded-for'] ?? [];
  const text = typeof value === 'string' ? value : value.join(',');
  return text
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== '')
    .map((one) => /^\[([^\]]+)\](?::\d+)?$/.exec(one)?.[1] ?? one)
    .map((one) => /^(\d+\.\d+\.\d+\.\d+):\d+$/.exec(one)?.[1] ?? one);
}

/** An IPv4 address as a socket for both families shows it: `::ffff:192.0.2.1`. */
function withoutMapping(address: string): string {
  const [bare = ''] = address.split('%');
  return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)?.[1] ?? bare;
}

/** The eight groups of an IPv6 address, the four of a trailing IPv4 address left as they are. */
function expand(address: string): string[] {
  const [head = '', tail] = address.toLowerCase().split('::');
  const groups = (text: string): string[] => (text === '' ? [] : text.split(':'));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const missing = tail === undefined ? 0 : Math.max(0, 8 - before.length - after.length);
  const zeros = new Array<string>(missing).fill('0');
  return [...before, ...zeros, ...after].map((group) => group.replace(/^0+(?=.)/, ''));
}
