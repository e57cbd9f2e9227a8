import { describe, expect, test } from 'vitest';
import {
  abortSignal,
  flag,
  integer,
  list,
  milliseconds,
  nearest,
  needed,
  takeOptions,
  text,
  word,
} from './options.ts';
import type { Kinds } from './options.ts';

const kinds: Kinds = {
  name: text,
  ifAbsent: flag,
  limit: integer(1, 9),
  timeoutMs: milliseconds,
  vote: word('auto', 'never'),
  slots: word(1, 3, 5),
  relays: list(text),
  signal: abortSignal,
  secret: { ...text, hidden: true },
};

function messageOf(options: unknown): string {
  try {
    takeOptions(options as object, kinds, 'try');
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
  return 'taken';
}

describe('takeOptions()', () => {
  test.each<[string, unknown, string]>([
    [
      'a misspelt name',
      { ifAbsnt: true },
      'TypeError: Cannot try: there is no option ifAbsnt, did you mean ifAbsent?',
    ],
    [
      'the beginning of a name',
      { timeout: 5 },
      'TypeError: Cannot try: there is no option timeout, did you mean timeoutMs?',
    ],
    [
      'a name far from all',
      { zebra: 1 },
      'TypeError: Cannot try: there is no option zebra, wanted',
    ],
    ['a symbol', { [Symbol('x')]: 1 }, 'TypeError: Cannot try: there is no option Symbol(x)'],
    ['another type', { ifAbsent: 1 }, 'TypeError: Cannot try: ifAbsent is 1, wanted true or false'],
    [
      'another word',
      { vote: 'always' },
      'TypeError: Cannot try: vote is "always", wanted auto or never',
    ],
    [
      'a number out of range',
      { limit: 0 },
      'RangeError: Cannot try: limit is 0, wanted an integer',
    ],
    ['a number as text', { limit: '3' }, 'TypeError: Cannot try: limit is "3", wanted an integer'],
    [
      'one that is none of a few',
      { slots: 2 },
      'RangeError: Cannot try: slots is 2, wanted 1, 3 or',
    ],
    ['an endless wait', { timeoutMs: Infinity }, 'RangeError: Cannot try: timeoutMs is Infinity'],
    [
      'an item of a list',
      { relays: ['a', 7] },
      'TypeError: Cannot try: relays[1] is 7, wanted text',
    ],
    ['no list', { relays: 'a' }, 'TypeError: Cannot try: relays is "a", wanted a list of text'],
    ['a null', { name: null }, 'TypeError: Cannot try: name is null, wanted text'],
    ['no options', null, 'TypeError: Cannot try: the options argument is null, wanted an object'],
    [
      'a signal bare',
      new AbortController().signal,
      'TypeError: Cannot try: the options argument is',
    ],
    ['a list', [], 'TypeError: Cannot try: the options argument is an array, wanted an object'],
    ['a secret', { secret: 12345678 }, 'TypeError: Cannot try: secret is number, wanted text'],
  ])('T29 refuses %s', (_name, options, message) => {
    expect(messageOf(options)).toContain(message);
  });

  test('T29 counts as given what is an own key with a value', () => {
    const inherited = Object.create({ ifAbsnt: true }, {}) as object;
    expect(messageOf({ ifAbsnt: undefined, ifAbsent: undefined })).toBe('taken');
    expect(messageOf(inherited)).toBe('taken');
    const options = Object.assign(Object.create({ ifAbsent: true }) as object, { name: 'a' });
    expect(takeOptions(options, kinds, 'try')).toEqual({ name: 'a' });
    expect(takeOptions<object>(undefined, kinds, 'try')).toEqual({});
  });

  test('T29 names what is missing, and the way to it', () => {
    const wanted = { prefix: needed(text) };
    expect(() => takeOptions({}, wanted, 'try', 'if[2].')).toThrow(
      new TypeError('Cannot try: if[2].prefix is missing, wanted text'),
    );
    expect(() => takeOptions({ prefx: '' }, wanted, 'try', 'if[2].')).toThrow(
      new TypeError('Cannot try: there is no option if[2].prefx, did you mean if[2].prefix?'),
    );
  });

  test('reads each option once', () => {
    let count = 0;
    const options = {
      get ifAbsent() {
        count += 1;
        return count === 1;
      },
    };
    expect(takeOptions(options, kinds, 'try')).toEqual({ ifAbsent: true });
    expect(count).toBe(1);
  });
});

test.each([
  ['relay', 'relays'],
  ['realys', 'relays'],
  ['them', 'then'],
  ['electionTimeout', 'electionTimeoutMsMin'],
  ['zebra', undefined],
  ['x'.repeat(10_000), undefined],
])('nearest() %s → %s', (given, wanted) => {
  expect(nearest(given, ['relays', 'then', 'electionTimeoutMsMin'])).toBe(wanted);
});
