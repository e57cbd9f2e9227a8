/**
 * WebSockets as a network of libp2p, for pages and for Node. libp2p's own leaves a dial that is given
 * up without listeners and open, and drops those of accepted sockets (js-libp2p#883, ws#1835): there
 * a neighbour that hangs, or one malformed frame, ends the process (T7).
 */
import { serviceCapabilities, transportSymbol } from '@libp2p/interface';
import type {
  ComponentLogger,
  Connection,
  CreateListenerOptions,
  DialTransportOptions,
  Listener,
  Transport,
} from '@libp2p/interface';
import type { Multiaddr } from '@multiformats/multiaddr';
import { socketUrl } from './socket-url.ts';
import { SocketConnection, giveUp } from './socket-connection.ts';
import type { Socket } from './socket-connection.ts';

/** What differs between platforms. */
export type SocketPlatform = {
  /** Begins to connect; throws for a URL that the platform forbids. */
  connect(url: string): Socket;
  /** Whether a listener can be there; absent, as `listener` is, where nobody can listen. */
  canListen?(address: Multiaddr): boolean;
  listener?(logger: ComponentLogger, options: CreateListenerOptions): Listener;
};

export type WebSocketsFactory = (components: { readonly logger: ComponentLogger }) => Transport;

export function webSocketsOver(platform: SocketPlatform): WebSocketsFactory {
  return ({ logger }) => new WebSockets(platform, logger);
}

class WebSockets implements Transport {
  readonly [transportSymbol] = true;
  readonly [Symbol.toStringTag] = '@quorate/web-sockets';
  readonly [serviceCapabilities]: string[] = ['@libp2p/transport'];
  readonly #platform: SocketPlatform;
  readonly #logger: ComponentLogger;

  constructor(platform: SocketPlatform, logger: ComponentLogger) {
    this.#platform = platform;
    this.#logger = logger;
  }

  readonly dialFilter = (addresses: Multiaddr[]): Multiaddr[] =>
    addresses.filter((address) => socketUrl(address) !== null);

  readonly listenFilter = (addresses: Multiaddr[]): Multiaddr[] =>
    addresses.filter((address) => this.#platform.canListen?.(address) === true);

  async dial(address: Multiaddr, options: DialTransportOptions): Promise<Connection> {
    const connection = await this.#connect(address, options.signal);
    try {
      return await options.upgrader.upgradeOutbound(connection, options);
    } catch (error) {
      connection.abort(error instanceof Error ? error : new Error(String(error)));
      throw error;
    }
  }

  createListener(options: CreateListenerOptions): Listener {
    const listener = this.#platform.listener?.(this.#logger, options);
    if (listener === undefined) throw new Error('Cannot listen in a page');
    return listener;
  }

  /** Rejects with the end of the socket or with `signal`; nothing stays open then. */
  async #connect(address: Multiaddr, signal: AbortSignal): Promise<SocketConnection> {
    signal.throwIfAborted();
    const url = socketUrl(address);
    if (url === null) throw new Error(`Cannot dial ${address.toString()}: no WebSocket`);
    const socket = this.#platform.connect(url);
    socket.binaryType = 'arraybuffer';
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        giveUp(socket);
        reject(new Error(`Cannot connect to ${url}: given up`, { cause: signal.reason }));
      };
      signal.addEventListener('abort', onAbort, { once: true });
      // For the whole life of the socket: it may fail long after anybody cares (T7).
      socket.addEventListener('error', ({ error }) => {
        signal.removeEventListener('abort', onAbort);
        reject(new Error(`Cannot connect to ${url}`, { cause: error }));
      });
      socket.addEventListener('close', () => {
        signal.removeEventListener('abort', onAbort);
        reject(new Error(`Cannot connect to ${url}: closed`));
      });
      socket.addEventListener('open', () => {
        signal.removeEventListener('abort', onAbort);
        // In this turn: what the other side says at once must find its listener.
        const log = this.#logger.forComponent('quorate:web-sockets');
        resolve(new SocketConnection({ socket, remoteAddr: address, direction: 'outbound', log }));
      });
    });
  }
}
