/** The load must find what is wrong, or the tests that rest on it prove nothing. */
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { Entry } from './gateway.ts';
import { Load } from './load.ts';
import { until } from './wait.ts';

/** `count`: of all calls; `nth`: of those with this name. */
type Call = {
  readonly name: string;
  readonly request: Request;
  readonly count: number;
  readonly nth: number;
};
type Request = {
  readonly key?: string;
  readonly value?: unknown;
  readonly prefix?: string;
  readonly if?: readonly { readonly key: string }[];
};

/** A store behind HTTP that keeps its promises, but for what `lie` does. */
class Store {
  readonly entries = new Map<string, Entry>();
  readonly #server: Server;
  readonly #lie: (call: Call, store: Store) => unknown;
  #count = 0;
  readonly #countOf = new Map<string, number>();
  #revision = 0;

  constructor(lie: (call: Call, store: Store) => unknown = () => undefined) {
    this.#lie = lie;
    this.#server = createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => (body += String(chunk)));
      request.on('end', () => {
        const name = (request.url ?? '').replace('/v1/', '');
        const nth = (this.#countOf.get(name) ?? 0) + 1;
        this.#countOf.set(name, nth);
        const call = { name, request: JSON.parse(body) as Request, count: ++this.#count, nth };
        const result = this.#lie(call, this) ?? this.answer(call);
        if (result === broken) return void response.destroy();
        const failed = typeof result === 'object' && result !== null && 'error' in result;
        response.writeHead(failed ? 503 : 200, { 'content-type': 'application/json' });
        response.end(JSON.stringify(result));
      });
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    const address = this.#server.address();
    return `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  answer({ name, request }: Call): unknown {
    const { key = '', value, prefix = '' } = request;
    switch (name) {
      case 'put':
        return { revision: this.put(key, value) };
      case 'increment':
        this.put(key, this.numberAt(key) + 1);
        return { value: this.numberAt(key) };
      case 'txn': {
        const [mark] = request.if ?? [];
        if (mark !== undefined && !this.entries.has(mark.key)) {
          this.put(mark.key, 0);
          this.put('done', this.numberAt('done') + 1);
        }
        return { revision: this.#revision };
      }
      case 'get':
        return { kv: this.entries.get(key) ?? null };
      default:
        return { kvs: [...this.entries.values()].filter((kv) => kv.key.startsWith(prefix)) };
    }
  }

  put(key: string, value: unknown): number {
    const version = (this.entries.get(key)?.version ?? 0) + 1;
    this.#revision++;
    const revisions = { createRevision: this.#revision, modRevision: this.#revision };
    this.entries.set(key, { key, value, version, ...revisions });
    return this.#revision;
  }

  numberAt(key: string): number {
    return Number(this.entries.get(key)?.value ?? 0);
  }
}

const broken = Symbol('the connection breaks');
const refusal = {
  error: { code: 'NO_LEADER', outcome: 'not-applied', message: 'none', details: {} },
};
let store: Store | null = null;
afterEach(() => store?.close());

/** What is said of a store after some load. */
async function complaintsOf(lie?: (call: Call, store: Store) => unknown): Promise<string> {
  store = new Store(lie);
  const gateway = await store.listen();
  const load = new Load([gateway], { counting: 2, insisting: 2, putting: 2, reading: 2 });
  await until('some of it is done', () => load.acked >= 60);
  await load.stop();
  return (await load.complaints(gateway)).join('\n');
}

describe('Load.complaints()', () => {
  it('has none of a store that keeps its promises, be it that connections break and calls are refused', async () => {
    expect(await complaintsOf()).toBe('');
    const unreliable = (call: Call, from: Store): unknown => {
      if (call.name === 'range' || call.name === 'get') return undefined;
      if (call.count % 7 === 0) return refusal;
      if (call.count % 5 !== 0) return undefined;
      // Half of those whose answer is lost have been carried out.
      if (call.count % 2 === 0) from.answer(call);
      return broken;
    };
    expect(await complaintsOf(unreliable)).toBe('');
  });

  it.each<[string, RegExp, (call: Call, store: Store) => unknown]>([
    [
      'an acknowledged put is lost',
      /put\/\S+ was acknowledged and is lost/,
      ({ name, count }) => (name === 'put' && count > 20 ? { revision: 1 } : undefined),
    ],
    [
      'a put that was refused is there',
      /was said not to be applied and is there/,
      (call, from) => {
        if (call.name !== 'put' || call.nth % 5 !== 0) return undefined;
        from.answer(call);
        return refusal;
      },
    ],
    [
      'a put is applied twice',
      /put\/\S+ was applied 2 times/,
      (call, from) => {
        if (call.name === 'put') from.answer(call);
        return undefined;
      },
    ],
    [
      'an increment is lost',
      /hits is \d+, wanted from|two increments returned/,
      (call, from) =>
        call.name === 'increment' && call.nth % 5 === 0
          ? { value: from.numberAt('hits') + 1 }
          : undefined,
    ],
    [
      'an increment is applied twice',
      /hits is \d+, wanted from \d+ to \d+/,
      (call, from) => {
        if (call.name === 'increment' && call.nth % 5 === 0) from.answer(call);
        return undefined;
      },
    ],
    [
      'a transaction is applied twice',
      /done is \d+, wanted exactly \d+/,
      (call, from) => {
        if (call.name === 'txn') from.put('done', from.numberAt('done') + 1);
        return undefined;
      },
    ],
    [
      'a read is stale',
      /the next read returned \d+ after \d+ was known/,
      (call, from) =>
        call.name === 'get' && from.numberAt('hits') > 8
          ? { kv: { ...from.entries.get('hits'), value: 3 } }
          : undefined,
    ],
  ])('finds that %s', async (_what, complaint, lie) => {
    expect(await complaintsOf(lie)).toMatch(complaint);
  });
});
