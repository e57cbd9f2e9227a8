import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

function turnsByHand(): { turns: Turns; pass(): void } {
  const deferred: (() => void)[] = [];
  const turns = new Turns((callback) => void deferred.push(callback));
  return { turns, pass: () => deferred.shift()?.() };
}

test('T25: one piece of work is done in each turn, whatever waits', () => {
  const { turns, pass } = turnsByHand();
  const done: string[] = [];
  for (const work of ['one', 'two', 'three']) turns.run('a', () => done.push(work));
  expect(done).toEqual([]);
  pass();
  expect(done).toEqual(['one']);
  pass();
  pass();
  expect(done).toEqual(['one', 'two', 'three']);
  pass();
  turns.run('a', () => done.push('four'));
  pass();
  expect(done.at(-1)).toBe('four');
});

test('T25: whoever asks for little is served between the pieces of who asks for much', () => {
  const { turns, pass } = turnsByHand();
  const done: string[] = [];
  for (let index = 0; index < 100; index += 1) turns.run('much', () => done.push('much'));
  pass();
  turns.run('little', () => done.push('little'));
  for (let turn = 0; turn < 3; turn += 1) pass();
  expect(done.indexOf('little')).toBeLessThanOrEqual(2);
});

test('T25: work that begins more work waits for its turn again', () => {
  const { turns, pass } = turnsByHand();
  const done: string[] = [];
  turns.run('a', () => {
    done.push('first');
    turns.run('a', () => done.push('second'));
  });
  pass();
  expect(done).toEqual(['first']);
  pass();
  expect(done).toEqual(['first', 'second']);
});
