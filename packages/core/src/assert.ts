/**
 * Stops the machine when one of its own invariants is broken. On in production: stopping turns a
 * safety bug into a liveness bug. Never used for what a peer or a caller did.
 */
export function assert(condition: boolean, text: string): asserts condition {
  if (!condition) throw new AssertionError(`Invariant broken: ${text}`);
}

/** A bug of ours. Never caught inside; the node stops. */
export class AssertionError extends Error {
  override readonly name: string = 'AssertionError';
}
