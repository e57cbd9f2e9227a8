import { describe, expect, test } from 'vitest';
import { seededBytes } from '../../test/manual-clock.ts';
import { earlierCountMax, LinkMemory } from './link-memory.ts';

const a = 'a'.repeat(32);
const run = { epoch: 3, nonce: '03' };

describe('LinkMemory', () => {
  test('Z72 each link has a random of its own, and names those before it to the same host', () => {
    const memory = new LinkMemory(seededBytes(1));
    const first = memory.begin('H');
    const elsewhere = memory.begin('G');
    const second = memory.begin('H');
    expect(first.earlier).toEqual([]);
    expect(elsewhere.earlier).toEqual([]);
    expect(second.earlier).toEqual([first.random]);
    expect(new Set([first, elsewhere, second].map(({ random }) => random)).size).toBe(3);
  });

  test('Z72 a run that does not name the last link over which it was heard lacks something', () => {
    const here = new LinkMemory(seededBytes(1));
    const there = new LinkMemory(seededBytes(2));
    const [first, second, third] = [there.begin('H'), there.begin('H'), there.begin('H')];
    expect(here.lacks(a, run, first)).toBe(false);
    here.heard(a, run, 'T', first);
    // The hello of the second was lost on its way.
    expect(here.lacks(a, run, third)).toBe(false);
    here.heard(a, run, 'T', third);
    // Two dials crossed: this one was said before.
    expect(here.lacks(a, run, second)).toBe(true);
    expect(here.lacks(a, run, there.begin('H'))).toBe(false);
    // Another run owes nothing of it.
    expect(here.lacks(a, { epoch: 4, nonce: '04' }, second)).toBe(false);
  });

  test('Z72 whose memory was put back cannot name it, however many links it makes', () => {
    const here = new LinkMemory(seededBytes(1));
    const there = new LinkMemory(seededBytes(2));
    const before = there.begin('H');
    here.heard(a, run, 'T', before);
    const after = there.begin('H');
    here.heard(a, run, 'T', after);
    const reverted = new LinkMemory(seededBytes(3));
    for (let count = 0; count < 3 * earlierCountMax; count++) {
      expect(here.lacks(a, run, reverted.begin('H'))).toBe(true);
    }
    const [said] = here.said('T');
    expect(said).toEqual({ nodeId: a, nonce: run.nonce, random: after.random, forgot: false });
    expect(reverted.drew('H', after.random)).toBe(false);
    expect(there.drew('H', after.random)).toBe(true);
  });

  test('Z72 what the other side remembers stays known, however many hellos it never got', () => {
    const here = new LinkMemory(seededBytes(1));
    const there = new LinkMemory(seededBytes(2));
    const first = there.begin('H');
    here.heard(a, run, 'T', first);
    expect(there.drew('H', first.random)).toBe(true);
    let last = first;
    for (let count = 0; count < 10 * earlierCountMax; count++) last = there.begin('H');
    expect(last.earlier.length).toBeLessThanOrEqual(earlierCountMax);
    expect(here.lacks(a, run, last)).toBe(false);
    expect(there.drew('H', first.random)).toBe(true);
  });

  test('Z72 who forgot what it acknowledged lacks something, whatever it names', () => {
    const here = new LinkMemory(seededBytes(1));
    const there = new LinkMemory(seededBytes(2));
    const proof = there.begin('H');
    here.heard(a, run, 'T', proof);
    here.forgot(a);
    expect(here.lacks(a, run, there.begin('H'))).toBe(true);
    expect(here.said('T')).toMatchObject([{ forgot: true }]);
    expect(here.said('G')).toEqual([]);
    here.heard(a, { epoch: 4, nonce: '04' }, 'T', there.begin('H'));
    expect(here.lacks(a, { epoch: 4, nonce: '04' }, there.begin('H'))).toBe(false);
  });

  test('hosts that were linked longest ago are forgotten first, beyond 256', () => {
    const memory = new LinkMemory(seededBytes(1));
    const first = memory.begin('first');
    const kept = memory.begin('kept');
    for (let host = 0; host < 254; host++) memory.begin(`host ${host}`);
    memory.begin('kept');
    memory.begin('one more');
    expect(memory.drew('first', first.random)).toBe(false);
    expect(memory.drew('kept', kept.random)).toBe(true);
  });
});
