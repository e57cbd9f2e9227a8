import type { ClusterStatus, MemberInfo } from '@quorate/cluster';
import { describe, expect, test } from 'vitest';
import { explainStatus } from './explain.ts';
import { inertStatus } from './inert-status.ts';

/** A status with so many voters, of which the first ones cannot be reached. */
function status(voterCount: number, missingCount: number): ClusterStatus {
  const members = Array.from({ length: voterCount }, (_, i): MemberInfo => {
    const label = `m${i + 1}`;
    return {
      nodeId: label,
      label,
      kind: 'voter',
      reachable: i >= missingCount,
      leader: false,
      self: i === voterCount - 1,
      durable: true,
      runtime: 'node',
      link: null,
      roundTripMs: null,
      matchIndex: null,
    };
  });
  return {
    ...inertStatus('test', 'here'),
    phase: 'read-only',
    message: 'No quorum',
    members,
    missing: members
      .slice(0, missingCount)
      .map(({ nodeId, label }, i) => ({ nodeId, label, lastSeenAt: i === 0 ? null : 7_600 })),
    durability: 'disk',
    copies: 2,
  };
}

describe('explainStatus()', () => {
  test.each([
    [3, 2, 'one of them is back'],
    [5, 3, 'one of them is back'],
    [5, 4, '2 of them are back'],
    [2, 1, 'm1 is back'],
    [4, 4, '3 of them are back'],
    [1, 1, 'm1 is back'],
    [2, 2, 'all of them are back'],
  ])('says who must be back: %i voters, %i missing', (voters, missing, words) => {
    expect(explainStatus(status(voters, missing), 10_000)).toMatch(
      new RegExp(`Writes go on once ${words}\\.$`),
    );
  });

  test('names who is missing, and since when', () => {
    expect(explainStatus(status(3, 2), 10_000)).toBe(
      'No quorum. m1 votes and cannot be reached (not met since this member started). ' +
        'm2 votes and cannot be reached (last seen 2 s ago). ' +
        'Writes go on once one of them is back.',
    );
  });
});
