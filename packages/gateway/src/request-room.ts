/**
 * The room for the bodies of requests under way. A body that finds none waits for it, in turn, and is not
 * read meanwhile: it lies with its sender, who would otherwise send it again and again, and take from
 * those whose calls are under way. Beyond a few times the room, or too long, it is refused.
 */
import { onAbort, QuorateError } from '@quorate/contracts';
import { overloaded } from './problem.ts';

type Waiting = { readonly bytes: number; readonly enter: () => void };

export class RequestRoom {
  readonly #bytesMax: number;
  readonly #waitMs: number;
  readonly #waiting = new Set<Waiting>();
  #heldBytes = 0;
  #waitingBytes = 0;

  constructor(bytesMax: number, waitMs: number) {
    this.#bytesMax = bytesMax;
    this.#waitMs = waitMs;
  }

  /** Of all bodies that are here, or on their way with room for them. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  /** Of all bodies that wait for room. */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /** Takes room for `bytes`, once there is some. Rejects with `OVERLOADED` or `ABORTED`. */
  async enter(bytes: number, gone: AbortSignal): Promise<void> {
    if (gone.aborted) throw callerGone();
    // A question of a few bytes does not wait behind writes of a megabyte.
    const passes = bytes <= smallBytesMax && this.#fits(bytes, this.#bytesMax / 8);
    if (passes || (this.#waiting.size === 0 && this.#fits(bytes))) this.#heldBytes += bytes;
    else await this.#wait(bytes, gone);
  }

  /** More came than was announced. Throws `OVERLOADED`: who waited here would keep others waiting. */
  add(bytes: number): void {
    if (!this.#fits(bytes)) throw this.#full(bytes);
    this.#heldBytes += bytes;
  }

  leave(bytes: number): void {
    this.#heldBytes -= bytes;
    this.#admit();
  }

  /** A lone request is taken whatever its size, which has a limit of its own. */
  #fits(bytes: number, moreBytes: number = 0): boolean {
    return this.#heldBytes === 0 || this.#heldBytes + bytes <= this.#bytesMax + moreBytes;
  }

  async #wait(bytes: number, gone: AbortSignal): Promise<void> {
    if (this.#waitingBytes + bytes > waitingTimes * this.#bytesMax) throw this.#full(bytes);
    this.#waitingBytes += bytes;
    let end = (): void => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        const waiting: Waiting = { bytes, enter: resolve };
        this.#waiting.add(waiting);
        const timer = setTimeout(() => reject(this.#full(bytes)), this.#waitMs);
        const forget = onAbort(gone, () => reject(callerGone()));
        end = () => {
          clearTimeout(timer);
          forget();
          this.#waiting.delete(waiting);
        };
      });
    } finally {
      end();
      this.#waitingBytes -= bytes;
      // Whoever gave up may have stood in front of one that fits.
      this.#admit();
    }
  }

  #admit(): void {
    for (const waiting of this.#waiting) {
      if (!this.#fits(waiting.bytes)) return;
      this.#waiting.delete(waiting);
      this.#heldBytes += waiting.bytes;
      waiting.enter();
    }
  }

  #full(bytes: number): QuorateError {
    return overloaded(
      'requestBytesMax',
      `Cannot take ${bytes} bytes more: requests of ${this.#heldBytes} bytes are under way and of ${this.#waitingBytes} wait, wanted at most ${this.#bytesMax} and ${waitingTimes * this.#bytesMax}`,
    );
  }
}

function callerGone(): QuorateError {
  return new QuorateError('ABORTED', 'The connection of the caller is gone');
}

/** Of the room: as much may wait for it. */
const waitingTimes = 4;
const smallBytesMax = 16 * 1024;
