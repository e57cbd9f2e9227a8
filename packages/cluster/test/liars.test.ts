/** T8: who has the secret and lies stops nobody, and takes nobody anywhere. */
import { encodeCbor, ByteWriter } from '@quorate/contracts';
import { plainMembership } from '@quorate/core';
import type { InstallSnapshot, Message } from '@quorate/core';
import { describe, expect, test } from 'vitest';
import type { Member } from '../src/member/member.ts';
import { Liar } from './liar.ts';
import { seededBytes } from './manual-clock.ts';
import { World } from './world.ts';

type Scene = { world: World; members: Member[]; liar: Liar; followers: Member[]; leader: Member };

async function scene(): Promise<Scene> {
  const world = new World({ electionTimeoutMsMin: 1_000, electionTimeoutMsMax: 2_000 });
  const members = await world.cluster(['a', 'b', 'c']);
  const leader = world.leader(members);
  await world.append(leader, 'one');
  const liar = new Liar(world, leader);
  await liar.meet(world, members);
  const followers = members.filter((member) => member !== leader);
  return { world, members, liar, followers, leader };
}

const idOf = (member: Member): string => member.status.nodeId ?? '';
const termOf = (member: Member): number => member.status.raft.term;
const refusedOf = (member: Member): number => member.status.raft.counters['refusedMessages'] ?? 0;

/** Everybody is there, in one term, and writes. */
async function goOn({ world, members }: Scene, text: string): Promise<void> {
  for (const member of members) await world.append(member, text);
  expect(members.map(({ status }) => status.phase)).toEqual(['ready', 'ready', 'ready']);
  expect(new Set(members.map(termOf)).size).toBe(1);
}

function snapshotOf(liar: Liar, to: Member, term: number): InstallSnapshot {
  const membership = plainMembership({ voters: [idOf(to)], learners: [] });
  const meta = { term, index: 1_000, membership, membershipIndex: 1 };
  return { type: 'InstallSnapshot', from: liar.nodeId, to: idOf(to), term, meta };
}

function beat(liar: Liar, to: Member, term: number): Message {
  const head = { from: liar.nodeId, to: idOf(to), term };
  return { type: 'Heartbeat', ...head, leaderCommit: 0, readRound: 0 };
}

describe('a stranger with the secret', () => {
  test('T8 Z47 answers of the term 2^48 take nobody there, and are counted', async () => {
    const here = await scene();
    const { world, members, liar } = here;
    const terms = members.map(termOf);
    for (const member of members) {
      const head = { from: liar.nodeId, to: idOf(member), term: 2 ** 48 };
      liar.say({ type: 'RequestVoteResponse', ...head, granted: true });
      liar.say({ type: 'PreVoteResponse', ...head, granted: false, votedFor: null });
      liar.say({ type: 'AppendEntriesResponse', ...head, matchIndex: 2 ** 40, rejected: null });
      liar.say({ type: 'HeartbeatResponse', ...head, readRound: 2 ** 40 });
      liar.say({ type: 'ReadIndexResponse', ...head, requestId: 1, index: 0 });
    }
    await world.clock.advance(100);
    expect(members.map(termOf)).toEqual(terms);
    expect(members.map(refusedOf)).toEqual([5, 5, 5]);
    expect(members.every((member) => liar.isLinked(member))).toBe(true);
    await goOn(here, 'two');
    expect(members.map(termOf)).toEqual(terms);
  });

  test('T8 Z40 requests of a term far away raise it by 2^20, and the disk with it', async () => {
    const here = await scene();
    const { world, members, liar, followers, leader } = here;
    const before = termOf(leader);
    for (const member of followers) liar.say(beat(liar, member, 2 ** 48));
    await liar.close();
    await world.until(() => members.every((member) => termOf(member) > before), 60_000);
    await world.clock.advance(10_000);
    await goOn(here, 'two');
    expect(Math.max(...members.map(termOf))).toBeLessThan(before + 2 ** 20 + 100);
  });

  test('T8 E11 a heartbeat and an append of the present term close its link, and end nobody', async () => {
    const here = await scene();
    const { world, members, liar, leader } = here;
    for (const member of members) {
      const term = termOf(member);
      liar.say(beat(liar, member, term));
      await world.until(() => !liar.isLinked(member));
      await world.until(() => liar.isLinked(member), 60_000);
      const head = { from: liar.nodeId, to: idOf(member), term };
      const entry = { term, index: 2, type: 'normal' as const, data: new Uint8Array(8) };
      liar.say({
        type: 'AppendEntries',
        ...head,
        prevEntry: { term: 1, index: 1 },
        leaderCommit: 2,
        entries: [entry],
      });
      await world.until(() => !liar.isLinked(member));
      expect(refusedOf(member)).toBe(2);
    }
    expect(world.leader(members)).toBe(leader);
    await goOn(here, 'two');
    expect(world.log(leader)).toEqual(['one', 'two', 'two', 'two']);
  });

  test('T8 L5 an append of a later term that contradicts what is committed ends nobody', async () => {
    const here = await scene();
    const { world, members, liar, followers } = here;
    for (const member of followers) {
      const term = termOf(member) + 3;
      const head = { from: liar.nodeId, to: idOf(member), term };
      const prevEntry = { term: termOf(member), index: 1 };
      liar.say({ type: 'AppendEntries', ...head, prevEntry, leaderCommit: 1, entries: [] });
      await world.until(() => !liar.isLinked(member));
    }
    await liar.close();
    await world.until(() => members.every(({ status }) => status.phase === 'ready'), 60_000);
    await goOn(here, 'two');
  });

  test('T8 Z40 Z62 64 random bytes as a snapshot touch no disk, by whichever channel', async () => {
    const here = await scene();
    const { world, members, liar, followers } = here;
    const garbage = seededBytes(7)(64);
    for (const member of followers) {
      const before = world.disk(member).contents;
      const message = snapshotOf(liar, member, termOf(member) + 3);
      // Not leading: its pieces are not even looked at.
      liar.stream(message, garbage);
      await world.until(() => refusedOf(member) >= 2);
      expect(liar.isLinked(member)).toBe(true);
      // The message alone, without the bytes that belong to it.
      liar.say(message);
      await world.until(() => !liar.isLinked(member));
      await world.until(() => liar.isLinked(member), 60_000);
      // And as a leader, as far as that member can tell.
      liar.say(beat(liar, member, termOf(member) + 1));
      liar.stream(snapshotOf(liar, member, termOf(member) + 1), garbage);
      await world.until(() => !liar.isLinked(member));
      expect(world.disk(member).contents.snapshot).toEqual(before.snapshot);
      expect(member.status.phase).not.toBe('stopped');
    }
    await liar.close();
    await world.until(() => members.every(({ status }) => status.phase === 'ready'), 60_000);
    await goOn(here, 'two');
    // What is on their disks is worth a restart.
    for (const member of members) world.kill(member);
    const again = ['a', 'b', 'c'].map((name) => world.member(name));
    for (const member of again) void member.start();
    await world.ready(again);
    expect(await world.read(again[0] as Member)).toEqual(['one', 'two', 'two', 'two']);
  });

  test('T8 Z62 a snapshot too new to read makes nobody outdated on a stranger’s word', async () => {
    const here = await scene();
    const { world, members, liar, followers } = here;
    const [member] = followers as [Member];
    liar.say(beat(liar, member, termOf(member) + 1));
    liar.stream(snapshotOf(liar, member, termOf(member) + 1), tooNew());
    await world.until(() => !liar.isLinked(member));
    await liar.close();
    await world.until(() => members.every(({ status }) => status.phase === 'ready'), 60_000);
    await goOn(here, 'two');
  });
});

describe('a compromised voter', () => {
  async function withCompromised(): Promise<Scene & { gone: Member; left: Member }> {
    const world = new World({ electionTimeoutMsMin: 1_000, electionTimeoutMsMax: 2_000 });
    const members = await world.cluster(['a', 'b', 'c']);
    const leader = world.leader(members);
    await world.append(leader, 'one');
    const [gone, left] = members.filter((member) => member !== leader) as [Member, Member];
    const { term, lastIndex, epoch } = gone.status.raft;
    world.kill(gone);
    await world.until(() => leader.status.members.some(({ link, self }) => link === null && !self));
    const opening = { term, votedFor: null, lastIndex };
    const liar = new Liar(world, leader, { nodeId: idOf(gone), epoch: epoch + 1, opening });
    await liar.meet(world, [leader, left]);
    return { world, members: [leader, left], liar, followers: [left], leader, gone, left };
  }

  test('T8 acknowledges and confirms what never was: its link closes, the leader leads on', async () => {
    const { world, members, liar, leader } = await withCompromised();
    const term = termOf(leader);
    const head = { from: liar.nodeId, to: idOf(leader), term };
    liar.say({ type: 'AppendEntriesResponse', ...head, matchIndex: 2 ** 40, rejected: null });
    await world.until(() => !liar.isLinked(leader));
    await world.until(() => liar.isLinked(leader), 60_000);
    liar.say({ type: 'HeartbeatResponse', ...head, readRound: 2 ** 40 });
    await world.until(() => !liar.isLinked(leader));
    expect(termOf(leader)).toBe(term);
    expect(world.leader(members)).toBe(leader);
    await world.append(leader, 'two');
    expect(refusedOf(leader)).toBe(2);
  });

  test('Z72 rejects what it acknowledged within one run: evidence, its link closes', async () => {
    const { world, liar, leader } = await withCompromised();
    const head = { from: liar.nodeId, to: idOf(leader), term: termOf(leader) };
    liar.say({ type: 'AppendEntriesResponse', ...head, matchIndex: 3, rejected: null });
    const rejected = { index: 2, hint: { term: 1, index: 1 } };
    liar.say({ type: 'AppendEntriesResponse', ...head, matchIndex: 0, rejected });
    await world.until(() => !liar.isLinked(leader));
    expect(refusedOf(leader)).toBe(1);
    await world.append(leader, 'two');
  });

  test('Z62 of a leader that votes here, a snapshot too new to read makes outdated, not a retry', async () => {
    const { world, liar, left } = await withCompromised();
    liar.say(beat(liar, left, termOf(left) + 1));
    liar.stream(snapshotOf(liar, left, termOf(left) + 1), tooNew());
    await world.until(() => left.status.phase === 'outdated');
    expect(left.status.reason).toBe('OUTDATED');
    expect(world.disk(left).contents.snapshot).toBeNull();
  });
});

/** The head of a snapshot as a later release may write it. */
function tooNew(): Uint8Array {
  return new ByteWriter(64).block(encodeCbor({ format: 99 })).finish();
}
