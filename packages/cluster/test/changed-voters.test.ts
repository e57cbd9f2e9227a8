/**
 * Who was away while voters changed knows a membership that is long over: its requests, and those of
 * replicas that it never heard of, count all the same (Z47).
 */
import { describe, expect, test } from 'vitest';
import type { Member } from '../src/index.ts';
import { voters, World } from './world.ts';

async function starting(world: World, names: readonly string[]): Promise<Member[]> {
  const members = names.map((name) => world.member(name));
  for (const member of members) void member.start();
  await world.ready(members);
  return members;
}

describe('Z47 voters that changed while somebody was away', () => {
  test('T8 Z47 M8 a replaced voter’s successor and one that never heard of it elect a leader', async () => {
    const world = new World();
    const members = await world.cluster(['a', 'b', 'c']);
    const a = world.leader(members);
    const [b, c] = members.filter((member) => member !== a) as [Member, Member];
    world.part([b], [a, c]);
    const g = world.member('g');
    world.part([b], [g]);
    void g.start();
    await world.ready([g]);
    await world.append(a, 'while b was away');
    // Politely: its seat moves to g in one change, which a, c and g carry.
    await world.wait(c.leave());
    await world.until(() => voters(a).includes('g') && !voters(a).includes(c.status.label));
    world.kill(a);
    world.part([b], [g], 'heal');
    await world.until(() => [b, g].some(({ status }) => status.raft.role === 'leader'), 60_000);
    await world.append(b, 'after');
    for (const one of [b, g]) expect(await world.read(one)).toEqual(['while b was away', 'after']);
  });

  test('Z47 a member returns after all voters changed, and is fed by leaders that it never heard of', async () => {
    const world = new World({ replaceAfterMs: 3_000 });
    const members = await world.cluster(['a', 'b', 'c']);
    const away = members.find(({ status }) => status.raft.role !== 'leader') as Member;
    const { label } = away.status;
    await world.append(away, 'before');
    world.kill(away);
    const successors = await starting(world, ['d', 'e', 'f']);
    for (const member of members) if (member !== away) await world.wait(member.leave(), 60_000);
    const [d] = successors as [Member];
    await world.until(() => String(voters(d).sort()) === 'd,e,f', 120_000);
    await world.append(d, 'while it was away');

    const back = world.member(label);
    void back.start();
    await world.ready([back]);
    expect(await world.read(back)).toEqual(['before', 'while it was away']);
    await world.append(back, 'after');
    expect(await world.read(d)).toContain('after');
    expect(successors.map(({ status }) => status.nodeId)).toContain(back.status.raft.leader);
  });
});
