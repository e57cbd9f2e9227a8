import { describe, expect, test } from 'vitest';
import { testWorld } from '../test/world.ts';

describe('Member', () => {
  test('F1 three fresh members started at once become one cluster with three voters', async () => {
    const world = testWorld();
    const members = ['a', 'b', 'c'].map((name) => world.member(name));
    for (const member of members) void member.start();
    await Promise.all(members.map((member) => member.ready()));
    await members[0]?.propose(world.append('first'));
    await world.until(() =>
      members.every(
        (member) => member.status.members.filter((m) => m.kind === 'voter').length === 3,
      ),
    );
    expect(new Set(members.map((member) => member.status.clusterId)).size).toBe(1);
    await world.close();
  });

  test('C4 a write through any member is applied once and read from every other', async () => {
    const world = testWorld();
    const members = ['a', 'b', 'c'].map((name) => world.member(name));
    for (const member of members) void member.start();
    await Promise.all(members.map((member) => member.ready()));
    for (const [i, member] of members.entries()) await member.propose(world.append(`from ${i}`));
    for (const member of members) {
      await member.readBarrier();
      expect(world.log(member)).toEqual(['from 0', 'from 1', 'from 2']);
    }
    await world.close();
  });
});
