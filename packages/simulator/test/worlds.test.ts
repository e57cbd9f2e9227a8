import { describe, expect, test } from 'vitest';
import { runClusterWorld } from '../src/cluster-world.ts';
import { runCoreWorld } from '../src/core-world.ts';

describe('worlds', () => {
  test('a core world of one seed is the same each time, of another seed another', () => {
    const first = runCoreWorld({ seed: 7 });
    expect(first.failure).toBe(null);
    expect(runCoreWorld({ seed: 7 })).toEqual(first);
    expect(runCoreWorld({ seed: 8 }).eventHash).not.toBe(first.eventHash);
  });

  test('a cluster world of one seed is the same each time, of another seed another', async () => {
    const first = await runClusterWorld({ seed: 7 });
    expect(first.failure).toBe(null);
    expect(first.counts['acknowledged']).toBeGreaterThan(0);
    expect(await runClusterWorld({ seed: 7 })).toEqual(first);
    expect((await runClusterWorld({ seed: 8 })).eventHash).not.toBe(first.eventHash);
  });

  test('worlds of one kind of weather leave it to each other as they found it', async () => {
    const first = await runClusterWorld({ seed: 78 });
    expect(first.counts['clones']).toBe(1);
    expect(await runClusterWorld({ seed: 78 })).toEqual(first);
  });

  test('Z12 a member of another cluster is within reach, and nobody hears it', async () => {
    const weather = { strangerComes: true, rollsBack: false };
    const result = await runClusterWorld({ seed: 3, members: 3, weather });
    expect(result.failure).toBe(null);
    expect(result.counts['strangers']).toBe(1);
  });

  test('Z1 Z3 of a backup that lacks nothing only the run after it tells: nobody hears it', async () => {
    const result = await runClusterWorld({ seed: 173 });
    expect(result.failure).toBe(null);
    expect(result.counts).toMatchObject({ rests: 1, rollbacks: 1 });
  });

  test('Z41 Z58 a register forgets in several ways, and who is cut off writes nothing into it', async () => {
    const result = await runClusterWorld({ seed: 76 });
    expect(result.failure).toBe(null);
    expect(result.counts).toMatchObject({ 'registers emptied': 1, 'registers another group': 1 });
    expect(result.counts['cut off from the others']).toBeGreaterThan(0);
    expect(result.counts['restores']).toBeGreaterThan(1);
  });

  test('F1 F2 F3 F4 clusters of 1, 3 and 5 members form, live through a storm and heal', async () => {
    for (const members of [1, 3, 5]) {
      const result = await runClusterWorld({ seed: 100 + members, members });
      expect(result.failure).toBe(null);
      expect(result.counts['founded']).toBeGreaterThanOrEqual(1);
    }
  });
});
