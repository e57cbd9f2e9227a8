import { describe, expect, test } from 'vitest';
import { encodeMembershipEntry } from './codec/membership.ts';
import { checkInvariants } from './invariants.ts';
import { startLeading } from './leader.ts';
import type { Leadership } from './leadership.ts';
import { Machine } from './machine.ts';
import { plainMembership } from './membership.ts';
import type { Progress } from './progress.ts';
import { resolveConfig } from './settings.ts';
import type { Entry } from './types.ts';

const noData = new Uint8Array(0);
const voters = ['a', 'b', 'c'].map((each) => each.repeat(32));
const [self = '', other = ''] = voters;
const membership = plainMembership({ voters, learners: [] });

/** Five entries of term 1, committed up to 3, applied up to 2. */
function follower(): Machine {
  const data = encodeMembershipEntry(membership, noData);
  const entries = [1, 2, 3, 4, 5].map((index): Entry =>
    index === 1
      ? { term: 1, index, type: 'membership', data }
      : { term: 1, index, type: 'noop', data: noData },
  );
  return new Machine(resolveConfig({ nodeId: self, seed: 1 }), {
    hardState: { currentTerm: 1, votedFor: null, commitIndex: 3 },
    snapshot: null,
    entries,
    appliedIndex: 2,
  });
}

/** The same, leading in term 2, whose no-op is entry 6. */
function leader(): Machine {
  const m = follower();
  m.becomeCandidate(false);
  m.hardStateDirty = false;
  startLeading(m);
  return m;
}

function leadershipOf(m: Machine): Leadership {
  if (m.leadership === null) throw new Error('it does not lead');
  return m.leadership;
}

function progressOf(m: Machine): Progress {
  const progress = leadershipOf(m).progress.get(other);
  if (progress === undefined) throw new Error('nobody follows');
  return progress;
}

function set(target: object, values: Record<string, unknown>): void {
  for (const [name, value] of Object.entries(values)) {
    Object.defineProperty(target, name, { value });
  }
}

describe('checkInvariants()', () => {
  test('lets a sound follower and a sound leader go on', () => {
    for (const m of [follower(), leader()]) {
      expect(() => {
        checkInvariants(m);
      }).not.toThrow();
    }
  });

  test.each<[string, (m: Machine) => void]>([
    ['prev.index <= lastApplied', ({ log }) => set(log, { prev: { term: 1, index: 3 } })],
    ['snapshot.index <= lastApplied', ({ log }) => set(log, { snapshot: { index: 3 } })],
    ['prev.index <= snapshot.index', ({ log }) => set(log, { prev: { term: 1, index: 1 } })],
    ['lastApplied <= handedIndex', ({ log }) => set(log, { lastApplied: 3 })],
    ['handedIndex <= commitIndex', ({ log }) => set(log, { handedIndex: 4 })],
    ['handedIndex <= durableIndex', ({ log }) => set(log, { durableIndex: 1 })],
    ['commitIndex <= lastIndex', ({ log }) => set(log, { commitIndex: 6 })],
    ['durableIndex < unstableFrom', ({ log }) => set(log, { durableIndex: 6 })],
    ['unstableFrom <= lastIndex + 1', ({ log }) => set(log, { unstableFrom: 7 })],
    ['lastEntry.term <= currentTerm', (m) => set(m, { currentTerm: 0 })],
    ['membershipIndex <= lastIndex', (m) => m.memberships.push({ index: 6, membership })],
    ['persistedNumber <= batchNumber', (m) => set(m, { persistedNumber: 1 })],
    ['verifiedIndex <= lastIndex', (m) => set(m, { verifiedIndex: 6 })],
    ['a leader has a leadership', (m) => set(m, { role: 'leader' })],
    ['a leader knows that it leads', (m) => set(m, { leader: self })],
    ['an acknowledgement is owed to a leader', (m) => set(m, { ackOwed: true })],
    ['who stands or leads voted for itself', (m) => set(m, { role: 'candidate', votedFor: other })],
  ])('stops a follower without: %s', (text, spoil) => {
    const m = follower();
    spoil(m);
    expect(() => {
      checkInvariants(m);
    }).toThrow(text);
  });

  test.each<[string, (m: Machine) => void]>([
    ['who stands or leads voted for itself', (m) => set(m, { votedFor: other })],
    ['uncommittedBytes >= 0', (m) => set(leadershipOf(m), { uncommittedBytes: -1 })],
    ['a leader leads in a durable term', (m) => set(m, { hardStateDirty: true })],
    ['matchIndex < nextIndex', (m) => set(progressOf(m), { matchIndex: 5, nextIndex: 5 })],
    ['matchIndex <= lastIndex', (m) => set(progressOf(m), { matchIndex: 7, nextIndex: 8 })],
    ['nextIndex <= lastIndex + 1', (m) => set(progressOf(m), { nextIndex: 8 })],
  ])('stops a leader without: %s', (text, spoil) => {
    const m = leader();
    spoil(m);
    expect(() => {
      checkInvariants(m);
    }).toThrow(text);
  });
});
