import type { NodeId } from '../types.ts';

/** Writes into one buffer that was sized beforehand; `finish()` gives the written part. */
export class Writer {
  readonly #bytes: Uint8Array;
  #at = 0;

  /** `bytesMax` is an upper bound of what will be written. */
  constructor(bytesMax: number) {
    this.#bytes = new Uint8Array(bytesMax);
  }

  byte(value: number): void {
    this.#bytes[this.#at++] = value;
  }

  /** An unsigned LEB128 varint; throws `RangeError` unless `value` is a safe integer >= 0. */
  varint(value: number): void {
    if (!Number.isSafeInteger(value) || value < 0) {
      throw new RangeError(`Cannot encode ${value}: wanted a safe integer >= 0`);
    }
    let rest = value;
    // Bit operations hold 32 bits only.
    while (rest > 0x7fff_ffff) {
      this.#bytes[this.#at++] = (rest % 128) | 0x80;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      this.#bytes[this.#at++] = (rest & 0x7f) | 0x80;
      rest >>>= 7;
    }
    this.#bytes[this.#at++] = rest;
  }

  /** A varint length, then the bytes. */
  blob(value: Uint8Array): void {
    this.varint(value.length);
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
  }

  /** 16 bytes; throws `RangeError` unless `id` is 32 lowercase hex digits. */
  nodeId(id: NodeId): void {
    if (!isNodeId(id)) {
      throw new RangeError(`Cannot encode node id "${id}": wanted 32 lowercase hex digits`);
    }
    for (let i = 0; i < 32; i += 2) {
      this.#bytes[this.#at++] = (hexDigit(id, i) << 4) | hexDigit(id, i + 1);
    }
  }

  nodeIds(ids: readonly NodeId[]): void {
    this.varint(ids.length);
    for (const id of ids) this.nodeId(id);
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at);
  }
}

/** Whether the codec can carry `id`: 32 lowercase hex digits. */
export function isNodeId(id: string): boolean {
  if (id.length !== 32) return false;
  for (let i = 0; i < 32; i++) if (hexDigit(id, i) < 0) return false;
  return true;
}

/** Bytes that a varint takes at most (53 bits in groups of seven). */
export const varintBytesMax: number = 8;

function hexDigit(text: string, at: number): number {
  const code = text.charCodeAt(at);
  if (code >= 48 && code <= 57) return code - 48;
  if (code >= 97 && code <= 102) return code - 87;
  return -1;
}
