/**
 * A WebSocket as what libp2p upgrades: bytes in order, both ways, cut into messages as it suits.
 *
 * A socket has its listeners for its whole life, also after it was given up: an `error` that nobody
 * hears ends a Node process, and one malformed frame of a stranger makes one (T7).
 */
import type { Logger } from '@libp2p/interface';
import { AbstractMultiaddrConnection } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';

/** What is used of a WebSocket: the platform's own, or that of `ws`. */
export type Socket = {
  binaryType: string;
  readonly bufferedAmount: number;
  send(data: Uint8Array<ArrayBuffer>): void;
  close(): void;
  /** Ends it without a word to the other side; not every platform can. */
  terminate?(): void;
  addEventListener(type: 'open' | 'close' | 'error' | 'message', listener: SocketListener): void;
};

export type SocketListener = (event: {
  readonly data?: unknown;
  readonly wasClean?: boolean;
  readonly error?: unknown;
}) => void;

export type SocketConnectionOptions = {
  readonly socket: Socket;
  readonly remoteAddr: Multiaddr;
  readonly direction: 'inbound' | 'outbound';
  readonly log: Logger;
};

/** Longest message that is taken, and longer than any that is sent: a byte more ends the socket. */
export const messageBytesMax: number = 128 * 1024;
const messageBytesWanted = 64 * 1024;

/**
 * What may wait in the socket is kept short: it is in front of every heartbeat, what waits in a
 * stream's queue is not.
 */
const bufferedBytesMax = 512 * 1024;
const bufferedPollMs = 2;

/** What may wait for somebody to read it, or for the socket to take it, before it is given up. */
const waitingBytesMax = 1024 * 1024;

export class SocketConnection extends AbstractMultiaddrConnection {
  readonly #socket: Socket;
  #poll: ReturnType<typeof setInterval> | null = null;

  constructor({ socket, remoteAddr, direction, log }: SocketConnectionOptions) {
    super({
      remoteAddr,
      direction,
      log,
      maxReadBufferLength: waitingBytesMax,
      maxWriteBufferLength: waitingBytesMax,
    });
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      if (data instanceof ArrayBuffer) this.onData(new Uint8Array(data));
      else this.abort(new Error('a message of text'));
    });
    socket.addEventListener('close', ({ wasClean }) => {
      this.#stopPolling();
      if (this.status !== 'open' && this.status !== 'closing') return;
      if (wasClean === true) this.onTransportClosed();
      else this.onRemoteReset();
    });
  }

  override sendData(data: Parameters<AbstractMultiaddrConnection['sendData']>[0]): {
    sentBytes: number;
    canSendMore: boolean;
  } {
    for (let sent = 0; sent < data.byteLength; sent += messageBytesWanted) {
      const end = Math.min(sent + messageBytesWanted, data.byteLength);
      this.#socket.send(data.subarray(sent, end) as Uint8Array<ArrayBuffer>);
    }
    const canSendMore = this.#socket.bufferedAmount < bufferedBytesMax;
    if (!canSendMore) this.#poll ??= setInterval(() => this.#look(), bufferedPollMs);
    return { sentBytes: data.byteLength, canSendMore };
  }

  override sendReset(): void {
    this.#stopPolling();
    giveUp(this.#socket);
  }

  override async sendClose(): Promise<void> {
    this.#stopPolling();
    this.#socket.close();
  }

  /** Neither has a word for a reader that pauses: the windows of the streams above see to it. */
  override sendPause(): void {}
  override sendResume(): void {}

  #look(): void {
    if (this.#socket.bufferedAmount > 0) return;
    this.#stopPolling();
    this.safeDispatchEvent('drain');
  }

  #stopPolling(): void {
    if (this.#poll !== null) clearInterval(this.#poll);
    this.#poll = null;
  }
}

/** Ends a socket in whatever state it is, and lets go of what the system holds for it. */
export function giveUp(socket: Socket): void {
  if (socket.terminate === undefined) socket.close();
  else socket.terminate();
}
