import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { defaultDoorLimits } from '../listening/door.ts';
import { defaultRelayLimits, takeLimits, workShares } from './limits.ts';

test('takeLimits() takes each by its name, and leaves the others as they are', () => {
  const { listening, relaying } = takeLimits({ connectionsPerAddress: 5, workPerPeer: 800 });
  expect(listening).toEqual({ connectionsPerAddress: 5 });
  expect(relaying).toEqual({ ...defaultRelayLimits, workPerPeer: 800 });
  expect(takeLimits(undefined).relaying).toEqual(defaultRelayLimits);
});

test('every limit can be given', () => {
  for (const [name, value] of Object.entries(defaultRelayLimits)) {
    expect(takeLimits({ [name]: value + 1 }).relaying).toMatchObject({ [name]: value + 1 });
  }
});

test('takeLimits() refuses what is no limit, and numbers that cannot be meant', () => {
  expect(() => takeLimits({ workPerPear: 800 } as object)).toThrow(
    'there is no option limits.workPerPear, did you mean limits.workPerPeer?',
  );
  expect(() => takeLimits({ places: 0 })).toThrow(RangeError);
  expect(() => takeLimits({ topics: 1.5 })).toThrow(RangeError);
  expect(() => takeLimits({ hosts: 'many' } as object)).toThrow(TypeError);
});

test('a signature can always be paid for', () => {
  const least = workShares(takeLimits({ workPerPeer: 100, workPerAddress: 100 }).relaying);
  expect(least.peer.burst).toBeGreaterThanOrEqual(500);
});

test('every limit stands in what operators read', async () => {
  const page = await readFile(new URL('../../../../docs/OPERATIONS.md', import.meta.url), 'utf8');
  const names = [...Object.keys(defaultRelayLimits), ...Object.keys(defaultDoorLimits)];
  expect(names.filter((name) => !page.includes(`\`${name}\``))).toEqual([]);
});
