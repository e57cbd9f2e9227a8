/** Runs one world of one seed, with real time forbidden. */
import { runClusterWorld } from './cluster-world.ts';
import { runCoreWorld } from './core-world.ts';
import { forbidRealTime } from './real-time.ts';
import { runRestoreWorld } from './restore-world.ts';
import type { MeasuredResult, Suite, WorldOptions, WorldResult } from './world.ts';

const worlds: Record<Suite, (options: WorldOptions) => WorldResult | Promise<WorldResult>> = {
  core: runCoreWorld,
  cluster: runClusterWorld,
  restore: runRestoreWorld,
};

/** Never rejects: whatever goes wrong is the result's `failure`. */
export async function runWorld(suite: Suite, options: WorldOptions): Promise<MeasuredResult> {
  const allow = forbidRealTime();
  const before = process.cpuUsage();
  try {
    const result = await worlds[suite](options);
    const { user, system } = process.cpuUsage(before);
    return { ...result, cpuMs: (user + system) / 1_000 };
  } finally {
    allow();
  }
}
