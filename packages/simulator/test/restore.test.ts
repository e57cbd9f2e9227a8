/** Worlds in which a cluster is backed up under load, lost, and restored. */
import { expect, test } from 'vitest';
import { runRestoreWorld } from '../src/restore-world.ts';

const quick = { stormMs: 2_000, thinkMs: 200 };
/** A bound for a machine with much to do. */
const slow = { timeout: 240_000 };

test(
  'T2 Z43 Z50 Z52 one file is restored twice while members of before come back',
  slow,
  async () => {
    const weather = { ...quick, lagChance: 1, againChance: 1, wipeChance: 0 };
    const result = await runRestoreWorld({ seed: 2, members: 3, weather });
    expect(result.failure).toBe(null);
    expect(result.counts).toMatchObject({ 'captures of who lags': 1, restores: 2 });
    expect(result.counts['members of before']).toBeGreaterThanOrEqual(6);
  },
);

test(
  'T2 Z50 two people restore one file at once: one of them has the name, the other is told so',
  slow,
  async () => {
    const weather = { ...quick, twoRestoreChance: 1, againChance: 0 };
    const result = await runRestoreWorld({ seed: 3, members: 1, weather });
    expect(result.failure).toBe(null);
    expect(result.counts).toMatchObject({ restores: 1, 'restores too late': 1 });
    expect(await runRestoreWorld({ seed: 3, members: 1, weather })).toEqual(result);
  },
);
