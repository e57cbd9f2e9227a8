/** An exclusive Web Lock, held until it is released or the page dies; never stolen (Z2). */

/** What is needed of `navigator.locks`. */
export type Locks = {
  request<T>(
    name: string,
    options: { readonly ifAvailable: true },
    callback: (lock: unknown) => T | Promise<T>,
  ): Promise<T>;
};

export type HeldLock = {
  /** Gives it up at once. Resolves when the next one can have it. Idempotent. */
  release(): Promise<void>;
};

/** Null while somebody else holds it. */
export async function takeLock(locks: Locks, name: string): Promise<HeldLock | null> {
  return new Promise((resolve, reject) => {
    const request = locks.request(name, { ifAvailable: true }, (lock) => {
      if (lock === null) {
        resolve(null);
        return;
      }
      return new Promise<void>((release) => {
        resolve({
          release: async () => {
            release();
            await request;
          },
        });
      });
    });
    request.catch(reject);
  });
}
