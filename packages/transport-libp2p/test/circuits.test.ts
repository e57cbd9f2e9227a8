/** What a relay holds of a circuit one end of which does not read. */
import { circuitRelayTransport } from '@libp2p/circuit-relay-v2';
import { identify } from '@libp2p/identify';
import type { MessageStream, StreamMuxerFactory } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { yamux } from '@libp2p/yamux';
import type { Multiaddr } from '@multiformats/multiaddr';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { parseAddress } from '../src/host/addresses.ts';
import { startRelay } from '../src/relay/index.ts';
import type { RelayOptions } from '../src/relay/index.ts';
import type { Socket } from '../src/web-sockets/socket-connection.ts';
import { webSocketsOver } from '../src/web-sockets/web-sockets.ts';
import { announceOver } from './frames-by-hand.ts';
import { metricsOf, portOf } from './raw-sockets.ts';
import { verifyRecord } from './test-cipher.ts';
import { answered, closing, pause, until } from './watching.ts';

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

async function relayAt(limits: RelayOptions['limits'] = {}): Promise<string> {
  const relay = closing(
    await startRelay({
      ephemeral: true,
      listen: ['/ip4/127.0.0.1/tcp/0/ws'],
      verify: verifyRecord,
      limits,
    }),
  );
  return relay.addresses()[0]!;
}

/** A host that is to be reached at the relay. */
async function readerAt(relay: string, isAnnounced = true): Promise<End> {
  const reader = await endOf([`${relay}/p2p-circuit`]);
  await until('it can be reached', () => reader.node.getMultiaddrs().length > 0);
  const [connection] = reader.node.getConnections();
  if (isAnnounced) await announceOver(connection!);
  return reader;
}

const pathTo = (reader: End, relay: string): Multiaddr =>
  parseAddress(`${relay}/p2p-circuit/p2p/${reader.node.peerId.toString()}`);

test('T9 Z45 a relay takes no more for who does not read than windows hold, and all of it once it reads', async () => {
  const at = await relayAt({ carriedBytesPerPeer: 1024 ** 3 });
  const reader = await readerAt(at);
  const writer = await endOf();
  await writer.node.dial(pathTo(reader, at));
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

test('T25: nobody is led to a host that is announced nowhere', async () => {
  const at = await relayAt();
  const reader = await readerAt(at, false);
  const writer = await endOf();
  await expect(writer.node.dial(pathTo(reader, at))).rejects.toThrow('PERMISSION_DENIED');
  await announceOver(reader.node.getConnections()[0]!);
  await writer.node.dial(pathTo(reader, at));
});

test('T25: who sends more than his share is carried at that pace, and others as before', async () => {
  const perSecond = 64 * 1024;
  const at = await relayAt({ carriedBytesPerPeer: perSecond });
  const reader = await readerAt(at);
  const [greedy, modest] = [await endOf(), await endOf()];
  await greedy.node.dial(pathTo(reader, at));
  const header = Buffer.from('00000000000003e700010000', 'hex');
  const frames = Buffer.concat([header, Buffer.alloc(65_536)]);
  // Eight seconds of it at once; the rest waits on its own side.
  for (let sent = 0; sent < 16 * 1024 * 1024; sent += 65_536) greedy.below().send(frames);
  const carried = async (): Promise<number> =>
    (await metricsOf(portOf([at]))).get('quorate_relay_carried_bytes_total') ?? 0;
  await answered('its share is used up', async () =>
    (await carried()) > 8 * perSecond ? true : null,
  );
  const before = await carried();
  // A connection of its own has to be made and proven through the circuit.
  const connection = await modest.node.dial(pathTo(reader, at));
  expect(connection.status).toBe('open');
  expect(before).toBeLessThan(4 * 1024 * 1024);
});
