import { systemClock } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import type { PeerId } from '@libp2p/interface';
import { expect, test } from 'vitest';
import { Reservations, silentMs, unannouncedMs } from './reservations.ts';

/** Time that is set by hand, and one timer. */
class HandClock implements Clock {
  nowMs = 0;
  timer: () => void = () => {};
  now = (): number => this.nowMs;
  defer = systemClock.defer.bind(systemClock);
  setTimeout = (run: () => void): (() => void) => {
    this.timer = run;
    return () => (this.timer = () => {});
  };
}

type OnGone = (event: { detail: string }) => void;

/** Hosts that have a place, as a node and its circuit server tell of them. */
class Bench {
  readonly clock: HandClock = new HandClock();
  readonly places: Map<string, unknown> = new Map();
  readonly heard: Map<string, number> = new Map();
  /** As if every host were, unless told otherwise. */
  announced: { has(host: string): boolean } = { has: () => true };
  readonly aborted: string[] = [];
  readonly reservations: Reservations;
  #onGone: OnGone = () => {};

  constructor() {
    const node = {
      addEventListener: (_: string, listener: OnGone) => (this.#onGone = listener),
      removeEventListener: () => (this.#onGone = () => {}),
      getConnections: (peer: string) => [{ abort: () => this.aborted.push(peer) }],
    };
    this.reservations = new Reservations({
      node,
      service: { reservations: this.places },
      clock: this.clock,
      heardAt: () => this.heard,
      announced: () => this.announced,
      placesMax: 3,
    } as unknown as ConstructorParameters<typeof Reservations>[0]);
  }

  gone(host: string): void {
    this.#onGone({ detail: host });
  }

  announces(host: string): void {
    this.reservations.announced(host as unknown as PeerId);
  }

  pass(ms: number): void {
    this.clock.nowMs += ms;
    this.clock.timer();
  }
}

test('T23 a place is given back when its host has no connection any more', () => {
  const bench = new Bench();
  bench.places.set('a', {}).set('b', {});
  bench.gone('a');
  expect([...bench.places.keys()]).toEqual(['b']);
  expect(bench.reservations.count).toBe(1);
});

test('T23 whoever is not heard for minutes is gone: his place is given back, his connection closed', () => {
  const bench = new Bench();
  for (const host of ['speaks', 'spoke', 'mute']) bench.places.set(host, {});
  bench.heard.set('spoke', 0).set('speaks', 0);
  bench.pass(1_000);
  bench.heard.set('speaks', silentMs);
  bench.pass(silentMs - 1_000);
  expect(bench.aborted).toEqual([]);
  bench.pass(1);
  expect([[...bench.places.keys()], bench.aborted]).toEqual([['speaks', 'mute'], ['spoke']]);
  bench.pass(1_000);
  expect([[...bench.places.keys()], bench.aborted]).toEqual([['speaks'], ['spoke', 'mute']]);
});

test('T23 a host that comes back is counted from then on', () => {
  const bench = new Bench();
  bench.places.set('mute', {});
  bench.pass(silentMs);
  bench.gone('mute');
  bench.places.set('mute', {});
  bench.pass(silentMs);
  expect(bench.aborted).toEqual([]);
});

test('T23 closed, it looks at nobody', () => {
  const bench = new Bench();
  bench.places.set('a', {});
  bench.reservations.close();
  bench.gone('a');
  bench.pass(10 * silentMs);
  expect([[...bench.places.keys()], bench.aborted]).toEqual([['a'], []]);
});

test('T25: who is announced nowhere loses his place, and has it again once he is', () => {
  const bench = new Bench();
  bench.announced = new Set(['member']);
  for (const host of ['member', 'stranger', 'late']) bench.places.set(host, {});
  bench.pass(0);
  bench.pass(unannouncedMs - 1);
  expect([...bench.places.keys()]).toEqual(['member', 'stranger', 'late']);
  bench.pass(1);
  expect([...bench.places.keys()]).toEqual(['member']);
  bench.announces('late');
  expect([...bench.places.keys()]).toEqual(['member', 'late']);
  expect(bench.aborted).toEqual([]);
});

test('T25: a place that was withheld is not kept for who has gone, nor beyond the bound', () => {
  const bench = new Bench();
  bench.announced = new Set(['member']);
  bench.places.set('a', {}).set('b', {});
  bench.pass(0);
  bench.pass(unannouncedMs);
  bench.gone('a');
  bench.announces('a');
  expect([...bench.places.keys()]).toEqual([]);
  for (const host of ['1', '2', '3']) bench.places.set(host, {});
  bench.announces('b');
  expect([...bench.places.keys()]).toEqual(['1', '2', '3']);
});

test('T23 nothing of a place stays behind: its timer of hours held the connection of who had gone', () => {
  const bench = new Bench();
  const cleared: string[] = [];
  const place = (host: string): object => ({ signal: { clear: () => cleared.push(host) } });
  bench.announced = new Set(['a']);
  bench.places.set('a', place('a')).set('b', place('b')).set('c', place('c'));
  bench.gone('a');
  expect(cleared).toEqual(['a']);
  bench.pass(0);
  bench.pass(unannouncedMs);
  expect(cleared).toEqual(['a']);
  bench.gone('b');
  bench.announces('c');
  bench.gone('c');
  expect(cleared).toEqual(['a', 'b', 'c']);
});
