/** What a relay holds of a circuit one end of which does not read. */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import type { MessageStream, StreamMuxerFactory } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { parseAddress } from '../src/host/addresses.ts';
import { startRelay } from '../src/relay/index.ts';
import type { Socket } from '../src/web-sockets/socket-connection.ts';
import { webSocketsOver } from '../src/web-sockets/web-sockets.ts';
import { verifyRecord } from './test-cipher.ts';
import { closing, pause, until } from './watching.ts';

type End = {
  readonly node: Libp2p;
  /** Its socket to the relay. */
  readonly socket: () => WebSocket & { readonly _socket: { readonly bytesWritten: number } };
  /** What its last connection is multiplexed on. */
  readonly below: () => MessageStream;
};

async function endOf(listen: readonly string[] = []): Promise<End> {
  let socket: WebSocket | undefined;
  let below: MessageStream | undefined;
  const lawful = yamux({ enableKeepAlive: false })();
  const node = await createLibp2p({
    addresses: { listen: [...listen] },
    transports: [
      webSocketsOver({
        connect: (url) => {
          socket = new WebSocket(url);
          socket.on('error', () => {});
          return socket as unknown as Socket;
        },
      }),
      circuitRelayTransport(),
    ],
    connectionEncrypters: [noise()],
    streamMuxers: [
      (): StreamMuxerFactory => ({
        protocol: lawful.protocol,
        createStreamMuxer: (connection) => {
          below = connection;
          return lawful.createStreamMuxer(connection);
        },
      }),
    ],
    connectionGater: { denyDialMultiaddr: () => false },
    connectionMonitor: { enabled: false },
    services: { identify: identify() },
  });
  onTestFinished(async () => {
    await node.stop();
  });
  return {
    node,
    socket: () => socket as ReturnType<End['socket']>,
    below: () => below as MessageStream,
  };
}

test('T9 Z45 a relay takes no more for who does not read than windows hold, and all of it once it reads', async () => {
  const relay = closing(
    await startRelay({
      ephemeral: true,
      listen: ['/ip4/127.0.0.1/tcp/0/ws'],
      verify: verifyRecord,
    }),
  );
  const at = relay.addresses()[0]!;
  const reader = await endOf([`${at}/p2p-circuit`]);
  await until('it can be reached', () => reader.node.getMultiaddrs().length > 0);
  const writer = await endOf();
  await writer.node.dial(parseAddress(`${at}/p2p-circuit/p2p/${reader.node.peerId.toString()}`));
  reader.socket().pause();
  // Frames of a stream that nobody knows: they are read and dropped, whatever windows say.
  const header = Buffer.from('00000000000003e700010000', 'hex');
  const frames = Buffer.concat([header, Buffer.alloc(65_536)]);
  const inAll = 32 * 1024 * 1024;
  for (let sent = 0; sent < inAll; sent += 65_536) writer.below().send(frames);
  const written = (): number => writer.socket()._socket.bytesWritten;
  let before = -1;
  while (written() > before) {
    before = written();
    await pause(1_000);
  }
  expect(before).toBeLessThan(12 * 1024 * 1024);
  reader.socket().resume();
  await until('the rest has come through', () => written() >= inAll);
}, 60_000);
