import { expect, test } from 'vitest';
import { TimerQueue } from './timer-queue.ts';
import type { Timer } from './timer-queue.ts';

/** Numbers that look random and are the same each time. */
function* numbers(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    yield state;
  }
}

test('TimerQueue answers like a sorted list, whatever is set, cancelled and taken', () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const random = numbers(seed);
    const queue = new TimerQueue();
    let list: { timer: Timer; dueMs: number; name: number }[] = [];
    const ran: number[] = [];
    const expected: number[] = [];
    for (let step = 0; step < 600; step += 1) {
      const dice = random.next().value >>> 8;
      if (dice % 8 < 4) {
        const dueMs = (random.next().value >>> 8) % 500;
        list.push({ timer: queue.set(() => ran.push(step), dueMs), dueMs, name: step });
      } else if (dice % 8 < 7 && list.length > 0) {
        const [gone] = list.splice((random.next().value >>> 8) % list.length, 1);
        queue.cancel(gone!.timer);
        queue.cancel(gone!.timer);
      } else {
        const nowMs = (random.next().value >>> 8) % 100;
        const due = list.filter(({ dueMs }) => dueMs <= nowMs);
        due.sort((one, other) => one.dueMs - other.dueMs || one.name - other.name);
        expected.push(...due.map(({ name }) => name));
        list = list.filter((one) => !due.includes(one));
        for (;;) {
          const callback = queue.takeDue(nowMs, queue.setCount);
          if (callback === null) break;
          callback();
        }
      }
      expect(queue.count).toBe(list.length);
      const first = list.reduce<number | null>(
        (least, { dueMs }) => (least === null || dueMs < least ? dueMs : least),
        null,
      );
      expect(queue.dueMs).toBe(first);
    }
    expect(ran).toEqual(expected);
    expect(ran.length).toBeGreaterThan(10);
  }
});

test('takeDue() leaves alone what was set later than it was told', () => {
  const queue = new TimerQueue();
  queue.set(() => {}, 5);
  const { setCount } = queue;
  queue.set(() => {}, 5);
  expect(queue.takeDue(5, setCount)).not.toBeNull();
  expect(queue.takeDue(5, setCount)).toBeNull();
  expect(queue.count).toBe(1);
});
