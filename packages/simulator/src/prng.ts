/**
 * Chance from one seed (sfc32, seeded through splitmix32). Each part of a world forks its own
 * stream, so that one more draw in one part does not shift the luck of the others.
 */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #counter = 1;

  constructor(seed: number) {
    let state = seed >>> 0;
    const mix = (): number => {
      state = (state + 0x9e3779b9) >>> 0;
      let z = state;
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b);
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35);
      return (z ^ (z >>> 16)) >>> 0;
    };
    this.#a = mix();
    this.#b = mix();
    this.#c = mix();
    for (let round = 0; round < 12; round++) this.uint32();
  }

  /** An independent stream: the same seed, label and number of earlier forks give the same one. */
  fork(label: string): Prng {
    let seed = this.uint32();
    for (let i = 0; i < label.length; i++) {
      seed = Math.imul(seed ^ label.charCodeAt(i), 0x01000193) >>> 0;
    }
    return new Prng(seed);
  }

  uint32(): number {
    const t = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + t;
    this.#c |= 0;
    return t >>> 0;
  }

  /** A number in [0, 1). */
  float(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** An integer in [0, count). */
  int(count: number): number {
    return Math.floor(this.float() * count);
  }

  /** A number in [from, to). */
  between(from: number, to: number): number {
    return from + this.float() * (to - from);
  }

  /** True with `probability`. Draws nothing at 0, so that a fault that is off costs no luck. */
  chance(probability: number): boolean {
    return probability > 0 && this.float() < probability;
  }

  /** One of `items`, which must not be empty. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.int(items.length)];
    if (item === undefined) throw new RangeError('Cannot pick from an empty list');
    return item;
  }

  /** `items` in random order; the argument stays as it is. */
  shuffle<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let i = result.length - 1; i > 0; i--) {
      const j = this.int(i + 1);
      const swapped = result[i] as T;
      result[i] = result[j] as T;
      result[j] = swapped;
    }
    return result;
  }

  bytes(count: number): Uint8Array {
    const result = new Uint8Array(count);
    for (let i = 0; i < count; i++) result[i] = this.uint32() & 0xff;
    return result;
  }

  /** `count` random bytes as lowercase hex digits. */
  hex(count: number): string {
    let text = '';
    for (const byte of this.bytes(count)) text += byte.toString(16).padStart(2, '0');
    return text;
  }
}
