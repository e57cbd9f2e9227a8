/** What a member says and refuses, with whole members. */
import { expect, test } from 'vitest';
import type { Member } from '../src/member/member.ts';
import { World } from './world.ts';

test('T4 Z42 a member restarted with another secret opens nothing, and its cluster goes on', async () => {
  const world = new World();
  const members = await world.cluster(['a', 'b', 'c']);
  await world.append(world.leader(members), 'kept');
  const a = members[0] as Member;
  const { nodeId } = a.status;
  const { epoch } = a.status.raft;
  world.kill(a);
  const stranger = world.member('a', { secret: 'another' });
  void stranger.start();
  await world.until(() => stranger.status.phase === 'stopped');
  expect(stranger.status).toMatchObject({ reason: 'BAD_SECRET', nodeId: null, clusterId: null });
  expect(stranger.status.raft.appliedIndex).toBe(0);
  const back = world.member('a');
  void back.start();
  await world.until(() => back.status.phase === 'ready');
  // The stranger's start counts for nothing: not even an opening.
  expect(back.status).toMatchObject({ nodeId, raft: { epoch: epoch + 1 } });
});

test('T29 leave() without a quorum is refused at once, naming who is missing', async () => {
  const world = new World();
  const members = await world.cluster(['a', 'b', 'c']);
  const [a, b, c] = members as [Member, Member, Member];
  const gone = b.status.nodeId as string;
  world.kill(b);
  world.kill(c);
  await world.until(() => a.status.phase === 'read-only');
  const before = world.clock.now();
  await expect(a.leave({ nodeId: gone })).rejects.toMatchObject({
    code: 'NO_QUORUM',
    outcome: 'not-applied',
    message: expect.stringMatching(/missing: b, c|missing: c, b/) as string,
  });
  await expect(a.leave()).rejects.toMatchObject({ code: 'NO_QUORUM' });
  expect(world.clock.now()).toBe(before);
  expect(a.status.phase).toBe('read-only');
});
