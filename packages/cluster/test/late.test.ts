/** Members that stood still: their own lateness is nobody's death (Z44), nor a neighbour's (Z61). */
import { describe, expect, test } from 'vitest';
import { Neighbours } from '../src/index.ts';
import type { Member } from '../src/index.ts';
import { voters, World } from './world.ts';

const three = ['a', 'b', 'c'];
/** As among tabs. */
const quick = { heartbeatMs: 50, electionTimeoutMsMin: 400, electionTimeoutMsMax: 800 };

/** Three voters; those named are of one page. */
async function withPage(
  page: readonly string[],
  policy: object = quick,
): Promise<{ world: World; members: Member[]; neighbours: Neighbours }> {
  const world = new World(policy);
  const neighbours = new Neighbours();
  const members = three.map((name) =>
    world.member(name, page.includes(name) ? { neighbours } : {}),
  );
  // The first one founds, and so it leads.
  for (const member of members) {
    void member.start();
    await world.ready([member]);
  }
  await world.until(() => members.every((member) => voters(member).length === 3));
  await world.append(members[0] as Member, 'before');
  return { world, members, neighbours };
}

/** All of them stand still together, as long as that. */
async function pause(world: World, members: readonly Member[], ms: number, all: readonly Member[]) {
  const others = all.filter((member) => !members.includes(member));
  for (const member of members) world.freeze(member, others);
  await world.clock.advance(ms);
  for (const member of members) world.thaw(member, others);
}

function terms(members: readonly Member[]): number[] {
  return members.map(({ status }) => status.raft.term);
}

describe('T11 Z44 one’s own lateness is nobody’s death', () => {
  for (const ms of [700, 3_000]) {
    test(`T11 a lone page with all three replicas stands still for ${ms} ms: its term stays, a write goes on at once`, async () => {
      const { world, members } = await withPage(three);
      const before = terms(members);
      const leader = world.leader(members);
      const write = (members[1] as Member).propose(world.line('click'));
      await pause(world, members, ms, members);
      await world.wait(write, 50);
      await world.clock.advance(2_000);
      expect(terms(members)).toEqual(before);
      expect(world.leader(members)).toBe(leader);
    });
  }

  test('T11 Z61 pauses of a page one after another, with hardly a moment between them', async () => {
    const { world, members } = await withPage(three);
    const before = terms(members);
    for (let count = 0; count < 10; count++) {
      await pause(world, members, 700, members);
      await world.clock.advance(1);
    }
    await world.append(members[2] as Member, 'after');
    expect(terms(members)).toEqual(before);
  });

  test('T11 a follower that stood still reads what waited before its timer judges', async () => {
    for (const ms of [700, 3_000]) {
      const { world, members } = await withPage([], {});
      const before = terms(members);
      const follower = members.find(({ status }) => status.raft.role !== 'leader') as Member;
      const roles = new Set<string>();
      follower.subscribe(() => roles.add(follower.status.raft.role));
      await pause(world, [follower], ms, members);
      await world.clock.advance(3_000);
      expect(terms(members)).toEqual(before);
      expect([...roles]).toEqual(['follower']);
      await world.append(follower, 'after');
    }
  });

  test('T11 a leader that stood still for less than an election timeout leads on', async () => {
    const { world, members } = await withPage([], {});
    const before = terms(members);
    const leader = world.leader(members);
    await pause(world, [leader], 900, members);
    await world.append(leader, 'after');
    expect(terms(members)).toEqual(before);
    expect(leader.status.raft.role).toBe('leader');
  });

  test('T11 a leader that stood still while another was elected follows it, with no third election', async () => {
    const { world, members } = await withPage([], {});
    const [before = 0] = terms(members);
    const leader = world.leader(members);
    const others = members.filter((member) => member !== leader);
    world.freeze(leader, others);
    await world.until(() => others.some(({ status }) => status.raft.role === 'leader'));
    const elected = Math.max(...terms(others));
    world.thaw(leader, others);
    await world.append(leader, 'after');
    expect(elected).toBeGreaterThan(before);
    expect(terms(members)).toEqual([elected, elected, elected]);
  });

  test('T11 a write that was under way to the disk meanwhile is no hung disk', async () => {
    const { world, members } = await withPage(three);
    const before = terms(members);
    const leader = world.leader(members);
    const disk = world.stallDisk(leader);
    const write = leader.propose(world.line('click'));
    await pause(world, members, 3_000, members);
    await world.clock.advance(50);
    disk.release();
    await world.wait(write);
    await world.clock.advance(1_000);
    expect(terms(members)).toEqual(before);
  });

  test('Z44 Z10 a machine that slept supersedes no founder that slept with it', async () => {
    const world = new World();
    const [founder, watcher] = [world.member('a'), world.member('b')] as const;
    world.part([founder], [watcher]);
    void founder.start();
    await world.ready([founder]);
    void watcher.start();
    await world.clock.advance(3_000);
    const { clusterId } = founder.status;
    for (const member of [founder, watcher]) world.freeze(member, []);
    await world.clock.advance(30_000);
    world.thaw(watcher, []);
    await world.clock.advance(1_000);
    world.thaw(founder, []);
    await world.clock.advance(5_000);
    world.part([founder], [watcher], 'heal');
    await world.ready([watcher]);
    expect([founder, watcher].map(({ status }) => status.clusterId)).toEqual([
      clusterId,
      clusterId,
    ]);
    await world.append(watcher, 'after');
  });

  test('Z44 a leader that stood still renews nobody’s session before a majority confirmed it', async () => {
    const { world, members } = await withPage([], {});
    const leader = world.leader(members);
    const others = members.filter((member) => member !== leader);
    world.part([leader], others);
    const request = { to: leader.status.nodeId, method: 'renew', body: Uint8Array.of(1) };
    const answer = leader.answer(request, new AbortController().signal).then(
      () => 'renewed',
      (error: unknown) => (error as { code: string }).code,
    );
    expect(['NO_LEADER', 'TIMEOUT']).toContain(await world.wait(answer));
  });
});

describe('Z61 neighbours in one page, story 15', () => {
  test('Z61 the leader hears nobody and steps down: its neighbour elects with the third tab', async () => {
    const { world, members, neighbours } = await withPage(['a', 'b']);
    const [a, b, c] = members as [Member, Member, Member];
    expect(world.leader(members)).toBe(a);
    // In the very step, in a status that nothing else made look again.
    const tell = neighbours.tell.bind(neighbours);
    const said: (string | null)[] = [];
    neighbours.tell = (one) => {
      expect(b.status.raft.leader).toBe(a.status.nodeId);
      expect(a.status.raft.role).not.toBe('leader');
      tell(one);
      said.push(b.status.raft.leader);
      neighbours.tell = tell;
    };
    world.part([a], [b, c]);
    await world.until(() => [b, c].some(({ status }) => status.raft.role === 'leader'), 5_000);
    expect(said).toEqual([null]);
    await world.append(c, 'after');
    world.part([a], [b, c], 'heal');
    expect(await world.read(a)).toContain('after');
  });

  test('Z61 the leader’s store hangs: it hands over, and the page does not hold the others up', async () => {
    const { world, members } = await withPage(['a', 'b']);
    const [a, b, c] = members as [Member, Member, Member];
    const disk = world.stallDisk(a);
    const write = c.propose(world.line('after'));
    await world.until(() => [b, c].some(({ status }) => status.raft.role === 'leader'), 10_000);
    await world.wait(write);
    expect(a.status.raft.role).not.toBe('leader');
    disk.release();
  });

  test('Z61 a hand-over fails: the leader leads on, or another does, and nobody waits for ever', async () => {
    const { world, members } = await withPage(['a', 'b']);
    const [a, b, c] = members as [Member, Member, Member];
    world.part([b, c], [a]);
    expect(a.yieldLeadership([c.status.nodeId as string])).toBe(true);
    await world.until(() => [b, c].some(({ status }) => status.raft.role === 'leader'), 5_000);
    await world.append(b, 'after');
  });

  for (const how of ['moves to another tab', 'loses its store'] as const) {
    test(`Z61 the leader ${how}: its neighbours know at once, and stand for election soon`, async () => {
      const { world, members } = await withPage(three);
      const [a, b, c] = members as [Member, Member, Member];
      expect(world.leader(members)).toBe(a);
      if (how === 'moves to another tab') a.drop([]);
      else {
        world.disk(a).failSync();
        void a.propose(world.line('lost')).catch(() => undefined);
      }
      await world.until(() => [b, c].some(({ status }) => status.raft.role === 'leader'), 2_000);
      await world.append(b, 'after');
    });
  }

  test('Z61 a neighbour of another cluster exempts nobody', async () => {
    const neighbours = new Neighbours();
    const [one, other] = [new World(quick), new World(quick)];
    // Its chance is that of the member's number: four others take those of the cluster here.
    for (const name of ['v', 'w', 'x', 'y']) other.member(name);
    const foreign = other.member('z', { neighbours });
    void foreign.start();
    await other.ready([foreign]);
    const members = three.map((name) => one.member(name, { neighbours }));
    for (const member of members) void member.start();
    await one.ready(members);
    await one.until(() => members.every((member) => voters(member).length === 3));
    const leader = one.leader(members);
    leader.drop([]);
    const [b, c] = members.filter((member) => member !== leader) as [Member, Member];
    await one.append(b, 'after');
    expect(terms([b])).toEqual(terms([c]));
  });
});
