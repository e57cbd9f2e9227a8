/**
 * Strangers at the doors of a relay and of a listening member: newcomers are served while they stand
 * there, and pages of other sites do not get in (T24).
 */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { frame, upgradeRequest } from '../src/bad-peers.ts';
import { demand, entry } from '../src/gateway.ts';
import { sharedWorld } from '../src/shared.ts';
import { freePort, idsOf } from '../src/world.ts';
import type { MemberSeat, RelaySeat, World } from '../src/world.ts';

let world: World;
let relay: RelaySeat;
let member: MemberSeat;
/** Of the relay, and of the member. */
let doors: readonly number[];

sharedWorld(async (made) => {
  world = made;
  const port = await freePort();
  relay = await world.relay('relay', [
    ...['--init', '--fresh'],
    ...['--origin', 'https://app.example.com'],
    ...['--trusted-proxy', '127.0.0.1'],
  ]);
  await relay.start();
  doors = [relay.port, port];
  member = await world.member('a', relay, {
    flags: ['--listen', `127.0.0.1:${port}`, '--origin', 'https://app.example.com'],
  });
  await member.start();
  await world.voters([member]);
});

async function opened(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.on('error', reject);
    socket.resume();
  });
}

/** The status of the answer to an upgrade, and the socket. */
async function upgraded(
  port: number,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly socket: Socket; readonly status: number }> {
  const socket = await opened(port);
  socket.write(upgradeRequest(headers));
  const answer = await new Promise<string>((resolve) => {
    socket.once('data', (bytes: Buffer) => resolve(bytes.toString('latin1')));
    socket.once('close', () => resolve(''));
  });
  return { socket, status: Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0) };
}

async function numberAt(port: number, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  const line = text.split('\n').find((one) => one.startsWith(`quorate_${name} `));
  return Number(line?.split(' ')[1] ?? Number.NaN);
}

it('T24 a newcomer joins and writes while 256 sockets stand silent at each door, and 256 upgraded ones', async () => {
  const sockets: Socket[] = [];
  for (const port of doors) {
    for (let at = 0; at < 256; at += 1) {
      sockets.push(await opened(port));
      const from = { 'x-forwarded-for': `198.51.100.${at}` };
      sockets.push((await upgraded(port, port === relay.port ? from : {})).socket);
    }
  }
  const newcomer = await world.member('b', relay);
  await newcomer.start();
  await world.until('the newcomer is a learner', async () => {
    const { members, phase } = await newcomer.status();
    return phase === 'ready' && idsOf(members, 'learner').includes(newcomer.nodeId);
  });
  await demand(newcomer.gateway, 'put', { key: 'came', value: 'in' });
  expect(await entry(member.gateway, 'came')).toMatchObject({ value: 'in' });
  for (const socket of sockets) socket.destroy();
  for (const port of doors) {
    await world.until('those who said nothing have gone', async () => {
      return (await numberAt(port, 'listener_pending_connections')) === 1;
    });
  }
});

it('T24 sockets that say nothing, or not enough, are destroyed by themselves, and counted', async () => {
  for (const port of doors) {
    const late = `listener_refused_total{reason="late"}`;
    const before = await numberAt(port, late);
    const silent = await opened(port);
    const slow = await opened(port);
    slow.write('GET / HTTP/1.1\r\n');
    const { socket } = await upgraded(port);
    await world.until('they have been destroyed', () => {
      return [silent, slow, socket].every((one) => one.closed);
    });
    expect(await numberAt(port, late)).toBe(before + 3);
  }
});

it('T24 a page of another site gets 403, allowed pages and programs do not', async () => {
  for (const port of doors) {
    for (const [origin, status] of [
      ['https://evil.example', 403],
      ['null', 403],
      ['https://app.example.com', 101],
      ['http://localhost:7777', 101],
    ] as const) {
      const answered = await upgraded(port, { origin, host: `127.0.0.1:${port}` });
      expect([origin, answered.status]).toEqual([origin, status]);
      answered.socket.destroy();
    }
  }
});

it('T24 both doors tell a browser what they are, a probe that they live, a scraper their numbers', async () => {
  for (const port of doors) {
    const at = `http://127.0.0.1:${port}`;
    expect(await (await fetch(at)).text()).toMatch(/^This is a .*Quorate/);
    expect((await fetch(`${at}/healthz`)).status).toBe(200);
    expect((await fetch(`${at}/healthz`, { method: 'HEAD' })).status).toBe(200);
    expect(await numberAt(port, 'listener_connections')).toBeGreaterThan(0);
  }
  expect(await numberAt(relay.port, 'relay_sessions')).toBeGreaterThan(0);
  expect(await numberAt(relay.port, 'relay_decides')).toBe(1);
});

it('T9 a peer that pings and never reads makes no door hold its answers', async () => {
  const pings = Buffer.concat(
    Array.from({ length: 4_000 }, () => frame(Buffer.alloc(120), { first: 0x89 })),
  );
  for (const port of doors) {
    const { socket } = await upgraded(port);
    socket.pause();
    socket.on('error', () => {});
    // 50 MB of questions; a door that answered all of them would hold most of it.
    for (let turn = 0; turn < 100 && !socket.destroyed; turn += 1) {
      await new Promise<void>((resolve) => socket.write(pings, () => resolve()));
    }
    socket.destroy();
    expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  }
  await demand(member.gateway, 'put', { key: 'still', value: 'here' });
});
