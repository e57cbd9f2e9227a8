import { describe, expect, test } from 'vitest';
import type { Entry, PersistBatch } from '@quorate/core';
import { encodeMembershipEntry } from '@quorate/core';
import { SafetyChecker } from './checker.ts';
import { SafetyViolation } from './violation.ts';

const a = 'a'.repeat(32);
const b = 'b'.repeat(32);
const c = 'c'.repeat(32);
const genesis: Entry = {
  term: 1,
  index: 1,
  type: 'membership',
  data: encodeMembershipEntry(
    { voters: [a, b, c], votersOutgoing: [], learners: [], learnersNext: [] },
    new Uint8Array(0),
  ),
};

function entry(term: number, index: number, text = 'x'): Entry {
  return { term, index, type: 'normal', data: new TextEncoder().encode(text) };
}

function batch(term: number, entries: Entry[], commitIndex = 0, votedFor = ''): PersistBatch {
  const hardState = {
    currentTerm: term,
    votedFor: votedFor === '' ? null : votedFor,
    commitIndex,
  };
  return { number: 1, hardState, entries };
}

/** Three replicas that hold the genesis. */
function begin(): SafetyChecker {
  const checker = new SafetyChecker();
  for (const id of [a, b, c]) {
    checker.started(id);
    store(checker, id, batch(1, [genesis]));
  }
  return checker;
}

function store(checker: SafetyChecker, id: string, one: PersistBatch): void {
  checker.written(id, one);
  checker.persisted(id, one);
}

describe('SafetyChecker', () => {
  test('a disk is not spared for a membership that was sent and is written nowhere yet', () => {
    const alone = { voters: [b], votersOutgoing: [a, c], learners: [], learnersNext: [] };
    const data = encodeMembershipEntry(alone, new Uint8Array(0));
    const checker = begin();
    store(checker, a, batch(2, [entry(2, 2)], 1, a));
    store(checker, b, batch(2, [entry(2, 2)], 1, a));
    expect(checker.outlives(b, new Set())).toBe(true);
    checker.sent({
      type: 'AppendEntries',
      from: a,
      to: b,
      term: 2,
      prevEntry: { term: 2, index: 2 },
      entries: [{ term: 2, index: 3, type: 'membership', data }],
      leaderCommit: 1,
    });
    expect(checker.outlives(b, new Set())).toBe(false);
  });

  test('accepts a correct run: election, replication, commit, apply', () => {
    const checker = begin();
    store(checker, a, batch(2, [], 0, a));
    store(checker, b, batch(2, [], 0, a));
    checker.sent({
      type: 'RequestVoteResponse',
      from: b,
      to: a,
      term: 2,
      granted: true,
    });
    checker.leads(a, 2);
    for (const id of [a, b]) store(checker, id, batch(2, [entry(2, 2)], 0, a));
    checker.sent({
      type: 'AppendEntriesResponse',
      from: b,
      to: a,
      term: 2,
      matchIndex: 2,
      rejected: null,
    });
    for (const id of [a, b]) {
      checker.applied(id, genesis);
      checker.applied(id, entry(2, 2));
    }
    expect(checker.commitIndex).toBe(2);
    expect(checker.checkCount).toBeGreaterThan(5);
  });

  test('two leaders of one term are a violation (election safety)', () => {
    const checker = begin();
    checker.leads(a, 2);
    expect(() => {
      checker.leads(b, 2);
    }).toThrow(/election-safety/);
  });

  test('one term and index with two contents is a violation (log matching)', () => {
    const checker = begin();
    checker.written(a, batch(2, [entry(2, 2, 'x')]));
    expect(() => {
      checker.written(b, batch(2, [entry(2, 2, 'y')]));
    }).toThrow(/log-matching/);
  });

  test('the same entry on another predecessor is a violation (log matching)', () => {
    const checker = begin();
    checker.written(a, batch(3, [entry(2, 2), entry(3, 3)]));
    expect(() => {
      checker.written(b, batch(3, [entry(1, 2), entry(3, 3)]));
    }).toThrow(/log-matching/);
  });

  test('Z14 copies are the disks that hold what a replica knows to be committed', () => {
    const checker = begin();
    store(checker, a, batch(2, [entry(2, 2)], 1, a));
    expect(checker.copiesAt(a)).toBe(3);
    store(checker, b, batch(2, [entry(2, 2)], 1, a));
    store(checker, a, batch(2, [], 2, a));
    expect(checker.copiesAt(a)).toBe(2);
    expect(checker.copiesAt(b)).toBe(3);
    checker.written(c, batch(2, [entry(2, 2)], 1, a));
    expect(checker.copiesAt(a)).toBe(2);
  });

  test('Z3 a run has met its voters by any membership that it knew of', () => {
    const checker = begin();
    const smaller = { voters: [a, b], votersOutgoing: [], learners: [c], learnersNext: [] };
    const data = encodeMembershipEntry(smaller, new Uint8Array(0));
    const metOnlyB = (voter: string): boolean => voter === b;
    expect(checker.hasMetVoters(a, () => false)).toBe(false);
    expect(checker.hasMetVoters(a, () => true)).toBe(true);
    expect(checker.hasMetVoters(a, metOnlyB)).toBe(false);
    store(checker, a, batch(2, [{ term: 2, index: 2, type: 'membership', data }], 1, a));
    expect(checker.hasMetVoters(a, metOnlyB)).toBe(true);
    store(checker, a, batch(3, [entry(3, 2)], 1, b));
    expect(checker.hasMetVoters(a, metOnlyB)).toBe(true);
    checker.started(a);
    expect(checker.hasMetVoters(a, metOnlyB)).toBe(false);
  });

  test('a membership that can decide without the one before it is a violation (quorum overlap)', () => {
    const change = (index: number, voters: string[], votersOutgoing: string[]): Entry => {
      const membership = { voters, votersOutgoing, learners: [], learnersNext: [] };
      const data = encodeMembershipEntry(membership, new Uint8Array(0));
      return { term: 2, index, type: 'membership', data };
    };
    const checker = begin();
    store(checker, a, batch(2, [change(2, [a], [a, b, c])], 1, a));
    // Another leader of the same three, which knows nothing of it.
    const other = { ...change(2, [c], [a, b, c]), term: 3 };
    store(checker, c, batch(3, [other], 1, c));
    expect(() => {
      store(begin(), a, batch(2, [change(2, [a], [])], 1, a));
    }).toThrow(/quorum-overlap/);
  });

  test('a leader without a committed entry is a violation (leader completeness)', () => {
    const checker = begin();
    checker.leads(a, 2);
    for (const id of [a, b]) store(checker, id, batch(2, [entry(2, 2)]));
    checker.applied(a, genesis);
    checker.applied(a, entry(2, 2));
    expect(() => {
      checker.leads(c, 3);
    }).toThrow(/leader-completeness/);
  });

  test('another entry at a committed index is a violation (state machine safety)', () => {
    const checker = begin();
    checker.leads(a, 2);
    for (const id of [a, b]) store(checker, id, batch(2, [entry(2, 2)]));
    checker.applied(a, genesis);
    checker.applied(a, entry(2, 2));
    store(checker, c, batch(3, [entry(3, 2, 'z')]));
    checker.applied(c, genesis);
    expect(() => {
      checker.applied(c, entry(3, 2, 'z'));
    }).toThrow(SafetyViolation);
  });

  test('L6 a commit without durable copies at a majority is a violation', () => {
    const checker = begin();
    checker.leads(a, 2);
    store(checker, a, batch(2, [entry(2, 2)]));
    checker.written(b, batch(2, [entry(2, 2)]));
    checker.applied(a, genesis);
    expect(() => {
      checker.applied(a, entry(2, 2));
    }).toThrow(/without a durable majority/);
  });

  test('a leader that rewrites its own log is a violation (leader append-only)', () => {
    const checker = begin();
    checker.written(a, batch(3, [entry(2, 2), entry(3, 3)]));
    checker.leads(a, 3);
    expect(() => {
      checker.written(a, batch(3, [entry(3, 2)]));
    }).toThrow(/append-only/);
  });

  test('an entry that a former leader had sent, and lost in a crash, may replace a later one of its own', () => {
    const checker = begin();
    checker.leads(a, 2);
    checker.written(a, batch(2, [entry(2, 2)]));
    checker.started(a);
    checker.leads(a, 3);
    store(checker, a, batch(3, [entry(3, 2)]));
    checker.leads(b, 4);
    expect(() => {
      checker.written(a, batch(4, [entry(2, 2), entry(4, 3)]));
    }).not.toThrow();
  });

  test('E3 E13 a second vote of one term is a violation, also across a restart', () => {
    const checker = begin();
    store(checker, a, batch(2, [], 0, b));
    expect(() => {
      checker.written(a, batch(2, [], 0, c));
    }).toThrow(/changed its vote/);
    checker.sent({ type: 'RequestVoteResponse', from: a, to: b, term: 2, granted: true });
    checker.started(a);
    expect(() => {
      checker.sent({ type: 'RequestVoteResponse', from: a, to: c, term: 2, granted: true });
    }).toThrow(/voted twice/);
  });

  test('E1 Z22 what leaves before it is durable is a violation', () => {
    const checker = begin();
    checker.written(a, batch(2, [entry(2, 2)], 0, b));
    expect(() => {
      checker.sent({ type: 'RequestVoteResponse', from: a, to: b, term: 2, granted: true });
    }).toThrow(/before it was durable/);
    expect(() => {
      checker.sent({
        type: 'AppendEntriesResponse',
        from: a,
        to: b,
        term: 2,
        matchIndex: 2,
        rejected: null,
      });
    }).toThrow(/acknowledges 2, durable is 1/);
  });

  test('S1 applying backwards or with a gap is a violation', () => {
    const checker = begin();
    checker.applied(a, genesis);
    expect(() => {
      checker.applied(a, genesis);
    }).toThrow(/applies 1 after 1/);
    store(checker, a, batch(2, [entry(2, 2), entry(2, 3)]));
    expect(() => {
      checker.applied(a, entry(2, 3));
    }).toThrow(/applies 3 after 1/);
  });
});
