import { afterEach, describe, expect, expectTypeOf, test } from 'vitest';
import { isQuorateError } from '@quorate/contracts';
import type { Cluster } from '@quorate/join/cluster';
import { TestCluster, testCluster } from './test-cluster.ts';
import type { TestClusterOptions } from './test-cluster.ts';

const clusters: TestCluster[] = [];

async function start(options?: TestClusterOptions): Promise<TestCluster> {
  const cluster = await testCluster(options);
  clusters.push(cluster);
  return cluster;
}

afterEach(() => {
  for (const cluster of clusters.splice(0)) cluster.close();
});

describe('testCluster()', () => {
  test('starts members that share one state', async () => {
    const c = await start();
    expect(c.members).toHaveLength(3);
    await c.members[0]?.kv.put('color', 'green');
    expect(await c.members[2]?.kv.get('color')).toBe('green');
    expect(await c.members[1]?.counter('visits').add(2)).toBe(2);
  });

  test('time stands still between calls, and moves by what it is told', async () => {
    const c = await start();
    const before = c.now;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(c.now).toBe(before);
    await c.advance(500);
    expect(c.now).toBe(before + 500);
  });

  test('a minority cannot write, the majority elects another leader (E10)', async () => {
    const c = await start();
    const old = c.leader ?? 0;
    const others = [0, 1, 2].filter((position) => position !== old);
    c.partition([old], others);
    await c.until(() => others.some((i) => c.members[i]?.status.raft.role === 'leader'));
    const refused = await c.members[old]?.kv
      .put('who', 'minority', { timeoutMs: 3_000 })
      .catch((error: unknown) => error);
    expect(isQuorateError(refused)).toBe(true);
    await c.members[others[0] ?? 0]?.kv.put('who', 'majority');
    c.heal();
    await c.ready();
    expect(await c.members[old]?.kv.get('who')).toBe('majority');
  });

  test('a killed member is gone, and comes back with what it had', async () => {
    const c = await start();
    await c.members[1]?.kv.put('kept', 1);
    c.kill(1);
    expect(c.members[1]?.running).toBe(false);
    await expect(c.members[1]?.kv.get('kept')).rejects.toThrow();
    await c.members[0]?.kv.put('while away', 2);
    c.restart(1);
    await c.ready();
    expect(await c.members[1]?.kv.get('kept')).toBe(1);
    expect(await c.members[1]?.kv.get('while away')).toBe(2);
  });

  test('without a majority writes are refused, and are taken again when it is back', async () => {
    const c = await start();
    c.kill(1);
    c.kill(2);
    const code = (error: unknown): unknown => (isQuorateError(error) ? error.code : error);
    // Sent before anybody noticed: nobody can tell.
    expect(await c.member(0).kv.put('a', 1).catch(code)).toMatch(/^(COMMIT_UNKNOWN|NO_QUORUM)$/);
    await c.until(() => c.member(0).status.phase === 'read-only');
    expect(await c.member(0).kv.put('a', 2).catch(code)).toBe('NO_QUORUM');
    c.restart(1);
    await c.ready();
    await c.member(0).kv.put('a', 3);
    expect(await c.member(1).kv.get('a')).toBe(3);
  });

  test('a killed leader is followed by another one', async () => {
    const c = await start();
    const old = c.leader ?? 0;
    const other = c.member((old + 1) % 3);
    await other.kv.put('count', 1);
    c.kill(old);
    expect(await other.kv.increment('count')).toBe(2);
    await c.until(() => c.leader !== null);
    expect(c.leader).not.toBe(old);
  });

  test('kill() is a crash: nobody is asked to lead instead', async () => {
    const c = await start();
    const old = c.leader ?? 0;
    const heir = (old + 1) % 3;
    c.partition([old, heir], [(old + 2) % 3]);
    const { term } = c.member(heir).status.raft;
    c.kill(old);
    await c.advance(5_000);
    // Asked to lead it would have entered the next term at once; by itself it first looks for a majority.
    expect(c.member(heir).status.raft.term).toBe(term);
    c.heal();
    await c.until(() => c.leader !== null && c.leader !== old);
    expect(c.leader).not.toBe(old);
    expect(c.member(heir).status.raft.term).toBe(term + 1);
  });

  test('of what was on its way to the disk of a killed member any part may be lost', async () => {
    const kept = new Set<unknown>();
    for (let seed = 1; seed <= 8; seed++) {
      const c = await start({ members: 1, seed });
      await c.member(0).kv.put('durable', seed);
      const call = c.member(0).kv.put('on its way', 1);
      const refused = call.catch((error: unknown) => error);
      c.kill(0);
      expect(isQuorateError(await refused)).toBe(true);
      c.restart(0);
      await c.ready();
      expect(await c.member(0).kv.get('durable')).toBe(seed);
      kept.add(await c.member(0).kv.get('on its way'));
    }
    expect(kept).toContain(undefined);
  });

  test('a call that waits when its member is killed is rejected', async () => {
    const c = await start();
    c.partition([0], [1], [2]);
    const call = c.members[0]?.kv.put('a', 1).catch((error: unknown) => error);
    await c.advance(50);
    c.kill(0);
    expect(isQuorateError(await call)).toBe(true);
  });

  test('the same seed gives the same run, another seed another', async () => {
    const run = async (seed: number): Promise<unknown> => {
      const c = await start({ seed });
      await c.members[0]?.kv.put('a', 1);
      await c.advance(1_000);
      return [c.now, c.members.map(({ status }) => [status.nodeId, status.raft.term])];
    };
    expect(await run(4)).toEqual(await run(4));
    expect(await run(5)).not.toEqual(await run(4));
  });

  test('refuses what cannot be meant', async () => {
    expect(() => new TestCluster({ members: 0 })).toThrow(RangeError);
    const c = await start({ members: 1 });
    expect(() => {
      c.kill(1);
    }).toThrow(RangeError);
    expect(() => {
      c.partition([0], [0]);
    }).toThrow(RangeError);
    await expect(c.advance(-1)).rejects.toThrow(RangeError);
    expect(() => c.member(1)).toThrow(RangeError);
    await expect(c.until(() => false, 10)).rejects.toThrow(
      'Cannot wait any longer: after 10 ms it does not hold (member-0 ready leader)',
    );
  });

  test('T31 a member is a Cluster: what takes one takes it', async () => {
    const c = await start();
    const member = c.member(0);
    expectTypeOf(member).toExtend<Cluster>();
    const { ready, kv, counter, members, explain, getSnapshot, getServerSnapshot, subscribe } =
      member;
    await ready();
    await kv.put('a', { n: 1 });
    expect(counter('a')).toBe(counter('a'));
    expect([members().length, explain()]).toEqual([3, expect.stringContaining('leads 3 member')]);
    expect(getSnapshot()).toBe(getSnapshot());
    expect(getServerSnapshot()).toMatchObject({ phase: 'starting' });
    const lines: unknown[] = [];
    for await (const entry of member.export()) lines.push(entry);
    expect(lines).toEqual([expect.objectContaining({ key: 'a', value: { n: 1 } })]);
    const phases: string[] = [];
    const stop = subscribe(({ phase }) => phases.push(phase));
    c.kill(0);
    c.restart(0);
    await c.until(() => phases.includes('starting') && phases.at(-1) === 'ready');
    stop();
    expect(phases[0]).toBe('ready');
  });

  test('T31 a member that closes hands its leadership over', async () => {
    const c = await start();
    const leader = c.member(c.leader ?? 0);
    const { term } = leader.status.raft;
    const leaders: (string | null)[] = [];
    leader.on('role', (event) => leaders.push(event.leader));
    await leader.close();
    expect(leader.running).toBe(false);
    await c.ready();
    expect(
      c.members.filter(({ running }) => running).map(({ status }) => status.raft.term),
    ).toEqual([term + 1, term + 1]);
    expect(leaders[0]).toBe(leader.status.nodeId);
  });
});
