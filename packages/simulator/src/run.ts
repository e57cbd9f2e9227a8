/** Runs one world of one seed, with real time forbidden. */
import { runClusterWorld } from './cluster-world.ts';
import { runCoreWorld } from './core-world.ts';
import { forbidRealTime } from './real-time.ts';
import type { Suite, WorldOptions, WorldResult } from './world.ts';

/** Never rejects: whatever goes wrong is the result's `failure`. */
export async function runWorld(suite: Suite, options: WorldOptions): Promise<WorldResult> {
  const allow = forbidRealTime();
  try {
    return suite === 'core' ? runCoreWorld(options) : await runClusterWorld(options);
  } finally {
    allow();
  }
}
