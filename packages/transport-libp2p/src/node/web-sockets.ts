/** WebSockets in Node: those of `ws`, in and out, on every version the same. */
import { WebSocket } from 'ws';
import type { Socket } from '../web-sockets/socket-connection.ts';
import { webSocketsOver } from '../web-sockets/web-sockets.ts';
import type { WebSocketsFactory } from '../web-sockets/web-sockets.ts';
import { isMalformed, limits } from './socket-limits.ts';
import { WebSocketListener } from './web-socket-listener.ts';

/** `onBroken` is called for each socket that ended because of what the other side sent on it. */
export function nodeWebSockets(onBroken: () => void = () => {}): WebSocketsFactory {
  return webSocketsOver({
    connect: (url) => {
      const socket = new WebSocket(url, limits);
      socket.on('error', (error) => {
        if (isMalformed(error)) onBroken();
      });
      return socket as unknown as Socket;
    },
    listener: (logger, options) => new WebSocketListener(logger, options, onBroken),
  });
}
