/**
 * Time as the cluster sees it: monotonic only. Wall clocks decide nothing, and in a simulation the
 * same code runs on virtual time.
 */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. Never goes back. */
  now(): number;
  /** Runs `callback` once, not before `delayMs`. The returned function cancels it; idempotent. */
  setTimeout(callback: () => void, delayMs: number): () => void;
  /** Runs `callback` after the current turn of the event loop, so that its work forms one batch. */
  defer(callback: () => void): void;
}

/** Chance as a parameter: `count` bytes fit for identities and nonces. Seeded in simulations. */
export type RandomBytes = (count: number) => Uint8Array;
