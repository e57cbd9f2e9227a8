/** What an entry is applied with: replicated facts only, the same on every replica. */
export type ApplyContext = {
  readonly index: number;
  /** Replicated time: milliseconds since genesis (Z24). Never goes back. */
  readonly time: number;
};

/**
 * The application's replicated state. Deterministic: the same commands in the same order give the
 * same results and the same snapshot bytes, on every machine, locale and release of one feature
 * level.
 */
export interface StateMachine {
  /**
   * Applies one committed command and returns its result, synchronously. Never throws for any
   * bytes: a command that cannot be carried out returns a result that says so. Buffers are shared;
   * they are not kept or changed unless copied.
   */
  apply(command: Uint8Array, context: ApplyContext): Uint8Array;
  /**
   * True for a command that can only make the state smaller, and takes little room itself: it is let
   * through on full disks (T20). By the bytes alone, whatever the state; false for what is no command.
   * Absent: none does.
   */
  frees?(command: Uint8Array): boolean;
  /** Called after the last of a run of `apply` calls and after a snapshot was put in place, to wake local observers. */
  flush(): void;
  /** Captures the present state in O(1); the chunks are produced later, while `apply` goes on. */
  snapshot(): Iterable<Uint8Array>;
  /**
   * Reads a whole snapshot, the concatenation of its chunks, and changes nothing yet: the returned
   * function puts it in the state's place, and cannot fail. Throws for anything but a snapshot,
   * `OUTDATED` for one that a later release wrote.
   */
  decode(bytes: Uint8Array): () => void;
}
