import { describe, expect, test } from 'vitest';
import type { Membership } from '@quorate/core';
import { quorumsOverlap } from './quorum-overlap.ts';

function of(voters: string, votersOutgoing = ''): Membership {
  return {
    voters: [...voters],
    votersOutgoing: [...votersOutgoing],
    learners: [],
    learnersNext: [],
  };
}

describe('quorumsOverlap', () => {
  test.each([
    ['abc', '', 'abc', ''],
    // One voter more or less never needs a joint step.
    ['abc', '', 'abcd', ''],
    ['abcd', '', 'abc', ''],
    // Each half of a joint membership overlaps with it.
    ['abc', '', 'de', 'abc'],
    ['de', 'abc', 'de', ''],
    // Two changes of the same membership, under two leaders.
    ['de', 'abc', 'fg', 'abc'],
  ])('%s + %s and %s + %s cannot decide without each other', (a, aOut, b, bOut) => {
    expect(quorumsOverlap(of(a, aOut), of(b, bOut))).toBe(true);
    expect(quorumsOverlap(of(b, bOut), of(a, aOut))).toBe(true);
  });

  test.each([
    ['abc', '', 'abcde', ''],
    ['abc', '', 'ade', ''],
    ['a', '', 'b', ''],
    ['abc', '', 'cde', ''],
    ['de', '', 'abc', ''],
    ['de', 'abc', 'abf', ''],
    ['a', '', 'abc', ''],
  ])('%s + %s and %s + %s may decide without each other', (a, aOut, b, bOut) => {
    expect(quorumsOverlap(of(a, aOut), of(b, bOut))).toBe(false);
    expect(quorumsOverlap(of(b, bOut), of(a, aOut))).toBe(false);
  });
});
