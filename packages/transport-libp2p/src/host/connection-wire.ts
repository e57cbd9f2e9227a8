/** libp2p's connections and streams as wires. */
import type { Connection, Stream } from '@libp2p/interface';
import type { Channel, HostId, LinkKind } from '@quorate/contracts';
import { kindOf } from './addresses.ts';
import { protocolOf } from './link-protocol.ts';
import type { ByteStream, ByteStreamEvents, Wire } from './wire.ts';

export class ConnectionWire implements Wire {
  readonly id: string;
  readonly host: HostId;
  readonly kind: LinkKind;
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.id = connection.id;
    this.host = connection.remotePeer.toString();
    this.kind = kindOf(connection.remoteAddr);
  }

  async open(channel: Channel, signal: AbortSignal): Promise<ByteStream> {
    return this.stream(protocolOf[channel], signal);
  }

  /** A stream of any protocol. */
  async stream(protocol: string, signal: AbortSignal): Promise<ByteStream> {
    const stream = await this.#connection.newStream(protocol, {
      signal,
      runOnLimitedConnection: true,
    });
    return new Libp2pStream(stream);
  }

  discard(reason: string): void {
    this.#connection.abort(new Error(reason));
  }
}

export class Libp2pStream implements ByteStream {
  readonly #stream: Stream;
  /** Came in one piece with what made the reader pause. */
  #rest: Uint8Array[] = [];
  #isPaused = false;
  #bytes: (chunk: Uint8Array) => void = () => {};

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  get isOpen(): boolean {
    return this.#stream.status === 'open';
  }

  get unsentBytes(): number {
    return this.#stream.writeBufferLength;
  }

  get isFull(): boolean {
    return this.#stream.writableNeedsDrain;
  }

  listen(events: ByteStreamEvents): void {
    this.#bytes = (chunk) => events.bytes(chunk);
    this.#stream.addEventListener('message', ({ data }) => {
      for (const chunk of data instanceof Uint8Array ? [data] : data) {
        if (this.#isPaused) this.#rest.push(chunk);
        else events.bytes(chunk);
      }
    });
    this.#stream.addEventListener('drain', () => events.writable());
    this.#stream.addEventListener('remoteCloseWrite', () => events.ended('ended'));
    this.#stream.addEventListener('close', ({ error }) =>
      events.ended(error === undefined ? 'ended' : 'reset'),
    );
  }

  write(bytes: Uint8Array): void {
    this.#stream.send(bytes);
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
      else this.#bytes(chunk);
    }
    if (!this.#isPaused && this.#stream.readStatus === 'paused') this.#stream.resume();
  }

  async close(signal: AbortSignal): Promise<void> {
    await this.#stream.close({ signal });
  }

  abort(reason: string): void {
    this.#stream.abort(new Error(reason));
  }
}
