import { runInNewContext } from 'node:vm';
import type { Clock } from '@quorate/contracts';
import { expect, test, vi } from 'vitest';
import { createPageClock } from './worker-clock.ts';
import type { Alarm, ClockWorker, PageClock } from './worker-clock.ts';

/**
 * A page and its worker on a time that tests move. Timers of a hidden page run once a second; a
 * frozen page hears nothing, and everything that waited comes when it goes on.
 */
class FakePage {
  nowMs = 1_000;
  hidden = false;
  frozen = false;
  readonly posted: Alarm[] = [];
  terminated = 0;
  source = '';
  readonly #pageTimers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  #workerTimer: { readonly dueMs: number; readonly number: number } | null = null;
  readonly #messages: number[] = [];
  readonly #listeners = new Map<string, (event: { readonly data?: unknown }) => void>();

  readonly clock: Clock = {
    now: () => this.nowMs,
    setTimeout: (callback, delayMs) => {
      const dueMs = this.nowMs + delayMs;
      const timer = { dueMs: this.hidden ? Math.ceil(dueMs / 1_000) * 1_000 : dueMs, callback };
      this.#pageTimers.add(timer);
      return () => void this.#pageTimers.delete(timer);
    },
    defer: (callback) => queueMicrotask(callback),
  };

  readonly startWorker = (source: string): ClockWorker => {
    this.source = source;
    return {
      postMessage: (alarm) => {
        this.posted.push(alarm);
        this.#workerTimer = { dueMs: this.nowMs + alarm[1], number: alarm[0] };
      },
      addEventListener: (type, listener) => void this.#listeners.set(type, listener),
      terminate: () => {
        this.terminated += 1;
        this.#workerTimer = null;
      },
    };
  };

  create(): PageClock {
    return createPageClock({ clock: this.clock, startWorker: this.startWorker });
  }

  tell(type: string, data?: unknown): void {
    this.#listeners.get(type)?.({ data });
  }

  /** The worker's script runs from now on. */
  workerStarts(): void {
    this.tell('message', 0);
  }

  /** Lets time pass, in steps of a millisecond. */
  pass(ms: number): void {
    for (let step = 0; step < ms; step += 1) {
      this.nowMs += 1;
      if (!this.frozen) this.#step();
    }
  }

  #step(): void {
    const alarm = this.#workerTimer;
    if (alarm !== null && alarm.dueMs <= this.nowMs) {
      this.#workerTimer = null;
      this.#messages.push(alarm.number);
    }
    for (const timer of [...this.#pageTimers]) {
      if (timer.dueMs > this.nowMs || !this.#pageTimers.delete(timer)) continue;
      timer.callback();
    }
    for (const message of this.#messages.splice(0)) this.tell('message', message);
  }
}

/** Ticks every 50 ms; the times at which it did. */
function tickEvery50(page: FakePage, clock: Clock): number[] {
  const ticks: number[] = [];
  const tick = (): void => {
    ticks.push(page.nowMs);
    clock.setTimeout(tick, 50);
  };
  clock.setTimeout(tick, 50);
  return ticks;
}

test('setTimeout() of a hidden page keeps its pace by the worker', () => {
  const page = new FakePage();
  const clock = page.create();
  page.workerStarts();
  page.hidden = true;
  const ticks = tickEvery50(page, clock);
  page.pass(1_000);
  expect(ticks).toEqual(Array.from({ length: 20 }, (_, at) => 1_050 + at * 50));
});

test('setTimeout() works with the page’s timers before the worker runs, and goes over to it', () => {
  const page = new FakePage();
  const clock = page.create();
  const ticks = tickEvery50(page, clock);
  expect(clock.kind).toBe('page');
  page.pass(100);
  expect(page.posted).toEqual([]);
  page.workerStarts();
  expect(clock.kind).toBe('worker');
  page.hidden = true;
  page.pass(900);
  expect(ticks).toHaveLength(20);
});

test('createPageClock() is a clock of page timers where no worker can be made', () => {
  const page = new FakePage();
  const clock = createPageClock({
    clock: page.clock,
    startWorker: () => {
      throw new DOMException('refused by the policy', 'SecurityError');
    },
  });
  const ticks = tickEvery50(page, clock);
  page.pass(1_000);
  expect(clock.kind).toBe('page');
  expect(ticks).toHaveLength(20);
});

test('kind falls back to page when the worker reports an error, and timers go on', () => {
  const page = new FakePage();
  const clock = page.create();
  page.workerStarts();
  const ticks = tickEvery50(page, clock);
  page.pass(100);
  page.tell('error');
  expect(clock.kind).toBe('page');
  expect(page.terminated).toBe(1);
  page.pass(900);
  expect(ticks).toHaveLength(20);
});

test('timers that are due together run in the order of their times, then of their setting', () => {
  const page = new FakePage();
  const clock = page.create();
  page.workerStarts();
  const ran: string[] = [];
  clock.setTimeout(() => ran.push('30'), 30);
  clock.setTimeout(() => ran.push('10'), 10);
  clock.setTimeout(() => ran.push('20 a'), 20);
  clock.setTimeout(() => ran.push('20 b'), 20);
  page.frozen = true;
  page.pass(5_000);
  page.frozen = false;
  page.pass(1);
  expect(ran).toEqual(['10', '20 a', '20 b', '30']);
});

test('a page that thaws runs each due timer once, and a tick once however long it was frozen', () => {
  const page = new FakePage();
  const clock = page.create();
  page.workerStarts();
  const ticks = tickEvery50(page, clock);
  let count = 0;
  clock.setTimeout(() => (count += 1), 10);
  page.frozen = true;
  page.pass(60_000);
  page.frozen = false;
  page.pass(1);
  expect([ticks.length, count]).toEqual([1, 1]);
  page.pass(100);
  expect([ticks.length, count]).toEqual([3, 1]);
});

test('a cancelled timer never runs, also when it was due before another one cancelled it', () => {
  const page = new FakePage();
  const clock = page.create();
  page.workerStarts();
  const ran: string[] = [];
  const cancelNever = clock.setTimeout(() => ran.push('never'), 10);
  cancelNever();
  cancelNever();
  clock.setTimeout(() => {
    ran.push('first');
    cancelSecond();
  }, 20);
  const cancelSecond = clock.setTimeout(() => ran.push('second'), 21);
  page.frozen = true;
  page.pass(100);
  page.frozen = false;
  page.pass(100);
  expect(ran).toEqual(['first']);
});

test('a timer of 0 ms that sets itself again lets the page breathe', () => {
  const page = new FakePage();
  const clock = page.create();
  let count = 0;
  const again = (): void => {
    count += 1;
    clock.setTimeout(again, 0);
  };
  clock.setTimeout(again, 0);
  page.pass(5);
  expect(count).toBe(5);
});

test('timers beyond the next one cost the worker nothing, nor does cancelling', () => {
  const page = new FakePage();
  const clock = page.create();
  page.workerStarts();
  clock.setTimeout(() => {}, 50);
  for (let count = 0; count < 1_000; count += 1) clock.setTimeout(() => {}, 5_000)();
  expect(page.posted).toEqual([[expect.any(Number), 50]]);
});

test('an error in a callback is reported and keeps no other timer from running', async () => {
  const page = new FakePage();
  const clock = page.create();
  const failure = new Error('of the application');
  const reported: (() => void)[] = [];
  vi.stubGlobal('queueMicrotask', (callback: () => void) => void reported.push(callback));
  let count = 0;
  clock.setTimeout(() => {
    throw failure;
  }, 10);
  clock.setTimeout(() => (count += 1), 10);
  clock.setTimeout(() => (count += 1), 20);
  page.pass(30);
  vi.unstubAllGlobals();
  expect(count).toBe(2);
  expect(reported).toHaveLength(1);
  expect(reported[0]).toThrow(failure);
});

test('close() ends the worker and every timer, those set before and those set later', () => {
  const page = new FakePage();
  const clock = page.create();
  page.workerStarts();
  let count = 0;
  clock.setTimeout(() => (count += 1), 10);
  clock.setTimeout(() => clock.close(), 5);
  page.pass(20);
  clock.setTimeout(() => (count += 1), 10)();
  clock.setTimeout(() => (count += 1), 10);
  clock.close();
  page.workerStarts();
  page.pass(5_000);
  expect([count, page.terminated, clock.kind]).toEqual([0, 1, 'page']);
});

test('the worker’s script says that it runs, and keeps one alarm only', () => {
  vi.useFakeTimers();
  try {
    const page = new FakePage();
    page.create();
    const said: unknown[] = [];
    const scope = {
      onmessage: (_event: { readonly data: Alarm }): void => {},
      postMessage: (data: unknown) => said.push(data),
      setTimeout,
      clearTimeout,
    };
    runInNewContext(page.source, scope);
    scope.onmessage({ data: [1, 20] });
    scope.onmessage({ data: [2, 50] });
    vi.advanceTimersByTime(100);
    expect(said).toEqual([0, 2]);
  } finally {
    vi.useRealTimers();
  }
});

test('createPageClock() with workerAfterMs does without the worker until then, and for ever when closed', () => {
  const page = new FakePage();
  const options = { clock: page.clock, startWorker: page.startWorker, workerAfterMs: 300 };
  const clock = createPageClock(options);
  const ran: number[] = [];
  clock.setTimeout(() => ran.push(page.nowMs), 10);
  page.pass(299);
  expect(ran).toEqual([1_010]);
  expect(page.source).toBe('');
  page.pass(1);
  expect(page.source).not.toBe('');
  page.workerStarts();
  expect(clock.kind).toBe('worker');

  const other = new FakePage();
  createPageClock({ ...options, clock: other.clock, startWorker: other.startWorker }).close();
  other.pass(1_000);
  expect(other.source).toBe('');
});
