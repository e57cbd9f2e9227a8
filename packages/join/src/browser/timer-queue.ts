/**
 * Timers by the time they are due, and among those due together by the order they were set in. A
 * binary heap; what is cancelled stays in it until its time comes, or until most of it is cancelled.
 */
export type Timer = {
  readonly dueMs: number;
  /** Grows with each timer that is set. */
  readonly number: number;
  /** Null once it was cancelled or has run. */
  callback: (() => void) | null;
};

export class TimerQueue {
  #heap: Timer[] = [];
  #count = 0;
  #setCount = 0;

  /** Timers that are set and neither ran nor were cancelled. */
  get count(): number {
    return this.#count;
  }

  /** How many were ever set. */
  get setCount(): number {
    return this.#setCount;
  }

  /** When the next one is due; null if there is none. */
  get dueMs(): number | null {
    return this.#first()?.dueMs ?? null;
  }

  set(callback: () => void, dueMs: number): Timer {
    this.#setCount += 1;
    const timer: Timer = { dueMs, number: this.#setCount, callback };
    this.#heap.push(timer);
    this.#count += 1;
    this.#rise(this.#heap.length - 1);
    return timer;
  }

  /** Idempotent. */
  cancel(timer: Timer): void {
    if (timer.callback === null) return;
    timer.callback = null;
    this.#count -= 1;
    if (this.#heap.length < compactFrom || this.#count * 2 > this.#heap.length) return;
    // Sorted is a heap as well.
    this.#heap = this.#heap.filter(({ callback }) => callback !== null).sort(order);
  }

  /** Takes the first one out if it is due at `nowMs` and was among the first `setCount` ever set. */
  takeDue(nowMs: number, setCount: number): (() => void) | null {
    const first = this.#first();
    if (first === undefined || first.dueMs > nowMs || first.number > setCount) return null;
    const { callback } = first;
    this.#removeFirst();
    first.callback = null;
    this.#count -= 1;
    return callback;
  }

  clear(): void {
    for (const timer of this.#heap) timer.callback = null;
    this.#heap = [];
    this.#count = 0;
  }

  #first(): Timer | undefined {
    while (this.#heap[0]?.callback === null) this.#removeFirst();
    return this.#heap[0];
  }

  #removeFirst(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink();
  }

  #rise(from: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapUnlessOrdered(parent, at)) return;
      at = parent;
    }
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const [one, other] = [this.#heap[left], this.#heap[left + 1]];
      if (one === undefined) return;
      const child = other !== undefined && order(other, one) < 0 ? left + 1 : left;
      if (!this.#swapUnlessOrdered(at, child)) return;
      at = child;
    }
  }

  #swapUnlessOrdered(parent: number, child: number): boolean {
    const [upper, lower] = [this.#heap[parent], this.#heap[child]];
    if (upper === undefined || lower === undefined || order(upper, lower) < 0) return false;
    this.#heap[parent] = lower;
    this.#heap[child] = upper;
    return true;
  }
}

function order(one: Timer, other: Timer): number {
  return one.dueMs - other.dueMs || one.number - other.number;
}

/** Below this many, cancelled ones are not worth the sweeping. */
const compactFrom = 64;
