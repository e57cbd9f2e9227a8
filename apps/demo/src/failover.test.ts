import { expect, test } from 'vitest';
import { Stopwatch } from './failover.ts';
import type { Failover } from './failover.ts';

function world(failures: number): {
  readonly watch: Stopwatch;
  readonly told: Failover[];
  readonly attempts: () => number;
  advance(ms: number): void;
} {
  const told: Failover[] = [];
  let now = 1_000;
  let attempts = 0;
  const watch = new Stopwatch({
    now: () => now,
    write: async () => {
      attempts += 1;
      now += 10;
      if (attempts <= failures) throw new Error('Not yet');
    },
    pause: async () => {
      now += 5;
    },
    started: () => {},
    done: (failover) => told.push(failover),
  });
  return { watch, told, attempts: () => attempts, advance: (ms) => (now += ms) };
}

async function turns(): Promise<void> {
  for (let i = 0; i < 20; i += 1) await Promise.resolve();
}

test('Stopwatch measures from the loss to the first write that is committed after it', async () => {
  const { watch, told, attempts } = world(2);
  watch.lost('Coral', 990);
  expect(watch.isRunning).toBe(true);
  await turns();
  expect(attempts()).toBe(3);
  expect(told).toEqual([{ name: 'Coral', elapsedMs: 50 }]);
});

test('Stopwatch takes one loss once, however many tell of it', async () => {
  const { watch, told, advance } = world(0);
  watch.lost('Coral', 1_000);
  watch.lost('Coral', 1_001);
  await turns();
  watch.lost('Coral', 1_002);
  await turns();
  expect(told).toHaveLength(1);
  advance(100);
  watch.lost('Teal', 1_100);
  await turns();
  expect(told.map(({ name }) => name)).toEqual(['Coral', 'Teal']);
});

test('Stopwatch says nothing more once it is closed', async () => {
  const { watch, told } = world(1);
  watch.lost('Coral', 1_000);
  watch.close();
  await turns();
  watch.lost('Teal', 5_000);
  await turns();
  expect(told).toEqual([]);
});
