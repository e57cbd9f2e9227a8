import { getEventListeners } from 'node:events';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { Fetch } from './channel.ts';
import { connectClient } from './client.ts';
import type { Client } from './client.ts';
import { isQuorateError } from './errors.ts';
import type { ClientKeyValue } from './types.ts';
import type { WireCall } from './wire.ts';

afterEach(() => {
  vi.useRealTimers();
});

type Reply = (calls: readonly WireCall[], init: RequestInit) => Response | Promise<Response>;

/** A gateway per host name, each answering as its function says; `requests` counts per host. */
function gateways(replies: Record<string, Reply>) {
  const requests: string[] = [];
  const fetch: Fetch = async (url, init) => {
    const { hostname } = new URL(url);
    requests.push(hostname);
    const { calls } = JSON.parse(init.body as string) as { calls: WireCall[] };
    const reply = replies[hostname];
    if (reply === undefined) throw refused();
    return reply(calls, init);
  };
  return { fetch, requests };
}

/** What Node's fetch throws where nobody listens. */
function refused(): TypeError {
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  return new TypeError('fetch failed', { cause });
}

function lines(answers: readonly unknown[]): Response {
  return new Response(answers.map((answer) => `${JSON.stringify(answer)}\n`).join(''));
}

/** Answers every call with `result`. */
function always(result: unknown): Reply {
  return (calls) => lines(calls.map((_, call) => ({ call, result })));
}

function failing(code: string, outcome: string, retryable = true): Reply {
  const error = { code, outcome, retryable, message: `Told ${code}`, details: { n: 1 } };
  return (calls) => lines(calls.map((_, call) => ({ call, error })));
}

const urls = ['http://one', 'http://two', 'http://three'];

describe('connectClient()', () => {
  test.each([
    {},
    { url: 'ftp://host' },
    { url: 'host:7801' },
    { url: 'http://user:password@host' },
    { url: 'http://host?x=1' },
  ])('refuses %j', (options) => {
    expect(() => connectClient(options)).toThrow(TypeError);
  });

  test('T31 calls work without what they were taken from', async () => {
    const { fetch } = gateways({ one: always({ kv: null, revision: 7, status: 'x' }) });
    const { kv, status, close } = connectClient({ url: 'http://one', fetch });
    const { get, put } = kv;
    expect(await get('a')).toBeUndefined();
    expect(await put('a', 1)).toEqual({ revision: 7 });
    expect(await status()).toMatchObject({ status: 'x' });
    close();
    await expect(get('a')).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('sends nothing before the first call', () => {
    const { fetch, requests } = gateways({});
    connectClient({ urls, fetch }).close();
    expect(requests).toEqual([]);
  });

  test('calls of one turn share a request, in call order; values come back', async () => {
    const seen: unknown[] = [];
    const reply: Reply = (calls, init) => {
      seen.push(init.headers, ...calls.map(({ name, request }) => [name, request]));
      return lines(calls.map((_, call) => ({ call, result: { revision: call + 1 } })));
    };
    const { fetch, requests } = gateways({ one: reply });
    const { kv } = connectClient({ url: 'http://one/base/', token: 'a-token', fetch });
    const results = await Promise.all([
      kv.put('a', { n: 1 }),
      kv.put('b', new Uint8Array([1]), { ifAbsent: true }),
      kv.put('c', null, { ifRevision: 4 }),
    ]);
    expect(results).toEqual([{ revision: 1 }, { revision: 2 }, { revision: 3 }]);
    expect(requests).toEqual(['one']);
    expect(seen).toEqual([
      { authorization: 'Bearer a-token', 'content-type': 'application/json' },
      ['put', { key: 'a', value: { n: 1 } }],
      ['put', { key: 'b', value: { $bytes: 'AQ==' }, ifAbsent: true }],
      ['put', { key: 'c', value: null, ifRevision: 4 }],
    ]);
  });

  test('requests stay few and bounded however many calls are made', async () => {
    const sizes: number[] = [];
    const { fetch, requests } = gateways({
      one: async (calls, init) => {
        sizes.push((init.body as string).length);
        await new Promise((resolve) => setTimeout(resolve, 1));
        return always({ value: 1 })(calls, init);
      },
    });
    const { kv } = connectClient({ url: urls[0]!, fetch });
    const worker = async (): Promise<void> => {
      for (let n = 0; n < 10; n++) await kv.increment('n');
    };
    await Promise.all(Array.from({ length: 200 }, worker));
    expect(requests.length).toBeLessThan(500);
    await Promise.all(Array.from({ length: 20 }, () => kv.put('big', 'x'.repeat(100_000))));
    expect(Math.max(...sizes)).toBeLessThan(400_000);
  });

  test('C3 a gateway that cannot be reached: the next one gets the write', async () => {
    const { fetch, requests } = gateways({ two: always({ revision: 7 }) });
    const { kv } = connectClient({ urls, fetch });
    expect(await kv.put('a', 1)).toEqual({ revision: 7 });
    expect(requests).toEqual(['one', 'two']);
    // The one that answered comes first from now on.
    await kv.put('a', 1);
    expect(requests).toEqual(['one', 'two', 'two']);
  });

  test.each(['NO_LEADER', 'NO_QUORUM', 'OVERLOADED', 'CLOSED'])(
    'a write refused with %s, not applied, goes to the next gateway',
    async (code) => {
      const { fetch, requests } = gateways({
        one: failing(code, 'not-applied'),
        two: always({ revision: 7 }),
      });
      expect(await connectClient({ urls, fetch }).kv.put('a', 1)).toEqual({ revision: 7 });
      expect(requests).toEqual(['one', 'two']);
    },
  );

  test.each([
    ['NO_QUORUM', 'unknown'],
    ['COMMIT_UNKNOWN', 'unknown'],
    ['CONFLICT', 'not-applied'],
    ['UNAUTHORIZED', 'not-applied'],
  ])('%s with outcome %s is final', async (code, outcome) => {
    const { fetch, requests } = gateways({
      one: failing(code, outcome, false),
      two: always({ revision: 7 }),
    });
    const write = connectClient({ urls, fetch }).kv.put('a', 1);
    await expect(write).rejects.toMatchObject({
      ...{ name: 'QuorateError', code, outcome, retryable: false, message: `Told ${code}` },
      details: { n: 1 },
    });
    expect(requests).toEqual(['one']);
  });

  test('Z37 a write whose answer is lost is COMMIT_UNKNOWN and never sent again', async () => {
    for (const lost of [
      () => Promise.reject(new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } })),
      () => Promise.reject(new TypeError('NetworkError when attempting to fetch resource.')),
      () => new Response('', { status: 200 }),
      () => new Response('{"call":0,"resu', { status: 200 }),
      () => new Response('<h1>Bad gateway</h1>', { status: 502 }),
    ]) {
      const { fetch, requests } = gateways({ one: lost, two: always({ revision: 7 }) });
      const write = connectClient({ urls, fetch }).kv.put('a', 1);
      await expect(write).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN', outcome: 'unknown' });
      expect(requests).toEqual(['one']);
    }
  });

  test('a read whose answer is lost is asked again elsewhere', async () => {
    const { fetch, requests } = gateways({
      one: () => Promise.reject(new TypeError('fetch failed', { cause: { code: 'ECONNRESET' } })),
      two: () => new Response('', { status: 502 }),
      three: always({ kv: { key: 'a', value: 5, createRevision: 1, modRevision: 1, version: 1 } }),
    });
    expect(await connectClient({ urls, fetch }).kv.get('a')).toBe(5);
    expect(requests).toEqual(['one', 'two', 'three']);
  });

  test('when nobody can be reached the last failure is told, each gateway tried once', async () => {
    const { fetch, requests } = gateways({});
    const write = connectClient({ urls, fetch }).kv.put('a', 1);
    await expect(write).rejects.toMatchObject({ code: 'UNREACHABLE', outcome: 'not-applied' });
    expect(requests).toEqual(['one', 'two', 'three']);
  });

  test('a refusal of the whole request is the failure of each call', async () => {
    const error = {
      ...{ code: 'UNAUTHORIZED', outcome: 'not-applied', retryable: false, message: 'No' },
      details: {},
    };
    const { fetch } = gateways({ one: () => Response.json({ error }, { status: 401 }) });
    const { kv } = connectClient({ url: urls[0]!, fetch });
    const results = await Promise.allSettled([kv.put('a', 1), kv.get('b')]);
    for (const result of results) {
      expect(result).toMatchObject({ status: 'rejected', reason: { code: 'UNAUTHORIZED' } });
    }
  });

  test('C3 a deadline ends a read as TIMEOUT, a write that has left as COMMIT_UNKNOWN', async () => {
    vi.useFakeTimers();
    const { fetch } = gateways({ one: (_, init) => untilAborted(init) });
    const { kv } = connectClient({ url: urls[0]!, fetch, timeoutMs: 1_000 });
    const settled = Promise.allSettled([
      kv.get('a', { timeoutMs: 50 }),
      kv.put('a', 1, { timeoutMs: 50 }),
    ]);
    await vi.advanceTimersByTimeAsync(60);
    const [read, write] = await settled;
    expect(read).toMatchObject({ reason: { code: 'TIMEOUT', outcome: 'not-applied' } });
    expect(write).toMatchObject({ reason: { code: 'COMMIT_UNKNOWN', outcome: 'unknown' } });
  });

  test('the gateway is told a deadline before the caller’s own', async () => {
    const told: (number | undefined)[] = [];
    const { fetch } = gateways({
      one: (calls, init) => {
        told.push(...calls.map((call) => call.timeoutMs));
        return always({ revision: 1 })(calls, init);
      },
    });
    await connectClient({ url: urls[0]!, fetch }).kv.put('a', 1, { timeoutMs: 2_000 });
    expect(told[0]).toBeGreaterThan(0);
    expect(told[0]).toBeLessThanOrEqual(1_800);
  });

  test('T13 a hundred calls under way are one listener of their signal, and none once answered', async () => {
    let answer = (): void => {};
    const asked = new Promise<void>((resolve) => {
      answer = resolve;
    });
    const one: Reply = async (calls) => {
      await asked;
      return lines(calls.map((_, call) => ({ call, result: { kv: null } })));
    };
    const { kv } = connectClient({ url: 'http://one', fetch: gateways({ one }).fetch });
    const { signal } = new AbortController();
    const calls = Array.from({ length: 100 }, (_, at) => kv.get(`key ${at}`, { signal }));
    expect(getEventListeners(signal, 'abort').length).toBe(1);
    answer();
    await Promise.all(calls);
    expect(getEventListeners(signal, 'abort').length).toBe(0);
  });

  test('C3 an abort before a write left is ABORTED, after it COMMIT_UNKNOWN', async () => {
    const stop = new AbortController();
    let left = (): void => {};
    const leaving = new Promise<void>((resolve) => (left = resolve));
    const { fetch, requests } = gateways({
      one: (_, init) => {
        left();
        return untilAborted(init);
      },
    });
    const { kv } = connectClient({ url: urls[0]!, fetch });
    const early = kv.put('a', 1, { signal: AbortSignal.abort() });
    await expect(early).rejects.toMatchObject({ code: 'ABORTED', outcome: 'not-applied' });
    expect(requests).toEqual([]);
    const late = kv.put('a', 1, { signal: stop.signal });
    await leaving;
    stop.abort();
    await expect(late).rejects.toMatchObject({ code: 'COMMIT_UNKNOWN', outcome: 'unknown' });
  });

  test('a request is let go once all who waited for it have gone, not before', async () => {
    const aborts: boolean[] = [];
    let reached = (): void => {};
    const waiting = new Promise<void>((resolve) => (reached = resolve));
    const { fetch } = gateways({
      one: (_, init) => {
        init.signal!.addEventListener('abort', () => aborts.push(true));
        reached();
        return untilAborted(init);
      },
    });
    const { kv } = connectClient({ url: urls[0]!, fetch });
    const [first, second] = [new AbortController(), new AbortController()];
    const reads = Promise.allSettled([
      kv.get('a', { signal: first.signal }),
      kv.get('b', { signal: second.signal }),
    ]);
    await waiting;
    first.abort();
    expect(aborts).toEqual([]);
    second.abort();
    expect(aborts).toEqual([true]);
    for (const read of await reads) expect(read).toMatchObject({ reason: { code: 'ABORTED' } });
  });

  test('close() ends later calls with CLOSED', async () => {
    const { fetch, requests } = gateways({ one: always({ revision: 1 }) });
    const client = connectClient({ url: urls[0]!, fetch });
    client.close();
    await expect(client.kv.put('a', 1)).rejects.toMatchObject({ code: 'CLOSED' });
    expect(requests).toEqual([]);
  });

  test('misuse is a TypeError or RangeError, and nothing is sent', async () => {
    const { fetch, requests } = gateways({});
    const { kv } = connectClient({ url: urls[0]!, fetch });
    await expect(kv.put('a', { n: NaN })).rejects.toThrow(/value\.n/);
    await expect(kv.get('a', { timeoutMs: 0 })).rejects.toThrow(RangeError);
    expect(requests).toEqual([]);
  });

  test('isQuorateError() narrows by code', async () => {
    const { fetch } = gateways({});
    const error: unknown = await connectClient({ urls, fetch })
      .kv.get('a')
      .catch((reason: unknown) => reason);
    expect(isQuorateError(error)).toBe(true);
    expect(isQuorateError(error, 'UNREACHABLE')).toBe(true);
    expect(isQuorateError(error, 'CONFLICT')).toBe(false);
    expect(isQuorateError(new Error('other'))).toBe(false);
  });
});

/** A request that is never answered; ends as fetch does when its signal is aborted. */
function untilAborted(init: RequestInit): Promise<Response> {
  return new Promise((_, reject) => {
    init.signal!.addEventListener('abort', () =>
      reject(new DOMException('This operation was aborted', 'AbortError')),
    );
  });
}

test.each<[string, (kv: ClientKeyValue, client: Client) => unknown, string]>([
  ['put', (kv) => kv.put('a', 1, { ifAbsnt: true } as never), 'did you mean ifAbsent?'],
  ['get', (kv) => kv.get('a', { consistncy: 'local' } as never), 'did you mean consistency?'],
  ['range', (kv) => kv.range({ prefx: '' } as never), 'did you mean prefix?'],
  ['delete', (kv) => kv.delete('a', { ifAbsent: true } as never), 'no option ifAbsent'],
  ['increment', (kv) => kv.increment('a', 1, { timeout: 5 } as never), 'did you mean timeoutMs?'],
  [
    'batch',
    (kv) => kv.batch([{ type: 'putt', key: 'a' } as never]),
    'operations[0].type is "putt"',
  ],
  ['txn', (kv) => kv.txn({ them: [] } as never), 'did you mean then?'],
  [
    'txn',
    (kv) => kv.txn({ if: [{ key: 'a', exist: true } as never] }),
    'did you mean if[0].exists?',
  ],
  ['watch', (kv) => kv.watch({ prefx: '' } as never), 'did you mean prefix?'],
  ['leave', (_, client) => client.leave({ node: 'x' } as never), 'did you mean nodeId?'],
  ['status', (_, client) => client.status({ signl: 1 } as never), 'did you mean signal?'],
  ['members', (_, client) => client.members({ signal: 1 } as never), 'wanted an AbortSignal'],
  ['put of a counter', (kv) => kv.put('~counter/x', 'text'), 'what begins with ~'],
  ['delete of counters', (kv) => kv.delete({ prefix: '~' }), 'what begins with ~'],
])('T29 %s refuses at once what nobody knows, and asks no gateway', async (_name, run, words) => {
  const { fetch, requests } = gateways({ a: always({}) });
  const client = connectClient({ url: 'http://a', fetch });
  const failure = await (async () => run(client.kv, client))().catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(TypeError);
  expect((failure as Error).message).toContain(words);
  expect(requests).toEqual([]);
});

test.each([
  [{ urls: 'http://a' }, 'urls is "http://a", wanted a list'],
  [{ uri: 'http://a' }, 'there is no option uri, did you mean url?'],
  [{ url: 'http://a', token: 7 }, 'token is number, wanted text'],
])('T29 connectClient(%j) is refused: %s', (options, words) => {
  expect(() => connectClient(options as never)).toThrow(words);
});
