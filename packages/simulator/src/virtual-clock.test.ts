import { expect, test } from 'vitest';
import { Prng } from './prng.ts';
import { ProcessClock, VirtualClock } from './virtual-clock.ts';

test('VirtualClock runs events by time, then in the order they were asked for', () => {
  const clock = new VirtualClock();
  const prng = new Prng(1);
  const wanted: { time: number; order: number }[] = [];
  const got: { time: number; order: number }[] = [];
  for (let order = 0; order < 500; order++) {
    const time = prng.int(50);
    wanted.push({ time, order });
    clock.setTimeout(() => got.push({ time: clock.now(), order }), time);
  }
  wanted.sort((a, b) => a.time - b.time || a.order - b.order);
  clock.runSync(1_000);
  expect(got).toEqual(wanted);
  expect(clock.now()).toBe(1_000);
});

test('run() drains every promise of an event before the next event', async () => {
  const clock = new VirtualClock();
  const log: string[] = [];
  const chain = async (name: string): Promise<void> => {
    for (let i = 0; i < 20; i++) await Promise.resolve();
    log.push(`${name} at ${clock.now()}`);
  };
  for (let i = 0; i < 200; i++) clock.setTimeout(() => void chain(`event ${i}`), i);
  await clock.run(1_000);
  expect(log).toEqual(Array.from({ length: 200 }, (_, i) => `event ${i} at ${i}`));
});

test('run() rejects with what an event throws, and stops early when told to', async () => {
  const clock = new VirtualClock();
  clock.setTimeout(() => {
    throw new Error('broken');
  }, 5);
  await expect(clock.run(10)).rejects.toThrow('broken');
  let count = 0;
  for (let i = 0; i < 10; i++) clock.setTimeout(() => (count += 1), 1);
  await clock.run(100, () => count === 4);
  expect(count).toBe(4);
});

test('a cancelled timer never runs', () => {
  const clock = new VirtualClock();
  let ran = false;
  const cancel = clock.setTimeout(() => (ran = true), 5);
  cancel();
  clock.runSync(10);
  expect(ran).toBe(false);
});

test('ProcessClock stands still while frozen and works through the rest in order', () => {
  const world = new VirtualClock();
  const clock = new ProcessClock(world);
  const got: string[] = [];
  for (const time of [1, 2, 3, 4]) clock.setTimeout(() => got.push(`timer ${time}`), time);
  world.runSync(1);
  clock.freeze();
  world.runSync(10);
  expect(got).toEqual(['timer 1']);
  world.setTimeout(() => {
    clock.enter(() => got.push('at the thaw'));
  }, 5);
  world.setTimeout(() => {
    clock.thaw();
  }, 5);
  world.runSync(20);
  expect(got).toEqual(['timer 1', 'timer 2', 'timer 3', 'timer 4', 'at the thaw']);
  expect(clock.frozen).toBe(false);
});

test('ProcessClock drifts by its rate and dies with its process', () => {
  const world = new VirtualClock();
  const clock = new ProcessClock(world, 2, 100);
  const got: number[] = [];
  clock.setTimeout(() => got.push(clock.now()), 10);
  clock.setTimeout(() => got.push(clock.now()), 20);
  world.runSync(6);
  expect(got).toEqual([110]);
  clock.kill();
  world.runSync(100);
  expect(got).toEqual([110]);
  expect(clock.alive).toBe(false);
});
