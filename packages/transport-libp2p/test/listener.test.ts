/** What strangers may take of a listener, for both that have one: a relay, and a member (T24). */
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../src/host/addresses.ts';
import { createLibp2pHost } from '../src/index.ts';
import type { Libp2pHostOptions, ListeningOptions } from '../src/index.ts';
import { startRelay } from '../src/relay/index.ts';
import { plainNode } from './plain-node.ts';
import {
  asked,
  closed,
  metricsOf,
  portOf,
  silent,
  upgradeRequest,
  upgraded,
} from './raw-sockets.ts';
import { verifyRecord } from './test-cipher.ts';
import { closing, until, watched } from './watching.ts';

const topic = '9a'.repeat(32);
const anyPort = '/ip4/127.0.0.1/tcp/0/ws';

type Listened = { readonly port: number; readonly address: string };
type Options = ListeningOptions & Pick<Libp2pHostOptions, 'announce'>;

const users: readonly { readonly who: string; listen(options?: Options): Promise<Listened> }[] = [
  {
    who: 'relay',
    listen: async (options = {}) => {
      const port = await freePort();
      const listen = [`/ip4/127.0.0.1/tcp/${port}/ws`];
      const made = { ...options, ephemeral: true, listen, verify: verifyRecord };
      closing(await startRelay(made));
      return { port, address: listen[0]! };
    },
  },
  {
    who: 'member',
    listen: async (options = {}) => {
      const port = await freePort();
      const listen = [`/ip4/127.0.0.1/tcp/${port}/ws`];
      const host = closing(await createLibp2pHost({ ...options, listen }));
      await host.transport(topic).start(watched().handler);
      return { port, address: listen[0]! };
    },
  },
];

/** Found by listening there once: what is announced hides it later. */
async function freePort(): Promise<number> {
  const host = await createLibp2pHost({ listen: [anyPort] });
  const port = portOf(host.addresses());
  await host.close();
  return port;
}

/** Resolves once an honest peer has a connection there, whose keys are proven. */
async function isServed(
  { address }: Listened,
  headers: Readonly<Record<string, string>> = {},
): Promise<boolean> {
  const node = await plainNode(headers);
  const connection = await node.dial(parseAddress(address));
  return connection.status === 'open';
}

async function many<T>(count: number, make: (at: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: count }, async (_, at) => make(at)));
}

const forwarded = (address: string): Readonly<Record<string, string>> => ({
  'x-forwarded-for': address,
});

describe.each(users)('the listener of a $who', ({ listen }) => {
  test('T24 newcomers are served while 256 sockets of one address say nothing, upgraded or not', async () => {
    const listened = await listen();
    const sockets = await many(256, async () => silent(listened.port));
    sockets.push(...(await many(256, async () => upgraded(listened.port))));
    expect(await isServed(listened)).toBe(true);
    // Here that address is this machine's own, which stands for nobody: none had to go.
    expect(sockets.filter((socket) => socket.closed)).toEqual([]);
  });

  test('T24 newcomers are served while 256 upgraded sockets of many addresses say nothing', async () => {
    const listened = await listen({ trustedProxies: ['127.0.0.1'] });
    await many(256, async (at) => upgraded(listened.port, forwarded(`198.51.100.${at}`)));
    expect(await isServed(listened, forwarded('203.0.113.1'))).toBe(true);
  });

  test('T24 at 32 pending connections of an address its oldest silent one gives way', async () => {
    const listened = await listen({ trustedProxies: ['127.0.0.1'] });
    const { port } = listened;
    const other = await upgraded(port, forwarded('198.51.100.8'));
    const first = await upgraded(port, forwarded('198.51.100.7'));
    const rest = await many(31, async () => upgraded(port, forwarded('198.51.100.7')));
    expect(first.closed).toBe(false);
    expect(await isServed(listened, forwarded('198.51.100.7'))).toBe(true);
    await closed([first]);
    expect([other, ...rest].filter((socket) => socket.closed)).toEqual([]);
    expect((await metricsOf(port)).get('quorate_listener_refused_total{reason="gave_way"}')).toBe(
      1,
    );
  });

  test('T24 at the bound of all connections the oldest silent one gives way, wherever it is from', async () => {
    const listened = await listen({ limits: { connections: 8 } });
    const first = await silent(listened.port);
    const rest = await many(7, async () => silent(listened.port));
    expect(await isServed(listened)).toBe(true);
    await closed([first]);
    expect(rest.filter((socket) => socket.closed)).toEqual([]);
  });

  test('T24 where all connections of an address are proven, further ones are turned away', async () => {
    const limits = { connectionsPerAddress: 2 };
    const listened = await listen({ limits, trustedProxies: ['127.0.0.0/8', '::1'] });
    // One subnet of IPv6 is one address.
    const two = ['2001:db8:0:7::1', '2001:db8:0:7:ffff::2'];
    for (const address of two) expect(await isServed(listened, forwarded(address))).toBe(true);
    await expect(isServed(listened, forwarded('2001:db8:0:7::3'))).rejects.toThrow();
    expect(await isServed(listened, forwarded('2001:db8:0:8::1'))).toBe(true);
    const { status } = await asked(listened.port, upgradeRequest(forwarded(two[0]!)));
    expect(status).toBe(503);
    const metrics = await metricsOf(listened.port);
    expect(metrics.get('quorate_listener_refused_total{reason="limit"}')).toBeGreaterThan(1);
    expect(metrics.get('quorate_listener_connections')).toBeGreaterThanOrEqual(3);
  });

  test('T24 connections of this very machine are counted by the peer that proved itself', async () => {
    const listened = await listen({ limits: { connectionsPerAddress: 2 } });
    const node = await plainNode();
    const dial = async (): Promise<unknown> =>
      node.dial(parseAddress(listened.address), { force: true });
    await dial();
    await dial();
    const open = (): number => node.getConnections().filter((one) => one.status === 'open').length;
    // It may take itself for connected before it hears that it has to go.
    await dial().catch(() => {});
    await until('the third one has gone', () => open() === 2);
    expect(await isServed(listened)).toBe(true);
  });

  test('T24 what a client itself writes into X-Forwarded-For stands for nobody', async () => {
    const limits = { pendingPerAddress: 2 };
    const { port } = await listen({ limits, trustedProxies: ['127.0.0.1', '10.0.0.0/8'] });
    const from = (at: number): string => `192.0.2.${at}, 198.51.100.7, 10.1.2.3`;
    const first = await upgraded(port, forwarded(from(1)));
    await upgraded(port, forwarded(from(2)));
    await upgraded(port, forwarded(from(3)));
    await closed([first]);
  });

  test('T24 without trusted proxies the header says nothing, and that is said once', async () => {
    const warnings: string[] = [];
    const hear = (warning: Error & { code?: string }): void => {
      if (warning.code === 'QUORATE_UNTRUSTED_PROXY') warnings.push(warning.message);
    };
    process.on('warning', hear);
    onTestFinished(() => void process.off('warning', hear));
    const { port } = await listen({ limits: { pendingPerAddress: 1 } });
    const sockets = await many(3, async () => upgraded(port, forwarded('198.51.100.7')));
    await until('it was said', () => warnings.length > 0);
    await upgraded(port, forwarded('198.51.100.8'));
    expect(sockets.filter((socket) => socket.closed)).toEqual([]);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toContain('trusted proxy');
  });

  test('T24 who does not end the head of its request in time is destroyed, and counted', async () => {
    const { port } = await listen({ limits: { headersMs: 100 } });
    const quiet = await silent(port);
    const slow = await silent(port);
    slow.write('GET / HTTP/1.1\r\nhost: a\r\n');
    await closed([quiet, slow]);
    const metrics = await metricsOf(port);
    expect(metrics.get('quorate_listener_refused_total{reason="late"}')).toBe(2);
  });

  test('T24 who proves nothing in time after the upgrade is destroyed, and counted', async () => {
    const { port } = await listen({ limits: { upgradeMs: 200 } });
    await closed([await upgraded(port)]);
    const metrics = await metricsOf(port);
    expect(metrics.get('quorate_listener_refused_total{reason="late"}')).toBe(1);
    expect(metrics.get('quorate_listener_pending_connections')).toBe(1);
  });

  test('T24 who has proved itself stays, however quiet it is', async () => {
    const listened = await listen({ limits: { headersMs: 300, upgradeMs: 300 } });
    const node = await plainNode();
    const connection = await node.dial(parseAddress(listened.address));
    const late = await upgraded(listened.port);
    await closed([late]);
    expect(connection.status).toBe('open');
  });

  test('T24 a page of another site is refused, a program and pages of this machine are not', async () => {
    const { port } = await listen({
      origins: ['https://app.example.com', 'capacitor://localhost'],
      announce: ['wss://relay.example.com'],
    });
    const statusOf = async (origin: string, host = `127.0.0.1:${port}`): Promise<number> =>
      (await asked(port, upgradeRequest({ host, origin }))).status;
    expect((await asked(port, upgradeRequest())).status).toBe(101);
    for (const foreign of [
      'https://evil.example',
      'https://app.example.com.evil.example',
      'http://app.example.com',
      'http://192.168.1.5:7777',
      'null',
      'file://',
      '',
    ]) {
      expect([foreign, await statusOf(foreign)]).toEqual([foreign, 403]);
    }
    // A name of somebody's that points here is nobody's proof.
    expect(await statusOf(`http://evil.example:${port}`, `evil.example:${port}`)).toBe(403);
    for (const [own, host] of [
      ['https://app.example.com', undefined],
      ['capacitor://localhost', undefined],
      ['http://localhost:5173', undefined],
      ['http://127.0.0.1:7777', `localhost:${port}`],
      ['http://192.168.1.5:7777', `192.168.1.5:${port}`],
      ['https://relay.example.com', 'relay.example.com'],
    ] as const) {
      expect([own, await statusOf(own, host)]).toEqual([own, 101]);
    }
    const metrics = await metricsOf(port);
    expect(metrics.get('quorate_listener_refused_total{reason="origin"}')).toBe(8);
  });

  test('T24 a plain GET is told what this is, /healthz and /metrics are there', async () => {
    const { port } = await listen();
    const at = `http://127.0.0.1:${port}`;
    const root = await fetch(at);
    expect([root.status, await root.text()]).toEqual([200, expect.stringContaining('Quorate')]);
    const health = await fetch(`${at}/healthz`);
    expect([health.status, await health.text()]).toEqual([200, 'ok\n']);
    const head = await fetch(`${at}/healthz`, { method: 'HEAD' });
    expect([head.status, await head.text()]).toEqual([200, '']);
    expect((await metricsOf(port)).get('quorate_listener_connections')).toBeGreaterThan(0);
    expect((await fetch(`${at}/other`)).status).toBe(404);
    expect((await fetch(at, { method: 'POST', body: 'x' })).status).toBe(405);
    expect((await asked(port, upgradeRequest({ upgrade: 'h2c' }))).status).toBe(426);
  });
});
