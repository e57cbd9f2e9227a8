import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  MembershipHistory,
  beginChange,
  describeInvalid,
  isJoint,
  isMember,
  isVoter,
  leaveJoint,
  membersOf,
  plainMembership,
  sameMembership,
} from './membership.ts';
import type { NodeId } from './types.ts';

const ids = ['a', 'b', 'c', 'd', 'e', 'f'];

/** Any valid plain membership over a few ids. */
const plain = fc
  .tuple(fc.subarray(ids, { minLength: 1 }), fc.subarray(ids))
  .map(([voters, learners]) =>
    plainMembership({ voters, learners: learners.filter((id) => !voters.includes(id)) }),
  );

describe('beginChange()', () => {
  test('ends at the target, through a valid joint membership whenever voters change', () => {
    fc.assert(
      fc.property(plain, plain, (current, target) => {
        const first = beginChange(current, target);
        if (sameMembership(current, target)) return first === null;
        if (first === null || describeInvalid(first) !== null) return false;
        const votersChange = current.voters.join() !== target.voters.join();
        if (isJoint(first) !== votersChange) return false;
        return sameMembership(isJoint(first) ? leaveJoint(first) : first, target);
      }),
    );
  });

  test('nobody is voter and learner at once, not even in the middle (M6)', () => {
    fc.assert(
      fc.property(plain, plain, (current, target) => {
        const first = beginChange(current, target) ?? current;
        return first.learners.every((id) => !isVoter(first, id));
      }),
    );
  });

  test('sorts and removes duplicates', () => {
    const current = plainMembership({ voters: ['a'], learners: [] });
    expect(beginChange(current, { voters: ['c', 'a', 'c', 'b'], learners: [] })?.voters).toEqual([
      'a',
      'b',
      'c',
    ]);
  });

  test('refuses nothing to do, no voters, and a joint beginning', () => {
    const current = plainMembership({ voters: ['a'], learners: ['b'] });
    expect(beginChange(current, { voters: ['a'], learners: ['b', 'b'] })).toBeNull();
    expect(beginChange(current, { voters: [], learners: ['b'] })).toBeNull();
    expect(beginChange(current, { voters: ['a', 'b'], learners: ['b'] })).toBeNull();
    const joint = { ...current, votersOutgoing: ['c'] };
    expect(beginChange(joint, { voters: ['a'], learners: [] })).toBeNull();
  });
});

describe('describeInvalid()', () => {
  test.each([
    [{ voters: [] }, 'no voters'],
    [{ voters: ['b', 'a'] }, 'sorted'],
    [{ voters: ['a', 'a'] }, 'sorted'],
    [{ voters: ['a'], learners: ['a'] }, 'voter and learner'],
    [{ voters: ['a'], votersOutgoing: ['b'], learners: ['b'] }, 'voter and learner'],
    [{ voters: ['a'], learnersNext: ['b'] }, 'outgoing'],
    [{ voters: ['a'], votersOutgoing: ['a', 'b'], learnersNext: ['a'] }, 'outgoing'],
  ])('%j: %s', (over, reason) => {
    const none: NodeId[] = [];
    const base = { voters: none, votersOutgoing: none, learners: none, learnersNext: none };
    expect(describeInvalid({ ...base, ...over })).toContain(reason);
  });

  test('a joint membership with a next learner is fine', () => {
    const joint = {
      voters: ['a'],
      votersOutgoing: ['a', 'b'],
      learners: ['c'],
      learnersNext: ['b'],
    };
    expect(describeInvalid(joint)).toBeNull();
    expect(membersOf(joint)).toEqual(['a', 'b', 'c']);
    expect(leaveJoint(joint)).toEqual(plainMembership({ voters: ['a'], learners: ['b', 'c'] }));
  });
});

describe('isMember() and isVoter()', () => {
  const joint = {
    voters: ['a'],
    votersOutgoing: ['a', 'b'],
    learners: ['c'],
    learnersNext: ['b'],
  };

  test.each([
    ['an incoming voter', 'a', true, true],
    ['an outgoing voter', 'b', true, true],
    ['a learner', 'c', true, false],
    ['a stranger', 'd', false, false],
  ])('%s', (_, nodeId, member, voter) => {
    expect(isMember(joint, nodeId)).toBe(member);
    expect(isVoter(joint, nodeId)).toBe(voter);
  });
});

describe('MembershipHistory', () => {
  const step = (
    index: number,
  ): { index: number; membership: ReturnType<typeof plainMembership> } => ({
    index,
    membership: plainMembership({ voters: [`${index}`], learners: [] }),
  });

  test('the newest is in force, also after truncation and compaction (M3)', () => {
    const history = new MembershipHistory(step(1));
    for (const index of [5, 9, 12]) history.push(step(index));
    expect(history.current.index).toBe(12);
    expect(history.previous.index).toBe(9);
    history.truncateFrom(10);
    expect(history.current.index).toBe(9);
    expect([1, 4, 5, 8, 9, 100].map((index) => history.at(index).index)).toEqual([
      1, 1, 5, 5, 9, 9,
    ]);
    history.compactTo(7);
    expect([7, 9].map((index) => history.at(index).index)).toEqual([5, 9]);
    history.truncateFrom(9);
    expect(history.current.index).toBe(5);
    expect(history.previous.index).toBe(5);
    // What a snapshot stands for is never truncated.
    history.truncateFrom(1);
    expect(history.current.index).toBe(5);
  });
});
