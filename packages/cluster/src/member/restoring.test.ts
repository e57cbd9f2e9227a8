import { describe, expect, test } from 'vitest';
import { MemoryDisk, MemoryStorage } from '@quorate/contracts/memory';
import { seededBytes } from '../../test/manual-clock.ts';
import { LineMachine, voters, World } from '../../test/world.ts';
import { readClaim, setClaim, takeName } from '../formation/claim.ts';
import type { Member } from './member.ts';
import { factsFromCbor, writeRestored } from './restoring.ts';

const three = ['a', 'b', 'c'];
const never = new AbortController().signal;

/** A world whose members were stopped, and what a backup of them held. */
async function lostCluster(): Promise<{ world: World; members: Member[]; backup: Backup }> {
  const world = new World();
  const members = await world.cluster(three);
  await world.append(members[0] as Member, 'saved');
  await world.clock.advance(5_000);
  const backup = await capture(world, members[1] as Member);
  await world.append(members[0] as Member, 'after the backup');
  for (const member of members) world.kill(member);
  return { world, members, backup };
}

type Backup = { readonly facts: ReturnType<typeof factsFromCbor>; readonly lines: string[] };

async function capture(world: World, member: Member): Promise<Backup> {
  const { facts, state } = await world.wait(member.capture(() => [...world.log(member)]));
  return { facts: factsFromCbor(facts), lines: state };
}

/** What `restore` does, in memory; resolves with the disk of the new cluster's only member. */
async function restored(world: World, { facts, lines }: Backup): Promise<MemoryDisk> {
  const register = world.registers.register(world.cipher());
  const { record } = await readClaim(register, never);
  const generation = (record?.claim.generation ?? 0) + 1;
  const clusterId = `${generation}`.repeat(32);
  const nodeId = `f${generation}`.repeat(16);
  const machine = new LineMachine();
  machine.lines = lines;
  const disk = new MemoryDisk({ durable: true });
  await writeRestored(
    new MemoryStorage(disk),
    {
      facts,
      clusterId,
      generation,
      register: register.group,
      founder: {
        nodeId,
        facts: { label: 'r', durable: true, runtime: 'node', domain: '', mayVote: true },
      },
      machine: machine.snapshot(),
    },
    { random: seededBytes(90 + generation), topics: [world.cipher().topic] },
  );
  await takeName(register, record, { clusterId, generation, founder: nodeId }, never);
  return disk;
}

function opened(world: World, name: string, disk: MemoryDisk): Member {
  const member = world.member(name, { createStorage: () => new MemoryStorage(disk) });
  void member.start();
  return member;
}

describe('a restored cluster', () => {
  test('T2 Z43 Z52 has the state of the backup, ids of its own, no session, and time that goes on', async () => {
    const { world, members, backup } = await lostCluster();
    const before = (members[0] as Member).status;
    const member = opened(world, 'r', await restored(world, backup));
    await world.ready([member]);
    expect(await world.read(member)).toEqual(['saved']);
    expect(member.status).toMatchObject({ generation: 2, phase: 'ready', canWrite: true });
    expect(member.status.clusterId).not.toBe(before.clusterId);
    expect(member.status.members.map(({ label }) => label)).toEqual(['r']);
    expect(member.status.raft.time).toBeGreaterThanOrEqual(backup.facts.time);
    await world.clock.advance(50);
    await world.append(member, 'on');
    expect(member.status.raft.time).toBeGreaterThan(backup.facts.time);
    // What it took over starts no second time: its log begins with the snapshot.
    expect(member.status.raft.firstIndex).toBeGreaterThan(1);
  });

  test('T2 Z52 on a machine whose clocks were set back, or began anew, time goes on all the same', async () => {
    const { backup, world: before } = await lostCluster();
    await before.clock.advance(60_000);
    const world = new World({});
    expect(backup.facts.time).toBeGreaterThan(0);
    expect(world.clock.now()).toBe(0);
    expect(world.clock.wallNow()).toBeLessThan(before.clock.wallNow());
    const member = opened(world, 'r', await restored(world, backup));
    await world.ready([member]);
    expect(world.clock.now()).toBeLessThan(backup.facts.time);
    const { time } = member.status.raft;
    expect(time).toBeGreaterThanOrEqual(backup.facts.time);
    await world.clock.advance(50);
    await world.append(member, 'on');
    expect(member.status.raft.time).toBeGreaterThan(time);
    expect(await world.read(member)).toEqual(['saved', 'on']);
  });

  test('T2 Z52 grows: fresh members join it and vote, and hold what it holds', async () => {
    const { world, backup } = await lostCluster();
    const member = opened(world, 'r', await restored(world, backup));
    const others = ['x', 'y'].map((name) => world.member(name));
    for (const other of others) void other.start();
    await world.ready([member, ...others]);
    await world.until(() => voters(member).length === 3);
    await world.append(others[0] as Member, 'more');
    for (const one of [member, ...others]) expect(await world.read(one)).toEqual(['saved', 'more']);
  });

  test('Z12 Z52 a member of before archives what it has, says so, and comes in as a new one', async () => {
    const { world, members, backup } = await lostCluster();
    const lost = (members[0] as Member).status;
    const member = opened(world, 'r', await restored(world, backup));
    await world.ready([member]);
    const back = three.map((name) => world.member(name));
    for (const one of back) void one.start();
    await world.until(
      () => back.every(({ status }) => status.clusterId === member.status.clusterId),
      120_000,
    );
    await world.ready(back);
    for (const one of back) {
      expect([...world.disk(one).contents.archives.keys()]).toEqual(['superseded']);
      expect(one.status.archived).toEqual({ clusterId: lost.clusterId, generation: 1 });
      expect(await world.read(one)).toEqual(['saved']);
    }
    expect(back.map(({ status }) => status.nodeId)).not.toContain(lost.nodeId);
    await world.until(() => voters(member).length === 3);
    await world.append(back[2] as Member, 'together');
    expect(await world.read(member)).toEqual(['saved', 'together']);
  });

  test('Z12 Z52 a majority of before that goes on stops acknowledging within the next look', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'saved');
    const backup = await capture(world, members[0] as Member);
    const member = opened(world, 'r', await restored(world, backup));
    await world.ready([member]);
    await world.clock.advance(35_000);
    await world.until(
      () => members.every(({ status }) => status.clusterId === member.status.clusterId),
      120_000,
    );
    await world.ready(members);
    await world.append(members[1] as Member, 'one cluster');
    expect(await world.read(member)).toEqual(['saved', 'one cluster']);
  });

  test('T6 Z52 whoever archives itself shows what it had, stale, until it has the new state: never nothing', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'saved');
    const backup = await capture(world, members[0] as Member);
    await world.append(members[0] as Member, 'after the backup');
    await world.until(() => members.every((member) => world.log(member).length === 2));
    const member = opened(world, 'r', await restored(world, backup));
    await world.ready([member]);
    const seen = new Set<string>();
    const look = (one: Member): void => {
      const { phase, clusterId } = one.status;
      const isNew = phase === 'ready' && clusterId === member.status.clusterId;
      seen.add(`${world.log(one).join()}${isNew ? ' of the new cluster' : ''}`);
    };
    for (const one of members) one.subscribe(() => look(one));
    await world.until(() => {
      for (const one of members) look(one);
      return members.every(({ status }) => status.clusterId === member.status.clusterId);
    }, 120_000);
    await world.ready(members);
    for (const one of members) look(one);
    expect([...seen].filter((what) => !what.startsWith('saved'))).toEqual([]);
    expect(seen).toContain('saved of the new cluster');
    expect(seen).not.toContain('saved,after the backup of the new cluster');
  });

  test('Z50 two restores of one file: the counter of the register decides, and the first gives way', async () => {
    const { world, backup } = await lostCluster();
    const first = opened(world, 'r', await restored(world, backup));
    await world.append(first, 'in the first');
    const second = opened(world, 's', await restored(world, backup));
    await world.ready([second]);
    expect(second.status.generation).toBe(3);
    expect(await world.read(second)).toEqual(['saved']);
    await world.until(() => first.status.clusterId === second.status.clusterId, 120_000);
    await world.ready([first]);
    expect(first.status.archived?.generation).toBe(2);
    expect(await world.read(first)).toEqual(['saved']);
  });

  test('Z52 equal counters stop and ask; a lower one is not obeyed', async () => {
    const world = new World();
    const [member] = (await world.cluster(['a'])) as [Member];
    await world.append(member, 'x');
    const register = world.registers.register(world.cipher());
    const setTo = async (generation: number): Promise<void> => {
      const { record } = await readClaim(register, never);
      const value = { clusterId: 'cd'.repeat(16), generation, founder: 'ef'.repeat(16) };
      const claim = { ...value, state: 'active' as const, beat: 1 };
      await setClaim(register, record?.version ?? 0, claim, never);
    };
    await setTo(0);
    await world.clock.advance(60_000);
    expect(member.status.phase).toBe('ready');
    await setTo(1);
    await world.clock.advance(60_000);
    expect(member.status).toMatchObject({ phase: 'stopped', reason: 'SUPERSEDED' });
    expect([...world.disk(member).contents.archives.keys()]).toEqual([]);
  });

  test('Z52 the name is taken from exactly the record that was shown', async () => {
    const { world, backup } = await lostCluster();
    const register = world.registers.register(world.cipher());
    const { record } = await readClaim(register, never);
    await restored(world, backup);
    const late = { clusterId: 'ab'.repeat(16), generation: 9, founder: 'ef'.repeat(16) };
    await expect(takeName(register, record, late, never)).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    world.registers.setReachable(false);
    await expect(takeName(register, record, late, never)).rejects.toMatchObject({
      code: 'UNREACHABLE',
    });
  });
});
