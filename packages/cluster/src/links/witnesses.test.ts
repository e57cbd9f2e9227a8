import type { Message } from '@quorate/core';
import { describe, expect, test } from 'vitest';
import type { Opening } from './witnesses.ts';
import { openingOf, Witnesses, witnessesFrom } from './witnesses.ts';

const a = 'a'.repeat(32);
const b = 'b'.repeat(32);
const me = 'c'.repeat(32);

type Claims = { epoch?: number; nonce?: string; durable?: boolean; nodeId?: string };

function run(claims: Claims = {}, opening: Partial<Opening> = {}) {
  const { nodeId = a, epoch = 1, nonce = '00', durable = true } = claims;
  return {
    nodeId,
    epoch,
    nonce,
    durable,
    opening: { term: 0, votedFor: null, lastIndex: 0, ...opening },
  };
}

function met(opening: Partial<Opening> = {}): Witnesses {
  const witnesses = new Witnesses();
  witnesses.met(run({}, opening));
  return witnesses;
}

const acknowledgement = (term: number, matchIndex: number): Message => ({
  type: 'AppendEntriesResponse',
  from: a,
  to: me,
  term,
  matchIndex,
  rejected: null,
});

const answer = (term: number, granted: boolean): Message => ({
  type: 'RequestVoteResponse',
  from: a,
  to: me,
  term,
  granted,
});

describe('Witnesses', () => {
  test('Z3 whoever was not met, or comes back with all that it swore, is heard', () => {
    const witnesses = new Witnesses();
    expect(witnesses.objection(run({ epoch: 9 }))).toBeNull();
    expect(witnesses.met(run())).toBe(true);
    expect(witnesses.met(run())).toBe(false);
    witnesses.heard(answer(3, true));
    witnesses.holds(a, 7);
    const honest = { term: 3, votedFor: me, lastIndex: 7 };
    expect(witnesses.objection(run({ epoch: 2 }, honest))).toBeNull();
    // A later term takes the vote of the earlier one with it; a longer log may have been cut to there.
    const later = { term: 4, votedFor: b, lastIndex: 8 };
    expect(witnesses.objection(run({ epoch: 2 }, later))).toBeNull();
  });

  test('Z3 an earlier epoch, term or log end, or a lost vote: REPLICA_ROLLED_BACK', () => {
    const witnesses = met();
    witnesses.heard(answer(3, true));
    witnesses.holds(a, 7);
    witnesses.met(run({ epoch: 5 }));
    for (const [epoch, opening] of [
      [4, { term: 3, votedFor: me, lastIndex: 7 }],
      [6, { term: 2, votedFor: me, lastIndex: 7 }],
      [6, { term: 3, votedFor: null, lastIndex: 7 }],
      [6, { term: 3, votedFor: b, lastIndex: 7 }],
      [6, { term: 3, votedFor: me, lastIndex: 6 }],
    ] as const) {
      expect(witnesses.objection(run({ epoch }, opening))?.code).toBe('REPLICA_ROLLED_BACK');
    }
  });

  test('Z3 within one epoch the disk is the same, and what it began with says nothing', () => {
    const witnesses = met({ term: 1 });
    witnesses.heard(acknowledgement(9, 4));
    witnesses.holds(a, 4);
    expect(witnesses.objection(run({}, { term: 1 }))).toBeNull();
  });

  test('Z3 two nonces in one epoch: both are refused until a later epoch', () => {
    const witnesses = met();
    expect(witnesses.objection(run({ nonce: '11' }))?.code).toBe('REPLICA_CLONED');
    expect(witnesses.objection(run())?.code).toBe('REPLICA_CLONED');
    expect(witnesses.list()[0]?.cloned).toBe(true);
    expect(witnesses.objection(run({ epoch: 2 }))).toBeNull();
    witnesses.met(run({ epoch: 2 }));
    expect(witnesses.list()[0]?.cloned).toBe(false);
  });

  test('only what rests on a durable term counts: a later term in any other answer is forgotten honestly', () => {
    const witnesses = met();
    const common = { from: a, to: me, term: 8 };
    witnesses.heard({ ...common, type: 'HeartbeatResponse', readRound: 1 });
    witnesses.heard({ ...common, type: 'PreVote', lastEntry: { term: 1, index: 1 } });
    witnesses.heard(answer(8, false));
    witnesses.heard(acknowledgement(8, 0));
    expect(witnesses.list()[0]?.term).toBe(0);
    witnesses.heard(acknowledgement(5, 2));
    expect(witnesses.list()[0]?.term).toBe(5);
    witnesses.heard({ ...common, type: 'Heartbeat', leaderCommit: 0, readRound: 0 });
    expect(witnesses.list()[0]?.term).toBe(8);
  });

  test('messages and indexes of whoever was not met leave no trace', () => {
    const witnesses = new Witnesses();
    witnesses.heard(answer(3, true));
    witnesses.holds(a, 3);
    expect([witnesses.list(), witnesses.news]).toEqual([[], 'none']);
  });

  test('a new run keeps what its replica swore', () => {
    const witnesses = met();
    witnesses.heard(answer(3, true));
    witnesses.holds(a, 7);
    witnesses.met(run({ epoch: 2, nonce: '11' }, { term: 4, lastIndex: 9 }));
    expect(witnesses.list()).toEqual([
      {
        nodeId: a,
        epoch: 2,
        nonce: '11',
        cloned: false,
        term: 4,
        grant: { term: 3, to: me },
        heldIndex: 7,
      },
    ]);
  });

  test('Z3 what was stored is known after a restart, and news say when to store', () => {
    const witnesses = met();
    expect(witnesses.news).toBe('facts');
    witnesses.store();
    witnesses.holds(a, 7);
    expect(witnesses.news).toBe('progress');
    witnesses.heard(answer(3, true));
    expect(witnesses.news).toBe('facts');
    witnesses.holds(a, 8);
    expect(witnesses.news).toBe('facts');
    const again = new Witnesses();
    again.restore(witnessesFrom(witnesses.store()));
    expect([witnesses.news, again.list()]).toEqual(['none', witnesses.list()]);
    expect(again.objection(run({ epoch: 2 }, { term: 3, votedFor: me }))?.code).toBe(
      'REPLICA_ROLLED_BACK',
    );
  });

  test('256 replicas are remembered: those in memory are forgotten first', () => {
    const witnesses = new Witnesses();
    const id = (n: number): string => n.toString(16).padStart(32, '0');
    for (let n = 0; n < 200; n++) witnesses.met(run({ nodeId: id(n) }));
    for (let n = 200; n < 400; n++) witnesses.met(run({ nodeId: id(n), durable: false }));
    expect(witnesses.list().length).toBe(200);
    for (let n = 400; n < 500; n++) witnesses.met(run({ nodeId: id(n) }));
    expect(witnesses.list().map(({ nodeId }) => nodeId)).toEqual(
      Array.from({ length: 256 }, (_, i) => id(i < 156 ? i + 44 : i + 244)),
    );
  });
});

describe('openingOf()', () => {
  test('the log ends at its last entry, or at the snapshot below it', () => {
    const hardState = { currentTerm: 3, votedFor: b, commitIndex: 1 };
    const entry = { term: 1, index: 4, type: 'noop', data: new Uint8Array(0) } as const;
    const membership = { voters: [a], votersOutgoing: [], learners: [], learnersNext: [] };
    const snapshot = { term: 1, index: 6, membership, membershipIndex: 1 };
    const opening = { term: 3, votedFor: b };
    expect(openingOf({ hardState, snapshot: null, entries: [] })).toEqual({
      ...opening,
      lastIndex: 0,
    });
    expect(openingOf({ hardState, snapshot: null, entries: [entry] }).lastIndex).toBe(4);
    expect(openingOf({ hardState, snapshot, entries: [entry] }).lastIndex).toBe(6);
  });
});
