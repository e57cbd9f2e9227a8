import { describe, expect, test } from 'vitest';
import type { Clock } from './clock.ts';
import { patient } from './patient-clock.ts';

/** Time that passes on command, and turns that are taken one by one. */
class HandClock implements Clock {
  timeMs = 0;
  readonly timers: { readonly callback: () => void; readonly dueMs: number }[] = [];
  readonly turns: (() => void)[] = [];

  now(): number {
    return this.timeMs;
  }

  setTimeout(callback: () => void, delayMs: number): () => void {
    const timer = { callback, dueMs: this.timeMs + delayMs };
    this.timers.push(timer);
    return () => {
      const at = this.timers.indexOf(timer);
      if (at >= 0) this.timers.splice(at, 1);
    };
  }

  defer(callback: () => void): void {
    this.turns.push(callback);
  }

  /** Stands still until `timeMs`; then first everything that is due runs, and then come turns. */
  wakeAt(timeMs: number): void {
    this.timeMs = timeMs;
    for (const timer of [...this.timers]) {
      if (timer.dueMs > timeMs) continue;
      this.timers.splice(this.timers.indexOf(timer), 1);
      timer.callback();
    }
  }

  takeTurns(): void {
    while (this.turns.length > 0) this.turns.shift()?.();
  }
}

describe('patient()', () => {
  test('Z44 a timer in time runs in time', () => {
    const clock = new HandClock();
    const ran: string[] = [];
    patient(clock).setTimeout(() => ran.push('timer'), 50);
    clock.wakeAt(60);
    expect(ran).toEqual(['timer']);
  });

  test('Z44 T11 a timer that runs late lets the waiting input in first, and what that leads to', () => {
    const clock = new HandClock();
    const ran: string[] = [];
    patient(clock).setTimeout(() => ran.push('timer'), 50);
    clock.wakeAt(750);
    // What waited in a socket: bytes, a frame of them, and its contents a turn later.
    clock.defer(() => clock.defer(() => ran.push('input')));
    expect(ran).toEqual([]);
    clock.takeTurns();
    expect(ran).toEqual(['input', 'timer']);
  });

  test('one that was cancelled does not run, also while it lets input in', () => {
    const clock = new HandClock();
    const ran: string[] = [];
    const early = patient(clock).setTimeout(() => ran.push('early'), 50);
    const late = patient(clock).setTimeout(() => ran.push('late'), 50);
    early();
    clock.wakeAt(750);
    late();
    clock.takeTurns();
    expect(ran).toEqual([]);
  });

  test('a clock that is patient already stays what it is; a wall clock is there where it was', () => {
    const clock = patient(new HandClock());
    expect(patient(clock)).toBe(clock);
    expect(clock.wallNow).toBeUndefined();
    const wall = new HandClock();
    Object.assign(wall, { wallNow: () => 7 });
    expect(patient(wall).wallNow?.()).toBe(7);
  });
});
