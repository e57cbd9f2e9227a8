/**
 * Work for those who ask, a piece in each turn of the event loop and of everybody in turn. What a relay
 * carries for others goes between two pieces, so it never waits for more than one.
 */
export class Turns {
  readonly #defer: (callback: () => void) => void;
  /** Those who wait, the next one first, each with its pieces in order. */
  readonly #waiting = new Map<string, (() => void)[]>();
  #isDeferred = false;

  constructor(defer: (callback: () => void) => void) {
    this.#defer = defer;
  }

  run(whose: string, piece: () => void): void {
    const pieces = this.#waiting.get(whose);
    if (pieces === undefined) this.#waiting.set(whose, [piece]);
    else pieces.push(piece);
    this.#next();
  }

  #next(): void {
    if (this.#isDeferred || this.#waiting.size === 0) return;
    this.#isDeferred = true;
    this.#defer(() => {
      this.#isDeferred = false;
      const [first] = this.#waiting;
      if (first === undefined) return;
      const [whose, pieces] = first;
      this.#waiting.delete(whose);
      const piece = pieces.shift();
      if (pieces.length > 0) this.#waiting.set(whose, pieces);
      // Before the piece runs, which may throw: the others' turns come all the same.
      this.#next();
      piece?.();
    });
  }
}
