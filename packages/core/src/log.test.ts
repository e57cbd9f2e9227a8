import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Log } from './log.ts';
import type { Entry, SnapshotMeta } from './types.ts';

const membership = { voters: ['a'], votersOutgoing: [], learners: [], learnersNext: [] };

function entry(term: number, index: number, size = 1): Entry {
  return { term, index, type: 'normal', data: new Uint8Array(size) };
}

function meta(term: number, index: number): SnapshotMeta {
  return { term, index, membership, membershipIndex: 1 };
}

function logOf(...terms: number[]): Log {
  return new Log({
    prev: { term: 0, index: 0 },
    entries: terms.map((term, i) => entry(term, i + 1)),
    snapshot: null,
    commitIndex: 0,
    appliedIndex: 0,
  });
}

/** The dumb twin: every entry ever, in one array from index 1, and marks moved by hand. */
class Twin {
  terms: number[] = [];
  first = 1;
  commitIndex = 0;
  handedIndex = 0;
  lastApplied = 0;
  /** What is on the disk, batch by batch, and what still waits. */
  disk: number[] = [];
  written = 0;
  batches: { number: number; from: number; terms: number[] }[] = [];

  get durableIndex(): number {
    // The disk holds ours up to the first difference, unless a batch under way will replace it.
    let index = 0;
    const limit = Math.min(
      this.disk.length,
      ...this.batches.map(({ from }) => from - 1),
      this.written,
    );
    while (index < limit && this.disk[index] === this.terms[index]) index++;
    return index;
  }
}

type Command =
  | { type: 'append'; count: number; bump: boolean }
  | { type: 'truncate'; back: number }
  | { type: 'take' }
  | { type: 'persist' }
  | { type: 'commit'; ahead: number }
  | { type: 'hand' }
  | { type: 'compact'; trailing: number }
  | { type: 'restore'; ahead: number };

const commands: fc.Arbitrary<Command> = fc.oneof(
  fc.record({
    type: fc.constant('append' as const),
    count: fc.integer({ min: 1, max: 4 }),
    bump: fc.boolean(),
  }),
  fc.record({ type: fc.constant('truncate' as const), back: fc.integer({ min: 0, max: 5 }) }),
  fc.record({ type: fc.constant('take' as const) }),
  fc.record({ type: fc.constant('persist' as const) }),
  fc.record({ type: fc.constant('commit' as const), ahead: fc.integer({ min: 0, max: 5 }) }),
  fc.record({ type: fc.constant('hand' as const) }),
  fc.record({ type: fc.constant('compact' as const), trailing: fc.integer({ min: 0, max: 3 }) }),
  fc.record({ type: fc.constant('restore' as const), ahead: fc.integer({ min: 1, max: 9 }) }),
);

function run(list: readonly Command[]): void {
  const log = logOf();
  const twin = new Twin();
  let term = 1;
  let number = 0;
  for (const command of list) {
    switch (command.type) {
      case 'append':
        if (command.bump) term++;
        for (let i = 0; i < command.count; i++) {
          log.append(entry(term, log.lastIndex + 1));
          twin.terms.push(term);
        }
        break;
      case 'truncate': {
        const from = Math.max(twin.commitIndex + 1, twin.terms.length + 1 - command.back);
        // A truncation always makes room for an entry of a later term.
        log.truncateFrom(from);
        twin.terms.length = from - 1;
        twin.written = Math.min(twin.written, from - 1);
        term++;
        log.append(entry(term, from));
        twin.terms.push(term);
        break;
      }
      case 'take': {
        const entries = log.takeUnstable(++number);
        const expected = twin.terms.slice(twin.written);
        expect(entries.map((each) => each.term)).toEqual(expected);
        if (expected.length > 0) {
          twin.batches.push({ number, from: twin.written + 1, terms: expected });
          twin.written = twin.terms.length;
        }
        break;
      }
      case 'persist': {
        const batch = twin.batches.shift();
        if (batch === undefined) break;
        twin.disk.splice(batch.from - 1, Infinity, ...batch.terms);
        log.persisted(batch.number);
        break;
      }
      case 'commit':
        twin.commitIndex = Math.min(twin.commitIndex + command.ahead, twin.terms.length);
        log.commitTo(twin.commitIndex);
        break;
      case 'hand': {
        const to = Math.max(twin.handedIndex, Math.min(twin.commitIndex, twin.durableIndex));
        const entries = log.takeCommitted(Infinity);
        expect(entries.map((each) => each.term)).toEqual(twin.terms.slice(twin.handedIndex, to));
        twin.handedIndex = to;
        twin.lastApplied = to;
        log.applied(to);
        break;
      }
      case 'compact': {
        const index = twin.lastApplied;
        if (index === 0 || index <= (log.snapshot?.index ?? 0)) break;
        const through = Math.max(0, index - command.trailing);
        log.compact(meta(twin.terms[index - 1] as number, index), through);
        twin.first = Math.max(twin.first, through + 1);
        break;
      }
      case 'restore': {
        // The snapshot is durable after every batch before it; batches it overtook mean nothing.
        const index = twin.commitIndex + command.ahead;
        term++;
        log.restore(meta(term, index));
        log.persisted(number);
        twin.batches = [];
        twin.terms = Array.from({ length: index }, () => term);
        twin.disk = [...twin.terms];
        twin.written = index;
        twin.commitIndex = index;
        twin.handedIndex = index;
        twin.lastApplied = index;
        twin.first = index + 1;
        break;
      }
    }
    expect(log.firstIndex).toBe(twin.first);
    expect(log.lastIndex).toBe(twin.terms.length);
    expect(log.commitIndex).toBe(twin.commitIndex);
    expect(log.durableIndex).toBe(twin.durableIndex);
    for (let index = Math.max(1, twin.first - 1); index <= log.lastIndex; index++) {
      expect(log.termAt(index)).toBe(twin.terms[index - 1]);
    }
    expect(log.termAt(log.lastIndex + 1)).toBeNull();
  }
}

describe('Log', () => {
  test('equals a naive array, with several batches in flight', () => {
    fc.assert(fc.property(fc.array(commands, { maxLength: 40 }), run), { numRuns: 2000 });
  });

  test('lastIndexOfTermAtMost() equals a walk', () => {
    const terms = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(terms, fc.nat(20), fc.nat(29), fc.nat(29), (steps, term, a, b) => {
        let current = 1;
        const log = logOf(...steps.map((step) => (current += step)));
        const from = Math.min(a, b, log.lastIndex - 1) + 1;
        const to = Math.min(Math.max(a, b) + 1, log.lastIndex);
        let expected = to;
        while (expected >= from && (log.termAt(expected) as number) > term) expected--;
        return log.lastIndexOfTermAtMost(term, from, to) === expected;
      }),
    );
  });

  test('runEnd() stops at the bytes, and passes one larger entry', () => {
    const log = new Log({
      prev: { term: 1, index: 10 },
      entries: [entry(1, 11, 5), entry(1, 12, 5), entry(1, 13, 50), entry(1, 14, 1)],
      snapshot: meta(1, 10),
      commitIndex: 10,
      appliedIndex: 10,
    });
    expect(log.runEnd(11, 15, 10)).toBe(13);
    expect(log.runEnd(12, 15, 10)).toBe(13);
    expect(log.runEnd(13, 15, 10)).toBe(14);
    expect(log.runEnd(13, 15, 51)).toBe(15);
    expect(log.runEnd(15, 15, 10)).toBe(15);
    expect(log.bytes(11, 14)).toBe(60);
  });

  test('equal slices share one array', () => {
    const log = logOf(1, 1, 1);
    expect(log.slice(1, 3)).toBe(log.slice(1, 3));
    expect(log.slice(1, 4)).toHaveLength(3);
  });

  test('the log of indexes around 2^32 keeps its order (L14)', () => {
    const base = 2 ** 32 - 3;
    const log = new Log({
      prev: { term: 1, index: base },
      entries: [],
      snapshot: meta(1, base),
      commitIndex: base,
      appliedIndex: base,
    });
    for (let i = 1; i <= 6; i++) log.append(entry(2, base + i));
    log.takeUnstable(1);
    log.persisted(1);
    log.commitTo(base + 6);
    expect(log.takeCommitted(Infinity).map(({ index }) => index - base)).toEqual([
      1, 2, 3, 4, 5, 6,
    ]);
  });

  test('restore() puts a snapshot in the place of everything', () => {
    const log = logOf(1, 1, 1);
    log.append(entry(2, 4));
    log.takeUnstable(1);
    log.restore(meta(5, 9));
    log.persisted(1);
    expect(log).toMatchObject({
      firstIndex: 10,
      lastIndex: 9,
      lastEntry: { term: 5, index: 9 },
      commitIndex: 9,
      lastApplied: 9,
      handedIndex: 9,
      durableIndex: 9,
      unstableFrom: 10,
    });
  });

  test('its own misuse breaks an invariant', () => {
    const log = logOf(1, 1);
    log.commitTo(1);
    expect(() => log.truncateFrom(1)).toThrow(/only uncommitted/);
    expect(() => log.append(entry(1, 9))).toThrow(/follows the last/);
    expect(() => log.commitTo(3)).toThrow(/commitIndex <= lastIndex/);
    expect(() => log.applied(1)).toThrow(/handedIndex/);
    expect(() => log.compact(meta(1, 1), 1)).toThrow(/applied/);
    expect(() => log.restore(meta(1, 1))).toThrow(/never takes the log back/);
  });
});

test('slice() refuses what lies outside the log', () => {
  const log = new Log({
    prev: { term: 1, index: 4 },
    entries: [entry(1, 5), entry(1, 6)],
    snapshot: meta(1, 4),
    commitIndex: 4,
    appliedIndex: 4,
  });
  expect(log.slice(5, 7).map(({ index }) => index)).toEqual([5, 6]);
  expect(() => log.slice(4, 6)).toThrow('inside the log');
  expect(() => log.slice(3, 4)).toThrow('inside the log');
  expect(() => log.slice(6, 8)).toThrow('inside the log');
});

test('a log refuses entries that do not follow its beginning', () => {
  const state = {
    prev: { term: 1, index: 4 },
    snapshot: meta(1, 4),
    commitIndex: 4,
    appliedIndex: 4,
  };
  expect(() => new Log({ ...state, entries: [entry(1, 6)] })).toThrow('entries follow prev');
});

test('T17 tailBytes() and indexBehind() count data and what an entry costs', () => {
  const sizes = [10, 1_000, 0, 500];
  const log = new Log({
    prev: { term: 1, index: 5 },
    entries: sizes.map((size, i) => entry(1, 6 + i, size)),
    snapshot: meta(1, 5),
    commitIndex: 5,
    appliedIndex: 5,
  });
  expect(log.tailBytes(6)).toBe(1_510 + 4 * 128);
  expect(log.tailBytes(1)).toBe(log.tailBytes(6));
  expect(log.tailBytes(8)).toBe(500 + 2 * 128);
  expect(log.tailBytes(10)).toBe(0);
  expect(log.indexBehind(9, 0)).toBe(9);
  expect(log.indexBehind(9, 627)).toBe(9);
  expect(log.indexBehind(9, 628)).toBe(8);
  expect(log.indexBehind(9, 500 + 2 * 128)).toBe(7);
  expect(log.indexBehind(8, 128)).toBe(7);
  expect(log.indexBehind(9, 1_000_000)).toBe(5);
});
