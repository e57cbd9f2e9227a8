import { describe, expect, test } from 'vitest';
import { plainMembership } from '../membership.ts';
import type { Entry } from '../types.ts';
import { decodeMessage } from './decode.ts';
import { encodeMessage } from './encode.ts';
import { decodeEntry, encodeEntry } from './entry.ts';
import { DecodeError } from './errors.ts';
import { contextBytesMax, entryDataBytesMax } from './limits.ts';
import { decodeMembershipEntry, encodeMembershipEntry } from './membership.ts';
import { Reader } from './reader.ts';
import { Writer } from './writer.ts';

const noData = new Uint8Array(0);

function entryBytes(index: number, term: number): Uint8Array {
  const writer = new Writer(32);
  writer.varint(index);
  writer.byte(0);
  writer.varint(term);
  writer.blob(noData);
  return writer.finish();
}

describe('entries', () => {
  test('have an index and a term from 1 on', () => {
    expect(decodeEntry(entryBytes(1, 1))).toEqual({
      index: 1,
      term: 1,
      type: 'normal',
      data: noData,
    });
    expect(() => decodeEntry(entryBytes(0, 1))).toThrow(DecodeError);
    expect(() => decodeEntry(entryBytes(1, 0))).toThrow(DecodeError);
  });

  test('L14 never follow the last safe integer', () => {
    const index = Number.MAX_SAFE_INTEGER;
    const last: Entry = { term: 1, index, type: 'normal', data: noData };
    const head = { from: '0'.repeat(32), to: '1'.repeat(32), term: 1, leaderCommit: 0 };
    const after = (prevIndex: number): Uint8Array =>
      encodeMessage({
        type: 'AppendEntries',
        ...head,
        prevEntry: { term: 1, index: prevIndex },
        entries: [last],
      });
    expect(decodeMessage(after(index - 1))).toMatchObject({ entries: [last] });
    expect(() => decodeMessage(after(index))).toThrow(DecodeError);
  });

  test('of entryDataBytesMax go both ways', () => {
    const data = new Uint8Array(entryDataBytesMax);
    const largest: Entry = { term: 1, index: 1, type: 'normal', data };
    expect(decodeEntry(encodeEntry(largest)).data).toHaveLength(entryDataBytesMax);
  });
});

test('membership entries with a context of contextBytesMax go both ways', () => {
  const membership = plainMembership({ voters: ['2'.repeat(32)], learners: [] });
  const context = new Uint8Array(contextBytesMax).fill(7);
  expect(decodeMembershipEntry(encodeMembershipEntry(membership, context)).context).toEqual(
    context,
  );
});

describe('a reader', () => {
  test('takes counts, lengths and lists up to their bounds, however many bytes are left', () => {
    const some = (count: number): Reader => {
      const writer = new Writer(64);
      writer.varint(count);
      for (let i = 0; i < 48; i++) writer.byte(0);
      return new Reader(writer.finish());
    };
    expect(some(3).count(16, 3)).toBe(3);
    expect(() => some(4).count(1, 3)).toThrow(DecodeError);
    expect(() => some(4).count(16, 9)).toThrow(DecodeError);
    expect(some(5).blob(5)).toHaveLength(5);
    expect(() => some(5).blob(4)).toThrow(DecodeError);
    expect(() => some(49).blob(99)).toThrow(DecodeError);
    expect(some(2).nodeIds(2)).toHaveLength(2);
    expect(() => some(3).nodeIds(2)).toThrow(DecodeError);
  });

  test('reads no node id from fewer than 16 bytes', () => {
    expect(new Reader(new Uint8Array(16)).nodeId()).toBe('0'.repeat(32));
    expect(() => new Reader(new Uint8Array(15)).nodeId()).toThrow(DecodeError);
  });
});

test('a writer takes hex digits in lower case alone', () => {
  const digits = '0123456789abcdef';
  const write = (nodeId: string): Uint8Array => {
    const writer = new Writer(16);
    writer.nodeId(nodeId);
    return writer.finish();
  };
  expect(new Reader(write(digits.repeat(2))).nodeId()).toBe(digits.repeat(2));
  for (const odd of ['g', 'z', '`', '/', ':', 'A', 'F', 'é']) {
    expect(() => write(`${'0'.repeat(31)}${odd}`)).toThrow(RangeError);
  }
});
