/** A stream that is read only while its reader wants more. */
import type { Stream } from '@libp2p/interface';
import { Libp2pStream } from '../host/connection-wire.ts';
import type { ByteStreamEvents } from '../host/wire.ts';

export class PausableStream extends Libp2pStream {
  readonly #stream: Stream;
  /** Came in one piece with what made the reader pause. */
  #rest: Uint8Array[] = [];
  #isPaused = false;
  #take: (chunk: Uint8Array) => void = () => {};

  constructor(stream: Stream) {
    super(stream);
    this.#stream = stream;
  }

  override listen(events: ByteStreamEvents): void {
    this.#take = (chunk) => events.bytes(chunk);
    super.listen({
      bytes: (chunk) => {
        if (this.#isPaused) this.#rest.push(chunk);
        else events.bytes(chunk);
      },
      writable: () => events.writable(),
      ended: (reason) => events.ended(reason),
    });
  }

  /** Nothing is read until `resume`: the other side's window closes. Idempotent. */
  pause(): void {
    this.#isPaused = true;
    if (this.#stream.readStatus === 'readable') this.#stream.pause();
  }

  /** Idempotent. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const rest = this.#rest;
    this.#rest = [];
    for (const chunk of rest) {
      if (this.#isPaused) this.#rest.push(chunk);
      else this.#take(chunk);
    }
    if (!this.#isPaused && this.#stream.readStatus === 'paused') this.#stream.resume();
  }
}
