import { describe, expect, test } from 'vitest';
import { readOptions } from './options.ts';
import { Report, replayCommand } from './report.ts';
import { bugs } from './teeth/catalog.ts';
import type { MeasuredResult } from './world.ts';

const result: MeasuredResult = {
  seed: 1,
  suite: 'core',
  check: null,
  failure: null,
  weather: {},
  eventHash: 'a',
  virtualMs: 50_000,
  memberCount: 3,
  eventCount: 1,
  cpuMs: 100,
  counts: { crashes: 2 },
};

function reportOf(...args: string[]): { readonly report: Report; readonly lines: string[] } {
  const options = readOptions(args);
  if (options === null) throw new RangeError(`Cannot read ${args.join(' ')}`);
  const lines: string[] = [];
  return { report: new Report(options, (text) => lines.push(text)), lines };
}

describe('Report', () => {
  test('ends with totals, the speed in terms of five nodes, and the count of seeds', () => {
    const { report, lines } = reportOf('--seeds', '2', '--suite', 'core');
    report.done({ suite: 'core', seed: 1 }, result, null);
    report.done({ suite: 'core', seed: 2 }, { ...result, memberCount: 7, cpuMs: 400 }, null);
    expect(report.end()).toBe(0);
    expect(lines.at(-1)).toBe('2 passed, 0 failed');
    expect(lines).toContain('core: 200 seconds of five nodes in a second of one processor');
    expect(lines.some((line) => line.includes('core crashes 4'))).toBe(true);
  });

  test('a failure says how to see it again and how to make it smaller', () => {
    const { report, lines } = reportOf('--seeds', '9');
    const task = { suite: 'core', seed: 9, weather: { stormMs: 5 } } as const;
    report.done(task, { ...result, check: 'one-vote', failure: 'one-vote: twice' }, null);
    expect(report.end()).toBe(1);
    const command = `pnpm sim --seed 9 --suite core --weather '{"stormMs":5}'`;
    expect(lines.join('\n')).toContain(`seed 9, core: one-vote: twice`);
    expect(lines).toContain(`  see it again: ${command} --verbose`);
    expect(lines).toContain(`  make it smaller: ${command} --shrink`);
    expect(lines.at(-1)).toBe('0 passed, 1 failed');
  });

  test('a world without an end fails its seed', () => {
    const { report, lines } = reportOf('--seeds', '1');
    report.done({ suite: 'cluster', seed: 1 }, null, 'no end after 5 ms of real time');
    expect(report.end()).toBe(1);
    expect(lines.join('\n')).toContain('seed 1, cluster: no end after 5 ms');
  });

  test('--twice compares what happened', () => {
    const { report } = reportOf('--seeds', '1', '--twice');
    report.done({ suite: 'core', seed: 1 }, result, null);
    report.done({ suite: 'core', seed: 1 }, { ...result, eventHash: 'b' }, null);
    expect(report.end()).toBe(1);
  });
});

test('replayCommand() of a world with a bug builds that bug again', () => {
  const [bug] = bugs;
  const command = replayCommand({ suite: 'core', seed: 4 }, bug);
  expect(command).toBe(`pnpm sim --seed 4 --suite core --bug ${bug?.id}`);
});
