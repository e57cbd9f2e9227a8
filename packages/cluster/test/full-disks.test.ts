/** Disks that are full, all or some, and disks that hang (T20). */
import { isQuorateError } from '@quorate/contracts';
import { describe, expect, test } from 'vitest';
import type { Member } from '../src/member/member.ts';
import { World } from './world.ts';

const three = ['a', 'b', 'c'];
const withReserve = { reserveBytes: 100_000 };
const refused = { code: 'STORAGE_FULL', outcome: 'not-applied' };

async function started(world: World): Promise<Member[]> {
  const members = await world.cluster(three, withReserve);
  await world.append(members[0] as Member, 'x');
  // The reserve is taken a while after the start.
  await world.clock.advance(2_000);
  return members;
}

/** Has every member try a write: what the full disks do not know yet they learn by that. */
async function fill(world: World, members: readonly Member[]): Promise<void> {
  for (const member of members) world.disk(member).full = true;
  await world.append(members[0] as Member, 'last');
  await world.until(() => members.every(({ status }) => !status.canWrite));
}

describe('all disks full', () => {
  test('T20: writes are refused at once, deletions go through, and all goes on by itself', async () => {
    const world = new World();
    const members = await started(world);
    await fill(world, members);
    for (const member of members) {
      expect(member.status).toMatchObject({
        phase: 'ready',
        canWrite: false,
        reason: 'STORAGE_FULL',
      });
      const now = world.clock.now();
      await expect(world.wait(member.propose(world.line('no')))).rejects.toMatchObject(refused);
      expect(world.clock.now()).toBe(now);
      await world.append(member, `-${member.status.label}`);
    }
    const lines = ['x', 'last', '-a', '-b', '-c'];
    for (const member of members) expect(await world.read(member)).toEqual(lines);
    for (const member of members) world.disk(member).full = false;
    await world.until(() => members.every(({ status }) => status.canWrite));
    for (const member of members) expect(member.status.reason).toBeNull();
    await world.append(members[1] as Member, 'y');
    for (const member of members) expect(await world.read(member)).toEqual([...lines, 'y']);
  });

  test('T20 D5 what was acknowledged is on the disks of a majority, whoever dies when', async () => {
    const world = new World();
    const members = await started(world);
    await fill(world, members);
    await world.append(members[0] as Member, '-gone');
    for (const member of members) world.kill(member);
    const back = three.map((name) => world.member(name, withReserve));
    for (const member of back) void member.start();
    await world.until(() => back.some(({ status }) => status.raft.role === 'leader'));
    for (const member of back) expect(await world.read(member)).toEqual(['x', 'last', '-gone']);
    // They find out anew that there is no room, and what is left of the reserve is still there.
    await world.until(() => back.every(({ status }) => !status.canWrite));
    await world.append(back[2] as Member, '-more');
  });

  test('T20: when the reserve is used up nothing is acknowledged, and nothing is lost', async () => {
    const world = new World();
    const members = await world.cluster(three, { reserveBytes: 3_000 });
    await world.append(members[0] as Member, 'x');
    await world.clock.advance(2_000);
    for (const member of members) world.disk(member).full = true;
    const outcomes: string[] = [];
    const deletions = Array.from({ length: 60 }, (_, number) =>
      (members[number % 3] as Member)
        .propose(world.line(`-${number} ${'.'.repeat(100)}`), { timeoutMs: 120_000 })
        .then(
          () => outcomes.push('done'),
          (error: unknown) => outcomes.push(isQuorateError(error) ? error.code : 'other'),
        ),
    );
    await world.clock.advance(20_000);
    expect(outcomes.length).toBeLessThan(60);
    for (const member of members) expect(member.status.reason).toBe('STORAGE_FULL');
    for (const member of members) world.disk(member).full = false;
    await world.wait(Promise.all(deletions));
    expect(outcomes).toEqual(deletions.map(() => 'done'));
    expect(new Set(await world.read(members[0] as Member)).size).toBe(61);
  });

  test('T20: what was on its way is refused, or done; nobody waits for its deadline', async () => {
    const world = new World();
    const members = await started(world);
    for (const member of members) world.disk(member).full = true;
    const outcomes = new Map<string, string>();
    const writes = members.flatMap((member) =>
      Array.from({ length: 20 }, (_, number) => {
        const line = `${member.status.label}${number}`;
        return member.propose(world.line(line), { timeoutMs: 600_000 }).then(
          () => outcomes.set(line, 'done'),
          (error: unknown) => outcomes.set(line, isQuorateError(error) ? error.code : 'other'),
        );
      }),
    );
    await world.wait(Promise.all(writes), 60_000);
    const lines = new Set(await world.read(members[0] as Member));
    for (const [line, outcome] of outcomes) {
      expect(outcome, line).toBe(lines.has(line) ? 'done' : 'STORAGE_FULL');
    }
  });
});

describe('a lone member', () => {
  test('T20: it refuses, deletes, and goes on once there is room', async () => {
    const world = new World();
    const member = world.member('a', withReserve);
    void member.start();
    await world.append(member, 'x');
    await world.clock.advance(2_000);
    await fill(world, [member]);
    await expect(world.wait(member.propose(world.line('no')))).rejects.toMatchObject(refused);
    await world.append(member, '-x');
    world.disk(member).full = false;
    await world.until(() => member.status.canWrite);
    await world.append(member, 'y');
    expect(world.log(member)).toEqual(['x', 'last', '-x', 'y']);
  });
});

describe('room that a member makes itself', () => {
  test('T20: a full disk keeps no more of the log than is needed, and deletions bring a snapshot', async () => {
    const world = new World({ snapshotEntries: 20, trailingEntries: 1_000 });
    const members = await started(world);
    for (let at = 0; at < 50; at += 1) await world.append(members[at % 3] as Member, `line ${at}`);
    await world.clock.advance(1_000);
    for (const { status } of members) expect(status.raft.firstIndex).toBe(1);
    await fill(world, members);
    await world.clock.advance(1_000);
    for (const { status } of members) {
      expect(status.raft.snapshotIndex).toBeGreaterThan(40);
      expect(status.raft.firstIndex).toBe(status.raft.snapshotIndex + 1);
    }
    await world.append(members[0] as Member, '-line');
    await world.clock.advance(1_000);
    for (const { status } of members) {
      expect(status.raft.snapshotIndex).toBe(status.raft.appliedIndex);
    }
    const leader = world.leader(members);
    world.kill(leader);
    const back = world.member(leader.status.label, withReserve);
    void back.start();
    await world.ready([back]);
    expect((await world.read(back)).slice(-2)).toEqual(['last', '-line']);
  });

  test('T20: a snapshot that finds no room is tried less and less often, and harms nothing', async () => {
    const world = new World({ snapshotEntries: 1_000 });
    const member = world.member('a', { reserveBytes: 20_000 });
    void member.start();
    await world.append(member, 'x'.repeat(30_000));
    await world.clock.advance(2_000);
    await fill(world, [member]);
    for (let at = 0; at < 20; at += 1) await world.append(member, `-${at}`);
    expect(member.status.raft.snapshotIndex).toBe(0);
    world.disk(member).full = false;
    await world.until(() => member.status.canWrite);
    expect((await world.read(member)).length).toBe(22);
  });
});

describe('some disks full', () => {
  test('T20: one of three: it says so, the others write on; a leader has another one lead', async () => {
    const world = new World();
    const members = await started(world);
    const full = world.leader(members);
    const rest = members.filter((member) => member !== full);
    world.disk(full).full = true;
    await world.append(rest[0] as Member, 'y');
    await world.until(() => full.status.reason === 'STORAGE_FULL');
    await world.until(() => rest.some(({ status }) => status.raft.role === 'leader'));
    for (const member of members) {
      await world.append(member, `by ${member.status.label}`);
      expect(member.status.canWrite).toBe(true);
    }
    for (const member of rest) expect(member.status.reason).toBeNull();
    world.disk(full).full = false;
    await world.until(() => full.status.reason === null);
    expect((await world.read(full)).length).toBe(5);
  });

  test('T20: two of three: refused by all, the one with room too, until one of them has some', async () => {
    const world = new World();
    const members = await started(world);
    const [first, second, third] = members as [Member, Member, Member];
    for (const member of [first, second]) world.disk(member).full = true;
    await world.append(third, 'y');
    await world.until(() => members.every(({ status }) => !status.canWrite));
    await expect(world.wait(third.propose(world.line('no')))).rejects.toMatchObject(refused);
    await world.append(third, '-z');
    world.disk(second).full = false;
    await world.until(() => members.every(({ status }) => status.canWrite));
    await world.append(first, 'w');
    expect(await world.read(third)).toEqual(['x', 'y', '-z', 'w']);
  });

  test('T20: members agree who leads while all are full, terms and votes are written', async () => {
    const world = new World();
    const members = await started(world);
    await fill(world, members);
    const leader = world.leader(members);
    const { term } = leader.status.raft;
    const rest = members.filter((member) => member !== leader);
    world.kill(leader);
    await world.until(() => rest.some(({ status }) => status.raft.role === 'leader'));
    expect(world.leader(rest).status.raft.term).toBeGreaterThan(term);
    await world.until(() => rest.every(({ status }) => !status.canWrite));
    await world.append(rest[0] as Member, '-x');
  });
});

describe('a disk that hangs', () => {
  test('T20 L6 after two election timeouts it is a reason, and none once it answers', async () => {
    const world = new World();
    const member = world.member('a');
    void member.start();
    await world.append(member, 'x');
    const disk = world.stallDisk(member);
    const write = member.propose(world.line('y'), { timeoutMs: 60_000 });
    await world.until(() => member.status.reason === 'STORAGE_SLOW');
    expect(member.status).toMatchObject({ phase: 'ready', canWrite: true });
    expect(member.status.message).toMatch(/does not answer/);
    disk.release();
    await world.wait(write);
    await world.until(() => member.status.reason === null);
  });
});

describe('a start on a full disk', () => {
  test('T20: it waits and says why, begins once there is room, and ends when it is told to', async () => {
    const world = new World();
    const members = await started(world);
    const [first, ...rest] = members as [Member, ...Member[]];
    // Its commit index is stored with the next entry.
    await world.append(first, 'y');
    world.kill(first);
    world.disk(first).fullToRuns = true;
    const back = world.member('a', withReserve);
    void back.start();
    await world.clock.advance(30_000);
    expect(back.status).toMatchObject({
      phase: 'starting',
      canWrite: false,
      reason: 'STORAGE_FULL',
    });
    expect(back.status.message).toMatch(/full/);
    expect(world.log(back), 'what its disk holds is shown meanwhile').toEqual(['x']);
    expect(back.status.raft.appliedIndex).toBeGreaterThan(0);
    await expect(world.wait(back.readBarrier({ timeoutMs: 100 }))).rejects.toMatchObject(refused);
    const write = back.propose(world.line('early'), { timeoutMs: 60_000 });
    world.disk(back).fullToRuns = false;
    await world.wait(write);
    await world.ready([back]);
    await world.until(() => back.status.reason === null);
    for (const member of [back, ...rest]) {
      expect(await world.read(member)).toEqual(['x', 'y', 'early']);
    }
    world.kill(back);
    world.disk(back).fullToRuns = true;
    const again = world.member('a', withReserve);
    void again.start();
    await world.until(() => again.status.reason === 'STORAGE_FULL');
    await world.wait(again.close());
    expect(again.status).toMatchObject({ phase: 'stopped', reason: 'CLOSED' });
    await world.clock.advance(10_000);
    expect(world.disk(again).contents.run?.epoch).toBe(2);
  });

  test('T20: a founder too', async () => {
    const world = new World();
    const member = world.member('a', withReserve);
    world.disk(member).fullToRuns = true;
    void member.start();
    await world.clock.advance(5_000);
    expect(member.status).toMatchObject({ phase: 'starting', reason: 'STORAGE_FULL' });
    world.disk(member).fullToRuns = false;
    world.disk(member).full = true;
    await world.clock.advance(5_000);
    expect(member.status).toMatchObject({ canWrite: false, reason: 'STORAGE_FULL' });
    world.disk(member).full = false;
    await world.append(member, 'x');
  });
});
