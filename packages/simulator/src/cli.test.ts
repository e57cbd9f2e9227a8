import { describe, expect, test, vi } from 'vitest';
import { runCli, tasksOf } from './cli.ts';
import { readOptions } from './options.ts';
import type { WorkerTask } from './pool.ts';

/** What `args` ask for, while each look at the clock finds it `stepMs` later. */
function tasks(args: readonly string[], stepMs = 0): WorkerTask[] {
  const options = readOptions(args);
  if (options === null) throw new RangeError(`Cannot read ${args.join(' ')}`);
  let now = 0;
  return [...tasksOf(options, () => (now += stepMs))];
}

describe('tasksOf()', () => {
  test('all suites of each seed, in order; twice where asked', () => {
    const names = tasks(['--seeds', '2']).map(({ suite, seed }) => `${suite} ${seed}`);
    expect(names).toEqual(
      ['core', 'cluster', 'restore']
        .map((suite) => `${suite} 1`)
        .concat(['core', 'cluster', 'restore'].map((suite) => `${suite} 2`)),
    );
    expect(tasks(['--seeds', '2', '--twice', '--suite', 'core'])).toHaveLength(4);
  });

  test('--hours goes on past --seeds until the time is over', () => {
    const args = ['--hours', '0.5', '--seeds', '1', '--from', '10', '--suite', 'core'];
    const seeds = tasks(args, 6 * 60_000).map(({ seed }) => seed);
    expect(seeds).toEqual([10, 11, 12, 13]);
  });
});

describe('runCli()', () => {
  test.each(['--help', '-h'])('%s prints the usage and is no mistake', async (flag) => {
    const print = vi.spyOn(console, 'log').mockReturnValue(undefined);
    try {
      expect(await runCli([flag], 'unused')).toBe(0);
      expect(print).toHaveBeenCalledWith(expect.stringContaining('--trace FILE'));
    } finally {
      print.mockRestore();
    }
  });
});
