/**
 * Where others dial a Node process: an HTTP server of its own that knows nothing but to upgrade to
 * WebSockets. Whatever a stranger sends costs that stranger's socket, and nothing else (T7).
 */
import { setMaxListeners } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket as NetSocket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TypedEventEmitter } from '@libp2p/interface';
import type {
  ComponentLogger,
  CreateListenerOptions,
  Listener,
  ListenerEvents,
  Logger,
} from '@libp2p/interface';
import { getNetConfig, getThinWaistAddresses, ipPortToMultiaddr } from '@libp2p/utils';
import type { Multiaddr } from '@multiformats/multiaddr';
import { WebSocketServer } from 'ws';
import type { WebSocket } from 'ws';
import { SocketConnection } from '../web-sockets/socket-connection.ts';
import type { Socket } from '../web-sockets/socket-connection.ts';
import { isMalformed, limits } from './socket-limits.ts';

export class WebSocketListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #upgrader: CreateListenerOptions['upgrader'];
  readonly #log: Logger;
  readonly #connectionLog: Logger;
  readonly #onBroken: () => void;
  readonly #server: Server;
  readonly #webSockets = new WebSocketServer({ noServer: true, clientTracking: false, ...limits });
  readonly #sockets = new Set<NetSocket>();
  readonly #closing = new AbortController();
  #address: Multiaddr | null = null;

  /** `onBroken` is called for each socket that ended because of what was sent on it. */
  constructor(logger: ComponentLogger, options: CreateListenerOptions, onBroken: () => void) {
    super();
    this.#upgrader = options.upgrader;
    this.#log = logger.forComponent('quorate:web-sockets:listener');
    this.#connectionLog = logger.forComponent('quorate:web-sockets');
    this.#onBroken = onBroken;
    // One for each connection that is being upgraded.
    setMaxListeners(Infinity, this.#closing.signal);
    this.#server = createServer(refuse);
    this.#server.on('connection', (socket) => this.#hold(socket));
    this.#server.on('upgrade', (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on('clientError', (error, socket) => {
      if (isMalformed(error)) onBroken();
      socket.destroy();
    });
    // Accepting may fail for want of descriptors, for as long as the server lives.
    this.#server.on('error', (error) => this.#log.error('cannot accept - %e', error));
  }

  async listen(address: Multiaddr): Promise<void> {
    const { host, port, type } = getNetConfig(address);
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen({ host, port, ipv6Only: type === 'ip6' }, () => {
        this.#server.off('error', reject);
        resolve();
      });
    });
    this.#address = address;
    this.safeDispatchEvent('listening');
  }

  getAddrs(): Multiaddr[] {
    const bound = this.#server.address();
    if (this.#address === null || bound === null || typeof bound === 'string') return [];
    return getThinWaistAddresses(this.#address, bound.port).map((address) =>
      address.encapsulate('/ws'),
    );
  }

  updateAnnounceAddrs(): void {}

  async close(): Promise<void> {
    this.#closing.abort();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.safeDispatchEvent('close');
  }

  /** A socket has a listener from its first moment on, whoever else it is handed to. */
  #hold(socket: NetSocket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const { remoteAddress, remotePort } = request.socket;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      // Listens before anything else can happen: `ws` tells malformed frames as errors.
      webSocket.on('error', (error) => {
        if (isMalformed(error)) this.#onBroken();
      });
      webSocket.binaryType = 'arraybuffer';
      if (remoteAddress === undefined || remotePort === undefined) webSocket.terminate();
      else this.#receive(webSocket, ipPortToMultiaddr(remoteAddress, remotePort));
    });
  }

  #receive(webSocket: WebSocket, from: Multiaddr): void {
    const connection = new SocketConnection({
      socket: webSocket as unknown as Socket,
      remoteAddr: from.encapsulate('/ws'),
      direction: 'inbound',
      log: this.#connectionLog,
    });
    this.#upgrader
      .upgradeInbound(connection, { signal: this.#closing.signal })
      .catch((error: unknown) => {
        connection.abort(error instanceof Error ? error : new Error(String(error)));
      });
  }
}

function refuse(_request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(400, { connection: 'close' });
  response.end('Only WebSocket connections are supported');
}
