/**
 * Frames on a stream: a varint length, then that many bytes. Length 0 announces a control record
 * instead: one byte of type, one byte of length, up to 255 bytes. A length is checked before
 * anything is allocated for it.
 */

/** The stream broke the rules of framing; it cannot be read any further. */
export class FramingError extends Error {
  override readonly name = 'FramingError';
}

export type FrameEvents = {
  /** The buffer is the receiver's. */
  frame(frame: Uint8Array): void;
  control(type: number, payload: Uint8Array): void;
};

const varintBytesMax = 5;

/** Bytes that the length of a frame of `size` bytes takes. */
export function lengthBytes(size: number): number {
  let bytes = 1;
  for (let rest = size; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes += 1;
  return bytes;
}

/** Writes the length of a frame at `offset` and returns the offset behind it. */
export function writeLength(target: Uint8Array, offset: number, size: number): number {
  let rest = size;
  let position = offset;
  while (rest >= 0x80) {
    target[position] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
    position += 1;
  }
  target[position] = rest;
  return position + 1;
}

export function controlRecord(type: number, payload: Uint8Array): Uint8Array {
  const record = new Uint8Array(3 + payload.length);
  record[1] = type;
  record[2] = payload.length;
  record.set(payload, 3);
  return record;
}

/** Cuts a stream of chunks into frames and control records. */
export class FrameReader {
  readonly #frameBytesMax: number;
  readonly #events: FrameEvents;
  /** What is being read: a length, the two bytes of a control record, or a body. */
  #state: 'length' | 'control' | 'body' = 'length';
  #length = 0;
  #lengthShift = 0;
  #lengthCount = 0;
  #controlType = -1;
  #isControl = false;
  #body: Uint8Array = new Uint8Array(0);
  #bodyFilled = 0;

  constructor(frameBytesMax: number, events: FrameEvents) {
    this.#frameBytesMax = frameBytesMax;
    this.#events = events;
  }

  /** Takes the next bytes; frames are views of it where they lie in it whole. Throws FramingError. */
  push(chunk: Uint8Array): void {
    let offset = 0;
    while (offset < chunk.length) {
      offset =
        this.#state === 'body' ? this.#readBody(chunk, offset) : this.#readHead(chunk, offset);
    }
  }

  #readHead(chunk: Uint8Array, offset: number): number {
    const byte = chunk[offset] ?? 0;
    if (this.#state === 'control') {
      if (this.#controlType < 0) {
        this.#controlType = byte;
      } else {
        this.#isControl = true;
        this.#startBody(byte);
      }
      return offset + 1;
    }
    this.#length += (byte & 0x7f) * 2 ** this.#lengthShift;
    this.#lengthShift += 7;
    this.#lengthCount += 1;
    if (byte < 0x80) {
      if (byte === 0 && this.#lengthCount > 1) {
        throw new FramingError('Cannot read a length: padded with zeros, wanted the shortest form');
      }
      if (this.#length > this.#frameBytesMax) {
        throw new FramingError(
          `Cannot read a frame: ${this.#length} bytes, wanted at most ${this.#frameBytesMax}`,
        );
      }
      if (this.#length === 0) {
        this.#state = 'control';
        this.#controlType = -1;
      } else {
        this.#isControl = false;
        this.#startBody(this.#length);
      }
    } else if (this.#lengthCount === varintBytesMax) {
      throw new FramingError(`Cannot read a length: longer than ${varintBytesMax} bytes`);
    }
    return offset + 1;
  }

  #startBody(length: number): void {
    this.#length = length;
    this.#bodyFilled = 0;
    this.#body = new Uint8Array(0);
    this.#state = 'body';
    if (length === 0) this.#finish(new Uint8Array(0));
  }

  #readBody(chunk: Uint8Array, offset: number): number {
    const missing = this.#length - this.#bodyFilled;
    const available = Math.min(missing, chunk.length - offset);
    const end = offset + available;
    if (this.#bodyFilled === 0 && available === missing) {
      this.#finish(chunk.subarray(offset, end));
      return end;
    }
    this.#makeRoom(this.#bodyFilled + available);
    this.#body.set(chunk.subarray(offset, end), this.#bodyFilled);
    this.#bodyFilled += available;
    if (this.#bodyFilled === this.#length) this.#finish(this.#body);
    return end;
  }

  /** Memory is taken as bytes come, not as they are announced: a length costs its sender nothing. */
  #makeRoom(size: number): void {
    if (size <= this.#body.length) return;
    const grown = new Uint8Array(Math.min(this.#length, Math.max(size, 2 * this.#body.length)));
    grown.set(this.#body);
    this.#body = grown;
  }

  #finish(body: Uint8Array): void {
    this.#state = 'length';
    this.#length = 0;
    this.#lengthShift = 0;
    this.#lengthCount = 0;
    this.#body = new Uint8Array(0);
    if (this.#isControl) this.#events.control(this.#controlType, body);
    else this.#events.frame(body);
  }
}
