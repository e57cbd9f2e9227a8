import { describe, expect, test } from 'vitest';
import type { Bug } from './bug.ts';
import { withFindings } from './table.ts';

const one: Bug = { id: 'one', what: 'it is wrong', breaks: 'Z1', suite: 'core', edits: [] };
const two: Bug = { ...one, id: 'two', what: 'worse', breaks: '§5' };
const empty =
  'Before.\n\n<!-- teeth: written by `pnpm sim --teeth --table` -->\n\n<!-- /teeth -->\n';

describe('withFindings()', () => {
  test('writes a table as prettier has it, and leaves the rest of the text alone', () => {
    const found = {
      bug: one,
      found: { check: 'one-vote', seedCount: 7 },
      otherwise: null,
    } as const;
    const text = withFindings(empty, [found], [one, two]);
    expect(text.split('\n')).toEqual([
      'Before.',
      '',
      '<!-- teeth: written by `pnpm sim --teeth --table` -->',
      '',
      '| bug   | what is wrong | breaks | found by   | without it | seeds |',
      '| ----- | ------------- | ------ | ---------- | ---------- | ----: |',
      '| `one` | it is wrong   | Z1     | `one-vote` | survives   |     7 |',
      '',
      '<!-- /teeth -->',
      '',
    ]);
    expect(withFindings(text, [found], [one, two])).toBe(text);
  });

  test('rows of bugs that were not looked for stay, in the order of all; those that are no more go', () => {
    const both = withFindings(
      withFindings(empty, [{ bug: two, found: null }], [one, two]),
      [{ bug: one, found: { check: 'watch', seedCount: 12 } }],
      [one, two],
    );
    expect(both.split('\n').slice(6, 8)).toEqual([
      '| `one` | it is wrong   | Z1     | `watch`  |            |    12 |',
      '| `two` | worse         | §5     | nothing  |            |       |',
    ]);
    expect(withFindings(both, [], [two])).not.toContain('`one`');
  });

  test('who else finds a bug stays known for as long as the same check finds it first', () => {
    const watched = { bug: one, found: { check: 'watch', seedCount: 3 } } as const;
    const tried = withFindings(empty, [{ ...watched, otherwise: 'acknowledged' }], [one]);
    expect(tried).toContain('| `watch`  | `acknowledged` |     3 |');
    expect(withFindings(tried, [watched], [one])).toBe(tried);
    const other = { bug: one, found: { check: 'crash', seedCount: 3 } } as const;
    expect(withFindings(tried, [other], [one])).toContain('| `crash`  |            |     3 |');
  });

  test('refuses a text without a place for it', () => {
    expect(() => withFindings('Before.\n', [], [one])).toThrow(/Cannot write the table/);
  });
});
