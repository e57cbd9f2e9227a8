/** The other end of `pool.ts`: a process that runs the worlds it is told to, one at a time. */
import type { WorkerTask } from './pool.ts';
import { runWorld } from './run.ts';

/** Serves tasks until the parent goes away. */
export function serveTasks(): void {
  process.on('message', (message) => {
    const { suite, ...options } = message as WorkerTask;
    void runWorld(suite, options).then((result) => process.send?.(result));
  });
  process.on('disconnect', () => process.exit(0));
}
