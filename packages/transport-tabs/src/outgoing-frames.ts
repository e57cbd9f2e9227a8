/**
 * One channel of one direction, at the sending end. Posting never fails and never blocks, so the
 * receiver's credit is what keeps a fast sender from filling a slow tab's memory: about
 * `windowBytes` are under way, the rest waits here, and past `queueBytesMax` frames are refused.
 */
import { creditBytes, queueBytesMax, windowBytes } from './timing.ts';

export class OutgoingFrames {
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #underWayBytes = 0;
  #refused = false;

  /** Bytes that wait here. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** False: the queue is full, the frame is not taken. */
  push(frame: Uint8Array): boolean {
    if (this.#queuedBytes > 0 && this.#queuedBytes + frame.length > queueBytesMax) {
      this.#refused = true;
      return false;
    }
    this.#queue.push(frame);
    this.#queuedBytes += frame.length;
    return true;
  }

  /** The frames that may go now, in order; they are under way from then on. */
  take(): Uint8Array[] {
    let count = 0;
    for (const frame of this.#queue) {
      // Up to a quarter of the window the receiver may have read without a word (see tabs-link.ts):
      // whoever waited for that would wait in vain, and a frame larger than the window for ever.
      const full = this.#underWayBytes + frame.length > windowBytes;
      if (full && this.#underWayBytes >= creditBytes) break;
      this.#underWayBytes += frame.length;
      this.#queuedBytes -= frame.length;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  /** Everything, whatever the credit: for a link that ends. */
  takeAll(): Uint8Array[] {
    this.#queuedBytes = 0;
    return this.#queue.splice(0);
  }

  /** The other end has read `bytes` more. */
  credit(bytes: number): void {
    this.#underWayBytes = Math.max(0, this.#underWayBytes - bytes);
  }

  /** True once after a refusal, as soon as there is room again. */
  hasDrained(): boolean {
    if (!this.#refused || this.#queuedBytes > queueBytesMax / 2) return false;
    this.#refused = false;
    return true;
  }
}
