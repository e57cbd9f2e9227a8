/** Web Locks for runtimes without them: first come, first served, `ifAvailable` only. */
import type { Locks } from '../src/web-lock.ts';

export function memoryLocks(): Locks {
  const held = new Set<string>();
  return {
    request: async (name, _options, callback) => {
      // As in a browser, the answer never comes at once.
      await Promise.resolve();
      if (held.has(name)) return callback(null);
      held.add(name);
      try {
        return await callback({ name });
      } finally {
        held.delete(name);
      }
    },
  };
}
