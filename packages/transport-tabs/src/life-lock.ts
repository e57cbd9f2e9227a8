/**
 * A Web Lock that a tab holds for as long as it lives: who waits for it learns within milliseconds
 * that the tab was closed or crashed, where pings take seconds. A frozen tab keeps its lock, so a
 * held lock proves nothing.
 */

/** What is needed of `navigator.locks`. */
export type Locks = {
  request<T>(
    name: string,
    options: { readonly signal?: AbortSignal; readonly mode?: 'exclusive' | 'shared' },
    callback: () => T | Promise<T>,
  ): Promise<T>;
};

/** Holds `name` until the returned function is called. Resolves once it is held. */
export async function holdLock(locks: Locks, name: string): Promise<() => void> {
  return new Promise((resolve, reject) => {
    locks
      .request(name, { mode: 'exclusive' }, () => new Promise<void>((release) => resolve(release)))
      .catch(reject);
  });
}

/** Calls `gone` when the holder of `name` let go. The returned function ends the wait. */
export function watchLock(locks: Locks, name: string, gone: () => void): () => void {
  const ended = new AbortController();
  locks
    .request(name, { mode: 'shared', signal: ended.signal }, () => {
      if (!ended.signal.aborted) gone();
    })
    // Aborted, or the page may not have locks any more: pings tell, later.
    .catch(() => {});
  return () => ended.abort();
}
