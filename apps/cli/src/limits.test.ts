import { expect, test } from 'vitest';
import { UsageError } from './flags.ts';
import { limitsOf } from './limits.ts';

test('--limit takes a number by its name', () => {
  expect(limitsOf(['workPerPeer=800', 'connectionsPerAddress=64'])).toEqual({
    workPerPeer: 800,
    connectionsPerAddress: 64,
  });
  expect(limitsOf([])).toEqual({});
});

test.each([
  ['workPerPeer', 'wanted NAME=NUMBER'],
  ['workPerPeer=many', 'wanted NAME=NUMBER'],
  ['workPerPear=800', 'did you mean limits.workPerPeer?'],
  ['places=0', 'limits.places is 0, wanted an integer from 1'],
])('--limit %s is a usage error', (text, words) => {
  expect(() => limitsOf([text])).toThrow(UsageError);
  expect(() => limitsOf([text])).toThrow(words);
});
