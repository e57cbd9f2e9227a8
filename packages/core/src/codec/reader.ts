import type { NodeId } from '../types.ts';
import { DecodeError } from './errors.ts';

/** Reads foreign bytes; every method throws `DecodeError` rather than pass the end. */
export class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw new DecodeError('Cannot read a byte: the input has ended');
    this.#at++;
    return value;
  }

  /** A shortest-form LEB128 varint within the safe integers. */
  varint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 8; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (byte === 0 && i > 0)
          throw new DecodeError('Cannot read a varint: not the shortest form');
        if (!Number.isSafeInteger(value)) break;
        return value;
      }
      scale *= 128;
    }
    throw new DecodeError('Cannot read a varint: above 2^53 - 1');
  }

  /** A number of things of which each takes at least `bytesMin` more bytes. */
  count(bytesMin: number, countMax: number): number {
    const count = this.varint();
    if (count > countMax || count * bytesMin > this.remaining) {
      throw new DecodeError(`Cannot read ${count} items: ${this.remaining} bytes are left`);
    }
    return count;
  }

  /** A length and that many bytes, as a view into the input. */
  blob(bytesMax: number): Uint8Array {
    const length = this.varint();
    if (length > bytesMax || length > this.remaining) {
      throw new DecodeError(`Cannot read ${length} bytes: ${this.remaining} are left`);
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  nodeId(): NodeId {
    if (this.remaining < 16) throw new DecodeError('Cannot read a node id: the input has ended');
    let id = '';
    for (let i = 0; i < 16; i++) id += hexOf[this.#bytes[this.#at + i] as number];
    this.#at += 16;
    return id;
  }

  nodeIds(countMax: number): NodeId[] {
    const ids: NodeId[] = [];
    for (let left = this.count(16, countMax); left > 0; left--) ids.push(this.nodeId());
    return ids;
  }

  boolean(): boolean {
    const byte = this.byte();
    if (byte > 1) throw new DecodeError(`Cannot read a boolean: ${byte}, wanted 0 or 1`);
    return byte === 1;
  }

  end(): void {
    if (this.remaining > 0) {
      throw new DecodeError(`Cannot finish: ${this.remaining} bytes are left, wanted none`);
    }
  }
}

const hexOf: readonly string[] = Array.from({ length: 256 }, (_, byte) =>
  byte.toString(16).padStart(2, '0'),
);
