import { describe, expect, test } from 'vitest';
import { joinOverrides, override } from './overrides.ts';

const weather = { stormMs: 100, network: { lossy: true, lossChance: 0.1 }, kind: 'at once' };

describe('override()', () => {
  test('replaces what is named, inside objects too, and nothing else', () => {
    const changed = override(weather, { stormMs: 50, network: { lossChance: 0 } });
    expect(changed).toEqual({
      stormMs: 50,
      network: { lossy: true, lossChance: 0 },
      kind: 'at once',
    });
    expect(weather.stormMs).toBe(100);
  });

  test('refuses a name that is not there and a value of another type', () => {
    expect(() => override(weather, { stormsMs: 1 })).toThrow(/wanted undefined/);
    expect(() => override(weather, { stormMs: 'long' })).toThrow(/wanted number/);
  });
});

test('joinOverrides() keeps both, the later one where they meet', () => {
  const first = { stormMs: 1, network: { lossChance: 0 } };
  expect(joinOverrides(first, { stormMs: 2, network: { lossy: false } })).toEqual({
    stormMs: 2,
    network: { lossChance: 0, lossy: false },
  });
});
