/** What a gateway holds at a time, and what it says where that is too much. */
import { connectClient } from '@quorate/client';
import { request } from 'node:http';
import type { ClientRequest } from 'node:http';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { startGateway } from '../src/index.ts';
import type { Gateway, GatewayOptions } from '../src/index.ts';
import { LocalMember, ReplicatedLog } from './local-member.ts';

let gateway: Gateway | undefined;
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await gateway?.close({ graceMs: 0 });
  gateway = undefined;
});

/** A gateway in front of `count` keys of `bytes` each. */
async function start(
  options: GatewayOptions = {},
  { count = 0, bytes = 0 } = {},
): Promise<LocalMember> {
  const member = new LocalMember(new ReplicatedLog());
  for (let at = 0; at < count; at++) {
    await member.kv.put(`key/${String(at).padStart(5, '0')}`, 'x'.repeat(bytes));
  }
  gateway = await startGateway(member, options);
  return member;
}

// eslint-disable-next-line @typescript-eslint/no-explicit-any
async function call(name: string, body: unknown): Promise<{ status: number; json: any }> {
  const response = await fetch(`${gateway!.url}/v1/${name}`, {
    method: 'POST',
    body: JSON.stringify(body),
  });
  return { status: response.status, json: await response.json() };
}

/** A connection that sent `text` and reads nothing. */
async function deaf(text: string): Promise<Socket> {
  const socket = connect(Number(new URL(gateway!.url).port), '127.0.0.1');
  sockets.push(socket);
  socket.on('error', () => {});
  socket.pause();
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  socket.write(text);
  return socket;
}

function post(name: string, body: unknown): string {
  const json = JSON.stringify(body);
  return `POST /v1/${name} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: ${json.length}\r\n\r\n${json}`;
}

async function metric(name: string): Promise<number> {
  const text = await (await fetch(`${gateway!.url}/metrics`)).text();
  return Number(new RegExp(`^quorate_${name} (\\S+)$`, 'm').exec(text)?.[1]);
}

const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));

/** Waits until a number has not moved for a while, and gives it. */
async function settled(read: () => Promise<number>): Promise<number> {
  for (let before = NaN; ;) {
    const now = await read();
    if (now === before) return now;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

describe('answers', () => {
  test('T15 a range without a limit ends at 1,000 keys, and says where to go on', async () => {
    await start({}, { count: 1_001, bytes: 1 });
    const { json } = await call('range', { prefix: '' });
    expect(json.kvs).toHaveLength(1_000);
    expect(json).toMatchObject({ more: true, after: 'key/00999', count: 1_000 });
    const rest = await call('range', { prefix: '', after: json.after, revision: json.revision });
    expect(rest.json).toMatchObject({ kvs: [{ key: 'key/01000' }], more: false, count: 1 });
    expect(rest.json).not.toHaveProperty('after');
    // Who names a limit gets it.
    expect((await call('range', { limit: 1_001 })).json).toMatchObject({ more: false });
  });

  test('T15 a range ends at 4 MiB, whatever its limit', async () => {
    await start({}, { count: 6, bytes: 1_000_000 });
    const { json } = await call('range', { prefix: '', limit: 6 });
    expect(json).toMatchObject({ more: true, after: 'key/00003', count: 4 });
  });

  test('T15 the client pages by itself, through all the state and through a page of many calls', async () => {
    const member = await start({}, { count: 2_500, bytes: 4_000 });
    const client = connectClient({ url: gateway!.url, timeoutMs: 60_000 });
    const whole = await member.kv.range();
    const ranges = await Promise.all(
      Array.from({ length: 4 }, () => client.kv.range({ prefix: '' })),
    );
    for (const range of ranges) expect(range).toEqual(whole);
    expect(await client.kv.range({ limit: 1_500 })).toEqual(
      await member.kv.range({ limit: 1_500 }),
    );
    client.close();
  });

  test('T15 80 ranges in one request, nobody reads: no more than a connection’s share is held', async () => {
    await start({ connectionAnswerBytesMax: 1_000_000 }, { count: 8, bytes: 1_000_000 });
    const one = { name: 'range', request: { prefix: '' } };
    const socket = await deaf(post('calls', { calls: Array(80).fill(one) }));
    while ((await metric('gateway_answer_bytes')) === 0) await pause();
    const held = await settled(() => metric('gateway_answer_bytes'));
    // One page beyond it, for what has begun is carried out.
    expect(held).toBeLessThan(1_000_000 + 4.2 * 1024 * 1024);
    // Others are answered meanwhile, and when the reader is gone nothing is held.
    expect((await call('get', { key: 'key/00001' })).json.kv.value).toHaveLength(1_000_000);
    socket.destroy();
    expect(await settled(() => metric('gateway_answer_bytes'))).toBe(0);
  });
});

describe('watches', () => {
  const watchText = 'GET /v1/watch?prefix= HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n';

  test('T18 the watch that waits longest is ended, its client goes on, and the others see nothing of it', async () => {
    const member = await start({ watchBytesMax: 1_500_000 });
    const client = connectClient({ url: gateway!.url });
    const reader = client.kv.watch({ prefix: '' });
    const first = reader.next();
    const slow = await deaf(watchText);
    while ((await metric('gateway_watches')) < 2) await pause();
    const text: string[] = [];
    let isWaiting = false;
    // Others come later and are told less, until what waits is too much.
    for (let at = 0; !((await metric('gateway_calls_total{code="OVERLOADED"}')) >= 1); at++) {
      expect(at).toBeLessThan(60);
      await member.kv.put(`k/${at}`, 'x'.repeat(500_000));
      const batch = at === 0 ? await first : await reader.next();
      expect(batch.value).toMatchObject({ revision: at + 1 });
      isWaiting ||= (await metric('gateway_watch_bytes')) > 0;
      if (isWaiting) await deaf(watchText);
      expect(await metric('gateway_watch_bytes')).toBeLessThan(2_100_000);
    }
    // What it was sent whole names the place from which its client goes on.
    slow.setEncoding('utf8').on('data', (part: string) => void text.push(part));
    slow.resume();
    await new Promise<void>((resolve) => slow.once('close', () => resolve()));
    const told = [...text.join('').matchAll(/^id: (\d+)-\S+\ndata: .*\}\n/gm)].map(([, id]) =>
      Number(id),
    );
    expect(told).toEqual(Array.from({ length: told.length }, (_, at) => at + told[0]!));
    expect(told.length).toBeGreaterThan(1);
    const rest = client.kv.watch({ prefix: '', from: (told.at(-1) ?? 0) + 1 });
    expect((await rest.next()).value).toMatchObject({ revision: (told.at(-1) ?? 0) + 1 });
    client.close();
  });

  test('T18 the present state comes in parts, and is one event', async () => {
    const member = await start({ heartbeatMs: 1 }, { count: 3, bytes: 900_000 });
    const client = connectClient({ url: gateway!.url });
    const watch = client.kv.watch({ prefix: '', initial: true });
    const own = member.kv.watch({ prefix: '', initial: true });
    expect((await watch.next()).value).toEqual((await own.next()).value);
    client.close();
  });
});

describe('requests', () => {
  /** Announces so many bytes and sends one of them. */
  function announce(bytes: number): ClientRequest {
    const url = new URL(gateway!.url);
    const slow = request({
      ...{ host: url.hostname, port: url.port, path: '/v1/put', method: 'POST' },
      headers: { 'content-length': bytes },
    });
    slow.on('error', () => {});
    slow.write('{');
    return slow;
  }

  test('T16 bodies that find no room wait, unread, for those under way; small ones pass by', async () => {
    await start({ requestBytesMax: 1_000_000, requestWaitMs: 60_000 });
    // Announced, and not here yet: it counts.
    const slow = announce(900_000);
    while ((await metric('gateway_request_bytes')) !== 900_000) await pause();
    const large = call('put', { key: 'a', value: 'x'.repeat(200_000) });
    while ((await metric('gateway_waiting_request_bytes')) < 200_000) await pause();
    expect((await call('put', { key: 'b', value: 'small' })).status).toBe(200);
    expect(await metric('gateway_request_bytes')).toBe(900_000);
    slow.destroy();
    expect((await large).status).toBe(200);
    expect(await settled(() => metric('gateway_request_bytes'))).toBe(0);
    expect(await metric('gateway_waiting_request_bytes')).toBe(0);
  });

  test('T16 beyond four times the room they are OVERLOADED, which names the limit', async () => {
    await start({ requestBytesMax: 1_000_000, requestWaitMs: 60_000 });
    const slow = Array.from({ length: 6 }, () => announce(800_000));
    while ((await metric('gateway_waiting_request_bytes')) !== 4_000_000) await pause();
    const { status, json } = await call('put', { key: 'a', value: 'x'.repeat(200_000) });
    expect(status).toBe(429);
    expect(json.error).toMatchObject({ outcome: 'not-applied', code: 'OVERLOADED' });
    expect(json.error.details).toEqual({ limit: 'requestBytesMax' });
    for (const one of slow) one.destroy();
    expect(await settled(() => metric('gateway_waiting_request_bytes'))).toBe(0);
    expect(await settled(() => metric('gateway_request_bytes'))).toBe(0);
  });
});
