import { describe, expect, test } from 'vitest';
import { pastCountMax } from '@quorate/contracts';
import { branch } from '../../test/branches.ts';
import { comesFrom, forkOf, relationOf } from './branch.ts';

describe('relationOf()', () => {
  test.each([
    ['aa', 'aa', 'same'],
    ['aa', 'aaa', 'later'],
    ['aa', 'aaaaa', 'later'],
    ['aaa', 'aa', 'earlier'],
    ['aa', 'ab', 'fork'],
    ['aa', 'abbbb', 'fork'],
    ['aaaaa', 'ab', 'fork'],
    ['aaab', 'aaac', 'fork'],
  ] as const)('Z48 of the known run %s and the run %s: %s', (known, run, relation) => {
    expect(relationOf(branch(known), branch(run))).toBe(relation);
  });

  test('Z48 lists of 32 runs meet up to 31 runs away, and are apart beyond that', () => {
    const known = branch('a');
    const reaches = 'a'.repeat(pastCountMax + 1);
    expect(relationOf(known, branch(reaches))).toBe('later');
    expect(relationOf(known, branch(`b${reaches.slice(1)}`))).toBe('fork');
    expect(relationOf(known, branch(`${reaches}a`))).toBe('apart');
    expect(relationOf(branch(`${reaches}a`), known)).toBe('apart');
  });
});

describe('forkOf()', () => {
  test('Z48 a branch begins where its list parts from the known one', () => {
    expect(forkOf(branch('aa'), branch('abbb'))).toEqual({ epoch: 2, nonce: 'b2' });
    expect(forkOf(branch('aaaa'), branch('ab'))).toEqual({ epoch: 2, nonce: 'b2' });
    expect(forkOf(branch('aa'), branch('aaa'))).toEqual({ epoch: 3, nonce: 'a3' });
    expect(forkOf(branch('aa'), branch('aa'))).toEqual({ epoch: 2, nonce: 'a2' });
  });
});

describe('comesFrom()', () => {
  test('Z48 a run comes from itself and from those in its list', () => {
    const run = branch('aab');
    for (const id of [branch('a'), branch('aa'), run]) expect(comesFrom(run, id)).toBe(true);
    for (const id of [branch('b'), branch('ab'), branch('aaa'), branch('aabb')]) {
      expect(comesFrom(run, id)).toBe(false);
    }
  });
});
