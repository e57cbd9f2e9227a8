/** What the suites of network contracts share: waiting for a fact, and saying what was not so. */

/** How long a suite waits for something that must happen. Generous: it only ends a failing run. */
const patienceMs = 20_000;

export function check(condition: boolean, wanted: string): asserts condition {
  if (!condition) throw new Error(`Conformance: ${wanted}`);
}

/** Resolves once `condition` holds; rejects, naming what was wanted, when it never does. */
export async function until(condition: () => boolean, wanted: string): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (!condition()) {
    check(performance.now() < deadlineMs, `in ${patienceMs} ms: ${wanted}`);
    await pause(5);
  }
}

export async function pause(delayMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    setTimeout(resolve, delayMs);
  });
}

/** The `code` of the error that `promise` rejects with, or null when it resolves. */
export async function rejectionOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
    return null;
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : String(error);
  }
}
