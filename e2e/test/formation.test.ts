/** How clusters come about, in any order of starts, and what refuses to become one. */
import { describe, expect, it } from 'vitest';
import { quorateJson } from '../src/command.ts';
import { call, demand, entry } from '../src/gateway.ts';
import { inWorld } from '../src/world.ts';

describe('members that start', () => {
  it('F2 one after another: the first writes alone, each later one has it all', () =>
    inWorld(async (world) => {
      const relay = await world.relay();
      await relay.start();
      const a = await world.member('a', relay);
      const b = await world.member('b', relay);
      const c = await world.member('c', relay);

      await a.start();
      await quorateJson(['put', 'alone', 'a', '--gateway', a.gateway]);
      await world.voters([a]);

      await b.start();
      await world.until('the second listens: two could not lose one', async () => {
        const { phase, members } = await b.status();
        return phase === 'ready' && members.map((member) => member.kind).includes('learner');
      });
      expect(await entry(b.gateway, 'alone')).toMatchObject({ value: 'a' });
      await quorateJson(['put', 'by two', 'b', '--gateway', b.gateway]);

      await c.start();
      await world.voters([a, b, c]);
      for (const key of ['alone', 'by two']) {
        expect(await entry(c.gateway, key)).not.toBeNull();
      }
    }));

  it('F3 F4 before their relay, and one more in the middle: one cluster', () =>
    inWorld(async (world) => {
      const relay = await world.relay();
      const [a, b, c] = [
        await world.member('a', relay),
        await world.member('b', relay),
        await world.member('c', relay),
      ];
      a.launch();
      b.launch();
      await world.until('both wait for the relay', async () => {
        const waiting = await Promise.all([a.status(), b.status()]);
        return waiting.every((status) => status.phase === 'discovering');
      });
      const early = await call(a.gateway, 'put', { key: 'early', value: 1 }, { timeoutMs: 1_000 });
      expect(early).toMatchObject({
        ok: false,
        code: 'FORMATION_WAITING',
        outcome: 'not-applied',
        message: expect.stringContaining('relay') as string,
      });
      await relay.start();
      c.launch();
      await Promise.all([a, b, c].map((seat) => seat.hasStarted()));
      await world.voters([a, b, c]);
      await demand(c.gateway, 'put', { key: 'k', value: 'v' });
      expect(await entry(a.gateway, 'k')).toMatchObject({ value: 'v' });
      expect(await entry(b.gateway, 'early')).toBeNull();
    }));

  it('F6 Z10 a founder killed before its first write bricks nothing: another founds, it joins as fresh', () =>
    inWorld(async (world) => {
      const relay = await world.relay();
      await relay.start();
      const a = await world.member('a', relay);
      await a.start();
      await world.voters([a]);
      const { clusterId } = await a.status();
      await a.kill();

      const b = await world.member('b', relay);
      await b.start();
      await quorateJson(['put', 'k', 'of b', '--gateway', b.gateway]);
      expect((await b.status()).clusterId).not.toBe(clusterId);
      const before = a.nodeId;
      await a.start();
      await world.until('the superseded founder is a member of the other cluster', async () => {
        const [own, other] = await Promise.all([a.status(), b.status()]);
        return own.phase === 'ready' && own.clusterId === other.clusterId;
      });
      expect((await a.status()).nodeId).not.toBe(before);
      expect(await entry(a.gateway, 'k')).toMatchObject({ value: 'of b' });
    }));

  it('F12 in two namespaces on one relay and in one directory: two clusters that know nothing of each other', () =>
    inWorld(async (world) => {
      const relay = await world.relay();
      await relay.start();
      const red = await world.member('a', relay, { namespace: 'red' });
      const blue = await world.member('a', relay, { namespace: 'blue', data: red.data });
      await Promise.all([red.start(), blue.start()]);
      await demand(red.gateway, 'put', { key: 'colour', value: 'red' });
      await demand(blue.gateway, 'put', { key: 'colour', value: 'blue' });
      await Promise.all([world.voters([red]), world.voters([blue])]);
      expect(await entry(red.gateway, 'colour')).toMatchObject({ value: 'red', version: 1 });
      expect(await entry(blue.gateway, 'colour')).toMatchObject({ value: 'blue', version: 1 });
      const [one, other] = await Promise.all([red.status(), blue.status()]);
      expect(one.namespace).toBe('red');
      expect(one.clusterId).not.toBe(other.clusterId);
      expect(one.members).toHaveLength(1);
      expect(other.members).toHaveLength(1);
    }));
});

describe('what refuses', () => {
  it('Z11 a relay without --init founds nothing and says what is missing', () =>
    inWorld(async (world) => {
      const relay = await world.relay('carrier', []);
      await relay.start();
      await world.until('the relay says so', () =>
        relay.daemon.asides.some((line) => line.includes('only carries traffic')),
      );
      const a = await world.member('a', relay);
      a.launch();
      const answer = await world.until('the member says why it waits', async () => {
        const put = await call(a.gateway, 'put', { key: 'k', value: 'v' }, { timeoutMs: 500 });
        return !put.ok && put.code === 'FORMATION_WAITING' && put.message.includes('--init') && put;
      });
      expect(answer).toMatchObject({ outcome: 'not-applied' });
      const status = await a.status();
      expect(status).toMatchObject({ clusterId: null, phase: 'discovering', members: [] });
      expect(a.isRunning).toBe(true);
      expect(await a.daemon.stop()).toEqual({ code: 0, signal: null });
    }));

  it('D6 a data directory in use, however long its name: the second process is STORAGE_LOCKED, the first goes on', () =>
    inWorld(async (world) => {
      const relay = await world.relay();
      await relay.start();
      // Longer than the name of a socket can be.
      const data = world.path('d'.repeat(120), 'data');
      const holder = await world.member('a', relay, { data });
      await holder.start();
      await demand(holder.gateway, 'put', { key: 'k', value: 'before' });
      const before = await holder.status();

      const second = await world.member('second', relay, { data: holder.data });
      const daemon = second.launch();
      const ending = await daemon.end();
      expect(ending.signal).toBeNull();
      expect(ending.code).toBe(3);
      expect(daemon.events.map(({ event, code }) => [event, code])).toEqual([
        ['error', 'STORAGE_LOCKED'],
        ['stopped', undefined],
      ]);

      await demand(holder.gateway, 'put', { key: 'k', value: 'after' });
      expect(await entry(holder.gateway, 'k')).toMatchObject({ value: 'after', version: 2 });
      const { nodeId, clusterId, members } = await holder.status();
      expect({ nodeId, clusterId }).toEqual({ nodeId: before.nodeId, clusterId: before.clusterId });
      expect(members).toHaveLength(1);

      // Once the first is gone, however it went, the directory is free.
      await holder.kill();
      await second.start();
      expect(second.nodeId).toBe(holder.nodeId);
      expect(await entry(second.gateway, 'k')).toMatchObject({ value: 'after' });
    }));
});
