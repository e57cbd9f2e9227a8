import { QuorateError } from '@quorate/contracts';
import { request } from 'node:http';
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { connect } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { startGateway } from '../src/index.ts';
import type { Gateway, GatewayOptions } from '../src/index.ts';
import { FakeTarget, fakeStatus } from './fake-target.ts';

type Answer = { status: number; headers: IncomingHttpHeaders; body: string };

/** What JSON holds, where a test says by its expectations what that is. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const parse: (text: string) => any = JSON.parse;

let gateway: Gateway | undefined;
afterEach(async () => {
  await gateway?.close({ graceMs: 0 });
  gateway = undefined;
});

async function start(options: GatewayOptions = {}): Promise<FakeTarget> {
  const target = new FakeTarget();
  gateway = await startGateway(target, options);
  return target;
}

/** By hand, for `fetch` does not let a caller choose `Host` and `Origin`. */
async function send(
  method: string,
  path: string,
  options: { headers?: OutgoingHttpHeaders; body?: string | Buffer } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(
      `${gateway!.url}${path}`,
      { method, headers: options.headers },
      (response) => {
        let body = '';
        response.setEncoding('utf8');
        response.on('data', (text: string) => (body += text));
        response.on('error', reject);
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
        );
      },
    );
    outgoing.on('error', reject);
    outgoing.end(options.body);
  });
}

async function call(name: string, body: unknown, headers: OutgoingHttpHeaders = {}) {
  const answer = await send('POST', `/v1/${name}`, { headers, body: JSON.stringify(body) });
  return { status: answer.status, json: parse(answer.body) };
}

describe('who may talk to a gateway', () => {
  test('startGateway() refuses a bind beyond loopback without a token', async () => {
    await expect(startGateway(new FakeTarget(), { host: '0.0.0.0' })).rejects.toThrow(
      /Cannot listen on 0\.0\.0\.0 without a token/,
    );
  });

  test('startGateway() binds beyond loopback with a token', async () => {
    await start({ host: '0.0.0.0', tokens: ['correct-horse-battery'] });
    const port = new URL(gateway!.url).port;
    const url = `http://127.0.0.1:${port}/v1/status`;
    expect((await fetch(url)).status).toBe(401);
    const authorized = { headers: { authorization: 'Bearer correct-horse-battery' } };
    expect((await fetch(url, authorized)).status).toBe(200);
  });

  test('startGateway() refuses short tokens and entries of cors that are neither origin nor host', async () => {
    const target = new FakeTarget();
    await expect(startGateway(target, { tokens: ['short'] })).rejects.toThrow(/token of 5/);
    await expect(startGateway(target, { cors: ['*'] })).rejects.toThrow(/Cannot allow "\*"/);
    await expect(startGateway(target, { cors: ['https://a.example/path'] })).rejects.toThrow(
      TypeError,
    );
  });

  test.each(['evil.example', 'evil.example:80', '127.0.0.1.evil.example', 'a b'])(
    'refuses the foreign host %j',
    async (host) => {
      await start();
      const answer = await send('GET', '/v1/status', { headers: { host } });
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body).error).toMatchObject({
        code: 'UNAUTHORIZED',
        outcome: 'not-applied',
      });
    },
  );

  test.each(['localhost', 'localhost:7801', '127.0.0.1', '[::1]:7801', 'db.internal:7801'])(
    'serves the host %j',
    async (host) => {
      await start({ cors: ['db.internal:7801'] });
      expect((await send('GET', '/v1/status', { headers: { host } })).status).toBe(200);
    },
  );

  test.each([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: 'http://localhost:3000' },
    { 'sec-fetch-site': 'cross-site' },
  ])('refuses pages of %j', async (headers) => {
    const target = await start();
    const answer = await send('POST', '/v1/put', { headers, body: '{"key":"a","value":1}' });
    expect(answer.status).toBe(403);
    expect(answer.headers['access-control-allow-origin']).toBeUndefined();
    expect(target.kv.revision).toBe(0);
  });

  test('serves a configured origin, and answers its preflight', async () => {
    await start({ cors: ['https://app.example.com'] });
    const headers = { origin: 'https://app.example.com' };
    const preflight = await send('OPTIONS', '/v1/put', { headers });
    expect(preflight.status).toBe(204);
    expect(preflight.headers['access-control-allow-origin']).toBe('https://app.example.com');
    expect(preflight.headers['access-control-allow-headers']).toContain('authorization');
    const answer = await send('POST', '/v1/put', { headers, body: '{"key":"a","value":1}' });
    expect(answer.status).toBe(200);
    expect(answer.headers['access-control-allow-origin']).toBe('https://app.example.com');
  });

  test.each([
    [undefined, 401],
    ['Bearer wrong-wrong-wrong-wrong', 401],
    ['Basic Zmlyc3QtdG9rZW4tZm9yLXVz', 401],
    ['Bearer first-token-for-us', 200],
    ['bearer second-token-for-us', 200],
  ])('with tokens, authorization %j is answered by %i', async (authorization, status) => {
    await start({ tokens: ['first-token-for-us', 'second-token-for-us'] });
    const headers = authorization === undefined ? {} : { authorization };
    const answer = await send('GET', '/v1/status', { headers });
    expect(answer.status).toBe(status);
    if (status === 401) expect(answer.headers['www-authenticate']).toBe('Bearer');
    expect((await send('GET', '/metrics', { headers })).status).toBe(status);
    expect((await send('GET', '/healthz')).status).toBe(200);
  });
});

describe('calls', () => {
  test('put, get, range, delete, increment answer as JSON', async () => {
    await start();
    expect(await call('put', { key: 'a', value: { n: [1, null, 'x'] } })).toEqual({
      status: 200,
      json: { revision: 1 },
    });
    expect((await call('get', { key: 'a' })).json).toEqual({
      kv: {
        ...{ key: 'a', value: { n: [1, null, 'x'] } },
        ...{ createRevision: 1, modRevision: 1, version: 1 },
      },
    });
    expect((await call('get', { key: 'b' })).json).toEqual({ kv: null });
    expect((await call('increment', { key: 'b', by: 5 })).json).toEqual({ value: 5 });
    const range = (await call('range', { prefix: '', keysOnly: true, limit: 1 })).json;
    expect(range).toEqual({
      kvs: [{ key: 'a', createRevision: 1, modRevision: 1, version: 1 }],
      ...{ revision: 2, more: true, after: 'a', count: 1 },
    });
    expect((await call('delete', { prefix: '' })).json).toEqual({ deleted: 2, revision: 3 });
  });

  test('batch and txn carry operations, comparisons and results', async () => {
    const target = await start();
    const batch = await call('batch', {
      operations: [
        { type: 'put', key: 'a', value: { $bytes: 'AQI=' } },
        { type: 'increment', key: 'n' },
      ],
    });
    expect(batch.json).toEqual({
      succeeded: true,
      revision: 1,
      results: [{ type: 'put' }, { type: 'increment', value: 1 }],
    });
    expect((await target.kv.getEntry('a'))?.value).toEqual(new Uint8Array([1, 2]));
    const txn = await call('txn', {
      if: [{ key: 'a', exists: false }],
      then: [{ type: 'delete', key: 'a' }],
      else: [{ type: 'get', key: 'a' }],
    });
    expect(txn.json).toMatchObject({
      succeeded: false,
      results: [{ type: 'get', kv: { key: 'a', value: { $bytes: 'AQI=' } } }],
    });
  });

  test('CONFLICT is 409 and carries the current entry', async () => {
    await start();
    await call('put', { key: 'a', value: 1 });
    const { status, json } = await call('put', { key: 'a', value: 2, ifAbsent: true });
    expect(status).toBe(409);
    expect(json.error).toEqual({
      code: 'CONFLICT',
      outcome: 'not-applied',
      retryable: false,
      message: 'Cannot create a: it exists',
      details: {
        current: { key: 'a', value: 1, createRevision: 1, modRevision: 1, version: 1 },
      },
    });
  });

  test.each([
    ['put', { key: 'a' }],
    ['put', { key: 7, value: 1 }],
    ['put', { key: 'a', value: { $bytes: 'not base64!' } }],
    ['put', { key: 'a', value: 1, ifabsent: true }],
    ['put', []],
    ['get', {}],
    ['range', { order: 'up' }],
    ['batch', { operations: [{ type: 'get', key: 'a' }] }],
    ['batch', { operations: [{ type: 'drop', key: 'a' }] }],
    ['txn', { if: [{ key: 'a', exists: true, version: 1 }] }],
    ['leave', { nodeId: 5 }],
  ])('%s refuses %j with BAD_REQUEST and applies nothing', async (name, body) => {
    const target = await start();
    const { status, json } = await call(name, body);
    expect(status).toBe(400);
    expect(json.error).toMatchObject({ code: 'BAD_REQUEST', outcome: 'not-applied' });
    expect(target.kv.revision).toBe(0);
    expect(target.left).toEqual([]);
  });

  test.each<[string, object, string]>([
    ['put', { key: 'a', value: 1, ifAbsnt: true }, 'did you mean request.ifAbsent?'],
    ['range', { prefx: 'a' }, 'did you mean request.prefix?'],
    ['leave', { node: 'x' }, 'did you mean request.nodeId?'],
    ['txn', { them: [] }, 'did you mean request.then?'],
    ['txn', { if: [{ key: 'a', exist: true }] }, 'did you mean if[0].exists?'],
    ['status', { verbose: true }, 'there is no option request.verbose, wanted none'],
    ['put', { key: '~counter/x', value: 'text' }, 'what begins with ~'],
    ['delete', { prefix: '~' }, 'what begins with ~'],
    ['increment', { key: '~counter/x' }, 'what begins with ~'],
    ['batch', { operations: [{ type: 'delete', key: '~counter/x' }] }, 'what begins with ~'],
  ])('T29 %s refuses %j: %s', async (name, body, words) => {
    const target = await start();
    const { status, json } = await call(name, body);
    expect(status).toBe(400);
    expect((json.error as { message: string }).message).toContain(words);
    expect(target.kv.revision).toBe(0);
    expect(target.left).toEqual([]);
  });

  test.each([
    ['a number that no double holds', '{"key":"a","value":[9007199254740993]}', 'body.value[0]'],
    ['a member that is there twice', '{"key":"a","value":1,"key":"b"}', 'body.key'],
  ])('T29 refuses %s, with the path', async (_name, text, path) => {
    const target = await start();
    const { status, body } = await send('POST', '/v1/put', { body: text });
    expect(status).toBe(400);
    expect(parse(body)).toMatchObject({ error: { code: 'BAD_REQUEST' } });
    expect(body).toContain(`Cannot read ${path}: `);
    expect(target.kv.revision).toBe(0);
  });

  test('T29 HEAD /metrics is answered, without the numbers', async () => {
    await start();
    const { status, body } = await send('HEAD', '/metrics');
    expect([status, body]).toEqual([200, '']);
  });

  test.each([
    ['POST', '/v1/put', 'not json'],
    ['POST', '/v1/put', Buffer.from([0x22, 0xff, 0x22])],
  ])('%s %s refuses a body that is no JSON in UTF-8', async (method, path, body) => {
    await start();
    expect((await send(method, path, { body })).status).toBe(400);
  });

  test('what is not there is 404', async () => {
    await start();
    expect((await send('GET', '/v1/put')).status).toBe(404);
    expect((await send('POST', '/v1/nothing', { body: '{}' })).status).toBe(404);
    expect((await send('POST', '/v1/constructor', { body: '{}' })).status).toBe(404);
    expect((await send('GET', '/')).status).toBe(404);
  });

  test.each([
    ['NO_QUORUM', 503],
    ['NO_LEADER', 503],
    ['OVERLOADED', 429],
    ['COMMIT_UNKNOWN', 504],
    ['LIMIT_EXCEEDED', 413],
  ] as const)('the failure %s has status %i', async (code, status) => {
    const target = await start();
    target.kv.gate = () => Promise.reject(new QuorateError(code, 'Told so'));
    const answer = await call('put', { key: 'a', value: 1 });
    expect(answer.status).toBe(status);
    expect(answer.json.error).toMatchObject({ code, message: 'Told so' });
  });

  test('a failure that nobody expected is told as INTERNAL, without its text', async () => {
    const seen: unknown[] = [];
    const target = await start({ onUnexpected: (error) => seen.push(error) });
    target.kv.gate = () => Promise.reject(new Error('a password, for instance'));
    const answer = await call('put', { key: 'a', value: 1 });
    expect(answer.status).toBe(500);
    expect(answer.json.error).toMatchObject({ code: 'INTERNAL', outcome: 'unknown' });
    expect(JSON.stringify(answer.json)).not.toContain('password');
    expect(seen).toHaveLength(1);
  });

  test('a body beyond the bound is refused by its announced length, before it is sent', async () => {
    await start({ bodyBytesMax: 100 });
    const answer = await new Promise<string>((resolve, reject) => {
      const { hostname, port } = new URL(gateway!.url);
      let text = '';
      const socket = connect(Number(port), hostname, () => {
        socket.write(
          'POST /v1/put HTTP/1.1\r\nHost: localhost\r\nContent-Length: 101\r\n\r\n{"key":',
        );
      });
      socket.on('data', (data) => (text += data.toString()));
      socket.on('error', reject);
      socket.on('close', () => resolve(text));
    });
    expect(answer).toContain('HTTP/1.1 413');
    expect(answer).toContain('LIMIT_EXCEEDED');
  });

  test('a body beyond the bound is refused where no length was announced', async () => {
    const target = await start({ bodyBytesMax: 100 });
    const answer = send('POST', '/v1/put', {
      headers: { 'transfer-encoding': 'chunked' },
      body: JSON.stringify({ key: 'a', value: 'x'.repeat(200) }),
    });
    expect((await answer).status).toBe(413);
    expect(target.kv.revision).toBe(0);
  });

  test('a sender of megabytes still hears why they are refused', async () => {
    const target = await start({ bodyBytesMax: 100 });
    const body = Buffer.alloc(8 * 1024 * 1024, 'x');
    const headers = [{ 'transfer-encoding': 'chunked' }, { 'content-length': body.length }];
    for (const each of headers) {
      expect((await send('POST', '/v1/put', { headers: each, body })).status).toBe(413);
    }
    expect(target.kv.revision).toBe(0);
  });

  test('calls beyond the bound are OVERLOADED, and served again later', async () => {
    const target = await start({ callsInFlightMax: 1 });
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    let reached = (): void => {};
    const waiting = new Promise<void>((resolve) => (reached = resolve));
    target.kv.gate = () => {
      reached();
      return opened;
    };
    const first = call('get', { key: 'a' });
    await waiting;
    expect((await call('get', { key: 'a' })).json.error.code).toBe('OVERLOADED');
    open();
    expect((await first).status).toBe(200);
    expect((await call('get', { key: 'a' })).status).toBe(200);
  });

  test('a caller that goes away ends its read', async () => {
    const target = await start();
    const aborted = new Promise<void>((resolve) => {
      target.kv.gate = (signal) => {
        signal?.addEventListener('abort', () => resolve());
        leave.abort();
        return new Promise(() => {});
      };
    });
    const leave = new AbortController();
    const read = fetch(`${gateway!.url}/v1/get`, {
      method: 'POST',
      body: '{"key":"a"}',
      signal: leave.signal,
    });
    await expect(read).rejects.toThrow();
    await aborted;
  });

  test('calls: many in one request, carried out in order, each answered on its line', async () => {
    await start();
    const calls = Array.from({ length: 50 }, (_, at) => ({
      name: 'put',
      request: { key: 'a', value: at },
    }));
    calls.push({ name: 'bad', request: { key: 'a', value: 0 } });
    const answer = await send('POST', '/v1/calls', { body: JSON.stringify({ calls }) });
    expect(answer.headers['content-type']).toBe('application/x-ndjson');
    const lines = answer.body.trim().split('\n').map(parse);
    const results = lines.filter((line) => 'result' in line);
    expect(results).toEqual(
      calls.slice(0, 50).map((_, call) => ({ call, result: { revision: call + 1 } })),
    );
    expect(lines.find((line) => line.call === 50).error.code).toBe('BAD_REQUEST');
  });

  test('calls: a slow answer does not hold back the others', async () => {
    const target = await start();
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    let count = 0;
    target.kv.gate = () => (count++ === 0 ? opened : Promise.resolve());
    const response = await fetch(`${gateway!.url}/v1/calls`, {
      method: 'POST',
      body: JSON.stringify({
        calls: [
          { name: 'get', request: { key: 'slow' } },
          { name: 'get', request: { key: 'fast' } },
        ],
      }),
    });
    const reader = response.body!.getReader();
    const first = new TextDecoder().decode((await reader.read()).value);
    expect(JSON.parse(first)).toEqual({ call: 1, result: { kv: null } });
    open();
    const second = new TextDecoder().decode((await reader.read()).value);
    expect(JSON.parse(second)).toEqual({ call: 0, result: { kv: null } });
  });

  test('leave removes the member behind the gateway, or the one named', async () => {
    const target = await start();
    expect((await call('leave', {})).json).toEqual({ nodeId: fakeStatus.nodeId });
    const other = 'b2'.repeat(16);
    expect((await call('leave', { nodeId: other })).json).toEqual({ nodeId: other });
    expect(target.left).toEqual([{}, { nodeId: other }]);
  });
});

describe('what a gateway tells of its member', () => {
  test('status and members', async () => {
    await start();
    const status = JSON.parse((await send('GET', '/v1/status')).body);
    expect(status).toMatchObject({ namespace: 'demo', phase: 'ready', role: 'leader', term: 3 });
    expect(JSON.parse((await send('GET', '/v1/members')).body)).toEqual({
      members: [
        { nodeId: fakeStatus.nodeId, label: 'one', kind: 'voter', reachable: true, leader: true },
      ],
    });
  });

  test('metrics are Prometheus text, labels escaped', async () => {
    await start();
    await call('put', { key: 'a', value: 1 });
    const { body, headers } = await send('GET', '/metrics');
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(body).toContain('quorate_term 3\n');
    expect(body).toContain('quorate_elections_started_total 2\n');
    expect(body).toContain('label="one \\"first\\""');
    expect(body).toContain('quorate_gateway_calls_total{code="OK"} 1\n');
    for (const line of body.trimEnd().split('\n')) {
      expect(line).toMatch(/^(# (HELP|TYPE) .+|[a-z_]+(\{.*\})? -?\d+(\.\d+)?)$/);
    }
  });

  test('healthz: waiting is health, a final phase is not', async () => {
    const target = await start();
    target.status = { ...fakeStatus, phase: 'read-only' };
    expect((await send('GET', '/healthz')).status).toBe(200);
    target.status = { ...fakeStatus, phase: 'stopped' };
    expect((await send('GET', '/healthz')).status).toBe(503);
  });

  test('T20: readyz is 503 and can_write 0 for as long as writes are refused, and needs no token', async () => {
    const target = await start({ tokens: ['a-token-of-sixteen'] });
    const headers = { authorization: 'Bearer a-token-of-sixteen' };
    const ready = await send('GET', '/readyz');
    expect(ready.status).toBe(200);
    expect(JSON.parse(ready.body)).toEqual({ phase: 'ready', canWrite: true, reason: null });
    target.status = { ...fakeStatus, canWrite: false, reason: 'STORAGE_FULL' };
    const full = await send('GET', '/readyz');
    expect(full.status).toBe(503);
    expect(JSON.parse(full.body)).toMatchObject({ canWrite: false, reason: 'STORAGE_FULL' });
    expect((await send('GET', '/healthz')).status).toBe(200);
    const metrics = await send('GET', '/metrics', { headers });
    expect(metrics.body).toMatch(/^quorate_can_write 0$/m);
    target.status = fakeStatus;
    expect((await send('GET', '/readyz')).status).toBe(200);
  });
});

describe('watch', () => {
  /** An event's id: a revision, and the cluster that it is one of. */
  const at = (revision: number): string => `${revision}-${fakeStatus.clusterId}`;

  /** Events as they come, each as its fields. */
  async function* stream(path: string, headers: Record<string, string> = {}) {
    const stop = new AbortController();
    const response = await fetch(`${gateway!.url}${path}`, { headers, signal: stop.signal });
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const decoder = new TextDecoder();
    let text = '';
    try {
      for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
        text += decoder.decode(chunk, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        for (const block of blocks) {
          const fields = block.split('\n').map((line) => line.split(/: (.*)/s).slice(0, 2));
          const event: Record<string, string> = Object.fromEntries(fields);
          if (event['data'] !== undefined) {
            yield {
              event: event['event'],
              id: event['id'],
              data: parse(event['data']),
            };
          }
        }
      }
    } finally {
      stop.abort();
    }
  }

  test('says where it begins, then delivers each revision as one event', async () => {
    const target = await start();
    await target.kv.put('before', 0);
    const events = stream('/v1/watch?prefix=');
    expect((await events.next()).value).toEqual({
      event: 'open',
      id: at(1),
      data: { revision: 1 },
    });
    await target.kv.batch([
      { type: 'put', key: 'a', value: new Uint8Array([1, 2]) },
      { type: 'delete', key: 'before' },
    ]);
    expect((await events.next()).value).toEqual({
      event: undefined,
      id: at(2),
      data: {
        revision: 2,
        initial: false,
        events: [
          {
            ...{ type: 'put', key: 'a', value: { $bytes: 'AQI=' } },
            ...{ createRevision: 2, modRevision: 2, version: 1 },
          },
          { type: 'delete', key: 'before' },
        ],
      },
    });
    await events.return(undefined);
  });

  test('K1 Last-Event-ID resumes after that revision, whatever the query says', async () => {
    const target = await start();
    for (let n = 1; n <= 5; n++) await target.kv.put('a', n);
    const events = stream('/v1/watch?key=a&initial=true', { 'last-event-id': '3' });
    const seen = [];
    for (let n = 0; n < 3; n++) seen.push((await events.next()).value?.id);
    expect(seen).toEqual([at(3), at(4), at(5)]);
    await events.return(undefined);
  });

  test('Z50 Last-Event-ID of another cluster is COMPACTED, whatever its number; of this one it goes on', async () => {
    const target = await start();
    for (let n = 1; n <= 3; n++) await target.kv.put('a', n);
    const foreign = { 'last-event-id': `2-${'ef'.repeat(16)}` };
    const answer = await send('GET', '/v1/watch?key=a', { headers: foreign });
    expect(answer.status).toBe(410);
    expect(parse(answer.body).error).toMatchObject({
      code: 'COMPACTED',
      details: { oldestRevision: 4 },
    });
    const events = stream('/v1/watch?key=a', { 'last-event-id': at(2) });
    expect((await events.next()).value).toMatchObject({ event: 'open', id: at(2) });
    expect((await events.next()).value?.id).toBe(at(3));
    await events.return(undefined);
    const odd = { headers: { 'last-event-id': '2-nonsense' } };
    expect((await send('GET', '/v1/watch?key=a', odd)).status).toBe(400);
  });

  test('initial=true begins with the present state', async () => {
    const target = await start();
    await target.kv.put('a', 1);
    const events = stream('/v1/watch?key=a&initial=true');
    expect((await events.next()).value?.data).toMatchObject({ initial: true, revision: 1 });
    await events.return(undefined);
  });

  test('K2 a start that is older than the history ends with the failure COMPACTED', async () => {
    const target = await start();
    target.kv.oldestRevision = 9;
    const events = stream('/v1/watch?key=a&from=2');
    expect((await events.next()).value?.event).toBe('open');
    expect((await events.next()).value).toMatchObject({
      event: 'failure',
      data: { error: { code: 'COMPACTED', details: { oldestRevision: 9 } } },
    });
    expect((await events.next()).done).toBe(true);
  });

  test('a quiet watch is told how far everything was delivered', async () => {
    const target = await start({ heartbeatMs: 5 });
    const events = stream('/v1/watch?key=quiet');
    await events.next();
    await target.kv.put('loud', 1);
    expect((await events.next()).value).toEqual({
      event: 'progress',
      id: at(1),
      data: { revision: 1 },
    });
    await events.return(undefined);
  });

  test.each([
    '',
    '?key=a&prefix=b',
    '?end=z',
    '?key=a&from=x',
    '?key=a&from=1&initial=true',
    '?keys=a',
  ])('refuses the query %j', async (query) => {
    await start();
    const answer = await send('GET', `/v1/watch${query}`);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body).error.code).toBe('BAD_REQUEST');
  });

  test('watches beyond the bound are OVERLOADED, and let in when one has ended', async () => {
    await start({ watchesMax: 1 });
    const events = stream('/v1/watch?key=a');
    await events.next();
    expect((await send('GET', '/v1/watch?key=a')).status).toBe(429);
    await events.return(undefined);
    let status = 429;
    while (status === 429) {
      const stop = new AbortController();
      status = (await fetch(`${gateway!.url}/v1/watch?key=a`, { signal: stop.signal })).status;
      stop.abort();
    }
    expect(status).toBe(200);
  });

  test('a member that has not caught up opens a watch only after a linearizable read', async () => {
    const target = await start();
    target.status = { ...fakeStatus, phase: 'joining' };
    target.kv.gate = async () => {
      target.kv.gate = () => Promise.resolve();
      await target.kv.put('arrived', 1);
    };
    const events = stream('/v1/watch?prefix=');
    expect((await events.next()).value).toMatchObject({ event: 'open', id: at(1) });
    await events.return(undefined);
  });
});

describe('backup and export', () => {
  test('T2 GET /v1/backup streams the bytes of the member, GET /v1/export lines of JSON', async () => {
    const target = await start();
    target.backupParts = ['one', 'two', 'three'].map((text) => new TextEncoder().encode(text));
    const backup = await send('GET', '/v1/backup');
    expect(backup.status).toBe(200);
    expect(backup.headers['content-type']).toBe('application/octet-stream');
    expect(backup.body).toBe('onetwothree');
    await target.kv.put('a', 1);
    await target.kv.put('b', new Uint8Array([1, 2]));
    const all = await send('GET', '/v1/export');
    expect(all.headers['content-type']).toBe('application/x-ndjson');
    expect(all.body).toBe('{"key":"a","value":1}\n{"key":"b","value":{"$bytes":"AQI="}}\n');
    expect((await send('GET', '/v1/export?prefix=b')).body).toContain('"b"');
    expect((await send('GET', '/v1/export?prefix=c')).body).toBe('');
  });

  test('T2 a slow reader is waited for: no more is made than what it takes', async () => {
    const target = await start();
    const part = new Uint8Array(64 * 1024);
    target.backupParts = Array.from({ length: 1_024 }, () => part);
    const socket = connect(Number(new URL(gateway!.url).port), '127.0.0.1');
    socket.pause();
    socket.write('GET /v1/backup HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n');
    let before = -1;
    // Until the system's buffers are full and nothing moves any more.
    while (before !== target.backupTaken || before === 0) {
      before = target.backupTaken;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(target.backupTaken).toBeLessThan(512);
    let bytes = 0;
    const whole = new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (target.backupTaken === 1_024 && bytes > 64 * 1024 * 1024) resolve();
      });
    });
    socket.resume();
    await whole;
    socket.destroy();
  });

  test('T2 what fails at first is a failure as any other; half a backup breaks the connection', async () => {
    const target = await start();
    target.backupFailure = new QuorateError('NO_QUORUM', 'Told so');
    const refused = await send('GET', '/v1/backup');
    expect(refused.status).toBe(503);
    expect(parse(refused.body).error.code).toBe('NO_QUORUM');
    target.backupParts = [new Uint8Array(1_000)];
    await expect(send('GET', '/v1/backup')).rejects.toThrow();
  });

  test('T2 both want the token, and refuse what they do not know', async () => {
    await start({ tokens: ['correct-horse-battery'] });
    for (const path of ['/v1/backup', '/v1/export']) {
      expect((await send('GET', path)).status).toBe(401);
    }
    await gateway?.close({ graceMs: 0 });
    await start();
    for (const path of ['/v1/backup?prefix=a', '/v1/export?prefx=a']) {
      expect((await send('GET', path)).status).toBe(400);
    }
    expect((await send('POST', '/v1/backup')).status).toBe(404);
  });
});

describe('close()', () => {
  test('lets calls under way finish, ends watches, and refuses new connections', async () => {
    const target = await start();
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    let reached = (): void => {};
    const waiting = new Promise<void>((resolve) => (reached = resolve));
    const watch = await fetch(`${gateway!.url}/v1/watch?key=b`);
    target.kv.gate = () => {
      reached();
      return opened;
    };
    const write = call('put', { key: 'a', value: 1 });
    await waiting;
    const closed = gateway!.close({ graceMs: 60_000 });
    expect(await watch.text()).toContain('event: open');
    open();
    expect(await write).toEqual({ status: 200, json: { revision: 1 } });
    await closed;
    await expect(fetch(`${gateway!.url}/healthz`)).rejects.toThrow();
  });

  test('cuts what does not finish within its grace', async () => {
    const target = await start();
    let reached = (): void => {};
    const waiting = new Promise<void>((resolve) => (reached = resolve));
    target.kv.gate = () => {
      reached();
      return new Promise(() => {});
    };
    const read = call('get', { key: 'a' });
    await Promise.all([
      expect(read).rejects.toThrow(),
      waiting.then(() => gateway!.close({ graceMs: 1 })),
    ]);
  });

  test('startGateway() rejects where the port is taken', async () => {
    await start();
    const port = Number(new URL(gateway!.url).port);
    await expect(startGateway(new FakeTarget(), { port })).rejects.toMatchObject({
      code: 'UNREACHABLE',
      message: `Cannot listen on 127.0.0.1:${port} (EADDRINUSE)`,
    });
  });
});

describe('what must not end a gateway', () => {
  test('T7 a target that is no path is a bad request', async () => {
    const unexpected: unknown[] = [];
    await start({ onUnexpected: (error) => unexpected.push(error) });
    const answer = await send('GET', '//');
    expect(answer.status).toBe(400);
    expect(parse(answer.body).error.code).toBe('BAD_REQUEST');
    expect(unexpected).toEqual([]);
  });

  test('T7 an answer that cannot be written breaks its connection, and is told', async () => {
    const unexpected: unknown[] = [];
    const target = await start({ onUnexpected: (error) => unexpected.push(error) });
    target.status = { ...fakeStatus, label: 1n as unknown as string };
    const calls = { calls: [{ name: 'status' }] };
    await expect(send('POST', '/v1/calls', { body: JSON.stringify(calls) })).rejects.toThrow();
    expect(unexpected).toHaveLength(1);
    target.status = fakeStatus;
    expect((await call('calls', calls)).status).toBe(200);
  });
});
