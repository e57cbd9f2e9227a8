import { describe, expect, test } from 'vitest';
import { Raft } from './raft.ts';
import type { Config, InitialState } from './config.ts';
import type { Entry, SnapshotMeta } from './types.ts';

const config: Config = { nodeId: 'a', seed: 1 };
const membership = { voters: ['b'], votersOutgoing: [], learners: [], learnersNext: [] };
const empty: InitialState = {
  hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
  snapshot: null,
  entries: [],
  appliedIndex: 0,
};

function entries(from: number, ...terms: number[]): Entry[] {
  return terms.map((term, i) => ({ term, index: from + i, type: 'noop', data: new Uint8Array(0) }));
}

function snapshot(term: number, index: number): SnapshotMeta {
  return { term, index, membership, membershipIndex: 1 };
}

function state(over: Partial<InitialState>, currentTerm = 5, commitIndex = 0): InitialState {
  return { ...empty, hardState: { currentTerm, votedFor: null, commitIndex }, ...over };
}

describe('a configuration that cannot be meant', () => {
  test.each([
    [{ nodeId: '' }, TypeError],
    [{ seed: Number.NaN }, RangeError],
    [{ heartbeatTicks: 0 }, RangeError],
    [{ inflightCountMax: 1.5 }, RangeError],
    [{ appendBytesMax: -1 }, RangeError],
    [{ heartbeatTicks: 20 }, RangeError],
    [{ electionTimeoutTicksMin: 40 }, RangeError],
    [{ silentTicks: -1 }, RangeError],
    [{ silentTicks: 0.5 }, RangeError],
  ])('%j is refused', (over, type) => {
    expect(() => new Raft({ ...config, ...over }, empty)).toThrow(type);
  });
});

describe('a stored state', () => {
  test.each([
    ['a gap between entries', state({ entries: [...entries(1, 1), ...entries(3, 1)] })],
    ['a term that falls', state({ entries: entries(1, 2, 1) })],
    ['a log that begins late', state({ entries: entries(2, 1) })],
    [
      'a gap after the snapshot',
      state({ snapshot: snapshot(1, 5), entries: entries(7, 1), appliedIndex: 5 }),
    ],
    ['a term before the log’s', state({ entries: entries(1, 6) })],
    ['a commit beyond the log', state({ entries: entries(1, 1) }, 5, 2)],
    ['applied beyond the commit', state({ entries: entries(1, 1), appliedIndex: 1 })],
    ['applied before the snapshot', state({ snapshot: snapshot(1, 5), appliedIndex: 4 })],
  ])('with %s is refused', (_, initial) => {
    expect(() => new Raft(config, initial)).toThrow(RangeError);
  });

  test('with a trailing window keeps what it can compare', () => {
    const raft = new Raft(
      config,
      state({ snapshot: snapshot(2, 6), entries: entries(4, 1, 2, 2, 3), appliedIndex: 6 }),
    );
    expect(raft.status()).toMatchObject({
      firstIndex: 5,
      lastEntry: { term: 3, index: 7 },
      commitIndex: 6,
      lastApplied: 6,
      membership,
    });
  });

  test('whose log ends before its snapshot, or disagrees with it, starts at the snapshot', () => {
    for (const old of [entries(1, 1, 1, 1), entries(1, 1, 1, 1, 1, 1, 1, 1)]) {
      const raft = new Raft(
        config,
        state({ snapshot: snapshot(3, 6), entries: old, appliedIndex: 6 }),
      );
      expect(raft.status()).toMatchObject({
        firstIndex: 7,
        lastEntry: { term: 3, index: 6 },
        commitIndex: 6,
      });
    }
  });
});
