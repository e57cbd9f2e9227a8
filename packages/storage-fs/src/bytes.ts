/**
 * Reading and writing of the numbers in our files: fixed widths little-endian, varints as in
 * Protocol Buffers (seven bits a byte, low ones first), safe integers only.
 */
import { crc32 } from 'node:zlib';

/** Writes into a buffer that grows as needed; `bytes()` is a view of it, valid until `reset()`. */
export class ByteWriter {
  #buffer: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity: number = 4096) {
    this.#buffer = new Uint8Array(capacity);
    this.#view = new DataView(this.#buffer.buffer);
  }

  get length(): number {
    return this.#length;
  }

  bytes(): Uint8Array {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Forgets the content, and the buffer too when it has grown past `keptBytesMax`. */
  reset(keptBytesMax: number = Number.MAX_SAFE_INTEGER): void {
    this.#length = 0;
    if (this.#buffer.length <= keptBytesMax) return;
    this.#buffer = new Uint8Array(4096);
    this.#view = new DataView(this.#buffer.buffer);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length] = value;
    this.#length += 1;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  u64(value: number): void {
    this.u32(value % two32);
    this.u32(Math.floor(value / two32));
  }

  varint(value: number): void {
    this.#reserve(8);
    const buffer = this.#buffer;
    let rest = value;
    let at = this.#length;
    // Bit operations reach 31 bits; the rare larger number is divided down first.
    while (rest > 0x7fffffff) {
      buffer[at] = (rest % 128) | 0x80;
      at += 1;
      rest = Math.floor(rest / 128);
    }
    while (rest > 0x7f) {
      buffer[at] = (rest & 0x7f) | 0x80;
      at += 1;
      rest >>>= 7;
    }
    buffer[at] = rest;
    this.#length = at + 1;
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  zeros(count: number): void {
    this.#reserve(count);
    this.#buffer.fill(0, this.#length, this.#length + count);
    this.#length += count;
  }

  setU32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  #reserve(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.max(wanted, this.#buffer.length * 2));
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
    this.#view = new DataView(grown.buffer);
  }
}

/** Reads what a {@link ByteWriter} wrote. Throws `RangeError` past the end or outside the bounds. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  u8(): number {
    this.#need(1);
    const value = this.#view.getUint8(this.#at);
    this.#at += 1;
    return value;
  }

  u32(): number {
    this.#need(4);
    const value = this.#view.getUint32(this.#at, true);
    this.#at += 4;
    return value;
  }

  u64(): number {
    const low = this.u32();
    return safe(low + this.u32() * two32);
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (let count = 0; count < 8; count += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return safe(value);
      scale *= 128;
    }
    throw new RangeError('Cannot read a number: it has more than 8 bytes');
  }

  /** A view, not a copy. */
  raw(count: number): Uint8Array {
    this.#need(count);
    const bytes = this.#bytes.subarray(this.#at, this.#at + count);
    this.#at += count;
    return bytes;
  }

  #need(count: number): void {
    if (count > this.left) {
      throw new RangeError(`Cannot read ${count} bytes: ${this.left} are left`);
    }
  }
}

/** CRC-32 (IEEE 802.3, as in zlib and PNG) of `bytes`, continued from `seed`. */
export function checksum(bytes: Uint8Array, seed: number = 0): number {
  return crc32(bytes, seed);
}

/** 16 bytes from 32 lowercase hex digits. Throws `TypeError` for any other name. */
export function bytesOfNodeId(nodeId: string): Uint8Array {
  if (!/^[0-9a-f]{32}$/.test(nodeId)) {
    throw new TypeError(`Cannot store node id ${nodeId}: wanted 32 lowercase hex digits`);
  }
  return new Uint8Array(Buffer.from(nodeId, 'hex'));
}

export function nodeIdOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

export function isZero(bytes: Uint8Array): boolean {
  for (const byte of bytes) if (byte !== 0) return false;
  return true;
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw new RangeError(`Cannot read number ${value}: too large`);
  return value;
}

const two32 = 2 ** 32;
