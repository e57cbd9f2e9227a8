import { describe, expect, test } from 'vitest';
import { quieter, shrink } from './shrink.ts';
import type { Overrides } from './overrides.ts';
import type { WorldResult } from './world.ts';

const weather = {
  stormMs: 1_000,
  hostCount: 3,
  crashEveryMs: 50,
  cutEveryMs: 70,
  freezeEveryMs: 0,
  network: { lossChance: 0.2, delayMsMax: 9 },
};

describe('shrink()', () => {
  test('takes away what does not matter and ends the storm as soon as it can', async () => {
    // Fails wherever there are crashes and the storm lasts 300 ms.
    const run = async (overrides: Overrides): Promise<WorldResult> => {
      const { crashEveryMs = 50, stormMs = 1_000 } = overrides as Record<string, number>;
      const fails = crashEveryMs > 0 && stormMs >= 300;
      return { ...result, check: fails ? 'acknowledged' : null };
    };
    const kept: Overrides[] = [];
    const found = await shrink({
      weather,
      check: 'acknowledged',
      run,
      kept: (step) => kept.push(step),
    });
    expect(found['cutEveryMs']).toBe(0);
    expect(found['crashEveryMs']).toBe(undefined);
    expect(found['network']).toEqual({ lossChance: 0 });
    expect(found['stormMs']).toBeGreaterThanOrEqual(300);
    expect(found['stormMs']).toBeLessThan(320);
    expect(kept.length).toBeGreaterThan(3);
  });

  test('another failure is no success', async () => {
    const run = async (): Promise<WorldResult> => ({ ...result, check: 'crash' });
    const found = await shrink({ weather, check: 'acknowledged', run, kept: () => undefined });
    expect(found).toEqual({});
  });
});

test('quieter() names troubles that are there, and nothing that a world needs', () => {
  expect(quieter(weather)).toEqual([
    { crashEveryMs: 0 },
    { cutEveryMs: 0 },
    { network: { lossChance: 0 } },
  ]);
});

const result: WorldResult = {
  seed: 1,
  suite: 'core',
  check: null,
  failure: null,
  weather,
  eventHash: '',
  virtualMs: 0,
  memberCount: 3,
  eventCount: 0,
  counts: {},
};
