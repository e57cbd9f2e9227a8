import type { Membership } from '@quorate/core';
import { plainMembership } from '@quorate/core';
import { describe, expect, test } from 'vitest';
import { Room } from './room.ts';
import type { RoomFacts } from '../links/hello.ts';

/** Replica `a`, which leads unless told otherwise, among voters that say this of themselves. */
class Bench {
  leader: string | null = 'a';
  membership: Membership = plainMembership({ voters: ['a', 'b', 'c'], learners: ['d'] });
  /** Those within reach. */
  readonly said = new Map<string, Partial<RoomFacts>>(['b', 'c', 'd'].map((id) => [id, {}]));
  stalledMs = 0;
  changes = 0;
  readonly room: Room = new Room({
    nodeId: 'a',
    leader: () => this.leader,
    membership: () => this.membership,
    factsOf: (id) => this.said.get(id) ?? null,
    stalledMs: () => this.stalledMs,
    stallMsMax: 1_000,
    frees: (command) => command.length === 0,
    changed: () => (this.changes += 1),
  });

  /** Whether anything is refused, once these said that they are full. */
  refuses(...full: readonly string[]): boolean {
    for (const id of ['b', 'c', 'd']) {
      if (this.said.has(id)) this.said.set(id, { full: full.includes(id) });
    }
    this.room.diskSays(full.includes('a'));
    return this.room.refuses;
  }
}

describe('Room', () => {
  test('T20: a leader refuses once full disks leave no majority, learners aside', () => {
    const bench = new Bench();
    expect(bench.refuses()).toBe(false);
    expect(bench.refuses('b')).toBe(false);
    expect(bench.refuses('b', 'd')).toBe(false);
    expect(bench.refuses('b', 'c')).toBe(true);
    expect(bench.refuses('a', 'c')).toBe(true);
    expect(bench.refuses('a', 'b', 'c')).toBe(true);
    expect(bench.refuses('c')).toBe(false);
  });

  test('T20: whose own disk is full has somebody else lead; alone it refuses', () => {
    const bench = new Bench();
    expect(bench.refuses('a')).toBe(false);
    expect(bench.room.isUnfit).toBe(true);
    expect(['a', 'b', 'c'].filter(bench.room.has)).toEqual(['b', 'c']);
    bench.membership = plainMembership({ voters: ['a'], learners: ['b', 'c', 'd'] });
    expect(bench.refuses('a')).toBe(true);
    expect(bench.refuses()).toBe(false);
    expect(bench.room.isUnfit).toBe(false);
  });

  test('T20: who is away has no room, but for that alone nothing is refused', () => {
    const bench = new Bench();
    bench.said.delete('b');
    bench.said.delete('c');
    expect(bench.refuses()).toBe(false);
    bench.said.set('b', {});
    expect(bench.refuses('b')).toBe(true);
  });

  test('T20: two memberships each need a majority with room', () => {
    const bench = new Bench();
    const voters = ['a', 'b', 'c'];
    bench.membership = { voters, votersOutgoing: ['d'], learners: [], learnersNext: [] };
    expect(bench.refuses('b')).toBe(false);
    expect(bench.refuses('d')).toBe(true);
  });

  test('T20: elsewhere the word of the leader counts, and of nobody else', () => {
    const bench = new Bench();
    bench.leader = 'b';
    expect(bench.refuses('a', 'c')).toBe(false);
    bench.said.set('c', { refuses: true });
    bench.room.look();
    expect(bench.room.refuses).toBe(false);
    bench.said.set('b', { refuses: true });
    bench.room.look();
    expect(bench.room.refuses).toBe(true);
    expect(bench.room.refusal(new Uint8Array(1))).toMatchObject({
      code: 'STORAGE_FULL',
      outcome: 'not-applied',
    });
    expect(bench.room.refusal(new Uint8Array(0))).toBeNull();
    // Its own disk has room: without a leader nothing is known that would be refused.
    bench.leader = null;
    bench.room.diskSays(false);
    expect(bench.room.refuses).toBe(false);
    expect(bench.room.refusal(new Uint8Array(1))).toBeNull();
  });

  test('T20: between two leaders a full disk refuses on', () => {
    const bench = new Bench();
    expect(bench.refuses('a', 'b')).toBe(true);
    bench.leader = null;
    bench.room.look();
    expect(bench.room.refuses).toBe(true);
    bench.room.diskSays(false);
    expect(bench.room.refuses).toBe(false);
  });

  test('T20: a disk is slow after two timeouts, and a full one is full', () => {
    const bench = new Bench();
    bench.stalledMs = 1_000;
    bench.room.look();
    expect([bench.room.isUnfit, bench.room.isSlow]).toEqual([true, false]);
    bench.stalledMs = 2_001;
    bench.room.look();
    expect(bench.room.isSlow).toBe(true);
    bench.room.diskSays(true);
    expect(bench.room.isSlow).toBe(false);
  });

  test('changes are told, and nothing else is', () => {
    const bench = new Bench();
    for (let count = 0; count < 5; count += 1) bench.room.look();
    expect(bench.changes).toBe(0);
    bench.room.diskSays(true);
    expect(bench.changes).toBe(1);
    bench.said.set('b', { full: true });
    bench.room.look();
    bench.room.look();
    expect(bench.changes).toBe(2);
    bench.stalledMs = 9_999;
    bench.room.look();
    expect(bench.changes).toBe(2);
  });
});
