/**
 * Whose pages may open a connection. A page of any site can make its visitor's browser connect to a
 * port of that visitor's machine or network, where no stranger gets; browsers say whose page it was.
 */
import type { IncomingMessage } from 'node:http';

/** Decides by headers alone. Immutable. */
export class Origins {
  readonly #allowed: ReadonlySet<string>;
  readonly #names: ReadonlySet<string>;

  /**
   * `allowed`: origins such as `https://app.example.com`, as the kind `origin` takes them. `names`: the
   * host names under which the listener is announced.
   */
  constructor(allowed: readonly string[], names: readonly string[]) {
    this.#allowed = new Set(allowed.map(normal));
    this.#names = new Set(names.map((name) => name.toLowerCase()));
  }

  /**
   * True for a program, which names no origin, for allowed pages, and for pages of the listener's own
   * machine: those loaded from the very host that they connect to, and, between programs of one
   * machine, from the loopback. A name counts as such a host only if it was announced: anybody can
   * point a name of theirs at anybody's address, while an address cannot be borrowed.
   */
  allows({ headers }: IncomingMessage): boolean {
    const { origin, host } = headers;
    if (origin === undefined) return true;
    if (this.#allowed.has(normal(origin))) return true;
    const [page, asked] = [hostOf(origin), hostOf(`http://${host ?? ''}`)];
    if (page === null || asked === null) return false;
    if (isLoopbackName(page) && isLoopbackName(asked)) return true;
    return page === asked && (isAddress(page) || this.#names.has(page));
  }
}

function normal(origin: string): string {
  const [, scheme = '', rest = ''] = /^([a-z][a-z0-9+.-]*:\/\/)(.*?)\/?$/i.exec(origin) ?? [];
  if (!/^https?:/i.test(scheme) || !URL.canParse(origin)) return scheme.toLowerCase() + rest;
  return new URL(origin).origin;
}

function hostOf(url: string): string | null {
  if (!/^https?:/i.test(url) || !URL.canParse(url)) return null;
  return new URL(url).hostname;
}

function isLoopbackName(name: string): boolean {
  return name === 'localhost' || name === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(name);
}

function isAddress(name: string): boolean {
  return name.startsWith('[') || /^\d+\.\d+\.\d+\.\d+$/.test(name);
}
