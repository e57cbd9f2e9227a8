/**
 * Virtual time: an event queue ordered by (time, sequence). Nothing happens between events, and one
 * event at a time happens together with everything its promises lead to, so that a world of
 * asynchronous code runs the same way each time.
 */
import type { Clock } from '@quorate/contracts';

type Event = {
  readonly time: number;
  readonly sequence: number;
  /** Null once cancelled. */
  callback: (() => void) | null;
};

/** Taken before a world forbids it. */
const immediate = setImmediate;

/** How many events one turn of the real event loop may carry. */
const eventsPerTurn = 64;

export class VirtualClock implements Clock {
  readonly #heap: Event[] = [];
  #now = 0;
  #sequence = 0;
  #eventCount = 0;

  now(): number {
    return this.#now;
  }

  /** Events run so far. */
  get eventCount(): number {
    return this.#eventCount;
  }

  setTimeout(callback: () => void, delayMs: number): () => void {
    const event: Event = {
      time: this.#now + Math.max(0, delayMs),
      sequence: this.#sequence++,
      callback,
    };
    push(this.#heap, event);
    return () => {
      event.callback = null;
    };
  }

  defer(callback: () => void): void {
    this.setTimeout(callback, 0);
  }

  /**
   * Runs every event up to and including `untilMs`, for code without promises. `between` is called
   * after each event.
   */
  runSync(untilMs: number, between?: () => void): void {
    while (this.#runOne(untilMs)) between?.();
    this.#now = Math.max(this.#now, untilMs);
  }

  /**
   * Runs every event up to and including `untilMs`. After each one all microtasks are drained (an
   * immediate's callback is followed by them), then `between` is called in front of the next event.
   * Ends early when `between` returns true. Rejects with whatever an event or `between` throws.
   */
  run(untilMs: number, between?: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let ended = false;
      const finish = (settle: () => void): void => {
        ended = true;
        settle();
      };
      const step = (): void => {
        if (ended) return;
        try {
          if (between?.() === true) return finish(resolve);
          if (this.#runOne(untilMs)) return;
        } catch (error) {
          const reason = error instanceof Error ? error : new Error(String(error));
          return finish(() => {
            reject(reason);
          });
        }
        this.#now = Math.max(this.#now, untilMs);
        finish(resolve);
      };
      const turn = (): void => {
        step();
        if (ended) return;
        for (let i = 2; i < eventsPerTurn; i++) immediate(step);
        immediate(turn);
      };
      immediate(turn);
    });
  }

  #runOne(untilMs: number): boolean {
    for (;;) {
      const event = this.#heap[0];
      if (event === undefined || event.time > untilMs) return false;
      pop(this.#heap);
      if (event.callback === null) continue;
      this.#now = event.time;
      this.#eventCount += 1;
      event.callback();
      return true;
    }
  }
}

/**
 * The clock of one process in a world: it dies with the process, stands still while the process is
 * frozen (what came due meanwhile runs at the thaw, in order), may tick a little fast or slow, leap
 * ahead, or stop while its machine sleeps.
 */
export class ProcessClock implements Clock {
  readonly #world: VirtualClock;
  /** Local milliseconds per world millisecond. */
  readonly #rate: number;
  #offsetMs: number;
  #asleepSince: number | null = null;
  #state: 'running' | 'frozen' | 'thawing' | 'dead' = 'running';
  #waiting: (() => void)[] = [];

  constructor(world: VirtualClock, rate = 1, offsetMs = 0) {
    this.#world = world;
    this.#rate = rate;
    this.#offsetMs = offsetMs;
  }

  get alive(): boolean {
    return this.#state !== 'dead';
  }

  /** Neither dead nor frozen, nor busy with what came while it was. */
  get running(): boolean {
    return this.#state === 'running';
  }

  get frozen(): boolean {
    return this.#state === 'frozen';
  }

  now(): number {
    return (this.#asleepSince ?? this.#world.now()) * this.#rate + this.#offsetMs;
  }

  wallNow(): number {
    return epochMs + this.#world.now();
  }

  /** The clock leaps ahead, as after a pause that nobody else had. */
  jump(byMs: number): void {
    this.#offsetMs += byMs;
  }

  setTimeout(callback: () => void, delayMs: number): () => void {
    let cancelled = false;
    const cancel = this.#world.setTimeout(() => {
      this.enter(() => {
        if (!cancelled) callback();
      });
    }, delayMs / this.#rate);
    return () => {
      cancelled = true;
      cancel();
    };
  }

  defer(callback: () => void): void {
    this.setTimeout(callback, 0);
  }

  /**
   * Runs something that reaches the process from outside: now, at the thaw, or never.
   */
  enter(callback: () => void): void {
    if (this.#state === 'dead') return;
    if (this.#state === 'running') callback();
    else this.#waiting.push(callback);
  }

  /** `asleep`: the machine sleeps, and its monotonic clock with it; the wall clock goes on. */
  freeze(asleep = false): void {
    if (this.#state === 'dead' || this.#state === 'frozen') return;
    this.#state = 'frozen';
    if (asleep) this.#asleepSince = this.#world.now();
  }

  thaw(): void {
    if (this.#state !== 'frozen') return;
    if (this.#asleepSince !== null) {
      this.#offsetMs -= (this.#world.now() - this.#asleepSince) * this.#rate;
      this.#asleepSince = null;
    }
    this.#state = 'thawing';
    this.#workThrough();
  }

  kill(): void {
    this.#state = 'dead';
    this.#waiting = [];
  }

  /** One by one, each in an event of its own: a resumed process finds its queue full. */
  #workThrough(): void {
    this.#world.setTimeout(() => {
      if (this.#state !== 'thawing') return;
      const callback = this.#waiting.shift();
      if (callback === undefined) {
        this.#state = 'running';
        return;
      }
      callback();
      this.#workThrough();
    }, 0);
  }
}

/** What wall clocks say when a world begins. */
const epochMs = 1_700_000_000_000;

function before(a: Event, b: Event): boolean {
  return a.time < b.time || (a.time === b.time && a.sequence < b.sequence);
}

function push(heap: Event[], event: Event): void {
  let index = heap.length;
  heap.push(event);
  while (index > 0) {
    const parentIndex = (index - 1) >> 1;
    const parent = heap[parentIndex] as Event;
    if (!before(event, parent)) break;
    heap[index] = parent;
    index = parentIndex;
  }
  heap[index] = event;
}

function pop(heap: Event[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (;;) {
    let childIndex = 2 * index + 1;
    const left = heap[childIndex];
    if (left === undefined) break;
    const right = heap[childIndex + 1];
    let child = left;
    if (right !== undefined && before(right, left)) {
      child = right;
      childIndex += 1;
    }
    if (!before(child, last)) break;
    heap[index] = child;
    index = childIndex;
  }
  heap[index] = last;
}
