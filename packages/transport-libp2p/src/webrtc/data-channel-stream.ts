/** One RTCDataChannel as a stream of bytes. */
import type { ByteStream, ByteStreamEvents } from '../host/wire.ts';

/** Larger messages are not safe between all browsers, and hold up those of other channels. */
const messageBytesMax = 16 * 1024;
/** What waits in the browser is in front of the next heartbeat: kept short. */
const bufferedBytesMax = 256 * 1024;
const bufferedBytesLow = 64 * 1024;

export class DataChannelStream implements ByteStream {
  readonly #channel: RTCDataChannel;
  readonly #onOver: () => void;
  #events: ByteStreamEvents | null = null;
  #over = false;
  #drained: () => void = () => {};

  /** `onOver` is called once, when nothing passes any more in either direction. */
  constructor(channel: RTCDataChannel, onOver: () => void) {
    this.#channel = channel;
    this.#onOver = onOver;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = bufferedBytesLow;
    channel.onopen = () => this.#events?.writable();
    channel.onbufferedamountlow = () => {
      this.#drained();
      this.#events?.writable();
    };
    channel.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (data instanceof ArrayBuffer) this.#events?.bytes(new Uint8Array(data));
      // Text is nothing that this protocol sends.
      else this.abort();
    };
    channel.onclose = () => this.#end('ended');
    channel.onerror = () => this.#end('reset');
  }

  get isOpen(): boolean {
    return this.#channel.readyState === 'open';
  }

  get unsentBytes(): number {
    return this.#channel.bufferedAmount;
  }

  get isFull(): boolean {
    return !this.isOpen || this.#channel.bufferedAmount >= bufferedBytesMax;
  }

  listen(events: ByteStreamEvents): void {
    this.#events = events;
  }

  write(bytes: Uint8Array): void {
    for (let offset = 0; offset < bytes.length; offset += messageBytesMax) {
      this.#channel.send(bytes.slice(offset, offset + messageBytesMax));
    }
  }

  async close(signal: AbortSignal): Promise<void> {
    if (this.#over) return;
    this.#channel.bufferedAmountLowThreshold = 0;
    while (this.isOpen && this.#channel.bufferedAmount > 0) {
      await this.#change(signal);
    }
    this.#channel.close();
    while (!this.#isOver()) await this.#change(signal);
  }

  abort(): void {
    if (this.#over) return;
    this.#channel.close();
    this.#end('reset');
  }

  /** Its connection is gone. */
  reset(): void {
    this.#end('reset');
  }

  #isOver(): boolean {
    return this.#over;
  }

  #end(reason: 'ended' | 'reset'): void {
    if (this.#over) return;
    this.#over = true;
    this.#drained();
    this.#events?.ended(reason);
    this.#onOver();
  }

  /** Until the buffer has emptied or the stream is over. Rejects with `signal`. */
  async #change(signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const settle = (): void => {
        signal.removeEventListener('abort', giveUp);
        this.#drained = () => {};
        resolve();
      };
      const giveUp = (): void => reject(new Error('the channel did not close in time'));
      if (signal.aborted) giveUp();
      signal.addEventListener('abort', giveUp);
      this.#drained = settle;
    });
  }
}
