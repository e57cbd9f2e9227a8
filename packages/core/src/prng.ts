/**
 * A small seedable generator (sfc32), so that one seed replays a whole run. Not for secrets.
 */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  /** `seed` is any finite number; equal seeds give equal sequences. */
  constructor(seed: number) {
    const integer = Math.trunc(seed);
    this.#a = integer >>> 0;
    this.#b = Math.floor(integer / 0x1_0000_0000) >>> 0;
    this.#c = 0x9e3779b9;
    // The first outputs still resemble the seed.
    for (let i = 0; i < 16; i++) this.uint32();
  }

  /** The next integer in [0, 2^32). */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) >>> 0;
    this.#counter = (this.#counter + 1) >>> 0;
    this.#a = (this.#b ^ (this.#b >>> 9)) >>> 0;
    this.#b = (this.#c + (this.#c << 3)) >>> 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) >>> 0;
    return sum;
  }

  /** An integer in [from, to); `from` when the range is empty. */
  between(from: number, to: number): number {
    if (to <= from) return from;
    return from + Math.floor((this.uint32() / 0x1_0000_0000) * (to - from));
  }
}
