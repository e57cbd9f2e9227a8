/** Z3, with whole members: backups that come back, witnesses that restart, runs that keep silent. */
import type { PersistBatch } from '@quorate/core';
import { describe, expect, test } from 'vitest';
import type { Member } from '../src/member/member.ts';
import type { MemoryDiskContents } from '@quorate/contracts/memory';
import { World } from './world.ts';

const three = ['a', 'b', 'c'];
const leads = (member: Member): boolean => member.status.raft.role === 'leader';

function killAll(world: World, members: readonly Member[]): void {
  for (const member of members) world.kill(member);
}

/** Starts members of these names again; all of them are linked when this resolves. */
async function startAgain(world: World, names: readonly string[]): Promise<Member[]> {
  const members = names.map((name) => world.member(name));
  for (const member of members) void member.start();
  await world.until(
    () =>
      members.every(({ status }) => {
        const { members: known } = status;
        return known.filter(({ reachable }) => reachable).length === names.length;
      }),
    500,
  );
  return members;
}

/** What the disk holds, less its last `entryCount` entries. */
function backupOf(contents: MemoryDiskContents, entryCount: number): PersistBatch {
  const entries = contents.entries.slice(0, contents.entries.length - entryCount);
  const { commitIndex } = contents.hardState;
  const lastIndex = entries.at(-1)?.index ?? 0;
  return {
    number: 0,
    hardState: { ...contents.hardState, commitIndex: Math.min(commitIndex, lastIndex) },
    entries,
  };
}

describe('Z3, a replica that comes back with less', () => {
  test('Z3 REPLICA_ROLLED_BACK: a log that ends before what it acknowledged, by a witness that restarted', async () => {
    const world = new World();
    const members = await world.cluster(three);
    const leader = world.leader(members);
    for (const line of ['1', '2', '3', '4']) await world.append(leader, line);
    // The witness stores what its followers hold.
    await world.clock.advance(2_500);
    const follower = members.find((member) => member !== leader) as Member;
    const backup = backupOf(world.disk(follower).contents, 3);
    killAll(world, members);
    // Restarted often enough, its epoch says nothing.
    await world.restore(follower, backup, 9);
    const [again, back] = await Promise.all([
      startAgain(
        world,
        members.filter((member) => member !== follower).map(({ status }) => status.label),
      ),
      (async () => {
        const member = world.member(follower.status.label);
        void member.start();
        await world.until(() => member.status.phase === 'stopped');
        return member;
      })(),
    ]);
    expect(back.status.reason).toBe('REPLICA_ROLLED_BACK');
    await world.ready(again);
    expect(await world.read(again[0] as Member)).toEqual(['1', '2', '3', '4']);
  });

  test('Z3 REPLICA_CLONED: a witness that restarted knows which nonce had the epoch', async () => {
    const world = new World();
    killAll(world, await world.cluster(three));
    const members = await startAgain(world, three);
    await world.clock.advance(2_500);
    const follower = members.find((member) => !leads(member)) as Member;
    const contents = world.disk(follower).contents;
    killAll(world, members);
    await world.restore(follower, backupOf(contents, 0), (contents.run?.epoch ?? 0) - 1);
    const back = world.member(follower.status.label);
    void back.start();
    for (const member of members) {
      if (member !== follower) void world.member(member.status.label).start();
    }
    await world.until(() => back.status.phase === 'stopped');
    expect(back.status.reason).toBe('REPLICA_CLONED');
  });

  test('Z3 an honest restart is heard, however often', async () => {
    const world = new World();
    let members = await world.cluster(three);
    for (const line of ['1', '2', '3']) {
      await world.append(world.leader(members), line);
      await world.clock.advance(1_500);
      killAll(world, members);
      members = await startAgain(world, three);
      await world.ready(members);
    }
    expect(await world.read(members[0] as Member)).toEqual(['1', '2', '3']);
  });
});

describe('Z3, the silence of a restarted run', () => {
  test('Z3 with a voter away nobody votes for one maximal election timeout, and then they do', async () => {
    const world = new World();
    const members = await world.cluster(three);
    killAll(world, members);
    const [a, b] = (await startAgain(world, ['a', 'b'])) as [Member, Member];
    const startedAt = world.clock.now();
    a.campaign();
    await world.clock.advance(1_400);
    expect([a, b].some(leads)).toBe(false);
    expect(a.status.raft.term).toBe(b.status.raft.term);
    await world.until(() => [a, b].some(leads));
    expect(world.clock.now() - startedAt).toBeLessThan(2_200);
    await world.append(a, 'x');
  });

  test('Z3 once every voter was met there is no silence: all of them restarted elect at a hint', async () => {
    const world = new World();
    const members = await world.cluster(three);
    killAll(world, members);
    const again = three.map((name) => world.member(name));
    for (const member of again) void member.start();
    await world.until(() => again.every(({ status }) => status.phase === 'electing'), 500);
    (again[0] as Member).campaign();
    await world.until(() => again.some(leads), 100);
  });

  test('Z3 whoever was not restarted votes at once', async () => {
    const world = new World();
    const members = await world.cluster(three);
    const leader = world.leader(members);
    const rest = members.filter((member) => member !== leader) as [Member, Member];
    world.kill(leader);
    await world.until(() => rest.every(({ status }) => status.raft.leader === null));
    rest[0].campaign();
    await world.until(() => rest.some(leads), 100);
  });

  test('Z3 E14 a lone voter has nobody to wait for', async () => {
    const world = new World();
    const [alone] = (await world.cluster(['a'])) as [Member];
    await world.append(alone, 'x');
    world.kill(alone);
    const again = world.member('a');
    void again.start();
    await world.until(() => leads(again), 50);
    expect(await world.read(again)).toEqual(['x']);
  });
});
