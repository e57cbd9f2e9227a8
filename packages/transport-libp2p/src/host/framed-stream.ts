/**
 * One stream of bytes as a channel of frames. Outgoing frames of one turn are joined into few big
 * writes (many small ones cost ten times as much), and wait here, counted and bounded, while the
 * network is full. Incoming bytes begin with a prefix of fixed length, then frames.
 */
import {
  FrameReader,
  FramingError,
  controlRecord,
  lengthBytes,
  writeLength,
} from '../wire/frames.ts';
import type { ByteStream } from './wire.ts';

export type FramedStreamEvents = {
  /** The first `prefixBytes` bytes of the other side. */
  prefix(bytes: Uint8Array): void;
  frame(frame: Uint8Array): void;
  control(type: number, payload: Uint8Array): void;
  /** After a refused frame: half of the queue is free again. */
  drained(): void;
  /** Nothing more will be read. Called once; not after `abort`. */
  ended(reason: string): void;
};

export type FramedStreamOptions = {
  readonly stream: ByteStream;
  readonly prefixBytes: number;
  readonly frameBytesMax: number;
  readonly queueBytesMax: number;
  readonly events: FramedStreamEvents;
};

/** What waits to be written. `control`: the type of a control record, null for all else. */
type Queued = { bytes: Uint8Array; readonly framed: boolean; readonly control: number | null };

/** Frames up to this size are copied together into writes of about this size. */
const writeBytesWanted = 64 * 1024;

export class FramedStream {
  readonly #stream: ByteStream;
  readonly #queueBytesMax: number;
  readonly #reader: FrameReader;
  #events: FramedStreamEvents;
  #prefix: Uint8Array;
  #prefixFilled = 0;
  #queue: Queued[] = [];
  /** Control records that wait in the queue, by type. */
  readonly #controls = new Map<number, Queued>();
  #queueBytes = 0;
  #flushing = false;
  #refused = false;
  #closing = false;
  #over = false;

  constructor(options: FramedStreamOptions) {
    this.#stream = options.stream;
    this.#queueBytesMax = options.queueBytesMax;
    this.#events = options.events;
    this.#prefix = new Uint8Array(options.prefixBytes);
    this.#reader = new FrameReader(options.frameBytesMax, {
      frame: (frame) => {
        if (!this.#over) this.#events.frame(frame);
      },
      control: (type, payload) => {
        if (!this.#over) this.#events.control(type, payload);
      },
    });
    this.#stream.listen({
      bytes: (chunk) => this.#take(chunk),
      writable: () => this.#flush(),
      ended: (reason) => this.#end(reason),
    });
  }

  /** Bytes accepted and not yet handed to the network. */
  get unsentBytes(): number {
    return this.#queueBytes + this.#stream.unsentBytes;
  }

  /** Hands the stream to another listener, once its owner is known. */
  setEvents(events: FramedStreamEvents): void {
    this.#events = events;
  }

  /** Reads `bytes` bytes as a prefix before any frame; called before frames may come. */
  expectPrefix(bytes: number): void {
    this.#prefix = new Uint8Array(bytes);
    this.#prefixFilled = 0;
  }

  /** Queues one frame, or returns false when the queue is full. */
  send(frame: Uint8Array): boolean {
    if (this.#over || this.#closing) return false;
    if (this.unsentBytes > 0 && this.unsentBytes + frame.length > this.#queueBytesMax) {
      this.#refused = true;
      return false;
    }
    this.#enqueue({ bytes: frame, framed: true, control: null });
    return true;
  }

  /**
   * Control records are never refused, and one of a type waits at most: a later one takes its place
   * (T9). A peer that asks and does not read would otherwise have the answers pile up.
   */
  sendControl(type: number, payload: Uint8Array): void {
    if (this.#over || this.#closing) return;
    const bytes = controlRecord(type, payload);
    const waiting = this.#controls.get(type);
    if (waiting === undefined) {
      this.#enqueue({ bytes, framed: false, control: type });
      return;
    }
    this.#queueBytes += bytes.length - waiting.bytes.length;
    waiting.bytes = bytes;
  }

  /** Bytes outside of framing: prefixes. */
  sendPrefix(bytes: Uint8Array): void {
    if (!this.#over && !this.#closing) this.#enqueue({ bytes, framed: false, control: null });
  }

  /** Sends what is queued and ends this side, by force after `graceMs`. Nothing more is reported. */
  close(graceMs: number): void {
    if (this.#closing || this.#over) return;
    this.#closing = true;
    try {
      // The stream's own buffer takes all of it; closing waits until that is empty.
      for (let next = 0; next < this.#queue.length;) next = this.#writeFrom(next);
    } catch {
      // The stream closed under us: nobody is left to hear.
    }
    this.#clear();
    this.#over = true;
    const force = setTimeout(() => this.#reset('closing took too long'), graceMs);
    this.#stream.close(AbortSignal.timeout(graceMs)).then(
      () => clearTimeout(force),
      () => {
        clearTimeout(force);
        this.#reset('closing failed');
      },
    );
  }

  abort(reason: string): void {
    if (this.#over && !this.#closing) return;
    this.#over = true;
    this.#clear();
    this.#reset(reason);
  }

  #clear(): void {
    this.#queue = [];
    this.#queueBytes = 0;
    this.#controls.clear();
  }

  #reset(reason: string): void {
    this.#stream.abort(reason);
  }

  #enqueue(item: Queued): void {
    this.#queue.push(item);
    this.#queueBytes += item.bytes.length;
    if (item.control !== null) this.#controls.set(item.control, item);
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#over) return;
    try {
      let next = 0;
      while (next < this.#queue.length && !this.#stream.isFull) {
        next = this.#writeFrom(next);
      }
      if (next > 0) this.#queue.splice(0, next);
    } catch {
      // The stream closed under us; its close event ends this channel.
      this.#clear();
    }
    if (this.#refused && this.unsentBytes <= this.#queueBytesMax / 2) {
      this.#refused = false;
      this.#events.drained();
    }
  }

  /** Writes one block of queued items and returns the position of the first that is left. */
  #writeFrom(first: number): number {
    let size = 0;
    let next = first;
    for (; next < this.#queue.length; next += 1) {
      const item = this.#queue[next];
      if (item === undefined) break;
      const itemBytes = item.bytes.length + (item.framed ? lengthBytes(item.bytes.length) : 0);
      if (next > first && size + itemBytes > writeBytesWanted) break;
      size += itemBytes;
    }
    const block = new Uint8Array(size);
    let offset = 0;
    for (let position = first; position < next; position += 1) {
      const item = this.#queue[position];
      if (item === undefined) break;
      if (item.control !== null) this.#controls.delete(item.control);
      if (item.framed) offset = writeLength(block, offset, item.bytes.length);
      block.set(item.bytes, offset);
      offset += item.bytes.length;
      this.#queueBytes -= item.bytes.length;
    }
    this.#stream.write(block);
    return next;
  }

  #take(chunk: Uint8Array): void {
    if (this.#over) return;
    let rest = chunk;
    // One prefix may follow another: `prefix` may ask for the next.
    while (this.#prefixFilled < this.#prefix.length && rest.length > 0) {
      const count = Math.min(this.#prefix.length - this.#prefixFilled, rest.length);
      this.#prefix.set(rest.subarray(0, count), this.#prefixFilled);
      this.#prefixFilled += count;
      if (this.#prefixFilled < this.#prefix.length) return;
      rest = rest.subarray(count);
      this.#events.prefix(this.#prefix);
    }
    if (rest.length === 0 || this.#over) return;
    try {
      this.#reader.push(rest);
    } catch (error) {
      if (!(error instanceof FramingError)) throw error;
      this.#end(error.message);
      this.#reset('unreadable');
    }
  }

  #end(reason: string): void {
    if (this.#over) return;
    this.#over = true;
    this.#clear();
    this.#events.ended(reason);
    if (this.#stream.isOpen) {
      this.#stream.close(AbortSignal.timeout(1_000)).catch(() => this.#reset('ended'));
    }
  }
}
