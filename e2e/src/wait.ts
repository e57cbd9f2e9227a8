/** Waiting with an end: every wait names what it waits for and gives up with what it saw last. */

export type UntilOptions = {
  /** Generous: a busy machine is slow, and a failure should mean more than that. Default 60,000. */
  readonly timeoutMs?: number;
  readonly everyMs?: number;
  /** Appended to the failure. */
  readonly describe?: () => string;
};

/**
 * Calls `look` until it gives something other than undefined and false, and resolves with that.
 * What `look` throws counts as "not yet", and is told when the time is over.
 */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false> | T | undefined | false,
  options: UntilOptions = {},
): Promise<T> {
  const { timeoutMs = 60_000, everyMs = 100, describe } = options;
  const deadline = performance.now() + timeoutMs;
  let last = 'nothing';
  for (;;) {
    try {
      const seen = await look();
      if (seen !== undefined && seen !== false) return seen;
    } catch (error) {
      last = error instanceof Error ? error.message : String(error);
    }
    if (performance.now() > deadline) {
      const more = describe === undefined ? '' : `\n${describe()}`;
      throw new Error(`Waited ${timeoutMs} ms in vain until ${what}; seen last: ${last}${more}`);
    }
    await sleep(everyMs);
  }
}

/** Rejects if `promise` is not settled in time. */
export async function within<T>(
  what: string,
  promise: Promise<T>,
  timeoutMs = 60_000,
  describe?: () => string,
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => {
      const more = describe === undefined ? '' : `\n${describe()}`;
      reject(new Error(`Waited ${timeoutMs} ms in vain until ${what}${more}`));
    }, timeoutMs);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export async function sleep(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}
