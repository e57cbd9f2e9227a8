/**
 * A clock for those who judge others by their silence (Z44). A timer that runs late shows that this
 * process stood still, and what others said meanwhile still waits, in sockets and queues: it runs
 * after the waiting input, not before it. Timers in time run in time.
 */
import type { Clock } from './clock.ts';

/** The same clock with patient timers; one that is patient already is given back. */
export function patient(clock: Clock): Clock {
  return clock instanceof PatientClock ? clock : new PatientClock(clock);
}

class PatientClock implements Clock {
  readonly wallNow?: () => number;
  readonly originMs: number;
  readonly #clock: Clock;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.originMs = clock.originMs ?? 0;
    if (clock.wallNow !== undefined) this.wallNow = () => clock.wallNow?.() ?? 0;
  }

  now(): number {
    return this.#clock.now();
  }

  setTimeout(callback: () => void, delayMs: number): () => void {
    const dueMs = this.#clock.now() + Math.max(0, delayMs);
    let isCancelled = false;
    const run = (turnsLeft: number): void => {
      if (isCancelled) return;
      if (turnsLeft === 0) callback();
      else this.#clock.defer(() => run(turnsLeft - 1));
    };
    const cancel = this.#clock.setTimeout(() => {
      run(this.#clock.now() - dueMs < lateFromMs ? 0 : turnsForInput);
    }, delayMs);
    return () => {
      isCancelled = true;
      cancel();
    };
  }

  defer(callback: () => void): void {
    this.#clock.defer(callback);
  }
}

/** What a busy machine is late by all the time. */
const lateFromMs = 100;
/** Turns of the event loop, each of which hands on input: bytes become frames, these are opened. */
const turnsForInput = 4;
