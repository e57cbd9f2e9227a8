/** Web Locks for runtimes without them: first come, first served. */
import type { TurnLocks } from '../src/indexeddb-register.ts';
import type { Locks } from '../src/web-lock.ts';

/** `ifAvailable` only. */
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

/** Queued, with a signal that ends the waiting. */
export function turnLocks(): TurnLocks & { readonly granted: string[] } {
  const last = new Map<string, Promise<unknown>>();
  const granted: string[] = [];
  return {
    granted,
    request: async (name, { signal }, callback) => {
      const before = last.get(name) ?? Promise.resolve();
      let release = (): void => {};
      const mine = new Promise<void>((resolve) => (release = resolve));
      last.set(
        name,
        before.then(() => mine),
      );
      try {
        await new Promise((resolve, reject) => {
          const abort = (): void => reject(new DOMException('The wait was ended.', 'AbortError'));
          if (signal.aborted) abort();
          signal.addEventListener('abort', abort);
          void before.then(resolve);
        });
        granted.push(name);
        return await callback({ name });
      } finally {
        release();
      }
    },
  };
}
