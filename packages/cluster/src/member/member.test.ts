import { describe, expect, test } from 'vitest';
import { voters, World } from '../../test/world.ts';
import { readClaim } from '../formation/claim.ts';
import { isQuorateError } from '@quorate/contracts';
import type { QuorateError } from '@quorate/contracts';
import type { Member } from './member.ts';

const three = ['a', 'b', 'c'];

function clusterIds(members: readonly Member[]): Set<string | null> {
  return new Set(members.map((member) => member.status.clusterId));
}

/** The error that a promise ends with. */
async function failure(world: World, promise: Promise<unknown>): Promise<QuorateError> {
  const reason: unknown = await world.wait(
    promise.then(
      () => null,
      (error: unknown) => error,
    ),
  );
  if (!isQuorateError(reason)) throw new Error(`wanted a QuorateError, got ${String(reason)}`);
  return reason;
}

describe('Member.status', () => {
  test('T13 in an idle cluster it stays the same object, and nobody is called', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    await world.clock.advance(5_000);
    const before = members.map(({ status }) => status);
    let callCount = 0;
    for (const member of members) member.subscribe(() => callCount++);
    // Round trips go on being measured meanwhile, and sessions being seen.
    await world.clock.advance(10_000);
    expect(members.map(({ status }) => status)).toEqual(before);
    for (const [at, member] of members.entries()) expect(member.status).toBe(before[at]);
    expect(callCount).toBe(0);
    await world.append(members[0] as Member, 'y');
    await world.until(() => members.every(({ status }, at) => status !== before[at]));
    expect(callCount).toBeGreaterThan(0);
  });

  test('T13 it names the moment at which a missing voter was last heard, and does not count on', async () => {
    const world = new World();
    const members = await world.cluster(three);
    const [a, b, c] = members as [Member, Member, Member];
    world.kill(c);
    await world.until(() => a.status.missing.length === 1 && b.status.missing.length === 1, 20_000);
    const missing = a.status.missing[0];
    expect(missing).toMatchObject({ nodeId: c.status.nodeId, label: 'c' });
    expect(missing?.lastSeenAt).toBeLessThanOrEqual(world.clock.now());
    await world.clock.advance(3_000);
    const settled = a.status;
    await world.clock.advance(1_000);
    expect(a.status).toBe(settled);
    expect(a.status.missing[0]).toEqual(missing);
  });
});

describe('Member.propose()', () => {
  test('T13 tells that a command is applied before the observers of the state hear of it', async () => {
    const world = new World();
    const members = await world.cluster(three);
    for (const member of members) {
      const seen: string[] = [];
      const applied = (): void => void seen.push(`applied ${world.log(member).at(-1)}`);
      const machine = world.machine(member);
      const flush = machine.flush.bind(machine);
      machine.flush = (): void => {
        seen.push('flush');
        flush();
      };
      await world.wait(member.propose(world.line('x'), { applied }));
      const at = seen.indexOf('applied x');
      expect(seen[at + 1]).toBe('flush');
      expect(seen.filter((one) => one === 'applied x')).toHaveLength(1);
    }
  });
});

describe('Member, formation', () => {
  test('M9 two that were forgotten and met each other first knock at other doors and are let in', async () => {
    const world = new World({ maxVoters: 3, forgetAfterMs: 4_000 });
    const members = ['a', 'b', 'c', 'd', 'e'].map((name) => world.member(name));
    for (const member of members) void member.start();
    await world.ready(members);
    await world.until(() => members.every((member) => voters(member).length === 3));
    const seats = voters(members[0] as Member);
    const staying = members.filter(({ status }) => seats.includes(status.label));
    const learners = members.filter((member) => !staying.includes(member));
    for (const learner of learners) world.kill(learner);
    await world.until(() => staying.every(({ status }) => status.members.length === 3));
    const back = learners.map(({ status }) => world.member(status.label));
    world.part(back, staying);
    for (const member of back) void member.start();
    await world.clock.advance(2_000);
    world.part(back, staying, 'heal');
    await world.until(() =>
      [...staying, ...back].every(({ status }) => status.members.length === 5),
    );
    await world.append(back[0] as Member, 'x');
  });

  test('F1 three started at once become one cluster with three voters', async () => {
    const world = new World();
    const members = await world.cluster(three);
    expect(clusterIds(members).size).toBe(1);
    for (const member of members) expect(voters(member)).toEqual(three);
  });

  test('F1 seven started at once: five vote, two listen, one cluster', async () => {
    const world = new World();
    const members = await world.cluster(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(clusterIds(members).size).toBe(1);
    await world.append(members[6] as Member, 'x');
    for (const member of members) expect(await world.read(member)).toEqual(['x']);
  });

  test('F2 F3 F4 one after another, staggered, in the middle: one cluster, all see everything', async () => {
    const world = new World();
    const members: Member[] = [];
    for (const [i, pause] of [0, 20, 150, 1_000, 8_000].entries()) {
      await world.clock.advance(pause);
      const member = world.member(`m${i}`);
      members.push(member);
      void member.start();
      void member.propose(world.line(`from ${i}`)).catch(() => undefined);
    }
    await world.ready(members);
    await world.until(() => members.every((member) => voters(member).length === 5));
    expect(clusterIds(members).size).toBe(1);
    for (const member of members) {
      expect([...(await world.read(member))].sort()).toEqual(
        [0, 1, 2, 3, 4].map((i) => `from ${i}`),
      );
    }
  });

  test('F5 two that cannot reach each other but a third, which leads, are one cluster', async () => {
    const world = new World();
    const members = three.map((name) => world.member(name));
    const [a, b, c] = members as [Member, Member, Member];
    world.part([a], [b]);
    void c.start();
    await world.ready([c]);
    for (const member of members) void member.start();
    await world.ready(members);
    await world.append(c, 'x');
    expect(clusterIds(members).size).toBe(1);
  });

  test('Z10 a member alone is ready, but its claim becomes active only with its first write', async () => {
    const world = new World();
    const alone = world.member('a');
    void alone.start();
    await world.ready([alone]);
    await world.clock.advance(60_000);
    expect(await claimState(world)).toBe('claimed');
    world.registers.setReachable(false);
    const write = alone.propose(world.line('x'), { timeoutMs: 30_000 });
    await world.clock.advance(5_000);
    expect(world.log(alone), 'nothing is acknowledged before the register says active').toEqual([]);
    world.registers.setReachable(true);
    await world.wait(write);
    expect(await claimState(world)).toBe('active');
    expect(world.log(alone)).toEqual(['x']);
  });

  test('Z9 no register, no founding: FORMATION_WAITING, and writes wait until their deadline', async () => {
    const world = new World();
    world.registers.setReachable(false);
    const members = three.map((name) => world.member(name));
    for (const member of members) void member.start();
    await world.clock.advance(60_000);
    for (const member of members) {
      expect(member.status).toMatchObject({
        phase: 'discovering',
        reason: 'FORMATION_WAITING',
        clusterId: null,
      });
    }
    const error = await failure(world, (members[0] as Member).propose(world.line('x')));
    expect(error).toMatchObject({ code: 'FORMATION_WAITING', outcome: 'not-applied' });
    world.registers.setReachable(true);
    await world.ready(members);
    expect(clusterIds(members).size).toBe(1);
  });

  test('Z12 F15 with the register away a running cluster goes on and takes in a learner', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'before');
    world.registers.setReachable(false);
    await world.append(members[1] as Member, 'during');
    const late = world.member('d');
    void late.start();
    await world.ready([late]);
    expect(await world.read(late)).toEqual(['before', 'during']);
    expect(clusterIds([...members, late]).size).toBe(1);
  });

  test('Z10 a founder that fell silent before it acknowledged is superseded, and joins as fresh', async () => {
    const world = new World();
    const founder = world.member('a');
    void founder.start();
    await world.ready([founder]);
    const lost = founder.status;
    world.kill(founder);
    const next = world.member('b');
    void next.start();
    await world.ready([next]);
    await world.append(next, 'x');
    expect(next.status.clusterId).not.toBe(lost.clusterId);
    const back = world.member('a');
    void back.start();
    await world.until(() => back.status.clusterId === next.status.clusterId, 120_000);
    await world.ready([back]);
    expect(back.status.nodeId).not.toBe(lost.nodeId);
    expect(await world.read(back)).toEqual(['x']);
    expect([...world.disk(back).contents.archives.keys()]).toEqual(['superseded']);
  });

  test('Z57 a founder whose claim is gone before it wrote anything writes all the same', async () => {
    const world = new World();
    const founder = world.member('a');
    void founder.start();
    await world.ready([founder]);
    const { clusterId } = founder.status;
    // Released by a person, or expired while it slept.
    world.registers.empty();
    await world.append(founder, 'x');
    expect(founder.status).toMatchObject({ clusterId, registerLost: null });
    const late = world.member('b');
    void late.start();
    await world.ready([late]);
    expect(await world.read(late)).toEqual(['x']);
    expect(late.status.clusterId).toBe(clusterId);
  });

  test('Z10 an active cluster is never superseded, however long its members are away', async () => {
    const world = new World();
    const founder = world.member('a');
    void founder.start();
    await world.append(founder, 'x');
    const { clusterId } = founder.status;
    world.kill(founder);
    const stranger = world.member('b');
    void stranger.start();
    await world.clock.advance(120_000);
    expect(stranger.status.clusterId).toBeNull();
    const back = world.member('a');
    void back.start();
    await world.ready([back, stranger]);
    expect(stranger.status.clusterId).toBe(clusterId);
    expect(await world.read(stranger)).toEqual(['x']);
  });

  test('F6 the founder dies at any step of formation: one cluster, what was acknowledged is there', async () => {
    const fates = new Set<string>();
    for (let steps = 0; steps <= 24; steps++) {
      const world = new World();
      // Syncs and register answers take time, so that a death falls between any two steps.
      const founder = world.member('a', { slow: true });
      void founder.start();
      let acknowledged = false;
      void founder.propose(world.line('x')).then(
        () => (acknowledged = true),
        () => undefined,
      );
      await world.clock.advance(steps);
      const claim = await claimState(world);
      fates.add(`${claim}, ${acknowledged ? 'acknowledged' : 'not acknowledged'}`);
      world.kill(founder);
      const others = ['b', 'c'].map((name) => world.member(name));
      for (const member of others) void member.start();
      await world.clock.advance(15_000);
      const back = world.member('a');
      void back.start();
      const all = [...others, back];
      await world.ready(all);
      await world.until(() => all.every((member) => voters(member).length === 3));
      expect(clusterIds(all).size, `after ${steps} ms`).toBe(1);
      await world.append(back, 'y');
      const log = await world.read(others[0] as Member);
      expect(log.filter((line) => line === 'y')).toEqual(['y']);
      expect(log.filter((line) => line === 'x').length).toBeLessThanOrEqual(1);
      if (acknowledged) expect(log).toEqual(['x', 'y']);
    }
    expect([...fates].sort(), 'each step was hit').toEqual([
      'active, acknowledged',
      'active, not acknowledged',
      'claimed, not acknowledged',
      'none, not acknowledged',
    ]);
  });

  test('formation join never founds; isolated founds without asking anybody', async () => {
    const world = new World();
    const joiner = world.member('a', { formation: 'join' });
    void joiner.start();
    await world.clock.advance(60_000);
    expect(joiner.status).toMatchObject({ clusterId: null, reason: 'FORMATION_WAITING' });
    const other = new World();
    other.registers.setReachable(false);
    const isolated = other.member('a', { formation: 'isolated' });
    void isolated.start();
    await other.append(isolated, 'x');
    expect(other.log(isolated)).toEqual(['x']);
  });

  test('F16 another secret is BAD_SECRET for the stranger and a counter inside; the cluster is untouched', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const stranger = world.member('d', { secret: 'other' });
    void stranger.start();
    await world.until(() => stranger.status.phase === 'stopped');
    expect(stranger.status.reason).toBe('BAD_SECRET');
    await world.append(members[1] as Member, 'y');
    for (const member of members) {
      expect(await world.read(member)).toEqual(['x', 'y']);
      expect(voters(member)).toEqual(three);
      expect(member.status.members.length).toBe(3);
    }
    await world.clock.advance(31_000);
    expect(members.some((one) => (one.status.raft.counters['badSecretAtRegister'] ?? 0) > 0)).toBe(
      true,
    );
  });
});

describe('Member, calls', () => {
  test('C4 F11 a write and a read through every member, leader or not', async () => {
    const world = new World();
    const members = await world.cluster(['a', 'b', 'c', 'd']);
    for (const [i, member] of members.entries()) await world.append(member, `from ${i}`);
    for (const member of members) {
      expect(await world.read(member)).toEqual([0, 1, 2, 3].map((i) => `from ${i}`));
    }
  });

  test('calls made before the member has a cluster take effect in call order', async () => {
    const world = new World();
    const member = world.member('a');
    const early = ['1', '2', '3'].map((line) => member.propose(world.line(line)));
    void member.start();
    await world.wait(Promise.all(early));
    await world.append(member, '4');
    expect(world.log(member)).toEqual(['1', '2', '3', '4']);
  });

  test('what a call wrote its own member has applied when it resolves', async () => {
    const world = new World();
    const members = await world.cluster(three);
    for (const member of members) {
      const applied = await world.wait(member.propose(world.line(member.status.label)));
      expect(applied.appliedHere).toBe(true);
      expect(world.log(member)).toContain(member.status.label);
    }
  });

  test('close() rejects what waits with CLOSED, and later calls too', async () => {
    const world = new World();
    world.registers.setReachable(false);
    const member = world.member('a');
    void member.start();
    const waiting = member.propose(world.line('x'));
    const closing = member.close();
    expect(await failure(world, waiting)).toMatchObject({ code: 'CLOSED', outcome: 'not-applied' });
    await world.wait(closing);
    expect(await failure(world, member.propose(world.line('y')))).toMatchObject({ code: 'CLOSED' });
    expect(await failure(world, member.readBarrier())).toMatchObject({ code: 'CLOSED' });
  });

  test('R6 R5 a leader cut off answers no read, and steps down; the others read and write on', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const old = world.leader(members);
    const rest = members.filter((member) => member !== old);
    world.part([old], rest);
    const stale = failure(world, old.readBarrier({ timeoutMs: 20_000 }));
    await world.append(rest[0] as Member, 'y');
    expect(await world.read(rest[1] as Member)).toEqual(['x', 'y']);
    const error = await stale;
    expect(['NO_QUORUM', 'NO_LEADER', 'TIMEOUT']).toContain(error.code);
    expect(world.log(old)).toEqual(['x']);
    world.part([old], rest, 'heal');
    await world.until(() => old.status.phase === 'ready');
    expect(await world.read(old)).toEqual(['x', 'y']);
  });

  test('R4 a leader that slept while another took over reads nothing stale after it woke', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const sleeper = world.leader(members);
    const rest = members.filter((member) => member !== sleeper);
    world.freeze(sleeper, rest);
    await world.append(rest[0] as Member, 'y');
    await world.clock.advance(5_000);
    world.thaw(sleeper, rest);
    // Asked at once, before it could hear of anything.
    expect(await world.read(sleeper)).toEqual(['x', 'y']);
    await world.append(sleeper, 'z');
    expect(await world.read(rest[1] as Member)).toEqual(['x', 'y', 'z']);
  });

  test('R5 reads through a follower see every write acknowledged before they began', async () => {
    const world = new World();
    const members = await world.cluster(three);
    for (let i = 0; i < 30; i++) {
      await world.append(members[i % 3] as Member, `${i}`);
      expect((await world.read(members[(i + 1) % 3] as Member)).length).toBe(i + 1);
    }
  });
});

describe('Member, restarts and failures', () => {
  test('F8 a follower that restarts is the same replica and catches up', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const follower = members.find((one) => one.status.raft.role !== 'leader') as Member;
    const { nodeId, label } = follower.status;
    await world.read(follower);
    world.kill(follower);
    const others = members.filter((one) => one !== follower);
    await world.append(others[0] as Member, 'y');
    const back = world.member(label);
    void back.start();
    await world.clock.settle();
    expect(world.log(back).slice(0, 1), 'what was committed shows at once').toEqual(
      world.log(back).length === 0 ? [] : ['x'],
    );
    await world.ready([back]);
    expect(back.status.nodeId).toBe(nodeId);
    expect(back.status.raft.epoch).toBe(2);
    expect(await world.read(back)).toEqual(['x', 'y']);
    expect(voters(back)).toEqual(three);
  });

  test('F8 all killed and restarted: same replicas, same cluster, nothing lost', async () => {
    const world = new World();
    const members = await world.cluster(three);
    for (let i = 0; i < 5; i++) await world.append(members[i % 3] as Member, `${i}`);
    const ids = members.map((member) => member.status.nodeId);
    const [cluster] = clusterIds(members);
    for (const member of members) world.kill(member);
    world.registers.setReachable(false);
    const back = three.map((name) => world.member(name));
    for (const member of back) void member.start();
    await world.ready(back);
    expect(back.map((member) => member.status.nodeId)).toEqual(ids);
    expect([...clusterIds(back)]).toEqual([cluster]);
    for (const member of back) expect(await world.read(member)).toEqual(['0', '1', '2', '3', '4']);
  });

  test('F10 the leader killed under load, again and again: every acknowledged line once, in order', async () => {
    const world = new World();
    let members = await world.cluster(three);
    const acknowledged = new Map<string, string[]>();
    let writing = true;
    const write = async (member: Member, writer: string): Promise<void> => {
      const own: string[] = [];
      acknowledged.set(writer, own);
      for (let i = 0; writing; i++) {
        const line = `${writer} ${i}`;
        await member.propose(world.line(line), { timeoutMs: 30_000 }).then(
          () => own.push(line),
          () => undefined,
        );
        await new Promise<void>((resolve) => world.clock.setTimeout(resolve, 20));
      }
    };
    for (const member of members) void write(member, member.status.label);
    for (let round = 1; round <= 3; round++) {
      await world.clock.advance(2_000);
      const leader = world.leader(members);
      world.kill(leader);
      const rest = members.filter((one) => one !== leader);
      await world.clock.advance(3_000);
      // Whose member was killed never learns what became of its last line: another writer goes on.
      const back = world.member(leader.status.label);
      void back.start();
      members = [...rest, back];
      void write(back, `${leader.status.label}${round}`);
      await world.ready(members);
    }
    await world.clock.advance(1_000);
    writing = false;
    await world.clock.advance(1_000);
    const log = await world.read(members[0] as Member);
    expect(new Set(log).size, 'nothing twice').toBe(log.length);
    for (const member of members) expect(await world.read(member)).toEqual(log);
    for (const [writer, own] of acknowledged) {
      expect(own.length, 'the load was real').toBeGreaterThan(10);
      const applied = log.filter((line) => line.startsWith(`${writer} `));
      expect(applied.slice(0, own.length)).toEqual(own);
      expect(applied.length - own.length, 'at most the line in doubt').toBeLessThanOrEqual(1);
    }
  });

  test('F10 C5 writers that outlive the leader: counters exact, in call order, all acknowledged', async () => {
    const world = new World();
    const members = await world.cluster(['a', 'b', 'c', 'd', 'e']);
    const leader = world.leader(members);
    const writers = members.filter((one) => one !== leader);
    const calls = writers.flatMap((member) =>
      Array.from({ length: 100 }, (_, i) => ({ member, line: `${member.status.label} ${i}` })),
    );
    const promises = calls.map(({ member, line }) =>
      member.propose(world.line(line), { timeoutMs: 60_000 }),
    );
    await world.clock.advance(2);
    world.kill(leader);
    await world.wait(Promise.all(promises));
    const log = await world.read(writers[0] as Member);
    expect(log.length).toBe(400);
    for (const member of writers) {
      const name = member.status.label;
      expect(log.filter((line) => line.startsWith(`${name} `))).toEqual(
        Array.from({ length: 100 }, (_, i) => `${name} ${i}`),
      );
    }
  });

  test('F14 majority lost: NO_QUORUM at once, saying who is missing; when they return it goes on', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const [a, b, c] = members as [Member, Member, Member];
    world.kill(b);
    world.kill(c);
    await world.until(() => a.status.phase === 'read-only');
    expect(a.status.missing.map(({ label }) => label).sort()).toEqual(['b', 'c']);
    expect(a.status.canWrite).toBe(false);
    const before = world.clock.now();
    const error = await failure(world, a.propose(world.line('y')));
    expect(error).toMatchObject({ code: 'NO_QUORUM', outcome: 'not-applied', retryable: true });
    expect(error.details['missing']).toEqual(a.status.missing);
    expect(await failure(world, a.readBarrier())).toMatchObject({ code: 'NO_QUORUM' });
    expect(world.clock.now(), 'at once').toBe(before);
    expect(world.log(a)).toEqual(['x']);
    const back = world.member('b');
    void back.start();
    await world.until(() => a.status.phase === 'ready');
    await world.append(a, 'z');
    expect(await world.read(back)).toEqual(['x', 'z']);
  });

  test('M7 Z19 a voter that is gone is replaced by a learner while a majority lives', async () => {
    const world = new World();
    const members = await world.cluster(['a', 'b', 'c', 'd']);
    const gone = members.find((one) => voters(one).includes(one.status.label)) as Member;
    const rest = members.filter((one) => one !== gone);
    world.kill(gone);
    await world.until(() =>
      rest.every((one) => voters(one).length === 3 && !voters(one).includes(gone.status.label)),
    );
    await world.append(rest[0] as Member, 'x');
    expect(await world.read(rest[2] as Member)).toEqual(['x']);
  });

  test('M9 a voter whose disk was wiped is a new replica, that earns the seat of the old one', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const wiped = members.find((one) => one.status.raft.role !== 'leader') as Member;
    const { nodeId: before, label } = wiped.status;
    const rest = members.filter((one) => one !== wiped);
    world.kill(wiped);
    world.wipe(wiped);
    await world.append(rest[0] as Member, 'y');
    const back = world.member(label);
    void back.start();
    await world.ready([back]);
    const { nodeId } = back.status;
    expect(nodeId).not.toBe(before);
    const kinds = new Map(back.status.members.map((one) => [one.nodeId, one.kind]));
    expect([kinds.get(before as string), kinds.get(nodeId as string)]).toEqual([
      'voter',
      'learner',
    ]);
    expect(await world.read(back)).toEqual(['x', 'y']);
    const now = [...rest, back];
    await world.until(() =>
      now.every(({ status }) =>
        now.every((one) =>
          status.members.some((m) => m.nodeId === one.status.nodeId && m.kind === 'voter'),
        ),
      ),
    );
    expect(voters(back)).toEqual(three);
    expect(clusterIds(now).size).toBe(1);
    await world.append(back, 'z');
    expect(await world.read(rest[0] as Member)).toEqual(['x', 'y', 'z']);
  });

  test('M8 of five voters three are away: nobody loses its seat; once two are back it goes on', async () => {
    const world = new World();
    const names = ['a', 'b', 'c', 'd', 'e'];
    const members = await world.cluster(names);
    await world.append(members[0] as Member, 'x');
    const away = members.filter((one) => one.status.raft.role !== 'leader').slice(0, 3);
    const rest = members.filter((one) => !away.includes(one));
    for (const one of away) world.kill(one);
    await world.clock.advance(120_000);
    for (const one of rest) expect(voters(one)).toEqual(names);
    const back = away.slice(0, 2).map((one) => world.member(one.status.label));
    for (const one of back) void one.start();
    await world.ready(back);
    await world.append(rest[0] as Member, 'y');
    expect(await world.read(back[0] as Member)).toEqual(['x', 'y']);
  });

  test('M8 of five voters two are dead: listeners take their seats', async () => {
    const world = new World();
    const members = await world.cluster(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    const dead = members
      .filter((one) => voters(one).includes(one.status.label))
      .filter((one) => one.status.raft.role !== 'leader')
      .slice(0, 2);
    const rest = members.filter((one) => !dead.includes(one));
    for (const one of dead) world.kill(one);
    const wanted = rest.map((one) => one.status.label).sort();
    await world.until(() => rest.every((one) => voters(one).join() === wanted.join()));
    await world.append(rest[0] as Member, 'x');
    expect(await world.read(rest[4] as Member)).toEqual(['x']);
  });

  test('F9 leave is committed, the data become an archive; the rejoiner is another replica', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const leaving = members.find((one) => one.status.raft.role !== 'leader') as Member;
    const { nodeId, label } = leaving.status;
    const rest = members.filter((one) => one !== leaving);
    await world.wait(leaving.leave());
    expect(rest.map((one) => one.status.members.map((m) => m.label).includes(label))).toEqual([
      false,
      false,
    ]);
    expect(rest.map((one) => voters(one).length)).toEqual([1, 1]);
    expect([...world.disk(leaving).contents.archives.keys()]).toEqual(['left']);
    const again = world.member(label);
    void again.start();
    await world.ready([again]);
    expect(again.status.nodeId).not.toBe(nodeId);
    await world.until(() => voters(again).length === 3);
    expect(await world.read(again)).toEqual(['x']);
  });

  test('F9 the leader leaves: another leads, nothing is lost', async () => {
    const world = new World();
    const members = await world.cluster(['a', 'b', 'c', 'd']);
    await world.append(members[0] as Member, 'x');
    const leader = world.leader(members);
    const rest = members.filter((one) => one !== leader);
    await world.wait(leader.leave());
    await world.until(() => rest.every((one) => voters(one).length === 3));
    await world.append(rest[0] as Member, 'y');
    expect(await world.read(rest[1] as Member)).toEqual(['x', 'y']);
  });

  test('Z18 Z7 one that another member removes ends with REMOVED, archives, and does not come back', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const leader = world.leader(members);
    const [removed, other] = members.filter((one) => one !== leader) as [Member, Member];
    await world.wait(other.leave({ nodeId: removed.nodeId }));
    await world.until(() => removed.status.phase === 'stopped');
    expect(removed.status.reason).toBe('REMOVED');
    await world.until(() => world.disk(removed).contents.archives.has('left'));
    // Longer than anybody waits before it asks to be let in again.
    await world.clock.advance(20_000);
    expect([leader, other].map((one) => one.status.members.length)).toEqual([2, 2]);
    expect(voters(other)).toHaveLength(1);
  });

  test('Z18 one that is removed while it is away hears of it when it returns', async () => {
    const world = new World();
    const members = await world.cluster(three);
    const leader = world.leader(members);
    const [away, other] = members.filter((one) => one !== leader) as [Member, Member];
    const { nodeId, label } = away.status;
    world.kill(away);
    await world.append(other, 'x');
    await world.wait(other.leave({ nodeId: nodeId as string }));
    const back = world.member(label);
    void back.start();
    await world.until(() => back.status.phase === 'stopped');
    expect(back.status.reason).toBe('REMOVED');
    await world.until(() => world.disk(back).contents.archives.has('left'));
    expect(other.status.members.map((one) => one.label)).not.toContain(label);
    // A person may start it again: then it is somebody new.
    const fresh = world.member(label);
    void fresh.start();
    await world.ready([fresh]);
    expect(fresh.nodeId).not.toBe(nodeId);
    expect(await world.read(fresh)).toEqual(['x']);
  });

  test('Z18 close() of the leader hands leadership over and keeps the seat', async () => {
    const world = new World();
    const members = await world.cluster(three);
    const leader = world.leader(members);
    const rest = members.filter((one) => one !== leader);
    const closing = leader.close();
    await world.wait(closing);
    expect(rest.some((one) => one.status.raft.role === 'leader')).toBe(true);
    await world.append(rest[0] as Member, 'x');
    expect(voters(rest[0] as Member)).toEqual(three);
    const back = world.member(leader.status.label);
    void back.start();
    await world.ready([back]);
    expect(await world.read(back)).toEqual(['x']);
  });

  test('Z18 a lone voter that closes moves its seat to a caught-up durable learner first', async () => {
    const world = new World();
    const [a, b] = (await world.cluster(['a', 'b'])) as [Member, Member];
    await world.append(a, 'x');
    const lone = world.leader([a, b]);
    const other = lone === a ? b : a;
    await world.wait(lone.close());
    await world.append(other, 'y');
    expect(voters(other)).toEqual([other.status.label]);
    expect(world.log(other)).toEqual(['x', 'y']);
  });

  test('T14 a lone voter that closes asks the learner first, and keeps its seat where that is gone', async () => {
    const world = new World();
    const [a, b] = (await world.cluster(['a', 'b'])) as [Member, Member];
    await world.append(a, 'x');
    const lone = world.leader([a, b]);
    const other = lone === a ? b : a;
    // Dead, and its link looks alive for a while.
    world.freeze(other, [lone]);
    expect(lone.status.members.every(({ reachable }) => reachable)).toBe(true);
    await world.wait(lone.close());
    world.kill(other);
    const back = world.member(lone.status.label);
    void back.start();
    await world.ready([back]);
    await world.append(back, 'y');
    expect(voters(back)).toEqual([lone.status.label]);
  });

  test('T14 a learner whose disk lags behind what is committed is given no vote', async () => {
    const world = new World();
    const [a, b] = (await world.cluster(['a', 'b'])) as [Member, Member];
    const lone = world.leader([a, b]);
    const other = lone === a ? b : a;
    const disk = world.stallDisk(other);
    await world.append(lone, 'x');
    await world.wait(lone.close());
    const back = world.member(lone.status.label);
    void back.start();
    await world.ready([back]);
    await world.append(back, 'y');
    expect(voters(back)).toEqual([lone.status.label]);
    disk.release();
  });

  test('Z16 a member in memory gives its vote to the first disk that comes', async () => {
    const world = new World();
    const memory = world.member('m', { durable: false });
    void memory.start();
    await world.append(memory, 'x');
    const durable = world.member('d');
    void durable.start();
    await world.ready([durable]);
    await world.until(() => voters(durable).join() === 'd');
    await world.append(memory, 'y');
    expect(await world.read(durable)).toEqual(['x', 'y']);
  });

  test('S6 a member away while the log was compacted catches up by snapshot', async () => {
    const world = new World({ snapshotEntries: 50, trailingEntries: 10 });
    const members = await world.cluster(three);
    const away = members.find((one) => one.status.raft.role !== 'leader') as Member;
    const { label } = away.status;
    await world.append(members[0] as Member, 'first');
    world.kill(away);
    const rest = members.filter((one) => one !== away);
    const lines = Array.from({ length: 300 }, (_, i) => `line ${i}`);
    const writer = rest[0] as Member;
    await world.wait(Promise.all(lines.map((line) => writer.propose(world.line(line)))));
    await world.until(() => rest.every((one) => one.status.raft.firstIndex > 100));
    const back = world.member(label);
    void back.start();
    await world.ready([back]);
    expect(await world.read(back)).toEqual(['first', ...lines]);
    expect(back.status.raft.snapshotIndex).toBeGreaterThan(100);
    await world.append(back, 'after');
    world.kill(back);
    const again = world.member(label);
    void again.start();
    await world.ready([again]);
    expect(await world.read(again)).toEqual(['first', ...lines, 'after']);
  });

  test('S4 C1 all restarted from snapshots: sessions and results are still known', async () => {
    const world = new World({ snapshotEntries: 20, trailingEntries: 0 });
    const members = await world.cluster(three);
    const lines = Array.from({ length: 100 }, (_, i) => `line ${i}`);
    await world.wait(
      Promise.all(lines.map((line, i) => (members[i % 3] as Member).propose(world.line(line)))),
    );
    for (const member of members) world.kill(member);
    const back = three.map((name) => world.member(name));
    for (const member of back) void member.start();
    await world.ready(back);
    const log = await world.read(back[0] as Member);
    expect([...log].sort()).toEqual([...lines].sort());
    for (const member of back) expect(await world.read(member)).toEqual(log);
  });

  test('D1 a member whose disk fails stops and says so; the others go on', async () => {
    const world = new World();
    const members = await world.cluster(three);
    const failing = members.find((one) => one.status.raft.role !== 'leader') as Member;
    world.disk(failing).failSync();
    const rest = members.filter((one) => one !== failing);
    await world.append(rest[0] as Member, 'x');
    await world.until(() => failing.status.phase === 'stopped');
    expect(failing.status.reason).toBe('STORAGE_FAILED');
    await world.append(rest[1] as Member, 'y');
    expect(await world.read(rest[0] as Member)).toEqual(['x', 'y']);
  });

  test('D5 a full disk at a lone member: the write waits, and goes through once there is room', async () => {
    const world = new World();
    const member = world.member('a');
    void member.start();
    await world.append(member, 'x');
    world.disk(member).full = true;
    const write = member.propose(world.line('y'), { timeoutMs: 60_000 });
    await world.clock.advance(5_000);
    expect(member.status.reason).toBe('STORAGE_FULL');
    expect(world.log(member)).toEqual(['x']);
    world.disk(member).full = false;
    await world.wait(write);
    await world.until(() => member.status.reason === null);
    expect(world.log(member)).toEqual(['x', 'y']);
  });

  test('L6 a leader whose disk hangs hands leadership over, and nothing is lost when it works again', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const stalled = world.leader(members);
    const rest = members.filter((member) => member !== stalled);
    const disk = world.stallDisk(stalled);
    const own = stalled.propose(world.line('own'), { timeoutMs: 60_000 });
    await world.append(rest[0] as Member, 'y');
    await world.until(() => rest.some((one) => one.status.raft.role === 'leader'));
    await world.append(rest[1] as Member, 'z');
    expect(world.log(stalled), 'it applies nothing that is not durable here').toEqual(['x']);
    disk.release();
    await world.wait(own);
    const log = await world.read(stalled);
    expect([...log].sort()).toEqual(['own', 'x', 'y', 'z']);
    for (const member of rest) expect(await world.read(member)).toEqual(log);
  });

  test('L6 while its disk hangs a leader goes on beating and committing, and hands over after one timeout', async () => {
    const world = new World();
    const members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const stalled = world.leader(members);
    const rest = members.filter((member) => member !== stalled);
    const { term } = stalled.status.raft;
    world.stallDisk(stalled);
    void stalled.propose(world.line('own'), { timeoutMs: 60_000 }).catch(() => undefined);
    const stalledAt = world.clock.now();
    await world.append(rest[0] as Member, 'y');
    // Long past the time after which followers that hear nothing stand for election.
    await world.clock.advance(1_900);
    for (const member of members) expect(member.status.raft).toMatchObject({ term });
    expect(stalled.status.raft.role).toBe('leader');
    await world.until(() => rest.some((one) => one.status.raft.role === 'leader'));
    // Nobody had to wait for its silence: it named its successor.
    expect(world.clock.now() - stalledAt).toBeLessThan(2_500);
    expect(world.leader(rest).status.raft.term).toBe(term + 1);
    await world.append(rest[1] as Member, 'z');
  });

  test('F10 a dead leader is followed by the member that is wished for most, and by any if it must be', async () => {
    const world = new World();
    const wishes = new Map(three.map((name) => [name, 2]));
    const start = (name: string): Member => {
      const member = world.member(name, { priority: () => wishes.get(name) ?? 2 });
      void member.start();
      return member;
    };
    let members = three.map(start);
    await world.ready(members);
    await world.until(() => members.every((member) => voters(member).length === 3));
    for (let round = 0; round < 6; round++) {
      await world.append(members[0] as Member, `round ${round}`);
      const leader = world.leader(members);
      const rest = members.filter((member) => member !== leader);
      const wished = rest[round % 2] as Member;
      for (const { status } of rest) wishes.set(status.label, status === wished.status ? 2 : 0);
      await world.clock.advance(200);
      world.kill(leader);
      await world.until(() => rest.some((one) => one.status.raft.role === 'leader'));
      expect(wished.status.raft.role).toBe('leader');
      const back = start(leader.status.label);
      await world.ready([back]);
      members = [...rest, back];
    }
    for (const name of three) wishes.set(name, 0);
    const leader = world.leader(members);
    world.kill(leader);
    await world.append(members.find((member) => member !== leader) as Member, 'still');
  });

  test('M10 E7 a replica that comes back at another address is the same member; nobody is disturbed', async () => {
    const world = new World();
    let members = await world.cluster(three);
    await world.append(members[0] as Member, 'x');
    const leader = world.leader(members);
    const { term } = leader.status.raft;
    for (let round = 0; round < 3; round++) {
      const follower = members.find((member) => member !== leader) as Member;
      const before = world.host(follower);
      world.kill(follower);
      await world.append(leader, `without ${round}`);
      const back = world.member(follower.status.label);
      expect(world.host(back)).not.toBe(before);
      void back.start();
      await world.ready([back]);
      await world.append(back, `with ${round}`);
      members = [...members.filter((member) => member !== follower), back];
    }
    for (const member of members) {
      expect(member.status.raft).toMatchObject({ term });
      expect(voters(member)).toEqual(three);
      expect(member.status.members).toHaveLength(3);
      expect(await world.read(member)).toEqual(world.log(leader));
    }
    expect(leader.status.raft.role).toBe('leader');
  });

  test('R3 wall clocks that jump by an hour, either way, change nothing', async () => {
    const world = new World();
    const members = await world.cluster(three);
    const { term } = world.leader(members).status.raft;
    for (const [round, jumpMs] of [3_600_000, -7_200_000, 3_600_000].entries()) {
      await world.append(members[round] as Member, `before ${round}`);
      world.clock.wallAheadMs += jumpMs;
      await world.append(members[round] as Member, `after ${round}`);
      for (const member of members) expect(await world.read(member)).toHaveLength(2 * round + 2);
      await world.clock.advance(3_000);
    }
    for (const member of members) expect(member.status.raft).toMatchObject({ term });
  });

  test('Z17 status.copies says how many copies there are to lose', async () => {
    const world = new World();
    const first = world.member('a');
    void first.start();
    await world.append(first, 'x');
    expect(first.status.copies).toBe(1);
    const rest = ['b', 'c'].map((name) => world.member(name));
    for (const member of rest) void member.start();
    await world.ready(rest);
    await world.until(() => voters(first).length === 3);
    await world.until(() => first.status.copies === 3);
  });

  test('D6 a second member on the same disk is refused with STORAGE_LOCKED', async () => {
    const world = new World();
    const member = world.member('a');
    void member.start();
    await world.ready([member]);
    const second = world.member('a');
    void second.start();
    await world.until(() => second.status.phase === 'stopped');
    expect(second.status.reason).toBe('STORAGE_LOCKED');
    await world.append(member, 'x');
  });
});

async function claimState(world: World): Promise<string> {
  const register = world.registers.register(world.cipher());
  const { record } = await world.wait(readClaim(register, new AbortController().signal));
  return record?.claim.state ?? 'none';
}
