/**
 * The room for answers that have not left yet: of one connection, and of all of them. A read waits for
 * its connection, which its own reader empties; where all connections together are full it is refused.
 * What a write came to is never refused: its bytes were bounded when it came.
 */
import { QuorateError } from '@quorate/contracts';
import type { Answer } from './answer.ts';
import { overloaded } from './problem.ts';

export type AnswerRoomOptions = {
  readonly answerBytesMax: number;
  readonly connectionAnswerBytesMax: number;
};

export class AnswerRoom {
  readonly #options: AnswerRoomOptions;
  #heldBytes = 0;

  constructor(options: AnswerRoomOptions) {
    this.#options = options;
  }

  /** Of all connections. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  open(): ConnectionRoom {
    return new ConnectionRoom(this, this.#options.connectionAnswerBytesMax);
  }

  /** For `ConnectionRoom`. */
  add(bytes: number): void {
    this.#heldBytes += bytes;
  }

  /**
   * How large a page may be now: never more than a share of what is left, so that the last ones still
   * find a little. Throws `OVERLOADED`.
   */
  pageBytes(): number {
    const { answerBytesMax } = this.#options;
    const leftBytes = answerBytesMax - this.#heldBytes;
    const bytes = Math.floor(Math.min(pageBytesMax, leftBytes / pageShare));
    if (bytes >= Math.min(pageBytesMin, answerBytesMax / pageShare)) return bytes;
    throw overloaded(
      'answerBytesMax',
      `Cannot read: ${this.#heldBytes} bytes of answers wait to be taken, wanted at most ${answerBytesMax}`,
    );
  }
}

export class ConnectionRoom {
  readonly #all: AnswerRoom;
  readonly #bytesMax: number;
  readonly #waiting: (() => void)[] = [];
  #heldBytes = 0;
  #closed = false;
  #reads: Promise<void> = Promise.resolve();

  constructor(all: AnswerRoom, bytesMax: number) {
    this.#all = all;
    this.#bytesMax = bytesMax;
  }

  /**
   * Carries out `read`, given the bytes that its answer may have, once those before it are answered and
   * this connection has room. Takes that room. Rejects with `OVERLOADED`, or `ABORTED` when the connection is gone.
   */
  read(read: (pageBytes: number) => Promise<Answer>): Promise<Answer> {
    const result = this.#reads.then(async () => {
      while (!this.#closed && this.#heldBytes >= this.#bytesMax) {
        await new Promise<void>((resolve) => this.#waiting.push(resolve));
      }
      if (this.#closed) throw new QuorateError('ABORTED', 'The connection of the caller is gone');
      const answer = await read(this.#all.pageBytes());
      this.take(answer.bytes);
      return answer;
    });
    // The next one need not know what became of this one.
    this.#reads = result.then(nothing, nothing);
    return result;
  }

  take(bytes: number): void {
    if (this.#closed) return;
    this.#heldBytes += bytes;
    this.#all.add(bytes);
  }

  /** So many bytes have left. */
  give(bytes: number): void {
    if (this.#closed) return;
    this.#heldBytes -= bytes;
    this.#all.add(-bytes);
    for (const resume of this.#waiting.splice(0)) resume();
  }

  /** The connection is gone, and what waited for it. Idempotent. */
  close(): void {
    this.give(this.#heldBytes);
    this.#closed = true;
  }
}

const nothing = (): void => undefined;
/** What a range answers with at most, however much it selects. */
const pageBytesMax = 4 * 1024 * 1024;
const pageBytesMin = 64 * 1024;
const pageShare = 4;
