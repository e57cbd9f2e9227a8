/** Z14: writes wait for as many durable copies as the founder asked for, once. */
import { describe, expect, test } from 'vitest';
import type { Member } from '../src/member/member.ts';
import { World } from './world.ts';

/** Whether a write was acknowledged yet; its promise. */
function write(member: Member, world: World): { done: boolean; promise: Promise<void> } {
  const state = { done: false, promise: Promise.resolve() };
  state.promise = member.propose(world.line('x'), { timeoutMs: 60_000 }).then(() => {
    state.done = true;
  });
  return state;
}

describe('expect', () => {
  test('Z14 no write is acknowledged before so many durable replicas hold all of it', async () => {
    const world = new World({ expect: 3 });
    const [a, b, c] = [world.member('a'), world.member('b'), world.member('c')];
    const inMemory = world.member('m', { durable: false });
    void a.start();
    const written = write(a, world);
    await world.clock.advance(3_000);
    expect(a.status).toMatchObject({ phase: 'joining', reason: 'FORMATION_WAITING' });
    expect(a.status.message).toBe('Writes wait until 3 durable replicas hold the data');
    void b.start();
    void inMemory.start();
    await world.until(() => a.status.members.length === 3);
    await world.clock.advance(3_000);
    // A copy in memory counts for nothing.
    expect([written.done, world.log(a)]).toEqual([false, []]);
    void c.start();
    await world.ready([a, b, c]);
    await world.wait(written.promise);
    expect(world.log(a)).toEqual(['x']);
  });

  test('Z14 learners count', async () => {
    const world = new World({ expect: 2, maxVoters: 1 });
    const [a, b] = [world.member('a'), world.member('b')];
    void a.start();
    void b.start();
    await world.ready([a, b]);
    await world.append(a, 'x');
  });

  test('Z14 once it was so it is never asked again, also after a restart and a snapshot', async () => {
    const world = new World({ expect: 3, snapshotEntries: 5, trailingEntries: 0 });
    let members = await world.cluster(['a', 'b', 'c']);
    for (let count = 0; count < 8; count++) await world.append(members[0] as Member, 'x');
    for (const member of members) world.kill(member);
    members = [world.member('a'), world.member('b')];
    for (const member of members) void member.start();
    await world.ready(members);
    await world.append(members[0] as Member, 'y');
    expect(world.log(members[0] as Member).at(-1)).toBe('y');
  });

  test('Z14 a write that waits in vain says what it waited for', async () => {
    const world = new World({ expect: 2 });
    const alone = world.member('a');
    void alone.start();
    await world.until(
      () => alone.status.phase === 'joining' && alone.status.raft.role === 'leader',
    );
    const error: unknown = await world.wait(
      alone.propose(world.line('x'), { timeoutMs: 2_000 }).catch((reason: unknown) => reason),
    );
    expect(error).toMatchObject({ code: 'TIMEOUT', outcome: 'not-applied' });
    expect(String(error)).toContain('waiting for 2 durable copies');
  });
});
