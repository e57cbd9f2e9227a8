/** A peer that speaks libp2p over WebSockets, and nothing of ours. */
import { noise } from '@libp2p/noise';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import type { Socket } from '../src/web-sockets/socket-connection.ts';
import { webSocketsOver } from '../src/web-sockets/web-sockets.ts';

/** `headers` go along with each request, as a proxy or a page would have them. Stopped with the test. */
export async function plainNode(headers: Readonly<Record<string, string>> = {}): Promise<Libp2p> {
  const node = await createLibp2p({
    transports: [
      webSocketsOver({
        connect: (url) => {
          const socket = new WebSocket(url, { headers, rejectUnauthorized: false });
          socket.on('error', () => {});
          return socket as unknown as Socket;
        },
      }),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    connectionGater: { denyDialMultiaddr: () => false },
  });
  onTestFinished(async () => {
    await node.stop();
  });
  return node;
}
