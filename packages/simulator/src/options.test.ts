import { describe, expect, test } from 'vitest';
import { readOptions } from './options.ts';

describe('readOptions()', () => {
  test('without arguments: 200 seeds of each suite from 1 on', () => {
    const options = readOptions([]);
    expect(options?.seeds).toHaveLength(200);
    expect(options?.seeds[0]).toBe(1);
    expect(options?.suites).toEqual(['core', 'cluster', 'restore']);
    expect(options?.single).toBe(false);
    expect(options?.teeth).toBe(null);
  });

  test('a range, sizes and the separator that pnpm hands over', () => {
    const options = readOptions(['--', '--from', '50', '--seeds', '3', '--members', '5']);
    expect(options?.seeds).toEqual([50, 51, 52]);
    expect(options?.members).toBe(5);
  });

  test('one seed with what its weather is instead', () => {
    const options = readOptions(['--seed', '7', '--suite', 'core', '--weather', '{"stormMs":9}']);
    expect(options?.seeds).toEqual([7]);
    expect(options?.single).toBe(true);
    expect(options?.weather).toEqual({ stormMs: 9 });
  });

  test('--bug names one of all bugs for --teeth, and one to build in for --seed', () => {
    const teeth = readOptions(['--teeth', '--bug', 'skip-a-gap']);
    expect(teeth?.teeth?.map(({ id }) => id)).toEqual(['skip-a-gap']);
    expect(teeth?.bug).toBe(undefined);
    const world = readOptions(['--seed', '3', '--bug', 'skip-a-gap', '--shrink']);
    expect(world?.bug?.id).toBe('skip-a-gap');
    expect(world?.suites).toEqual(['cluster']);
    expect(world?.shrink).toBe(true);
  });

  test('--without builds a check out of the world of a bug, or of all worlds of --teeth', () => {
    const world = readOptions(['--seed', '3', '--bug', 'skip-a-gap', '--without', 'call-order']);
    expect(world?.bug?.without).toBe('call-order');
    expect(world?.bug?.edits.at(-1)?.file).toBe('simulator/src/violation.ts');
    expect(readOptions(['--seed', '3', '--bug', 'skip-a-gap', '--without', 'crash'])).toBe(null);
    const teeth = readOptions(['--teeth', '--without', 'finder', '--table', 'a']);
    expect(teeth?.without).toBe('finder');
    expect(readOptions(['--teeth', '--without', 'one-vote'])?.without).toBe('one-vote');
  });

  test.each([
    [['--seeds', 'many'], ''],
    [['--workers', '0'], ''],
    [['--suite', 'disk'], ''],
    [['--hours', '-1'], ''],
    [['--hours', 'x'], ''],
    [['--weather', '{', '--seed', '1'], ''],
    [['--weather', '3', '--seed', '1'], ''],
    [['--teeth', '--bug', 'none-of-them'], ''],
    [['--never'], '--never'],
    [['--shrink'], '--shrink goes with --seed'],
    [['--trace', 'a', '--seed', '1'], '--trace goes with --suite'],
    [['--trace', 'a'], '--trace goes with --seed'],
    [['--table', 'a'], '--table goes with --teeth'],
    [['--teeth', '--without', 'taste'], '--without takes one of finder, election-safety'],
    [['--seed', '1', '--without', 'watch'], '--without goes with --bug or --teeth'],
    [
      ['--seed', '1', '--bug', 'skip-a-gap', '--without', 'finder'],
      '--without finder goes with --teeth',
    ],
    [['--teeth', '--without', 'watch', '--table', 'a'], '--table goes without --without'],
    [['--seed', '1', '--hours', '1'], '--hours goes without --seed'],
    [['--teeth', '--seed', '1'], '--teeth goes with --seeds'],
    [['--bug', 'skip-a-gap'], '--bug goes with --teeth or with --seed'],
    [['--bug', 'skip-a-gap', '--seed', '1', '--verbose'], '--bug goes without --verbose'],
  ])('%j is refused', (args, said) => {
    let heard = '';
    expect(readOptions(args, (text) => (heard = text))).toBe(null);
    expect(heard).toContain(said);
  });
});
