/** WebSockets in Node: those of `ws`, in and out, on every version the same. */
import { WebSocket } from 'ws';
import { Listening } from '../listening/listening.ts';
import { WebSocketListener } from '../listening/web-socket-listener.ts';
import type { Socket } from '../web-sockets/socket-connection.ts';
import { isPlain, socketUrl } from '../web-sockets/socket-url.ts';
import { webSocketsOver } from '../web-sockets/web-sockets.ts';
import type { WebSocketsFactory } from '../web-sockets/web-sockets.ts';
import { hearPings, isMalformed, limits } from './socket-limits.ts';

/**
 * `onBroken` is called for each socket that ended because of what the other side sent on it. All
 * listeners are held to what `listening` allows together.
 */
export function nodeWebSockets(
  onBroken: () => void = () => {},
  listening: Listening = new Listening(),
): WebSocketsFactory {
  return webSocketsOver({
    connect: (url) => {
      const socket = new WebSocket(url, limits);
      socket.on('error', (error) => {
        if (isMalformed(error)) onBroken();
      });
      hearPings(socket);
      return socket as unknown as Socket;
    },
    canListen: (address) =>
      listening.certificate === null ? isPlain(address) : socketUrl(address) !== null,
    listener: (logger, options) =>
      new WebSocketListener(logger, options, listening, () => {
        listening.broken += 1;
        onBroken();
      }),
  });
}
