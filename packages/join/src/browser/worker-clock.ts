/**
 * The clock of a page. Timers of a hidden page are throttled, to one a second and later to one a
 * minute; those of a dedicated worker are not, nor are the messages that it sends.
 *
 * All timers of the page wait in one queue, and only the time of the next one is given to the
 * browser: to a timer of the page and to one in the worker, at once. Whichever comes first wakes the
 * queue. They are equally exact in a visible page (within 0.5 ms, half of them) and cost as good as
 * nothing at the pace of a cluster's ticks, so nothing has to be decided by visibility, which is not
 * the whole truth: frames, a page that still loads and a phone that saves its battery have slow
 * timers while they are visible. And where the worker cannot be made (a content security policy), is
 * still starting, or has died, the page's timer is there.
 *
 * A frozen page freezes its worker too. At most one of its messages waits for the page to go on;
 * then everything that is due runs, in order of time, once.
 */
import { systemClock } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import { TimerQueue } from './timer-queue.ts';

export interface PageClock extends Clock {
  /** What drives the timers now; `page` means that they are slow while the page is hidden. */
  readonly kind: 'worker' | 'page';
  /** Ends the worker. No timer that was set or will be set ever runs. Idempotent. */
  close(): void;
}

export type PageClockOptions = {
  /** Time and timers of the page itself. By default the browser's own. */
  readonly clock?: Clock;
  /** Starts the worker from its source; may throw. By default from a Blob. */
  readonly startWorker?: (source: string) => ClockWorker;
  /** How long the page's own timers do alone, in milliseconds. Default 0. */
  readonly workerAfterMs?: number;
};

/** What is needed of a `Worker`. */
export type ClockWorker = {
  postMessage(message: Alarm): void;
  /** `message` with `data` a number, `error` and `messageerror`. */
  addEventListener(type: string, listener: (event: { readonly data?: unknown }) => void): void;
  terminate(): void;
};

/** To the worker: replaces the alarm before it. The number comes back when the time has come. */
export type Alarm = readonly [number: number, delayMs: number];

/** Make one for a page, and share it. */
export function createPageClock(options: PageClockOptions = {}): PageClock {
  return new WorkerClock(options);
}

class WorkerClock implements PageClock {
  readonly #clock: Clock;
  readonly #timers = new TimerQueue();
  #worker: ClockWorker | null = null;
  #workerAnswers = false;
  /** Alarms ever set; the number of the present one. */
  #alarmCount = 0;
  /** The time that page and worker were given; null: no alarm. */
  #alarmMs: number | null = null;
  #cancelPageAlarm = (): void => {};
  #cancelStart = (): void => {};
  #isRunning = false;
  #isClosed = false;

  constructor(options: PageClockOptions) {
    const { clock = systemClock, startWorker = startBlobWorker, workerAfterMs = 0 } = options;
    this.#clock = clock;
    if (workerAfterMs === 0) this.#startWorker(startWorker);
    else this.#cancelStart = clock.setTimeout(() => this.#startWorker(startWorker), workerAfterMs);
  }

  #startWorker(startWorker: (source: string) => ClockWorker): void {
    try {
      const worker = startWorker(workerSource);
      worker.addEventListener('message', ({ data }) => this.#workerSays(data));
      worker.addEventListener('messageerror', () => this.#workerFailed());
      worker.addEventListener('error', () => this.#workerFailed());
      this.#worker = worker;
    } catch {
      // No workers here, or the policy of the page refuses ours.
    }
  }

  get kind(): 'worker' | 'page' {
    return this.#workerAnswers ? 'worker' : 'page';
  }

  get originMs(): number {
    return this.#clock.originMs ?? 0;
  }

  now(): number {
    return this.#clock.now();
  }

  setTimeout(callback: () => void, delayMs: number): () => void {
    if (this.#isClosed) return () => {};
    const timer = this.#timers.set(callback, this.#clock.now() + Math.max(0, delayMs));
    if (!this.#isRunning) this.#arm();
    return () => this.#timers.cancel(timer);
  }

  defer(callback: () => void): void {
    this.#clock.defer(callback);
  }

  close(): void {
    this.#isClosed = true;
    this.#timers.clear();
    this.#cancelPageAlarm();
    this.#cancelStart();
    this.#workerFailed();
  }

  #workerSays(data: unknown): void {
    if (this.#worker === null) return;
    if (data !== ready) {
      // An older alarm's message may have waited while the page's timer came first.
      if (data === this.#alarmCount) this.#wake();
      return;
    }
    this.#workerAnswers = true;
    this.#alarmMs = null;
    this.#arm();
  }

  #workerFailed(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#workerAnswers = false;
  }

  /** Gives the time of the next timer to page and worker, unless they will call sooner anyway. */
  #arm(): void {
    const dueMs = this.#timers.dueMs;
    if (dueMs === null || (this.#alarmMs !== null && this.#alarmMs <= dueMs)) return;
    this.#cancelPageAlarm();
    this.#alarmMs = dueMs;
    this.#alarmCount += 1;
    const delayMs = Math.max(0, Math.ceil(dueMs - this.#clock.now()));
    this.#cancelPageAlarm = this.#clock.setTimeout(() => this.#wake(), delayMs);
    if (this.#workerAnswers) this.#worker?.postMessage([this.#alarmCount, delayMs]);
  }

  #wake(): void {
    this.#cancelPageAlarm();
    this.#alarmMs = null;
    // Its message has come, or comes for nothing.
    this.#alarmCount += 1;
    const now = this.#clock.now();
    // What is set meanwhile waits for its own turn, or a timer of 0 ms would keep the page busy.
    const { setCount } = this.#timers;
    this.#isRunning = true;
    for (;;) {
      const callback = this.#timers.takeDue(now, setCount);
      if (callback === null) break;
      runAlone(callback);
    }
    this.#isRunning = false;
    this.#arm();
  }
}

/** As with timers of the browser, an error ends its own callback only, and is reported. */
function runAlone(callback: () => void): void {
  try {
    callback();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}

function startBlobWorker(source: string): ClockWorker {
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const revoke = (): void => URL.revokeObjectURL(url);
  try {
    const worker = new Worker(url, { name: 'quorate clock' });
    // Not before the script was read, which some browsers do late.
    worker.addEventListener('message', revoke, { once: true });
    worker.addEventListener('error', revoke, { once: true });
    return worker;
  } catch (error) {
    revoke();
    throw error;
  }
}

/** One timer, and a word at the start: whoever hears it knows that the worker runs. */
const ready = 0;
const workerSource = `
let timer
onmessage = ({ data: [number, delayMs] }) => {
  clearTimeout(timer)
  timer = setTimeout(() => postMessage(number), delayMs)
}
postMessage(${ready})
`;
