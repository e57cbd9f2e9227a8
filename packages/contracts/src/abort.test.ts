import { getEventListeners } from 'node:events';
import { describe, expect, test } from 'vitest';
import { onAbort } from './abort.ts';
import { sleep, withDeadline } from './deadline.ts';
import type { Clock } from './clock.ts';

const stillClock: Clock = { now: () => 0, setTimeout: () => () => {}, defer: () => {} };

function listenersOf(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

describe('onAbort()', () => {
  test('T13 a hundred that wait for one signal are one listener of it, and none once they went', () => {
    const { signal } = new AbortController();
    const ends = Array.from({ length: 100 }, () => onAbort(signal, () => {}));
    expect(listenersOf(signal)).toBe(1);
    for (const end of ends) {
      end();
      end();
    }
    expect(listenersOf(signal)).toBe(0);
    onAbort(signal, () => {})();
    expect(listenersOf(signal)).toBe(0);
  });

  test('calls back each once, in the order in which they came, but those that were taken back', () => {
    const controller = new AbortController();
    const { signal } = controller;
    const called: string[] = [];
    onAbort(signal, () => {
      called.push('a');
      endC();
    });
    const endB = onAbort(signal, () => called.push('b'));
    const endC = onAbort(signal, () => called.push('c'));
    const twice = (): void => void called.push('twice');
    onAbort(signal, twice);
    onAbort(signal, twice);
    endB();
    controller.abort();
    expect(called).toEqual(['a', 'twice', 'twice']);
    expect(listenersOf(signal)).toBe(0);
  });

  test('calls nobody back for a signal that is aborted already, or for none', () => {
    const called: string[] = [];
    onAbort(AbortSignal.abort(), () => called.push('x'))();
    onAbort(undefined, () => called.push('x'))();
    expect(called).toEqual([]);
  });

  test('T13 withDeadline() and sleep() leave nothing with a signal that lives on', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const deadlines = Array.from({ length: 20 }, () =>
      withDeadline(stillClock, 1_000, signal, async () => {
        await Promise.resolve();
      }),
    );
    expect(listenersOf(signal)).toBe(1);
    await Promise.all(deadlines);
    expect(listenersOf(signal)).toBe(0);
    const sleeps = Array.from({ length: 20 }, () => sleep(stillClock, 1_000, signal));
    expect(listenersOf(signal)).toBe(1);
    controller.abort();
    await Promise.all(sleeps);
    expect(listenersOf(signal)).toBe(0);
  });
});
