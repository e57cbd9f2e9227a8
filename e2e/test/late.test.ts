/** Members whose event loop stands still, as when a program computes: that is nobody's death. */
import { readFile, writeFile } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { demand, entry } from '../src/gateway.ts';
import { inWorld } from '../src/world.ts';
import type { MemberOptions, MemberSeat, World } from '../src/world.ts';

/** Of a member that computes on command. */
function computing(world: World, label: string): MemberOptions {
  const module = new URL('../src/busy.mjs', import.meta.url).href;
  return { env: { NODE_OPTIONS: `--import ${module}`, E2E_BUSY: world.path(`busy-${label}`) } };
}

async function compute(world: World, { label, daemon }: MemberSeat, ms: number): Promise<void> {
  await writeFile(world.path(`busy-${label}`), String(ms));
  daemon.signal('SIGUSR2');
}

async function hasComputed(world: World, { label }: MemberSeat, count: number): Promise<void> {
  await world.until(`${label} has computed ${count} times`, async () => {
    const done = await readFile(world.path(`busy-${label}.done`), 'utf8').catch(() => '');
    return done.split('\n').length > count;
  });
}

it('T11 Z44 a member that leads alone computes for 700 ms and for 3 s, again and again: its term stays, and a write through its learner is done', () =>
  inWorld(async (world) => {
    const relay = await world.relay();
    await relay.start();
    const a = await world.member('a', relay, computing(world, 'a'));
    await a.start();
    await world.voters([a]);
    const b = await world.member('b', relay, computing(world, 'b'));
    await b.start();
    const isLearner = async (): Promise<boolean> => {
      const { phase, members } = await b.status();
      return (
        phase === 'ready' && members.some(({ label, kind }) => label === 'b' && kind === 'learner')
      );
    };
    await world.until('b is a learner', isLearner);
    const { term } = await a.status();

    const pauses = [700, 3_000, 700, 700];
    for (const [i, ms] of pauses.entries()) {
      await compute(world, a, ms);
      await demand(b.gateway, 'put', { key: 'click', value: i });
      await hasComputed(world, a, i + 1);
    }
    // A learner that stands still stands for nothing either.
    await compute(world, b, 3_000);
    await demand(a.gateway, 'put', { key: 'click', value: 'last' });
    await hasComputed(world, b, 1);

    await world.caughtUp([a, b]);
    for (const member of [a, b]) {
      const status = await member.status();
      expect([status.term, status.leader]).toEqual([term, a.nodeId]);
      expect((await entry(member.gateway, 'click'))?.value).toBe('last');
    }
    expect(await isLearner()).toBe(true);
  }));

it('T11 Z44 a leader that computes for ten seconds comes back behind who was elected meanwhile, and follows', () =>
  inWorld(async (world) => {
    const relay = await world.relay();
    await relay.start();
    const members: MemberSeat[] = [];
    for (const label of ['a', 'b', 'c']) {
      members.push(await world.member(label, relay, computing(world, label)));
    }
    await Promise.all(members.map((member) => member.start()));
    const leader = await world.voters(members);
    const { term } = await leader.status();
    const rest = members.filter((member) => member !== leader);

    // Long enough for an election on a machine with much to do.
    await compute(world, leader, 10_000);
    const elected = await world.until('another one leads', async () => {
      const states = await Promise.all(rest.map((member) => member.status()));
      const [first] = states;
      const isOne = states.every((one) => one.leader !== null && one.leader === first?.leader);
      return isOne && first !== undefined && first.term > term ? first : undefined;
    });
    expect(elected.leader).not.toBe(leader.nodeId);
    await demand(rest[0]?.gateway ?? '', 'put', { key: 'meanwhile', value: 1 });
    await hasComputed(world, leader, 1);

    // It asks whoever leads now before it answers, and so it cannot answer as if nothing had been.
    expect((await entry(leader.gateway, 'meanwhile'))?.value).toBe(1);
    await world.voters(members);
    const terms = await Promise.all(members.map(async (member) => (await member.status()).term));
    expect(new Set(terms).size).toBe(1);
    expect(terms[0]).toBeGreaterThanOrEqual(elected.term);
  }));
