import { expect, test } from 'vitest';
import { Pace, pauseMsMax, pauseMsMin } from './pace.ts';

/** A stream of frames that are texts, and time that is set by hand. */
class Bench {
  readonly begun: string[] = [];
  readonly pauses: number[] = [];
  isPaused = false;
  /** What becomes of each frame. */
  verdict: (text: string) => 'begun' | 'refused' | 'later' = () => 'begun';
  timer: (() => void) | null = null;
  readonly pace: Pace;

  constructor(underWayMax?: number) {
    this.pace = new Pace({
      stream: {
        pause: () => (this.isPaused = true),
        resume: () => (this.isPaused = false),
      },
      setTimeout: (callback, delayMs) => {
        this.pauses.push(delayMs);
        this.timer = callback;
        return () => (this.timer = null);
      },
      begin: (frame) => {
        const text = new TextDecoder().decode(frame);
        const verdict = this.verdict(text);
        this.begun.push(`${verdict} ${text}`);
        return verdict;
      },
      ...(underWayMax === undefined ? {} : { underWayMax }),
    });
  }

  push(...texts: string[]): void {
    for (const text of texts) this.pace.push(new TextEncoder().encode(text));
  }

  tick(): void {
    const due = this.timer;
    this.timer = null;
    due?.();
  }
}

test('T25: requests begin as they come while there is work left for them', () => {
  const bench = new Bench();
  bench.push('a', 'b');
  expect(bench.begun).toEqual(['begun a', 'begun b']);
  expect(bench.isPaused).toBe(false);
});

test('T25: after one that is refused nothing is read, nor answered, for a while', () => {
  const bench = new Bench();
  bench.verdict = (text) => (text === 'b' ? 'refused' : 'begun');
  bench.push('a', 'b', 'c', 'd');
  expect(bench.begun).toEqual(['begun a', 'refused b']);
  expect(bench.isPaused).toBe(true);
  bench.tick();
  expect(bench.begun.slice(2)).toEqual(['begun c', 'begun d']);
  expect(bench.isPaused).toBe(false);
});

test('T25: who is refused again and again is heard more and more seldom, until something is begun', () => {
  const bench = new Bench();
  bench.verdict = () => 'refused';
  bench.push(...Array.from({ length: 8 }, (_, index) => `${index}`));
  for (let turn = 0; turn < 5; turn += 1) bench.tick();
  expect(bench.begun).toHaveLength(6);
  expect(bench.pauses.slice(0, 3)).toEqual([pauseMsMin, 2 * pauseMsMin, 4 * pauseMsMin]);
  expect(bench.pauses.at(-1)).toBe(pauseMsMax);
  bench.verdict = (text) => (text === '7' ? 'refused' : 'begun');
  bench.tick();
  expect(bench.begun.slice(6)).toEqual(['begun 6', 'refused 7']);
  expect(bench.pauses.at(-1)).toBe(pauseMsMin);
});

test('T25: what has to be answered waits for its turn and keeps its place', () => {
  const bench = new Bench();
  bench.verdict = () => 'later';
  bench.push('ping', 'next');
  expect(bench.begun).toEqual(['later ping']);
  bench.verdict = () => 'begun';
  bench.tick();
  expect(bench.begun).toEqual(['later ping', 'begun ping', 'begun next']);
});

test('T25: no more is under way than may be; the next begins when one has ended', () => {
  const bench = new Bench(2);
  bench.push('a', 'b', 'c', 'd');
  expect(bench.begun).toEqual(['begun a', 'begun b']);
  expect(bench.isPaused).toBe(true);
  bench.pace.ended();
  expect(bench.begun.at(-1)).toBe('begun c');
  expect(bench.isPaused).toBe(true);
  bench.pace.ended();
  expect([bench.begun.at(-1), bench.isPaused]).toEqual(['begun d', false]);
});

test('T25: closed, it begins nothing any more', () => {
  const bench = new Bench();
  bench.verdict = () => 'refused';
  bench.push('a', 'b');
  bench.pace.close();
  expect(bench.timer).toBeNull();
  bench.pace.ended();
  bench.push('c');
  expect(bench.begun).toEqual(['refused a']);
});
