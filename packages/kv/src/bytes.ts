/**
 * The compact form of commands, results and snapshots: bytes, minimal varints, and strings and byte
 * strings with their length in front. One value has one form, so that equal state gives equal bytes.
 */

/** Foreign or damaged bytes. Caught where they enter; never leaves the package as such. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError';
}

/** Grows by doubling; `take` hands the bytes over and starts anew. */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacityBytes: number = 256) {
    this.#bytes = new Uint8Array(capacityBytes);
  }

  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
  }

  /** An integer from 0 to 2^53 - 1, seven bits a byte, lowest first. */
  varint(value: number): void {
    this.#reserve(8);
    let rest = value;
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes[this.#length++] = rest;
  }

  /** A safe integer: its sign, then its magnitude. */
  integer(value: number): void {
    this.byte(value < 0 ? 1 : 0);
    this.varint(Math.abs(value));
  }

  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  text(text: string): void {
    if (!this.#shortAscii(text)) this.bytes(encoder.encode(text));
  }

  /** Most texts are short keys: a snapshot holds thousands, and an encoder's call costs more than they do. */
  #shortAscii(text: string): boolean {
    const { length } = text;
    if (length > 0x7f) return false;
    this.#reserve(length + 1);
    const start = this.#length + 1;
    for (let index = 0; index < length; index += 1) {
      const code = text.charCodeAt(index);
      if (code > 0x7f) return false;
      this.#bytes[start + index] = code;
    }
    this.#bytes[start - 1] = length;
    this.#length = start + length;
    return true;
  }

  uint16(value: number): void {
    this.#reserve(2);
    viewOf(this.#bytes).setUint16(this.#length, value);
    this.#length += 2;
  }

  uint32(value: number): void {
    this.#reserve(4);
    viewOf(this.#bytes).setUint32(this.#length, value);
    this.#length += 4;
  }

  float32(value: number): void {
    this.#reserve(4);
    viewOf(this.#bytes).setFloat32(this.#length, value);
    this.#length += 4;
  }

  float64(value: number): void {
    this.#reserve(8);
    viewOf(this.#bytes).setFloat64(this.#length, value);
    this.#length += 8;
  }

  /** A copy of what was written since the last `take`. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }

  #reserve(count: number): void {
    const wanted = this.#length + count;
    if (wanted <= this.#bytes.length) return;
    let capacity = this.#bytes.length * 2;
    while (capacity < wanted) capacity *= 2;
    const grown = new Uint8Array(capacity);
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/** Reads what `ByteWriter` wrote. Every method throws `DecodeError` past the end or off the form. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#bytes.length - this.#offset;
  }

  byte(): number {
    return this.#bytes[this.#advance(1)] as number;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const part = this.byte();
      value += (part & 0x7f) * scale;
      if (value > Number.MAX_SAFE_INTEGER) throw new DecodeError('number above 2^53 - 1');
      if (part < 0x80) {
        if (part === 0 && scale > 1) throw new DecodeError('number longer than needed');
        return value;
      }
      scale *= 0x80;
      if (scale > 2 ** 49) throw new DecodeError('number above 2^53 - 1');
    }
  }

  /** A count of things of at least `itemBytesMin` bytes each, checked before anything is allocated. */
  count(itemBytesMin: number): number {
    const count = this.varint();
    if (count * itemBytesMin > this.remaining) throw new DecodeError('count beyond the end');
    return count;
  }

  integer(): number {
    const sign = this.byte();
    const magnitude = this.varint();
    if (sign > 1 || (sign === 1 && magnitude === 0)) throw new DecodeError('bad sign');
    return sign === 1 ? -magnitude : magnitude;
  }

  flag(): boolean {
    const value = this.byte();
    if (value > 1) throw new DecodeError('bad flag');
    return value === 1;
  }

  /** A view into the buffer that is read, not a copy. */
  raw(length: number): Uint8Array {
    const start = this.#advance(length);
    return this.#bytes.subarray(start, start + length);
  }

  /** A view into the buffer that is read, not a copy. */
  bytes(): Uint8Array {
    return this.raw(this.varint());
  }

  text(): string {
    return decodeText(this.bytes());
  }

  uint16(): number {
    return viewOf(this.#bytes).getUint16(this.#advance(2));
  }

  uint32(): number {
    return viewOf(this.#bytes).getUint32(this.#advance(4));
  }

  float32(): number {
    return viewOf(this.#bytes).getFloat32(this.#advance(4));
  }

  float64(): number {
    return viewOf(this.#bytes).getFloat64(this.#advance(8));
  }

  /** Nothing may follow. */
  end(): void {
    if (this.remaining > 0) throw new DecodeError('bytes after the end');
  }

  #advance(count: number): number {
    const start = this.#offset;
    if (count > this.#bytes.length - start) throw new DecodeError('bytes end early');
    this.#offset = start + count;
    return start;
  }
}

/** Made where it is needed: most of what is read and written has no use for one. */
function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Strict UTF-8. A byte order mark is a character like any other. */
export function decodeText(bytes: Uint8Array): string {
  if (bytes.length < 32) {
    const text = shortAscii(bytes);
    if (text !== null) return text;
  }
  try {
    return decoder.decode(bytes);
  } catch {
    throw new DecodeError('text that is not UTF-8');
  }
}

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text);
}

// Keys are short and mostly ASCII: a loop is faster there than a call into the platform.
function shortAscii(bytes: Uint8Array): string | null {
  let text = '';
  for (const byte of bytes) {
    if (byte > 0x7f) return null;
    text += String.fromCharCode(byte);
  }
  return text;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
