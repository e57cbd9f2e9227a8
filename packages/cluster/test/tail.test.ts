/** What of the log is kept behind a snapshot, in bytes, and for whom (T17, Z62). */
import { describe, expect, test } from 'vitest';
import type { Policy } from '../src/state/policy.ts';
import type { Member } from '../src/member/member.ts';
import { voters, World } from './world.ts';

const padding = 'x'.repeat(900);
/** What an entry of such a line weighs, at most. */
const lineBytes = 1_200;

/** Three voters, of which one was away while the log was compacted, and snapshots take their time. */
async function behind(policy: Partial<Policy>, names: readonly string[] = ['a', 'b', 'c']) {
  const world = new World({
    snapshotEntries: 20,
    snapshotBytes: 20_000,
    trailingEntries: 0,
    maxVoters: 3,
    ...policy,
  });
  const members = await world.cluster(['a', 'b', 'c']);
  for (const name of names.slice(3)) {
    const learner = world.member(name);
    void learner.start();
    await world.ready([learner]);
    members.push(learner);
  }
  const away = members.findLast(
    (one) => one.status.raft.role !== 'leader' && (names.length === 3 || !isVoter(one)),
  ) as Member;
  const { label } = away.status;
  world.kill(away);
  const rest = members.filter((one) => one !== away);
  const leader = world.leader(rest);
  for (let i = 0; i < 60; i++) await world.append(leader, `before ${i} ${padding}`);
  await world.until(() => leader.status.raft.firstIndex > 40);
  const back = world.member(label);
  const toBack = world.host(back);
  world.bulkMs = (to) => (to === toBack ? 100 : 1);
  const machine = world.machine(back);
  const decode = machine.decode.bind(machine);
  const seen = { installs: 0, tailEntriesMax: 0 };
  machine.decode = (bytes) => {
    // At its start it puts in place what is nothing yet.
    if (bytes.length > 2) seen.installs += 1;
    return decode(bytes);
  };
  void back.start();
  return { world, leader, back, seen };
}

function isVoter(member: Member): boolean {
  return voters(member).includes(member.status.label);
}

/** Writes without a pause until `done`, some lines at a time; returns how many. */
async function writeUntil(
  { world, leader, seen }: Awaited<ReturnType<typeof behind>>,
  done: (written: number) => boolean,
  pauseMs: number = 10,
): Promise<number> {
  let written = 0;
  while (!done(written)) {
    const lines = Array.from({ length: 4 }, () => `line ${written++} ${padding}`);
    await world.wait(
      Promise.all(lines.map((line) => leader.propose(world.line(line), { timeoutMs: 60_000 }))),
    );
    await world.clock.advance(pauseMs);
    const { firstIndex, lastIndex } = leader.status.raft;
    seen.tailEntriesMax = Math.max(seen.tailEntriesMax, lastIndex + 1 - firstIndex);
  }
  return written;
}

describe('the tail of the log', () => {
  test('T17 Z45 is bounded in bytes, however many entries may be kept', async () => {
    const world = new World({ snapshotBytes: 20_000, trailingBytes: 6_000 });
    const member = world.member('a');
    void member.start();
    await world.ready([member]);
    let entriesMax = 0;
    for (let i = 0; i < 600; i++) {
      await world.append(member, `${i} ${padding}`);
      const { firstIndex, lastIndex } = member.status.raft;
      entriesMax = Math.max(entriesMax, lastIndex + 1 - firstIndex);
    }
    expect(entriesMax).toBeGreaterThan(20);
    expect(entriesMax * 900).toBeLessThan(20_000 + 6_000 + 4 * lineBytes);
    world.kill(member);
    const again = world.member('a');
    void again.start();
    await world.ready([again]);
    expect(await world.read(again)).toHaveLength(600);
  });

  test('Z62 T17 is kept for a voter that a snapshot is on its way to: one will do, while writes go on', async () => {
    const behindOne = await behind({});
    const { back, leader, seen, world } = behindOne;
    const written = await writeUntil(
      behindOne,
      (count) =>
        count >= 2_000 || back.status.raft.commitIndex + 8 >= leader.status.raft.commitIndex,
    );
    expect(written).toBeLessThan(2_000);
    expect(seen.installs).toBe(1);
    expect(await world.read(back)).toEqual(world.log(leader));
  });

  test('Z62 T17 has a bound: writes slow to the pace of a voter that is behind, and it arrives', async () => {
    const catchUpBytes = 10 * lineBytes;
    const behindOne = await behind({ catchUpBytes });
    const { back, leader, seen, world } = behindOne;
    const toBack = world.host(back);
    // Long enough for hundreds of lines, were they not slowed.
    world.bulkMs = (to) => (to === toBack ? 400 : 1);
    const startedAt = world.clock.now();
    await writeUntil(
      behindOne,
      (count) =>
        count >= 2_000 || back.status.raft.commitIndex + 8 >= leader.status.raft.commitIndex,
    );
    expect(seen.installs).toBe(1);
    // What is kept for it, what a snapshot comes after, and what was under way.
    expect(seen.tailEntriesMax * lineBytes).toBeLessThan(catchUpBytes + 64 * lineBytes);
    expect(world.clock.now() - startedAt).toBeLessThan(60_000);
    expect(await world.read(back)).toEqual(world.log(leader));
  });

  test('Z62 a voter that takes nothing is not waited for without end', async () => {
    const behindOne = await behind({ catchUpBytes: 10 * lineBytes });
    const { back, world } = behindOne;
    await world.until(() => back.status.raft.term > 0);
    world.stallDisk(back);
    const startedAt = world.clock.now();
    expect(await writeUntil(behindOne, (count) => count >= 400)).toBeGreaterThanOrEqual(400);
    expect(world.clock.now() - startedAt).toBeLessThan(120_000);
  });

  test('Z62 for who is to have no vote nobody waits: it starts again after pauses that grow, and arrives later', async () => {
    const behindOne = await behind({ catchUpBytes: 10 * lineBytes }, ['a', 'b', 'c', 'd']);
    const { back, leader, seen, world } = behindOne;
    const toBack = world.host(back);
    const streamsAt: number[] = [];
    let frameAt = Number.NEGATIVE_INFINITY;
    world.bulkMs = (to) => {
      if (to !== toBack) return 1;
      // Whatever goes out of one stream before the first answer goes out at once.
      if (world.clock.now() - frameAt > 400) streamsAt.push(world.clock.now());
      frameAt = world.clock.now();
      return 500;
    };
    const startedAt = world.clock.now();
    const written = await writeUntil(behindOne, () => world.clock.now() - startedAt > 15_000, 50);
    // Nobody waited for it: some lines each 50 ms, and a turn for each.
    expect(written).toBeGreaterThan(1_000);
    expect(seen.tailEntriesMax * lineBytes).toBeLessThan(64 * lineBytes);
    const pauses = streamsAt.slice(1).map((at, i) => at - (streamsAt[i] as number));
    // Without pauses each would come after some 100 ms.
    expect(pauses.length).toBeGreaterThan(1);
    for (const [i, pauseMs] of pauses.entries()) expect(pauseMs).toBeGreaterThan(1_000 * 2 ** i);
    expect(seen.installs).toBe(0);
    await world.until(
      () => back.status.raft.commitIndex === leader.status.raft.commitIndex,
      60_000,
    );
    expect(world.log(back)).toEqual(world.log(leader));
  });
});
