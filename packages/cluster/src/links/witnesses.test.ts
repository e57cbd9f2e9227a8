import type { RunId } from '@quorate/contracts';
import type { Message } from '@quorate/core';
import { describe, expect, test } from 'vitest';
import { branch } from '../../test/branches.ts';
import { refusedFrom, witnessesFrom } from './witness-records.ts';
import type { Opening, WitnessedRun } from './witness-records.ts';
import { openingOf, Witnesses } from './witnesses.ts';

const a = 'a'.repeat(32);
const b = 'b'.repeat(32);
const me = 'c'.repeat(32);

type Claims = {
  nodeId?: string;
  durable?: boolean;
  generation?: number;
  givenUp?: readonly RunId[];
};

/** The run at the end of `word` (see `branch`). */
function run(word: string, opening: Partial<Opening> = {}, claims: Claims = {}): WitnessedRun {
  const { nodeId = a, durable = true, generation = 1, givenUp = [] } = claims;
  return {
    ...branch(word),
    nodeId,
    proof: null,
    durable,
    generation,
    givenUp,
    opening: { term: 0, votedFor: null, lastIndex: 0, ...opening },
  };
}

function met(word: string, opening: Partial<Opening> = {}): Witnesses {
  const witnesses = new Witnesses();
  witnesses.met(run(word, opening), 'A');
  return witnesses;
}

/** The verdict, or the code of what is refused. */
function verdict(witnesses: Witnesses, judged: WitnessedRun): string {
  const found = witnesses.judge(judged);
  return found.type === 'refused' ? found.error.code : found.type;
}

/** As a host does it. */
function hear(witnesses: Witnesses, judged: WitnessedRun, host: string): string {
  const found = witnesses.judge(judged);
  if (found.type === 'refused') {
    const { code } = found.error;
    witnesses.refuse(judged, code as 'REPLICA_CLONED' | 'REPLICA_ROLLED_BACK', host);
    return code;
  }
  if (found.type !== 'late') witnesses.met(judged, host, found.type === 'kept');
  return found.type;
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
    expect(verdict(witnesses, run('aaa'))).toBe('new');
    expect(witnesses.met(run('a'), 'A')).toBe(true);
    expect(witnesses.met(run('a'), 'A')).toBe(false);
    witnesses.heard(answer(3, true));
    witnesses.holds(a, 7);
    const honest = { term: 3, votedFor: me, lastIndex: 7 };
    expect(verdict(witnesses, run('aa', honest))).toBe('successor');
    // A later term takes the vote of the earlier one with it; a longer log may have been cut to there.
    const later = { term: 4, votedFor: b, lastIndex: 8 };
    expect(verdict(witnesses, run('aa', later))).toBe('successor');
  });

  test('Z3 an earlier term or log end, or a lost vote: REPLICA_ROLLED_BACK', () => {
    const witnesses = met('a');
    witnesses.heard(answer(3, true));
    witnesses.holds(a, 7);
    for (const opening of [
      { term: 2, votedFor: me, lastIndex: 7 },
      { term: 3, votedFor: null, lastIndex: 7 },
      { term: 3, votedFor: b, lastIndex: 7 },
      { term: 3, votedFor: me, lastIndex: 6 },
    ]) {
      expect(verdict(witnesses, run('aa', opening))).toBe('REPLICA_ROLLED_BACK');
      // Where the lists do not meet any more, these facts are all there is.
      expect(verdict(witnesses, run('a'.repeat(40), opening))).toBe('REPLICA_ROLLED_BACK');
    }
    expect(verdict(witnesses, run('a'.repeat(40), { term: 4, lastIndex: 7 }))).toBe('successor');
  });

  test('Z3 within one run the disk is the same, and what it began with says nothing', () => {
    const witnesses = met('a', { term: 1 });
    witnesses.heard(acknowledgement(9, 4));
    witnesses.holds(a, 4);
    expect(verdict(witnesses, run('a', { term: 1 }))).toBe('known');
  });

  test('Z48 a run before the known one on its branch is a late word: nothing is remembered', () => {
    const witnesses = met('aaaaaa');
    witnesses.heard(answer(3, true));
    witnesses.store();
    for (const word of ['aaaaa', 'a']) expect(verdict(witnesses, run(word))).toBe('late');
    expect([witnesses.news, witnesses.refused, witnesses.of(a)?.epoch]).toEqual(['none', [], 6]);
    // The next one is as welcome as ever.
    expect(verdict(witnesses, run('aaaaaaa', { term: 3, votedFor: me }))).toBe('successor');
  });

  test('Z48 two nonces for one epoch are a fork, whatever epochs the other branch reaches', () => {
    const witnesses = met('aaa');
    expect(verdict(witnesses, run('aab'))).toBe('REPLICA_CLONED');
    expect(verdict(witnesses, run('ab'))).toBe('REPLICA_ROLLED_BACK');
    expect(verdict(witnesses, run('aabbbbbbbb'))).toBe('REPLICA_CLONED');
    expect(verdict(witnesses, run('aaa'))).toBe('known');
  });

  test('Z38 a refused branch stays refused by every later run of it, and is told with both hosts', () => {
    const witnesses = met('aa');
    expect(hear(witnesses, run('ab'), 'B')).toBe('REPLICA_CLONED');
    // So many starts later its list knows nothing of run 2 any more, and each one was refused.
    for (let count = 1; count <= 80; count++) {
      expect(hear(witnesses, run(`ab${'b'.repeat(count)}`), 'B')).toBe('REPLICA_CLONED');
    }
    expect(witnesses.refused).toEqual([
      {
        nodeId: a,
        generation: 1,
        code: 'REPLICA_CLONED',
        root: { epoch: 2, nonce: 'b2' },
        tip: { epoch: 82, nonce: 'b82' },
        before: 'b81',
        proof: null,
        host: 'B',
        instead: { epoch: 2, nonce: 'a2' },
        insteadHost: 'A',
      },
    ]);
    expect(hear(witnesses, run('aaa'), 'A')).toBe('successor');
    // From another backup of the same day.
    expect(hear(witnesses, run('ac'), 'C')).toBe('REPLICA_ROLLED_BACK');
    expect(witnesses.refused.length).toBe(2);
  });

  test('Z38 whoever lacked what it swore is refused by that run and those after it, not those before', () => {
    const witnesses = met('aa');
    witnesses.holds(a, 7);
    expect(hear(witnesses, run('aaaa', { lastIndex: 3 }), 'A')).toBe('REPLICA_ROLLED_BACK');
    expect(hear(witnesses, run('aaaaa', { lastIndex: 9 }), 'A')).toBe('REPLICA_ROLLED_BACK');
    // Its honest disk, which was opened between.
    expect(verdict(witnesses, run('aaab', { lastIndex: 7 }))).toBe('successor');
  });

  test('Z38 what others refused is refused here, once it was told', () => {
    const told = met('aa');
    hear(told, run('ab'), 'B');
    const witnesses = new Witnesses();
    const branches = refusedFrom(told.refused);
    expect(branches.map((one) => witnesses.adopt(one))).toEqual([true]);
    expect(branches.map((one) => witnesses.adopt(one))).toEqual([false]);
    expect(verdict(witnesses, run('abb'))).toBe('REPLICA_CLONED');
    expect(verdict(witnesses, run('aaa'))).toBe('new');
  });

  test('Z48 a person decides: the run that names what is given up is heard, and the other branch not', () => {
    const witnesses = met('aaaa');
    witnesses.holds(a, 7);
    expect(hear(witnesses, run('ab'), 'B')).toBe('REPLICA_ROLLED_BACK');
    const givenUp = [{ epoch: 3, nonce: 'a3' }];
    expect(hear(witnesses, run('abb', {}, { givenUp }), 'B')).toBe('kept');
    expect(witnesses.of(a)).toMatchObject({ epoch: 3, nonce: 'b3', heldIndex: 0 });
    for (const word of ['aaaa', 'aaaaa']) {
      expect(verdict(witnesses, run(word, { lastIndex: 9 }))).toBe('REPLICA_CLONED');
    }
    // What a person said once is no pardon for later.
    witnesses.holds(a, 5);
    expect(verdict(witnesses, run('abbb', { lastIndex: 5 }, { givenUp }))).toBe('successor');
    expect(verdict(witnesses, run('abbb', { lastIndex: 4 }, { givenUp }))).toBe(
      'REPLICA_ROLLED_BACK',
    );
    hear(witnesses, run('abbb', { lastIndex: 5 }, { givenUp }), 'B');
    expect(verdict(witnesses, run('abbc', { lastIndex: 5 }, { givenUp }))).toBe('REPLICA_CLONED');
  });

  test('Z48 a person keeps a log that lacks what it swore', () => {
    const witnesses = met('aa');
    witnesses.holds(a, 7);
    expect(hear(witnesses, run('aaa', { lastIndex: 3 }), 'A')).toBe('REPLICA_ROLLED_BACK');
    const givenUp = [{ epoch: 2, nonce: 'a2' }];
    expect(hear(witnesses, run('aaaa', { lastIndex: 3 }, { givenUp }), 'A')).toBe('kept');
    expect([witnesses.refused, witnesses.of(a)?.heldIndex]).toEqual([[], 0]);
    expect(hear(witnesses, run('aaaaa', { lastIndex: 3 }, { givenUp }), 'A')).toBe('successor');
  });

  test('Z54 records end with their generation, refusals too', () => {
    const witnesses = met('aa', { term: 5 });
    witnesses.holds(a, 7);
    hear(witnesses, run('ab'), 'B');
    expect(verdict(witnesses, run('aaa', {}, { generation: 2 }))).toBe('new');
    expect(verdict(witnesses, run('abb', {}, { generation: 2 }))).toBe('new');
    witnesses.met(run('aaa', {}, { generation: 2 }), 'A');
    expect(witnesses.of(a)).toMatchObject({ generation: 2, term: 0, heldIndex: 0 });
    // A replica that was met before it was in any cluster swore what it swore.
    const fresh = new Witnesses();
    fresh.met(run('a', {}, { generation: 0 }), 'A');
    fresh.holds(a, 7);
    fresh.met(run('a', {}, { generation: 1 }), 'A');
    expect(verdict(fresh, run('aa', { lastIndex: 3 }))).toBe('REPLICA_ROLLED_BACK');
  });

  test('only what rests on a durable term counts: a later term in any other answer is forgotten honestly', () => {
    const witnesses = met('a');
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
    const witnesses = met('a');
    witnesses.heard(answer(3, true));
    witnesses.holds(a, 7);
    witnesses.met(run('aa', { term: 4, lastIndex: 9 }), 'A2');
    expect(witnesses.list()).toEqual([
      {
        ...branch('aa'),
        nodeId: a,
        generation: 1,
        host: 'A2',
        term: 4,
        grant: { term: 3, to: me },
        heldIndex: 7,
        proof: null,
      },
    ]);
  });

  test('Z3 Z38 what was stored is known after a restart, and news say when to store', () => {
    const witnesses = met('aa');
    expect(witnesses.news).toBe('facts');
    witnesses.store();
    witnesses.holds(a, 7);
    expect(witnesses.news).toBe('progress');
    witnesses.heard(answer(3, true));
    expect(witnesses.news).toBe('facts');
    witnesses.holds(a, 8);
    expect(witnesses.news).toBe('facts');
    witnesses.store();
    hear(witnesses, run('ab'), 'B');
    expect(witnesses.news).toBe('facts');
    const again = new Witnesses();
    again.restore(witnessesFrom(witnesses.store()), refusedFrom(witnesses.refused));
    expect([witnesses.news, again.list()]).toEqual(['none', witnesses.list()]);
    expect(verdict(again, run('aaa', { term: 3, votedFor: me }))).toBe('REPLICA_ROLLED_BACK');
    expect(verdict(again, run('abb', { term: 9, lastIndex: 9 }))).toBe('REPLICA_ROLLED_BACK');
  });

  const id = (n: number): string => n.toString(16).padStart(32, '0');
  const visitor = (n: number, durable: boolean): WitnessedRun =>
    run('a', {}, { nodeId: id(n), durable });

  test('256 replicas are remembered: those in memory are forgotten first', () => {
    const witnesses = new Witnesses();
    for (let n = 0; n < 200; n++) witnesses.met(visitor(n, true), 'V');
    for (let n = 200; n < 400; n++) witnesses.met(visitor(n, false), 'V');
    expect(witnesses.list().length).toBe(200);
    for (let n = 400; n < 500; n++) witnesses.met(visitor(n, true), 'V');
    expect(witnesses.list().map(({ nodeId }) => nodeId)).toEqual(
      Array.from({ length: 256 }, (_, i) => id(i < 156 ? i + 44 : i + 244)),
    );
  });

  test('Z54 voters and refused branches are never forgotten, and stand first, whoever comes by', () => {
    const witnesses = met('aa', { term: 4 });
    witnesses.setVoters(new Set([a]));
    hear(witnesses, run('ab', { term: 4 }), 'B');
    for (let n = 0; n < 1_000; n++) witnesses.met(visitor(n, true), 'V');
    expect(witnesses.list().length).toBe(256);
    expect(witnesses.said()[0]).toMatchObject({ nodeId: a, epoch: 2, past: ['a1'] });
    expect(witnesses.said()[1]?.past).toEqual([]);
    expect(verdict(witnesses, run('ab'))).toBe('REPLICA_CLONED');
    expect(verdict(witnesses, run('aaa', { term: 3 }))).toBe('REPLICA_ROLLED_BACK');
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
