/** One world for all tests of a file. */
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { World } from './world.ts';

/**
 * Makes a world before the first test of the file and ends it after the last; a test that fails
 * shows the last lines of every process. `setUp` runs once, in that world.
 */
export function sharedWorld(setUp: (world: World) => Promise<void>): void {
  let world: World | null = null;
  beforeAll(async () => {
    world = await World.create();
    await setUp(world);
  }, 240_000);
  afterAll(async () => {
    const oddities = world?.oddities();
    await world?.dispose();
    expect(oddities).toEqual([]);
  });
  beforeEach(({ onTestFailed }) => onTestFailed(() => console.error(world?.tails())));
}
