import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isQuorum, quorumIndex, voteResult } from './quorum.ts';
import type { VoteResult } from './quorum.ts';
import type { Membership, NodeId } from './types.ts';

function membership(voters: NodeId[], votersOutgoing: NodeId[] = []): Membership {
  return { voters, votersOutgoing, learners: ['l'], learnersNext: [] };
}

/** The dumb twin: the largest index for which more than half can be counted, one by one. */
function naiveIndex(voters: readonly NodeId[], indexes: ReadonlyMap<NodeId, number>): number {
  for (let index = 50; index > 0; index--) {
    const reached = voters.filter((id) => (indexes.get(id) ?? 0) >= index);
    if (reached.length * 2 > voters.length) return index;
  }
  return 0;
}

function naiveVote(voters: readonly NodeId[], votes: ReadonlyMap<NodeId, boolean>): VoteResult {
  const yes = voters.filter((id) => votes.get(id) === true).length;
  const no = voters.filter((id) => votes.get(id) === false).length;
  if (yes * 2 > voters.length) return 'won';
  return (voters.length - no) * 2 > voters.length ? 'pending' : 'lost';
}

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const someIds = fc.subarray(ids, { minLength: 1 });
const anyIds = fc.subarray(ids);

describe('quorumIndex()', () => {
  test.each([
    [[5], 5],
    [[5, 9], 5],
    [[5, 9, 7], 7],
    [[1, 2, 3, 4], 2],
    [[1, 2, 3, 4, 5], 3],
    [[0, 0, 9], 0],
  ])('of %j is %i', (indexes, expected) => {
    const voters = indexes.map((_, i) => ids[i] as NodeId);
    expect(quorumIndex(membership(voters), (id) => indexes[ids.indexOf(id)] as number)).toBe(
      expected,
    );
  });

  test('is 0 when nobody votes', () => {
    expect(quorumIndex(membership([]), () => 9)).toBe(0);
  });

  test('L8 equals the naive count on 50,000 random vectors, joint ones too', () => {
    const indexes = fc.array(fc.nat(50), { minLength: ids.length, maxLength: ids.length });
    fc.assert(
      fc.property(someIds, anyIds, indexes, (voters, outgoing, values) => {
        const known = new Map(ids.map((id, i) => [id, values[i] as number]));
        const incoming = naiveIndex(voters, known);
        const expected =
          outgoing.length === 0 ? incoming : Math.min(incoming, naiveIndex(outgoing, known));
        const actual = quorumIndex(membership(voters, outgoing), (id) => known.get(id) ?? 0);
        return actual === expected;
      }),
      { numRuns: 50_000 },
    );
  });
});

describe('voteResult()', () => {
  test('equals the naive count, joint ones too; strangers and learners count nowhere', () => {
    const answers = fc.array(fc.option(fc.boolean()), {
      minLength: ids.length,
      maxLength: ids.length,
    });
    fc.assert(
      fc.property(someIds, anyIds, answers, (voters, outgoing, values) => {
        const votes = new Map<NodeId, boolean>([['l', true]]);
        ids.forEach((id, i) => {
          const value = values[i] ?? null;
          if (value !== null) votes.set(id, value);
        });
        const results = [naiveVote(voters, votes)];
        if (outgoing.length > 0) results.push(naiveVote(outgoing, votes));
        const expected = results.includes('lost')
          ? 'lost'
          : results.includes('pending')
            ? 'pending'
            : 'won';
        return voteResult(membership(voters, outgoing), votes) === expected;
      }),
      { numRuns: 10_000 },
    );
  });

  test('is never won when nobody votes', () => {
    expect(voteResult(membership([]), new Map([['l', true]]))).toBe('lost');
  });
});

describe('isQuorum()', () => {
  test('any two quorums of one membership share a voter', () => {
    fc.assert(
      fc.property(someIds, anyIds, anyIds, (voters, first, second) => {
        const who = membership(voters);
        const both = [first, second].every((set) => isQuorum(who, (id) => set.includes(id)));
        return !both || voters.some((id) => first.includes(id) && second.includes(id));
      }),
    );
  });
});
