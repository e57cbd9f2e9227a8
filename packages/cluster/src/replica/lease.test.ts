import type { Lease as CoreLease, Raft } from '@quorate/core';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { World } from '../../test/world.ts';
import type { Clock } from '@quorate/contracts';
import { Lease, silentTicksOf } from './lease.ts';
import type { Member } from '../member/member.ts';

/** A core that says what a test wants it to: rounds begin with `beat()`, are confirmed by hand. */
class Bench {
  readonly clock = new ManualClock();
  readonly lease: Lease;
  round: { term: number; round: number } | null = { term: 2, round: 0 };
  confirmed: CoreLease | null = null;

  constructor(clock?: Clock) {
    const raft = { heartbeatRound: () => this.round, lease: () => this.confirmed };
    this.lease = new Lease({
      raft: raft as unknown as Raft,
      clock: clock ?? this.clock,
      electionTimeoutTicksMin: 21,
      tickMs: 50,
    });
  }

  /** As a driver does: looks, then lets the core send. */
  beat(): void {
    this.lease.observe();
    if (this.round !== null) this.round = { ...this.round, round: this.round.round + 1 };
  }

  confirm(round: number): void {
    this.confirmed = { round, readIndex: 7 };
  }
}

describe('Lease', () => {
  test('Z23 holds for four fifths of the promise, from the sending of the confirmed round', async () => {
    const bench = new Bench();
    bench.beat();
    await bench.clock.advance(300);
    expect(bench.lease.readIndex()).toBeNull();
    bench.confirm(1);
    await bench.clock.advance(499);
    expect(bench.lease.readIndex()).toBe(7);
    await bench.clock.advance(1);
    expect(bench.lease.readIndex()).toBeNull();
  });

  test('Z23 each confirmed round prolongs it, a lost one does not', async () => {
    const bench = new Bench();
    for (let round = 1; round <= 30; round++) {
      bench.beat();
      if (round !== 20) bench.confirm(round);
      await bench.clock.advance(100);
      expect(bench.lease.readIndex()).toBe(7);
    }
    for (let round = 31; round <= 37; round++) {
      bench.beat();
      await bench.clock.advance(100);
      expect(bench.lease.readIndex()).toBe(round === 37 ? null : 7);
    }
  });

  test('Z23 a round that began unseen counts from the look before it', async () => {
    const bench = new Bench();
    bench.lease.observe();
    await bench.clock.advance(790);
    if (bench.round !== null) bench.round = { term: 2, round: 3 };
    bench.confirm(2);
    expect(bench.lease.readIndex()).toBe(7);
    await bench.clock.advance(10);
    expect(bench.lease.readIndex()).toBeNull();
  });

  test('Z23 R4 R3 the larger elapsed counts: a machine that slept has no lease, a clock set back gives none', async () => {
    const bench = new Bench();
    bench.beat();
    bench.confirm(1);
    expect(bench.lease.readIndex()).toBe(7);
    bench.clock.wallAheadMs += 3_600_000;
    expect(bench.lease.readIndex()).toBeNull();
    bench.beat();
    bench.confirm(2);
    expect(bench.lease.readIndex()).toBe(7);
    bench.clock.wallAheadMs -= 7_200_000;
    expect(bench.lease.readIndex()).toBe(7);
    await bench.clock.advance(800);
    expect(bench.lease.readIndex()).toBeNull();
  });

  test('Z23 a round that was forgotten, or of another term, gives none', async () => {
    const bench = new Bench();
    for (let round = 1; round <= 20; round++) {
      bench.beat();
      await bench.clock.advance(100);
    }
    bench.beat();
    // As when a change of members takes newer answers out of the count.
    bench.confirm(3);
    expect(bench.lease.readIndex()).toBeNull();
    bench.confirm(20);
    expect(bench.lease.readIndex()).toBe(7);
    bench.round = { term: 4, round: 30 };
    bench.confirm(20);
    await bench.clock.advance(700);
    bench.lease.observe();
    expect(bench.lease.readIndex()).toBe(7);
    await bench.clock.advance(100);
    expect(bench.lease.readIndex()).toBeNull();
    bench.round = null;
    bench.confirmed = null;
    expect(bench.lease.readIndex()).toBeNull();
  });

  test('Z23 without a wall clock, as in tabs, there is none', () => {
    const { clock } = new Bench();
    const monotonicOnly: Clock = {
      now: () => clock.now(),
      setTimeout: (callback, delayMs) => clock.setTimeout(callback, delayMs),
      defer: (callback) => clock.defer(callback),
    };
    const bench = new Bench(monotonicOnly);
    bench.beat();
    bench.confirm(1);
    expect(bench.lease.readIndex()).toBeNull();
  });

  test('Z23 a restarted run is silent for a maximal election timeout and what clocks may drift', () => {
    expect(silentTicksOf(40)).toBe(49);
  });
});

const three = ['a', 'b', 'c'];

/** A lease read through `member`, cut off from everybody if there is nobody left to ask. */
function ask(world: World, member: Member, timeoutMs: number = 300): Promise<string> {
  const read = member.readBarrier({ lease: true, timeoutMs });
  const end = read.then(
    () => 'read',
    () => 'refused',
  );
  return world.wait(end);
}

describe('Member, lease reads', () => {
  test('Z23 R6 a leader cut off answers while its lease holds, and not a moment longer than that', async () => {
    const world = new World({ leaseReads: true });
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const leader = world.leader(members);
    const rest = members.filter((one) => one !== leader);
    world.part([leader], rest);
    expect(await ask(world, leader)).toBe('read');
    await world.clock.advance(800);
    expect(await ask(world, leader)).toBe('refused');
    // Whoever is elected meanwhile was elected after the last answer.
    await world.until(() => rest.some((one) => one.status.raft.role === 'leader'));
    await world.append(rest[0] as Member, 'y');
    expect(await ask(world, leader)).toBe('refused');
    world.part([leader], rest, 'heal');
    await world.until(() => leader.status.raft.role === 'follower');
    expect(await ask(world, leader, 5_000)).toBe('read');
    expect(world.log(leader)).toEqual(['x', 'y']);
  });

  test('Z23 by default there are none: a leader cut off answers nothing', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const leader = world.leader(members);
    world.part(
      [leader],
      members.filter((one) => one !== leader),
    );
    expect(await ask(world, leader)).toBe('refused');
  });

  test('Z23 R4 a leader whose machine slept confirms again first', async () => {
    const world = new World({ leaseReads: true });
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const leader = world.leader(members);
    const rest = members.filter((one) => one !== leader);
    world.part([leader], rest);
    world.clock.wallAheadMs += 5_000;
    expect(await ask(world, leader)).toBe('refused');
  });

  test('Z23 R4 a leader that stood still for five seconds answers nothing from the lease it had', async () => {
    const world = new World({ leaseReads: true });
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const leader = world.leader(members);
    const rest = members.filter((one) => one !== leader);
    expect(await ask(world, leader)).toBe('read');
    world.freeze(leader, rest);
    await world.clock.advance(5_000);
    await world.append(rest[0] as Member, 'y');
    const read = leader.readBarrier({ lease: true });
    world.thaw(leader, rest);
    await world.wait(read);
    expect(world.log(leader)).toEqual(['x', 'y']);
  });

  test('Z23 ticks that a voter owes from before it heard its leader do not shorten its promise', async () => {
    const world = new World({ leaseReads: true });
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const leader = world.leader(members);
    const [voter, eager] = members.filter((one) => one !== leader) as [Member, Member];
    world.part([leader], [eager]);
    await world.clock.advance(2_500);
    world.freeze(voter, [leader, eager]);
    await world.clock.advance(900);
    // What its leader sent comes first, then whatever came due.
    world.network.release(world.host(leader), world.host(voter));
    await world.clock.advance(5);
    const heardAt = world.clock.now();
    world.part([leader], [voter]);
    world.thaw(voter, [eager]);
    while (eager.status.raft.role !== 'leader') {
      eager.campaign();
      await world.clock.advance(10);
    }
    expect(world.clock.now() - heardAt).toBeGreaterThanOrEqual(940);
    expect(world.clock.now() - heardAt).toBeLessThan(1_300);
  });

  test('Z23 every member answers: whoever does not lead asks the leader', async () => {
    const world = new World({ leaseReads: true });
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    for (const member of members) {
      expect(await ask(world, member, 5_000)).toBe('read');
      expect(world.log(member)).toEqual(['x']);
    }
  });

  test('Z23 a voter that restarts under a lease elects nobody before that lease is over', async () => {
    const world = new World({ leaseReads: true });
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const leader = world.leader(members);
    const [one, other] = members.filter((member) => member !== leader) as [Member, Member];
    // The other one hears the leader no more, and would lead with the first one's vote.
    world.part([leader], [other]);
    await world.clock.advance(950);
    world.kill(one);
    const again = world.member(one.status.label);
    world.part([leader], [again]);
    void again.start();
    const startedAt = world.clock.now();
    const pair = [other, again];
    await world.until(() => pair.some((each) => each.status.raft.role === 'leader'), 20_000);
    expect(world.clock.now() - startedAt).toBeGreaterThanOrEqual(2_000);
  });

  test('Z23 F8 a cluster with leases survives the restart of everybody', async () => {
    const world = new World({ leaseReads: true });
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    for (const member of members) world.kill(member);
    const again = three.map((name) => world.member(name));
    for (const member of again) void member.start();
    await world.ready(again);
    await world.append(again[1] as Member, 'y');
    expect(await ask(world, world.leader(again), 5_000)).toBe('read');
    expect(world.log(world.leader(again))).toEqual(['x', 'y']);
  });
});
