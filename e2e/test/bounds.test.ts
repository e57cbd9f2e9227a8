/** Loads beyond what a member has room for: what is too much is refused, and nothing else notices. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { call } from '../src/gateway.ts';
import { inWorld } from '../src/world.ts';

/** Opens `count` watches, all at once; each entry is the status that it was answered with, or why not. */
async function openWatches(gateway: string, count: number): Promise<[Socket[], string[]]> {
  const { hostname, port } = new URL(gateway);
  const sockets: Socket[] = [];
  const one = (): Promise<string> =>
    new Promise((resolve) => {
      const socket = connect(Number(port), hostname);
      sockets.push(socket);
      socket.write(`GET /v1/watch?prefix= HTTP/1.1\r\nHost: ${hostname}:${port}\r\n\r\n`);
      socket.once('data', (bytes) => resolve(bytes.toString('latin1').split(' ')[1] ?? ''));
      socket.once('error', () => resolve('refused'));
      socket.once('close', () => resolve('refused'));
    });
  return [sockets, await Promise.all(Array.from({ length: count }, one))];
}

it('T19 Z46 400 watches of a member with 256 descriptors: the surplus is refused, the rest goes on', async () => {
  await inWorld(async (world) => {
    const { members } = await world.cluster(3, { descriptorsMax: 256 });
    const [first] = members;
    if (first === undefined) throw new Error('There is no member');
    const before = await first.status();
    const [sockets, answers] = await openWatches(first.gateway, 400);
    const count = (answer: string): number => answers.filter((one) => one === answer).length;
    expect(count('200')).toBeGreaterThan(50);
    expect(count('429')).toBeGreaterThan(0);
    expect(count('200') + count('429') + count('refused')).toBe(400);
    // Enough for its disk: records go on, and so do snapshots and segments.
    expect(readdirSync(`/proc/${first.daemon.pid}/fd`).length).toBeLessThan(256 - 32);
    for (let at = 0; at < 10; at++) {
      const value = 'x'.repeat(900_000);
      await call(first.gateway, 'put', { key: `key/${at % 4}`, value });
    }
    expect((await fetch(`${first.gateway}/healthz`)).status).toBe(200);
    const after = await first.status();
    expect(after).toMatchObject({ phase: 'ready', term: before.term, leader: before.leader });
    for (const socket of sockets) socket.destroy();
    await world.caughtUp(members);
    for (const member of members) expect(member.isRunning).toBe(true);
  });
});
