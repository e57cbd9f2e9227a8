/**
 * Machines that are put back with their memory (Z72): the process goes on as the run that it was, with
 * less on its disk than it swore, or with less in its memory than others remember of it.
 */
import type { MemoryDisk } from '@quorate/contracts/memory';
import { describe, expect, test } from 'vitest';
import type { Member } from '../src/member/member.ts';
import { World } from './world.ts';

const three = ['l1', 'l2', 'l3'] as const;

type Scene = {
  readonly world: World;
  readonly leader: Member;
  readonly witness: Member;
  /** It follows. */
  readonly victim: Member;
  readonly name: string;
  readonly image: MemoryDisk;
};

async function scene(): Promise<Scene> {
  const world = new World();
  const members = await world.cluster(three);
  const leader = world.leader(members);
  const [victim, witness] = members.filter((one) => one !== leader) as [Member, Member];
  await world.append(leader, 'before');
  await world.clock.advance(2_000);
  const image = world.image(victim);
  return { world, leader, witness, victim, name: victim.status.label, image };
}

/** The machine goes on where it was when the image was taken. */
function revert({ world, victim, name, image }: Scene): Member {
  const host = world.host(victim);
  world.kill(victim);
  world.layOver(name, image);
  const reverted = world.member(name, { host, sameRunAs: victim });
  void reverted.start();
  return reverted;
}

describe('Z72, a machine that is put back with its memory', () => {
  test('Z72 Z3 it lacks what it acknowledged: never heard as the same run, refused as the next', async () => {
    const at = await scene();
    const { world, leader, witness } = at;
    const { epoch } = at.victim.status.raft;
    for (const text of ['sworn 1', 'sworn 2', 'sworn 3']) await world.append(leader, text);
    await world.clock.advance(2_000);
    const reverted = revert(at);
    let heardAs = 0;
    reverted.subscribe(() => {
      const { leader: heard, epoch: now } = reverted.status.raft;
      if (heard !== null) heardAs = now;
    });
    await world.until(() => reverted.status.phase === 'stopped', 30_000);
    await world.wait(reverted.close());
    expect(reverted.status.reason).toBe('REPLICA_ROLLED_BACK');
    expect(heardAs).toBe(0);
    const { run } = world.disk(reverted).contents;
    expect(run?.epoch).toBeGreaterThan(epoch);
    expect(run?.mark?.message).toMatch(/committed up to|on its disk/);
    expect(await world.read(witness)).toEqual(['before', 'sworn 1', 'sworn 2', 'sworn 3']);
  });

  test('Z72 Z3 its vote in a later term is gone: it does not vote in that term again', async () => {
    const at = await scene();
    const { world, leader, witness, victim } = at;
    expect(leader.yieldLeadership([witness.status.nodeId ?? ''])).toBe(true);
    const nextTerm = (): boolean => victim.status.raft.leader === witness.status.nodeId;
    await world.until(nextTerm);
    await world.clock.advance(2_000);
    const { term } = witness.status.raft;
    const reverted = revert(at);
    world.part([leader], [reverted, witness]);
    await world.until(() => reverted.status.phase === 'stopped', 30_000);
    await world.wait(reverted.close());
    // It is neither elected nor elects: with it alone the other one has no majority that it may use.
    expect(reverted.status.raft.leader).toBeNull();
    expect(world.disk(reverted).contents.hardState.currentTerm).toBeLessThan(term);
    expect(witness.failure).toBeNull();
  });

  test('Z72 it lacks nothing but its links: it goes on as a new run, let in by all', async () => {
    const at = await scene();
    const { world, leader, victim, witness } = at;
    const { epoch } = victim.status.raft;
    // Links that it will not remember.
    for (const other of [leader, witness]) {
      world.part([victim], [other]);
      await world.clock.advance(5_000);
      world.part([victim], [other], 'heal');
      await world.until(() => [leader, witness].every((one) => isLinked(victim, one)), 60_000);
    }
    const reverted = revert({ ...at, image: world.image(victim) });
    await world.until(() => reverted.status.raft.epoch > epoch, 30_000);
    await world.ready([reverted]);
    await world.append(reverted, 'after');
    for (const member of [leader, witness, reverted]) {
      expect(member.failure).toBeNull();
      expect((await world.read(member)).at(-1)).toBe('after');
    }
  });

  test('Z72 calls under way end as unknown, later ones wait for the new run and are taken', async () => {
    const at = await scene();
    const { world, leader, witness, victim } = at;
    world.part([victim], [leader, witness]);
    await world.clock.advance(5_000);
    world.part([victim], [leader, witness], 'heal');
    await world.until(() => isLinked(victim, leader), 60_000);
    const reverted = revert({ ...at, image: world.image(victim) });
    const lines = await Promise.all(
      ['one', 'two', 'three'].map((text) =>
        world.wait(reverted.propose(world.line(text), { timeoutMs: 60_000 })).then(
          () => text,
          (error: { outcome: string }) => error.outcome,
        ),
      ),
    );
    for (const [i, text] of ['one', 'two', 'three'].entries()) {
      expect([text, 'unknown']).toContain(lines[i]);
    }
    await world.ready([reverted]);
    await world.append(reverted, 'later');
    expect((await world.read(leader)).at(-1)).toBe('later');
  });
});

function isLinked(member: Member, other: Member): boolean {
  const { nodeId } = other.status;
  return member.status.members.some((one) => one.nodeId === nodeId && one.link !== null);
}
