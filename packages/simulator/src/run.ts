/** Runs one world of one seed, with real time forbidden. */
import { runClusterWorld } from './cluster-world.ts';
import { runCoreWorld } from './core-world.ts';
import { forbidRealTime } from './real-time.ts';
import type { MeasuredResult, Suite, WorldOptions } from './world.ts';

/** Never rejects: whatever goes wrong is the result's `failure`. */
export async function runWorld(suite: Suite, options: WorldOptions): Promise<MeasuredResult> {
  const allow = forbidRealTime();
  const before = process.cpuUsage();
  try {
    const result = suite === 'core' ? runCoreWorld(options) : await runClusterWorld(options);
    const { user, system } = process.cpuUsage(before);
    return { ...result, cpuMs: (user + system) / 1_000 };
  } finally {
    allow();
  }
}
