import { expect, test } from 'vitest';
import { OutgoingFrames } from './outgoing-frames.ts';
import { creditBytes, frameBytesMax, queueBytesMax, windowBytes } from './timing.ts';

test('take() stops at the window, credit() lets more go', () => {
  const outgoing = new OutgoingFrames();
  const frame = new Uint8Array(windowBytes / 4);
  for (let count = 0; count < 6; count += 1) expect(outgoing.push(frame)).toBe(true);
  expect(outgoing.take()).toHaveLength(4);
  expect(outgoing.take()).toHaveLength(0);
  expect(outgoing.queuedBytes).toBe(2 * frame.length);
  outgoing.credit(frame.length);
  expect(outgoing.take()).toHaveLength(1);
});

test('push() refuses beyond the queue, hasDrained() tells once when half of it is free', () => {
  const outgoing = new OutgoingFrames();
  const frame = new Uint8Array(queueBytesMax / 8);
  for (let count = 0; count < 8; count += 1) expect(outgoing.push(frame)).toBe(true);
  expect(outgoing.hasDrained()).toBe(false);
  expect(outgoing.push(frame)).toBe(false);
  let taken = 0;
  while (!outgoing.hasDrained()) {
    const frames = outgoing.take();
    expect(frames.length).toBeGreaterThan(0);
    taken += frames.length;
    for (const { length } of frames) outgoing.credit(length);
  }
  expect(taken).toBeGreaterThanOrEqual(4);
  expect(outgoing.hasDrained()).toBe(false);
  expect(outgoing.push(frame)).toBe(true);
});

test('a receiver that tells in steps lets every frame through, with a bound on what is under way', () => {
  let state = 1;
  const chance = (count: number): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state % count;
  };
  for (let round = 0; round < 200; round += 1) {
    const outgoing = new OutgoingFrames();
    let left = 30;
    let read = 0;
    let underWay = 0;
    while (left > 0 || outgoing.queuedBytes > 0) {
      const size = 1 + chance(chance(3) === 0 ? frameBytesMax : 10_000);
      if (left > 0 && outgoing.push(new Uint8Array(size))) left -= 1;
      const bytes = outgoing.take().reduce((sum, frame) => sum + frame.length, 0);
      underWay += bytes;
      expect(underWay).toBeLessThanOrEqual(windowBytes + frameBytesMax);
      if (left > 0 && chance(2) === 0) continue;
      // The receiver reads all that is there, and tells when it is worth it.
      read += underWay;
      underWay = 0;
      const told = read >= creditBytes ? read : 0;
      outgoing.credit(told);
      read -= told;
      if (left === 0 && bytes === 0 && told === 0) expect(outgoing.queuedBytes).toBe(0);
    }
  }
});
