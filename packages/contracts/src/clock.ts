/**
 * Time as the cluster sees it: monotonic. In a simulation the same code runs on virtual time.
 */
export interface Clock {
  /** Monotonic milliseconds since an arbitrary start. Never goes back. */
  now(): number;
  /**
   * Milliseconds of the wall clock, where it goes on while the machine sleeps. Left out where nothing
   * of the kind can be relied on. It can only end a lease sooner (Z23), and decides nothing else.
   */
  wallNow?(): number;
  /**
   * Unix milliseconds at `now() === 0`, as far as the machine knew at the start; left out for 0. For
   * telling people moments; it decides nothing.
   */
  readonly originMs?: number;
  /** Runs `callback` once, not before `delayMs`. The returned function cancels it; idempotent. */
  setTimeout(callback: () => void, delayMs: number): () => void;
  /** Runs `callback` after the current turn of the event loop, so that its work forms one batch. */
  defer(callback: () => void): void;
}

/** Chance as a parameter: `count` bytes fit for identities and nonces. Seeded in simulations. */
export type RandomBytes = (count: number) => Uint8Array;
