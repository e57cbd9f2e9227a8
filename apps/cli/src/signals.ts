/** Resolves when `signal` is aborted, at once if it is already. */
export async function whenAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return;
  await new Promise<void>((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/**
 * Calls `listener` for each SIGHUP, which otherwise ends a process; returns a function that ends that.
 * Where the system knows no such signal, never.
 */
export function onHangUp(listener: () => void): () => void {
  process.on('SIGHUP', listener);
  return () => void process.off('SIGHUP', listener);
}
