import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { describeMessage } from '../describe.ts';
import { plainMembership } from '../membership.ts';
import type { Message } from '../message.ts';
import type { Entry, EntryId, Membership, SnapshotMeta } from '../types.ts';
import { decodeMessage } from './decode.ts';
import { encodeMessage } from './encode.ts';
import { decodeEntry, encodeEntry } from './entry.ts';
import { DecodeError } from './errors.ts';
import { contextBytesMax, entryDataBytesMax, messageBytesMax, termMax } from './limits.ts';
import { decodeMembershipEntry, encodeMembershipEntry } from './membership.ts';
import { Reader } from './reader.ts';
import { Writer, isNodeId } from './writer.ts';

const index = fc.oneof(
  fc.nat(300),
  fc.constantFrom(127, 128, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 32 + 1),
  fc.maxSafeNat(),
);
const nodeId = fc
  .uint8Array({ minLength: 16, maxLength: 16 })
  .map((raw) => Buffer.from(raw).toString('hex'));
const data = fc.uint8Array({ maxLength: 40 });
const term = fc.oneof(fc.integer({ min: 1, max: 200 }), fc.constantFrom(2 ** 32, termMax));
const entryId: fc.Arbitrary<EntryId> = fc.oneof(
  fc.constant({ term: 0, index: 0 }),
  fc.record({ term, index: index.map((each) => Math.max(1, each)) }),
);

const membership: fc.Arbitrary<Membership> = fc
  .uniqueArray(nodeId, { minLength: 1, maxLength: 12 })
  .chain((ids) => fc.tuple(fc.constant(ids), fc.integer({ min: 1, max: ids.length }), fc.nat(12)))
  .map(([ids, voterCount, outgoingCount]): Membership => {
    const voters = ids.slice(0, voterCount);
    const rest = ids.slice(voterCount);
    const outgoingOnly = rest.slice(0, outgoingCount);
    const plain = plainMembership({ voters, learners: rest.slice(outgoingCount) });
    const next = plainMembership({ voters, learners: outgoingOnly.slice(0, 1) }).learners;
    const outgoing = plainMembership({
      voters: [...outgoingOnly, voters[0] as string],
      learners: [],
    });
    return outgoingOnly.length === 0
      ? plain
      : { ...plain, votersOutgoing: outgoing.voters, learnersNext: next };
  });

const entries = (prev: EntryId, messageTerm: number): fc.Arbitrary<Entry[]> =>
  fc
    .array(
      fc.record({ data, step: fc.nat(3), type: fc.constantFrom('normal', 'noop', 'membership') }),
      {
        maxLength: 8,
      },
    )
    .map((list) => {
      let current = Math.max(1, prev.term);
      return list.map((each, i): Entry => {
        current = Math.min(messageTerm, current + each.step);
        const type = each.type;
        return { term: current, index: prev.index + 1 + i, type, data: each.data };
      });
    });

const envelope = fc.record({ from: nodeId, to: nodeId, term });

const message: fc.Arbitrary<Message> = envelope.chain((head): fc.Arbitrary<Message> => {
  const small = entryId.filter((each) => each.term <= head.term && each.index < 2 ** 50);
  const meta: fc.Arbitrary<SnapshotMeta> = fc.record({
    term: fc.integer({ min: 1, max: head.term }),
    index: fc.integer({ min: 100, max: 2 ** 40 }),
    membershipIndex: fc.integer({ min: 1, max: 100 }),
    membership,
  });
  const rejected = fc.record({ index: fc.constant(2 ** 50), hint: small });
  return fc.oneof(
    entryId.map((lastEntry): Message => ({ type: 'PreVote', ...head, lastEntry })),
    fc.option(nodeId).map((votedFor): Message => ({
      type: 'PreVoteResponse',
      ...head,
      granted: false,
      votedFor,
    })),
    fc.constant<Message>({ type: 'PreVoteResponse', ...head, granted: true, votedFor: null }),
    fc.tuple(entryId, fc.boolean()).map(([lastEntry, transfer]): Message => ({
      type: 'RequestVote',
      ...head,
      lastEntry,
      transfer,
    })),
    fc.boolean().map((granted): Message => ({ type: 'RequestVoteResponse', ...head, granted })),
    fc.tuple(small, index).chain(([prevEntry, leaderCommit]) =>
      entries(prevEntry, head.term).map((list): Message => ({
        type: 'AppendEntries',
        ...head,
        prevEntry,
        leaderCommit,
        entries: list,
      })),
    ),
    fc.tuple(index, fc.option(rejected)).map(([matchIndex, no]): Message => ({
      type: 'AppendEntriesResponse',
      ...head,
      matchIndex,
      rejected: no,
    })),
    fc.tuple(index, index).map(([leaderCommit, readRound]): Message => ({
      type: 'Heartbeat',
      ...head,
      leaderCommit,
      readRound,
    })),
    index.map((readRound): Message => ({ type: 'HeartbeatResponse', ...head, readRound })),
    meta.map((each): Message => ({ type: 'InstallSnapshot', ...head, meta: each })),
    fc.constant<Message>({ type: 'TimeoutNow', ...head }),
    index.map((requestId): Message => ({ type: 'ReadIndex', ...head, requestId })),
    fc.tuple(index, fc.option(fc.nat(2 ** 31))).map(([requestId, at]): Message => ({
      type: 'ReadIndexResponse',
      ...head,
      requestId,
      index: at,
    })),
  );
});

/** Either a message or `DecodeError`: nothing else may happen to foreign bytes. */
function decodes(bytes: Uint8Array): Message | null {
  try {
    return decodeMessage(bytes);
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
}

describe('messages', () => {
  test('come back as they were sent, and can be described', () => {
    fc.assert(
      fc.property(message, (each) => {
        expect(decodeMessage(encodeMessage(each))).toEqual(each);
        expect(describeMessage(each)).toContain(each.type);
      }),
      { numRuns: 3000 },
    );
  });

  test('cut anywhere, or with bytes after the end, are refused', () => {
    fc.assert(
      fc.property(message, (each) => {
        const bytes = encodeMessage(each);
        for (let length = 0; length < bytes.length; length++) {
          expect(decodes(bytes.subarray(0, length))).toBeNull();
        }
        expect(decodes(new Uint8Array([...bytes, 0]))).toBeNull();
      }),
      { numRuns: 200 },
    );
  });

  test('with any bit flipped are refused or another message, which has one form only', () => {
    fc.assert(
      fc.property(message, fc.nat(), (each, position) => {
        const bytes = encodeMessage(each);
        const at = position % (bytes.length * 8);
        bytes[at >> 3] = (bytes[at >> 3] as number) ^ (1 << (at & 7));
        const other = decodes(bytes);
        if (other !== null) expect(encodeMessage(other)).toEqual(bytes);
      }),
      { numRuns: 5000 },
    );
  });

  test('of random bytes are refused or valid', () => {
    const noise = fc.uint8Array({ maxLength: 120 }).map((raw) => {
      // Past the version and the type, where the interesting part begins.
      raw[0] = 1;
      raw[1] = (raw[1] ?? 0) % 13;
      return raw;
    });
    fc.assert(
      fc.property(noise, (raw) => {
        const other = decodes(raw);
        if (other !== null) expect(encodeMessage(other)).toEqual(raw);
      }),
      { numRuns: 5000 },
    );
  });

  test('the data of entries are views into the input', () => {
    const head = { from: '0'.repeat(32), to: '1'.repeat(32), term: 1 };
    const entry: Entry = { term: 1, index: 1, type: 'normal', data: new Uint8Array([1, 2, 3]) };
    const bytes = encodeMessage({
      type: 'AppendEntries',
      ...head,
      prevEntry: { term: 0, index: 0 },
      leaderCommit: 0,
      entries: [entry],
    });
    const decoded = decodeMessage(bytes);
    const first = decoded.type === 'AppendEntries' ? decoded.entries[0] : undefined;
    expect(first?.data.buffer).toBe(bytes.buffer);
  });

  test('of another version, an unknown type, or too large are refused', () => {
    const bytes = encodeMessage({
      type: 'TimeoutNow',
      from: '0'.repeat(32),
      to: '1'.repeat(32),
      term: 1,
    });
    expect(() => decodeMessage(new Uint8Array([2, ...bytes.subarray(1)]))).toThrow(/version 2/);
    expect(() => decodeMessage(new Uint8Array([1, 12, ...bytes.subarray(2)]))).toThrow(/type 12/);
    expect(() => decodeMessage(new Uint8Array(messageBytesMax + 1))).toThrow(DecodeError);
    const late = encodeMessage({
      type: 'TimeoutNow',
      from: '0'.repeat(32),
      to: '1'.repeat(32),
      term: termMax + 1,
    });
    expect(() => decodeMessage(late)).toThrow(/term/);
  });

  test('of the largest size are read, and one byte more is refused before anything else', () => {
    expect(() => decodeMessage(new Uint8Array(messageBytesMax))).toThrow(/version 0/);
    expect(() => decodeMessage(new Uint8Array(messageBytesMax + 1))).toThrow(/33554433 bytes/);
  });

  describe('that no correct peer says are refused', () => {
    const head = { from: '0'.repeat(32), to: '1'.repeat(32), term: 5 };
    const noData = new Uint8Array(0);
    const appended = (prev: EntryId, ...terms: number[]): Message => ({
      type: 'AppendEntries',
      ...head,
      prevEntry: prev,
      leaderCommit: 0,
      entries: terms.map((each, i) => ({
        term: each,
        index: prev.index + 1 + i,
        type: 'normal',
        data: noData,
      })),
    });
    const rejection = (at: number, hint: number): Message => ({
      type: 'AppendEntriesResponse',
      ...head,
      matchIndex: 0,
      rejected: { index: at, hint: { term: 1, index: hint } },
    });
    const asks = (term: number, at: number): Message => ({
      type: 'PreVote',
      ...head,
      lastEntry: { term, index: at },
    });
    const voters = ['2'.repeat(32)];
    const snapshot = (term: number, at: number, membershipIndex: number): Message => ({
      type: 'InstallSnapshot',
      ...head,
      meta: {
        term,
        index: at,
        membership: plainMembership({ voters, learners: [] }),
        membershipIndex,
      },
    });

    test.each<[string, Message]>([
      ['an entry of an earlier term than the one before it', appended({ term: 2, index: 1 }, 1)],
      ['terms that fall along the entries', appended({ term: 1, index: 1 }, 3, 2)],
      ['an entry of a later term than its sender', appended({ term: 1, index: 1 }, 5, 6)],
      ['a hint beyond the rejected place', rejection(3, 4)],
      ['an index without a term', asks(0, 3)],
      ['a term without an index', asks(3, 0)],
      ['a snapshot of no term', snapshot(0, 9, 1)],
      ['a snapshot of a later term than its sender', snapshot(6, 9, 1)],
      ['a snapshot without its membership', snapshot(5, 9, 0)],
      ['a snapshot before its membership', snapshot(5, 9, 10)],
    ])('%s', (_, each) => {
      expect(() => decodeMessage(encodeMessage(each))).toThrow(DecodeError);
    });

    test.each<[string, Message]>([
      ['entries of one term, the sender’s', appended({ term: 5, index: 1 }, 5, 5)],
      ['terms that rise to the sender’s', appended({ term: 1, index: 1 }, 3, 5)],
      ['a hint at the rejected place', rejection(3, 3)],
      ['an empty log', asks(0, 0)],
      ['a snapshot at its membership, of the sender’s term', snapshot(5, 9, 9)],
    ])('but not %s', (_, each) => {
      expect(decodeMessage(encodeMessage(each))).toEqual(each);
    });
  });

  test('that promise a million entries in a few bytes allocate nothing', () => {
    const writer = new Writer(100);
    writer.byte(1);
    writer.byte(4);
    writer.nodeId('0'.repeat(32));
    writer.nodeId('1'.repeat(32));
    for (const value of [1, 0, 0, 0, 2 ** 50]) writer.varint(value);
    expect(() => decodeMessage(writer.finish())).toThrow(/items/);
  });

  test('of ids that are not 16 bytes in hex cannot be encoded', () => {
    const to = '1'.repeat(32);
    for (const from of ['', 'n1', '0'.repeat(31), `${'0'.repeat(31)}G`, `${'0'.repeat(31)}A`]) {
      expect(isNodeId(from)).toBe(false);
      expect(() => encodeMessage({ type: 'TimeoutNow', from, to, term: 1 })).toThrow(RangeError);
    }
  });
});

describe('entries', () => {
  const entry = fc.record({
    term,
    index: index.map((each) => Math.max(1, each)),
    type: fc.constantFrom<Entry['type']>('normal', 'noop', 'membership'),
    data,
  });

  test('come back as they were stored', () => {
    fc.assert(
      fc.property(entry, (each) => {
        expect(decodeEntry(encodeEntry(each))).toEqual(each);
      }),
    );
  });

  test('cut, flipped or prolonged are refused or have one form only', () => {
    fc.assert(
      fc.property(entry, fc.nat(), (each, position) => {
        const bytes = encodeEntry(each);
        for (let length = 0; length < bytes.length; length++) {
          expect(() => decodeEntry(bytes.subarray(0, length))).toThrow(DecodeError);
        }
        const at = position % (bytes.length * 8);
        bytes[at >> 3] = (bytes[at >> 3] as number) ^ (1 << (at & 7));
        try {
          expect(encodeEntry(decodeEntry(bytes))).toEqual(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
    );
  });

  test('above entryDataBytesMax are refused both ways', () => {
    const large: Entry = {
      term: 1,
      index: 1,
      type: 'normal',
      data: new Uint8Array(entryDataBytesMax + 1),
    };
    expect(() => encodeEntry(large)).toThrow(RangeError);
    const writer = new Writer(30);
    writer.varint(1);
    writer.byte(0);
    writer.varint(1);
    writer.varint(entryDataBytesMax + 1);
    expect(() => decodeEntry(writer.finish())).toThrow(DecodeError);
  });
});

describe('membership entries', () => {
  test('come back as they were written', () => {
    fc.assert(
      fc.property(membership, data, (each, context) => {
        const decoded = decodeMembershipEntry(encodeMembershipEntry(each, context));
        expect(decoded).toEqual({ membership: each, context });
      }),
    );
  });

  test('of another version, or that no leader may write, are refused', () => {
    const a = '0'.repeat(32);
    const plain = plainMembership({ voters: [a], learners: [] });
    const bytes = encodeMembershipEntry(plain, new Uint8Array(0));
    expect(() => decodeMembershipEntry(new Uint8Array([2, ...bytes.subarray(1)]))).toThrow(
      /version/,
    );
    expect(() => encodeMembershipEntry({ ...plain, learners: [a] }, new Uint8Array(0))).toThrow(
      RangeError,
    );
    const long = new Uint8Array(contextBytesMax + 1);
    expect(() => encodeMembershipEntry(plain, long)).toThrow(RangeError);
    const writer = new Writer(100);
    writer.byte(1);
    writer.nodeIds([a, a]);
    for (let i = 0; i < 4; i++) writer.varint(0);
    expect(() => decodeMembershipEntry(writer.finish())).toThrow(/sorted/);
  });
});

describe('varints', () => {
  test('L14 every safe integer has exactly one form', () => {
    fc.assert(
      fc.property(index, (value) => {
        const writer = new Writer(8);
        writer.varint(value);
        const reader = new Reader(writer.finish());
        return reader.varint() === value && reader.remaining === 0;
      }),
    );
  });

  test.each([
    [[0x80, 0x00]],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x10]],
    [[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    [[0x80]],
    [[]],
  ])('%j is refused', (bytes) => {
    expect(() => new Reader(new Uint8Array(bytes)).varint()).toThrow(DecodeError);
  });

  test('what is no safe integer cannot be written', () => {
    for (const value of [-1, 0.5, 2 ** 53, Number.NaN]) {
      expect(() => new Writer(10).varint(value)).toThrow(RangeError);
    }
  });
});
