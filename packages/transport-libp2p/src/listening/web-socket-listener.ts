/**
 * Where others dial a Node process, relay and member alike: an HTTP server that upgrades to what its
 * table names, WebSockets, and answers little else. Whatever a stranger sends costs that stranger's
 * socket and nothing else (T7), and what strangers may take is bounded (T24).
 */
import { setMaxListeners } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Server as TlsServer } from 'node:https';
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
import { SocketConnection } from '../web-sockets/socket-connection.ts';
import type { Socket } from '../web-sockets/socket-connection.ts';
import { hearPings, isMalformed, limits } from '../node/socket-limits.ts';
import { Call } from './call.ts';
import type { Listening } from './listening.ts';
import { answerPlainly } from './plain-requests.ts';
import { isForwarded, isLoopback } from './source.ts';

/** Goes on with a socket whose request asked for another protocol. `client`: the address behind it. */
type Upgrade = (
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  from: { readonly call: Call; readonly client: string },
) => void;

export class WebSocketListener extends TypedEventEmitter<ListenerEvents> implements Listener {
  readonly #listening: Listening;
  readonly #upgrader: CreateListenerOptions['upgrader'];
  readonly #log: Logger;
  readonly #connectionLog: Logger;
  readonly #onBroken: () => void;
  readonly #server: Server | TlsServer;
  readonly #webSockets = new WebSocketServer({ noServer: true, clientTracking: false, ...limits });
  /** By what the header `Upgrade` asks for. */
  readonly #upgrades: ReadonlyMap<string, Upgrade> = new Map([
    ['websocket', (...asked: Parameters<Upgrade>) => this.#toWebSocket(...asked)],
  ]);
  readonly #sockets = new Set<NetSocket>();
  /** By the ends of their sockets: a request over TLS comes on another object. */
  readonly #calls = new Map<string, Call>();
  readonly #closing = new AbortController();
  #forgetCertificate: () => void = () => {};
  #address: Multiaddr | null = null;

  /** `onBroken` is called for each socket that ended because of what was sent on it. */
  constructor(
    logger: ComponentLogger,
    options: CreateListenerOptions,
    listening: Listening,
    onBroken: () => void,
  ) {
    super();
    this.#listening = listening;
    this.#upgrader = options.upgrader;
    this.#log = logger.forComponent('quorate:web-sockets:listener');
    this.#connectionLog = logger.forComponent('quorate:web-sockets');
    this.#onBroken = onBroken;
    // One for each connection that is being upgraded.
    setMaxListeners(Infinity, this.#closing.signal);
    this.#server = this.#createServer();
    this.#server.on('connection', (socket: NetSocket) => this.#hold(socket));
    this.#server.on('request', (request, response) => this.#answer(request, response));
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
    const words = this.#listening.certificate === null ? '/ws' : '/tls/ws';
    return getThinWaistAddresses(this.#address, bound.port).map((address) =>
      address.encapsulate(words),
    );
  }

  updateAnnounceAddrs(): void {}

  async close(): Promise<void> {
    this.#closing.abort();
    this.#forgetCertificate();
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
    this.safeDispatchEvent('close');
  }

  #createServer(): Server | TlsServer {
    const { certificate } = this.#listening;
    if (certificate === null) return createServer();
    const server = createTlsServer(certificate.pem);
    this.#forgetCertificate = certificate.onRenewed(() => server.setSecureContext(certificate.pem));
    server.on('tlsClientError', (_error, socket) => {
      this.#onBroken();
      socket.destroy();
    });
    return server;
  }

  /** A socket has a listener from its first moment on, whoever else it is handed to. */
  #hold(socket: NetSocket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    const ends = endsOf(socket);
    socket.on('close', () => {
      this.#sockets.delete(socket);
      if (ends !== null && this.#calls.get(ends) === call) this.#calls.delete(ends);
    });
    const address = socket.remoteAddress;
    if (ends === null || address === undefined) {
      socket.destroy();
      return;
    }
    const call = new Call(this.#listening, socket, address);
    this.#calls.set(ends, call);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    if (this.#admit(request) === null) request.socket.destroy();
    else answerPlainly(this.#listening.pages, request, response);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const admitted = this.#admit(request);
    if (admitted === null) {
      refuse(socket, '503 Service Unavailable', 'Too many connections.');
      return;
    }
    if (!this.#listening.origins.allows(request)) {
      this.#listening.foreign += 1;
      refuse(socket, '403 Forbidden', 'Pages of this origin may not connect (--origin).');
      return;
    }
    const upgrade = this.#upgrades.get((request.headers.upgrade ?? '').toLowerCase());
    if (upgrade === undefined) {
      refuse(socket, '426 Upgrade Required', 'Wanted a WebSocket.', 'upgrade: websocket\r\n');
    } else {
      upgrade(request, socket, head, admitted);
    }
  }

  /** Finds out whose request it is; null where that one has too many connections. */
  #admit(request: IncomingMessage): { readonly call: Call; readonly client: string } | null {
    const { proxies } = this.#listening;
    const ends = endsOf(request.socket);
    const call = ends === null ? undefined : this.#calls.get(ends);
    const peer = request.socket.remoteAddress;
    if (call === undefined || peer === undefined) return null;
    if (isLoopback(peer) && !proxies.has(peer) && isForwarded(request)) this.#listening.proxyCame();
    const client = proxies.clientOf(request, peer);
    return call.isOf(client) ? { call, client } : null;
  }

  #toWebSocket(...[request, socket, head, { call, client }]: Parameters<Upgrade>): void {
    const port = request.socket.remotePort ?? 0;
    this.#webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      // Listens before anything else can happen: `ws` tells malformed frames as errors.
      webSocket.on('error', (error) => {
        if (isMalformed(error)) this.#onBroken();
      });
      hearPings(webSocket);
      webSocket.binaryType = 'arraybuffer';
      const connection = new SocketConnection({
        socket: webSocket as unknown as Socket,
        remoteAddr: ipPortToMultiaddr(client, port).encapsulate('/ws'),
        direction: 'inbound',
        log: this.#connectionLog,
      });
      call.upgrades(connection);
      this.#upgrader.upgradeInbound(connection, { signal: this.#closing.signal }).then(
        () => call.isUpgraded(),
        (error: unknown) => {
          connection.abort(error instanceof Error ? error : new Error(String(error)));
          call.end();
        },
      );
    });
  }
}

/** What tells one socket of a listener from another; null for one that has ended. */
function endsOf({ remoteAddress, remotePort, localAddress }: NetSocket): string | null {
  if (remoteAddress === undefined || remotePort === undefined) return null;
  return `${remoteAddress} ${remotePort} ${localAddress ?? ''}`;
}

/** Says why a connection goes no further; its time is up soon, should it stay. */
function refuse(socket: Duplex, status: string, words: string, headers = ''): void {
  socket.end(
    `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\n` +
      `content-length: ${words.length + 1}\r\n${headers}\r\n${words}\n`,
  );
}
