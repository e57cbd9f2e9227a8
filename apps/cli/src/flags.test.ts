import { describe, expect, test } from 'vitest';
import { nearest } from '@quorate/contracts/options';
import { UsageError, parseFlags, positionals } from './flags.ts';
import type { Flag } from './flags.ts';

const flags: readonly Flag[] = [
  { name: 'relay', type: 'list', value: 'ADDR', help: '' },
  { name: 'secret-file', type: 'text', value: 'FILE', help: '' },
  { name: 'limit', type: 'number', help: '' },
  { name: 'json', type: 'boolean', help: '' },
];
const parse = (args: readonly string[], environment: Record<string, string> = {}) =>
  parseFlags(flags, args, environment);

describe('parseFlags()', () => {
  test('reads flags in any order, among arguments', () => {
    const parsed = parse(['a', '--relay', 'x', '--json', 'b', '--relay=y', '--limit', '5']);
    expect(parsed.list('relay')).toEqual(['x', 'y']);
    expect(parsed.boolean('json')).toBe(true);
    expect(parsed.number('limit')).toBe(5);
    expect(parsed.text('secret-file')).toBeUndefined();
    expect(parsed.positionals).toEqual(['a', 'b']);
  });

  test('the last one of a single value counts', () => {
    expect(parse(['--limit', '1', '--limit', '2']).number('limit')).toBe(2);
  });

  test('what follows -- is no flag', () => {
    expect(parse(['--json', '--', '--relay', '-5']).positionals).toEqual(['--relay', '-5']);
  });

  test('each flag is also a variable; the flag wins, an empty variable is none', () => {
    const environment = {
      QUORATE_RELAY: 'x, y z',
      QUORATE_SECRET_FILE: 'from-variable',
      QUORATE_LIMIT: '',
      QUORATE_JSON: '1',
    };
    const parsed = parse(['--secret-file', 'from-flag'], environment);
    expect(parsed.list('relay')).toEqual(['x', 'y', 'z']);
    expect(parsed.text('secret-file')).toBe('from-flag');
    expect(parsed.number('limit')).toBeUndefined();
    expect(parsed.boolean('json')).toBe(true);
    expect(parse([], { QUORATE_JSON: 'false' }).boolean('json')).toBe(false);
  });

  test.each([
    [['--relai', 'x'], /^Unknown flag --relai, did you mean --relay\?$/],
    [['--secret', 'x'], /^Unknown flag --secret, did you mean --secret-file\?$/],
    [['--jsno'], /^Unknown flag --jsno, did you mean --json\?$/],
    [['--zzzzzzzz'], /^Unknown flag --zzzzzzzz$/],
    [['-5'], /^Unknown flag -5 \(arguments that begin with - come after --\)$/],
    [['--relay'], /^Cannot use --relay: no value given, wanted ADDR$/],
    [['--relay', '--json'], /^Cannot use --relay: no value given, wanted ADDR$/],
  ])('%j is refused', (args, message) => {
    expect(() => parse(args)).toThrow(UsageError);
    expect(() => parse(args)).toThrow(message);
  });

  test.each(['x', '1.5', '-1', ' ', '1e400'])('a number is whole and not negative: %j', (text) => {
    expect(() => parse([`--limit=${text}`]).number('limit')).toThrow(/Cannot use --limit/);
  });

  test('a boolean with another value than true or false is refused', () => {
    expect(() => parse(['--json=perhaps']).boolean('json')).toThrow(/wanted true or false/);
  });

  test('a flag that was not declared so is our own mistake', () => {
    expect(() => parse([]).text('json')).toThrow(/Invariant broken/);
  });
});

describe('positionals()', () => {
  test('names what is missing and what is too much', () => {
    expect(positionals(parse(['a']), ['KEY', 'VALUE'], 1)).toEqual(['a']);
    expect(() => positionals(parse(['a']), ['KEY', 'VALUE'], 2)).toThrow(/^VALUE is missing$/);
    expect(() => positionals(parse(['a', 'b']), ['KEY'], 1)).toThrow(/^Unexpected argument b$/);
  });
});

describe('nearest()', () => {
  test.each([
    ['statsu', 'status'],
    ['member', 'members'],
    ['rm', undefined],
    ['x', undefined],
  ])('%s → %s', (word, found) => {
    expect(nearest(word, ['status', 'members', 'leave'])).toBe(found);
  });
});
