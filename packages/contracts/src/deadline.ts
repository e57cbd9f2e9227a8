import { onAbort } from './abort.ts';
import type { Clock } from './clock.ts';

/** Runs `run` with a signal that is aborted after `timeoutMs` or together with `parent`. */
export async function withDeadline<T>(
  clock: Clock,
  timeoutMs: number,
  parent: AbortSignal,
  run: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  const abort = (): void => controller.abort();
  const cancel = clock.setTimeout(abort, timeoutMs);
  const forget = onAbort(parent, abort);
  if (parent.aborted) abort();
  try {
    return await run(controller.signal);
  } finally {
    cancel();
    forget();
  }
}

/** Resolves after `delayMs`, or at once when `signal` is aborted. */
export function sleep(clock: Clock, delayMs: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      cancel();
      forget();
      resolve();
    };
    const cancel = clock.setTimeout(done, delayMs);
    const forget = onAbort(signal, done);
  });
}
