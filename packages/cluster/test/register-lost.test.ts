/** A register that forgets while its cluster lives (T3): who waits, who says it, and who heals it. */
import { describe, expect, test } from 'vitest';
import { readClaim, setClaim } from '../src/formation/claim.ts';
import type { Claim } from '../src/formation/claim.ts';
import type { Member } from '../src/member/member.ts';
import { World } from './world.ts';

const never = new AbortController().signal;

async function claimIn(world: World): Promise<Claim | null> {
  const { record } = await world.wait(readClaim(world.registers.register(world.cipher()), never));
  return record?.claim ?? null;
}

async function failureOf(world: World, promise: Promise<unknown>): Promise<unknown> {
  const ending = promise.then(
    () => null,
    (error: unknown) => error,
  );
  return world.wait(ending, 120_000);
}

/** Three members that have written, and then a register that holds nothing. */
async function forgotten(group?: string): Promise<{ world: World; members: Member[] }> {
  const world = new World();
  const members = await world.cluster(['a', 'b', 'c']);
  await world.append(members[0]!, 'before');
  world.registers.empty(group);
  return { world, members };
}

describe('a register that has forgotten', () => {
  for (const [how, group] of [
    ['was emptied', undefined],
    ['is another group', 'another'],
  ] as const) {
    test(`T3 Z41 Z58 it ${how}: a fresh member waits, the others say it and write on, one command heals`, async () => {
      const { world, members } = await forgotten(group);
      const fresh = world.member('d');
      void fresh.start();
      await world.clock.advance(30_000);
      expect(fresh.status).toMatchObject({
        ...{ phase: 'discovering', reason: 'FORMATION_WAITING', canWrite: false },
      });
      expect(fresh.status.message).toContain('a, b, c of cluster');
      for (const { status } of members) {
        expect(status).toMatchObject({ phase: 'ready', reason: 'REGISTER_LOST', canWrite: true });
        expect(status.message).toContain('quorate register restore');
      }
      await world.append(members[1]!, 'meanwhile');

      const restored = await world.wait(members[2]!.restoreRegister());
      expect(restored).toMatchObject({ group: group ?? 'test', changed: true });
      expect(await claimIn(world)).toMatchObject({
        state: 'active',
        clusterId: members[0]!.status.clusterId,
      });
      await world.ready([fresh]);
      await world.until(() => members.every(({ status }) => status.reason === null), 30_000);
      expect(fresh.status.clusterId).toBe(members[0]!.status.clusterId);
      expect(await world.read(fresh)).toEqual(['before', 'meanwhile']);
      await world.clock.advance(30_000);
      expect(fresh.status.reason).toBeNull();
      // Once more changes nothing.
      expect(await world.wait(members[0]!.restoreRegister())).toMatchObject({ changed: false });
    });
  }

  test('Z58 the group that the log names outlives a restart and a snapshot', async () => {
    const { world, members } = await forgotten('another');
    await world.wait(members[0]!.restoreRegister());
    for (const member of members) await world.wait(member.close());
    const again = ['a', 'b', 'c'].map((name) => world.member(name));
    for (const member of again) void member.start();
    await world.ready(again);
    await world.clock.advance(30_000);
    for (const { status } of again) expect(status.reason).toBeNull();
  });

  test('Z58 without a quorum of its own cluster nobody writes it back', async () => {
    const { world, members } = await forgotten();
    const [a, b, c] = members as [Member, Member, Member];
    world.part([a], [b, c]);
    const error = await failureOf(world, a.restoreRegister());
    expect(error).toMatchObject({ code: expect.stringMatching(/NO_QUORUM|NO_LEADER|TIMEOUT/) });
    expect(await claimIn(world)).toBeNull();
  });

  test('Z58 a later generation that is announced keeps one of before from being written back', async () => {
    const { world, members } = await forgotten();
    const place = world.meetingPoint.rendezvous(world.cipher().topic);
    const cluster = { clusterId: members[0]!.status.clusterId!, generation: 2, label: 'later' };
    place.announce({ host: 'later', addresses: ['/later'], cluster });
    const error = await failureOf(world, members[0]!.restoreRegister());
    expect(error).toMatchObject({ code: 'CONFLICT', outcome: 'not-applied' });
    expect(String(error)).toContain('later of cluster');
    expect(await claimIn(world)).toBeNull();
  });

  test('Z58 from empty only: what stands there stays, whatever its counter', async () => {
    for (const [state, group] of [
      ['claimed', undefined],
      ['active', undefined],
      ['claimed', 'another'],
      ['active', 'another'],
    ] as const) {
      const { world, members } = await forgotten(group);
      const other: Claim = {
        state,
        clusterId: 'cd'.repeat(16),
        generation: state === 'active' ? 0 : 7,
        founder: 'ef'.repeat(16),
        beat: 1,
      };
      await world.wait(setClaim(world.registers.register(world.cipher()), 0, other, never));
      const error = await failureOf(world, members[0]!.restoreRegister());
      expect(error).toMatchObject({ code: 'CONFLICT' });
      expect(await claimIn(world)).toEqual(other);
      // What was refused changed nothing here either.
      await world.clock.advance(60_000);
      for (const { status } of members) expect(status.reason).toBe('REGISTER_LOST');
    }
  });

  test('Z41 formation new founds beside them and says so; members of the other stop and ask', async () => {
    const { world, members } = await forgotten();
    const founder = world.member('d', { formation: 'new' });
    void founder.start();
    await world.ready([founder]);
    expect(founder.status.clusterId).not.toBe(members[0]!.status.clusterId);
    expect(founder.status.message).toContain('founded in spite of a, b, c of cluster');
    await world.append(founder, 'anew');
    await world.until(() => members.every(({ status }) => status.phase === 'stopped'), 60_000);
    for (const { status } of members) expect(status.reason).toBe('SUPERSEDED');
  });

  test('Z41 the application pins the new group: a member moves by itself', async () => {
    const { world, members } = await forgotten('another');
    await world.wait(members[1]!.close());
    const pinned = world.member('b', { pinned: true });
    void pinned.start();
    await world.ready([pinned]);
    await world.clock.advance(40_000);
    for (const { status } of [members[0]!, pinned, members[2]!]) expect(status.reason).toBeNull();
    expect((await claimIn(world))?.state).toBe('active');
  });

  test('Z41 showRegister tells what stands there and who is announced', async () => {
    const { world, members } = await forgotten('another');
    const view = await world.wait(members[0]!.showRegister());
    expect(view).toMatchObject({ group: 'another', record: null });
    expect(view.announced.map(({ label }) => label).sort()).toEqual(['b', 'c']);
    await world.wait(members[0]!.restoreRegister());
    const { clusterId } = members[0]!.status;
    expect(await world.wait(members[1]!.showRegister())).toMatchObject({
      group: 'another',
      record: { state: 'active', clusterId, generation: 1, version: 1 },
      trouble: null,
    });
  });

  test('Z41 a member that joined nothing restores nothing', async () => {
    const world = new World();
    const fresh = world.member('a', { formation: 'join' });
    void fresh.start();
    await world.clock.advance(1_000);
    const error = await failureOf(world, fresh.restoreRegister());
    expect(error).toMatchObject({ code: 'NO_LEADER', outcome: 'not-applied' });
  });
});
