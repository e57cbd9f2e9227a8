/** Loads beyond what a member has room for: what is too much is refused, and nothing else notices. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { call, demand, entry, metric } from '../src/gateway.ts';
import { inWorld } from '../src/world.ts';

function sizeMb(directory: string): number {
  const files = readdirSync(directory, { recursive: true, withFileTypes: true });
  const sizes = files
    .filter((file) => file.isFile())
    .map((file) => statSync(join(file.parentPath, file.name)).size);
  return sizes.reduce((sum, size) => sum + size, 0) / 1e6;
}

function residentMb(pid: number): number {
  const [, kb] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kb) / 1_000;
}

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

it('T17 Z45 600 writes of 900 kB under one key: what is on disk and in memory stays within tens of MB', async () => {
  await inWorld(async (world) => {
    const { members } = await world.cluster(1);
    const [member] = members;
    if (member === undefined) throw new Error('There is no member');
    const residentBefore = residentMb(member.daemon.pid);
    for (let at = 0; at < 600; at++) {
      await demand(member.gateway, 'put', { key: 'one', value: String(at).padEnd(900_000, 'x') });
    }
    const firstIndex = (await metric(member.gateway, 'quorate_first_index')) ?? 0;
    const lastIndex = (await metric(member.gateway, 'quorate_last_index')) ?? 0;
    expect(lastIndex).toBeGreaterThan(600);
    expect((lastIndex + 1 - firstIndex) * 0.9).toBeLessThan(70);
    expect(sizeMb(world.path(`node-${member.label}`))).toBeLessThan(100);
    // Most of it waits to be collected; 1,400 MB were the log.
    expect(residentMb(member.daemon.pid) - residentBefore).toBeLessThan(600);
    await member.kill();
    await member.start();
    expect(await entry(member.gateway, 'one')).toMatchObject({ value: '599'.padEnd(900_000, 'x') });
  });
});
