/**
 * A running hash of everything that happened in a world. Two runs of one seed must end with the
 * same digest: a difference means that something other than the seed decided.
 */
export class EventHash {
  #low = 0x811c9dc5;
  #high = 0x1b873593;
  #count = 0;

  number(value: number): void {
    // Both halves of the double's integer part, and its fraction to a millionth.
    const whole = Math.floor(value);
    this.#word(whole >>> 0);
    this.#word(Math.floor(whole / 0x1_0000_0000) >>> 0);
    this.#word(Math.floor((value - whole) * 1_000_000) >>> 0);
  }

  text(value: string): void {
    for (let i = 0; i < value.length; i++) this.#word(value.charCodeAt(i));
    this.#word(value.length ^ 0x5bd1e995);
  }

  bytes(value: Uint8Array): void {
    for (let i = 0; i < value.length; i++) this.#word(value[i] as number);
    this.#word(value.length ^ 0x5bd1e995);
  }

  /** 16 hex digits and the number of words hashed. */
  digest(): string {
    const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
    return `${hex(this.#high)}${hex(this.#low)}-${this.#count}`;
  }

  #word(word: number): void {
    this.#low = Math.imul(this.#low ^ word, 0x01000193);
    this.#high = Math.imul(this.#high ^ (word + (this.#low >>> 7)), 0xcc9e2d51);
    this.#high = (this.#high << 13) | (this.#high >>> 19);
    this.#count += 1;
  }
}

/** A 53-bit hash of bytes, to compare entries without keeping them. */
export function hashBytes(bytes: Uint8Array): number {
  let low = 0x811c9dc5;
  let high = 0x9747b28c;
  for (let i = 0; i < bytes.length; i++) {
    low = Math.imul(low ^ (bytes[i] as number), 0x01000193);
    high = Math.imul(high ^ low, 0x85ebca6b);
    high = (high << 13) | (high >>> 19);
  }
  return ((high & 0x1fffff) >>> 0) * 0x1_0000_0000 + (low >>> 0);
}
