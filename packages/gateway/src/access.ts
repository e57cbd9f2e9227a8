/**
 * Who may talk to a gateway. A page anywhere on the web can make a browser send requests to a
 * loopback port, directly or by rebinding a name to 127.0.0.1: so a request must name a host that is
 * known to be this gateway, and, where it comes from a page, an origin that was allowed. Beyond
 * loopback, and wherever tokens are configured, it must carry one of them.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

export type AccessOptions = {
  /** The address the gateway was told to listen on, without port. */
  readonly bindHost: string;
  /**
   * Further names it is reached by and pages that may use it: `https://app.example.com` allows that
   * origin and that host, `db.internal` or `db.internal:7801` that host.
   */
  readonly cors: readonly string[];
  /** Accepted bearer tokens; none: no token is asked for (loopback only). */
  readonly tokens: readonly string[];
};

export type Refusal = {
  readonly status: 401 | 403;
  readonly code: 'UNAUTHORIZED';
  readonly message: string;
};

/** Decides on requests by their headers alone. Immutable. */
export class Access {
  readonly #hosts: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;
  readonly #tokenHashes: readonly Buffer[];

  /** Throws `TypeError` for a `cors` entry that is neither origin nor host, or a short token. */
  constructor(options: AccessOptions) {
    const hosts = new Set(['localhost', '127.0.0.1', '[::1]', bracketed(options.bindHost)]);
    const origins = new Set<string>();
    for (const entry of options.cors) {
      const allowed = parseCorsEntry(entry);
      hosts.add(allowed.host);
      if (allowed.origin !== null) origins.add(allowed.origin);
    }
    for (const token of options.tokens) {
      if (token.length < tokenLengthMin || !/^[\x21-\x7e]+$/.test(token)) {
        throw new TypeError(
          `Cannot use a gateway token of ${token.length} characters: wanted ${tokenLengthMin} or more, printable, without blanks`,
        );
      }
    }
    this.#hosts = hosts;
    this.#origins = origins;
    this.#tokenHashes = options.tokens.map(hashOf);
  }

  /** Why this request's host or origin is refused, or null. Asked before anything is read. */
  refuseForeign(request: IncomingMessage): Refusal | null {
    const host = request.headers.host ?? '';
    if (!this.#knowsHost(host, request.socket.localAddress)) {
      return {
        status: 403,
        code: 'UNAUTHORIZED',
        message: `Cannot serve host ${quoted(host)}: wanted this gateway's own address or a configured name`,
      };
    }
    const origin = request.headers.origin;
    if (origin !== undefined && !this.allowsOrigin(origin, host)) {
      return {
        status: 403,
        code: 'UNAUTHORIZED',
        message: `Cannot serve pages of ${quoted(origin)}: wanted a configured origin`,
      };
    }
    // An <img> or a form's GET carries no origin, but modern browsers say where it comes from.
    const site = request.headers['sec-fetch-site'];
    if (origin === undefined && (site === 'cross-site' || site === 'same-site')) {
      return {
        status: 403,
        code: 'UNAUTHORIZED',
        message: 'Cannot serve a page of another site: wanted a configured origin',
      };
    }
    return null;
  }

  /** Whether a page of `origin` may use the gateway it reaches as `host`. */
  allowsOrigin(origin: string, host: string): boolean {
    return this.#origins.has(origin) || origin === `http://${host}`;
  }

  /** Why this request's token is refused, or null. Takes the same time for any wrong token. */
  refuseToken(request: IncomingMessage): Refusal | null {
    if (this.#tokenHashes.length === 0) return null;
    const given = /^Bearer +([\x21-\x7e]+) *$/i.exec(request.headers.authorization ?? '')?.[1];
    if (given === undefined) {
      return {
        status: 401,
        code: 'UNAUTHORIZED',
        message: 'No token given, wanted a bearer token',
      };
    }
    const hash = hashOf(given);
    let known = false;
    for (const tokenHash of this.#tokenHashes) {
      // No early end: the time must not tell which of the tokens is near.
      known = timingSafeEqual(hash, tokenHash) || known;
    }
    return known ? null : { status: 401, code: 'UNAUTHORIZED', message: 'The token is not known' };
  }

  #knowsHost(host: string, localAddress: string | undefined): boolean {
    const name = hostNameOf(host);
    if (name === null) return false;
    if (this.#hosts.has(name) || this.#hosts.has(host.toLowerCase())) return true;
    // A name can be rebound to this address, an address cannot: whoever wrote it meant this host.
    if (localAddress === undefined) return false;
    return name === bracketed(localAddress.replace(/^::ffff:(?=\d+\.)/, ''));
  }
}

/** True for an address that only this machine can reach. */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1').toLowerCase();
  if (bare === 'localhost' || bare === '::1') return true;
  return isIP(bare) === 4 && bare.startsWith('127.');
}

/** The host of a `Host` header without its port, in lower case; null if it is none. */
function hostNameOf(host: string): string | null {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::\d{1,5})?$/i.exec(host);
  return match?.[1]?.toLowerCase() ?? null;
}

function parseCorsEntry(entry: string): { readonly host: string; readonly origin: string | null } {
  if (/^https?:\/\//i.test(entry)) {
    const url = URL.canParse(entry) ? new URL(entry) : null;
    if (url !== null && (url.pathname === '/' || url.pathname === '')) {
      return { host: url.host, origin: url.origin };
    }
  } else if (hostNameOf(entry) !== null) {
    return { host: entry.toLowerCase(), origin: null };
  }
  throw new TypeError(
    `Cannot allow ${quoted(entry)}: wanted an origin such as https://app.example.com, or a host`,
  );
}

function bracketed(host: string): string {
  const lower = host.toLowerCase();
  return isIP(lower) === 6 ? `[${lower}]` : lower;
}

/** Foreign text in a message: bounded, and without control characters. */
function quoted(text: string): string {
  return JSON.stringify(text.slice(0, 100));
}

function hashOf(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

const tokenLengthMin = 16;
