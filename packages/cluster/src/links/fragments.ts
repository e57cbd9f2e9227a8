/**
 * Cuts what is longer than a transport's frame into fragments and joins them again. Order within a
 * channel makes this simple; where a network loses a fragment the whole is dropped.
 */
import { ByteReader, ByteWriter, QuorateError } from '@quorate/contracts';

/** Yields frames of at most `frameBytesMax` bytes that carry `body`. */
export function fragment(body: Uint8Array, frameBytesMax: number): Uint8Array[] {
  if (body.length + 1 <= frameBytesMax) {
    return [new ByteWriter(body.length + 1).u8(whole).raw(body).finish()];
  }
  const share = frameBytesMax - fragmentHeaderBytes;
  const frames: Uint8Array[] = [];
  for (let from = 0; from < body.length; from += share) {
    const part = body.subarray(from, from + share);
    frames.push(
      new ByteWriter(part.length + fragmentHeaderBytes)
        .u8(fragmented)
        .varint(body.length)
        .varint(from)
        .raw(part)
        .finish(),
    );
  }
  return frames;
}

export class Reassembler {
  readonly #bodyBytesMax: number;
  /** Grows as bytes come: neither what is announced nor many small pieces take more than they say. */
  #body = new Uint8Array(0);
  #received = 0;
  #total = 0;

  constructor(bodyBytesMax: number) {
    this.#bodyBytesMax = bodyBytesMax;
  }

  /**
   * Returns a body once it is whole, else null. Throws `BAD_REQUEST` for a body over the limit, and for
   * a piece without a byte, of which there may be any number.
   */
  push(frame: Uint8Array): Uint8Array | null {
    const reader = new ByteReader(frame);
    const kind = reader.u8();
    if (kind === whole) {
      this.#reset();
      return reader.rest();
    }
    if (kind !== fragmented)
      throw new QuorateError('BAD_REQUEST', `Cannot read frame kind ${kind}`);
    const total = reader.varint();
    const from = reader.varint();
    if (total > this.#bodyBytesMax) {
      throw new QuorateError(
        'BAD_REQUEST',
        `Cannot take a body of ${total} bytes: wanted at most ${this.#bodyBytesMax}`,
      );
    }
    if (from === 0) {
      this.#reset();
      this.#total = total;
    }
    const part = reader.rest();
    if (part.length === 0) throw new QuorateError('BAD_REQUEST', 'Cannot take an empty fragment');
    const received = from + part.length;
    if (from !== this.#received || total !== this.#total || received > total) {
      this.#reset();
      return null;
    }
    this.#makeRoom(received);
    this.#body.set(part, from);
    this.#received = received;
    if (received < total) return null;
    const body = this.#body;
    this.#reset();
    return body;
  }

  #makeRoom(size: number): void {
    if (size <= this.#body.length) return;
    const grown = new Uint8Array(Math.min(this.#total, Math.max(size, 2 * this.#body.length)));
    grown.set(this.#body);
    this.#body = grown;
  }

  #reset(): void {
    this.#body = new Uint8Array(0);
    this.#received = 0;
    this.#total = 0;
  }
}

const whole = 0;
const fragmented = 1;
const fragmentHeaderBytes = 17;
