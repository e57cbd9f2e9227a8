import { describe, expect, test } from 'vitest';
import { ForwardedReads } from './forwarded-reads.ts';
import { Prng } from './prng.ts';
import { ReadIndexQueue } from './read-index.ts';
import type { ReadState } from './ready.ts';

describe('ReadIndexQueue', () => {
  test('rounds are confirmed in order, each with the index of its beginning', () => {
    const queue = new ReadIndexQueue();
    queue.add({ from: null, requestId: 1 });
    queue.add({ from: 'b', requestId: 9 });
    expect(queue.hasFresh).toBe(true);
    queue.beginRound(5);
    expect(queue).toMatchObject({ hasFresh: false, lastRound: 1, count: 2 });
    queue.add({ from: null, requestId: 2 });
    queue.beginRound(7);
    queue.add({ from: null, requestId: 3 });
    expect(queue.takeConfirmed(0)).toEqual([]);
    expect(queue.takeConfirmed(1).map(({ index, requests }) => [index, requests.length])).toEqual([
      [5, 2],
    ]);
    expect(queue.count).toBe(2);
    expect(queue.takeConfirmed(2).map(({ index }) => index)).toEqual([7]);
    expect(queue.takeAll()).toEqual([{ from: null, requestId: 3 }]);
    expect(queue).toMatchObject({ hasFresh: false, count: 0 });
  });

  test('takeAll() gives everything that waits, once', () => {
    const queue = new ReadIndexQueue();
    queue.add({ from: null, requestId: 1 });
    queue.beginRound(5);
    queue.add({ from: null, requestId: 2 });
    expect(queue.takeAll().map(({ requestId }) => requestId)).toEqual([1, 2]);
    expect(queue.takeAll()).toEqual([]);
    expect(queue.takeConfirmed(9)).toEqual([]);
  });
});

describe('ForwardedReads', () => {
  test('one question stands for all requests since the last', () => {
    const reads = new ForwardedReads(new Prng(1));
    const answers: ReadState[] = [];
    expect(reads.ask(10)).toBeNull();
    reads.add(1);
    reads.add(2);
    const first = reads.ask(10) as number;
    reads.add(3);
    const second = reads.ask(12) as number;
    expect(second).toBe(first + 1);
    reads.answer(first, 42, answers);
    reads.answer(first, 43, answers);
    reads.answer(first + 7, 44, answers);
    expect(answers).toEqual([
      { requestId: 1, index: 42 },
      { requestId: 2, index: 42 },
    ]);
    expect(reads.count).toBe(1);
  });

  test('expire() refuses what is overdue and keeps the rest', () => {
    const reads = new ForwardedReads(new Prng(1));
    const answers: ReadState[] = [];
    reads.add(1);
    reads.ask(10);
    reads.add(2);
    reads.ask(12);
    reads.expire(9, answers);
    expect(answers).toEqual([]);
    reads.expire(10, answers);
    expect(answers).toEqual([{ requestId: 1, index: null }]);
    reads.refuseAll(answers);
    expect(answers.at(-1)).toEqual({ requestId: 2, index: null });
    expect(reads.count).toBe(0);
  });

  test('ids are safe integers, and differ between runs', () => {
    const first = [1, 2, 3].map((seed) => {
      const reads = new ForwardedReads(new Prng(seed));
      reads.add(1);
      return reads.ask(1) as number;
    });
    expect(first.every((id) => Number.isSafeInteger(id))).toBe(true);
    expect(new Set(first).size).toBe(3);
  });
});
