/** What a peer that sends and does not read can make a host hold, before it has proved anything. */
import { EventEmitter } from 'node:events';
import { noise } from '@libp2p/noise';
import type { MessageStream, StreamMuxerFactory } from '@libp2p/interface';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { parseAddress } from '../src/host/addresses.ts';
import { createLibp2pHost } from '../src/index.ts';
import { hearPings } from '../src/node/socket-limits.ts';
import { startRelay } from '../src/relay/index.ts';
import type { Socket } from '../src/web-sockets/socket-connection.ts';
import { webSocketsOver } from '../src/web-sockets/web-sockets.ts';
import { metricsOf, portOf } from './raw-sockets.ts';
import { verifyRecord } from './test-cipher.ts';
import { closing, pause, until, watched } from './watching.ts';

const topic = 'bc'.repeat(32);
const anyPort = '/ip4/127.0.0.1/tcp/0/ws';

const users = [
  {
    who: 'relay',
    listen: async (): Promise<readonly string[]> =>
      closing(
        await startRelay({ ephemeral: true, listen: [anyPort], verify: verifyRecord }),
      ).addresses(),
  },
  {
    who: 'member',
    listen: async (): Promise<readonly string[]> => {
      // What ends here is not ended for being idle.
      const timing = { idleAfterMs: 60_000 };
      const host = closing(await createLibp2pHost({ listen: [anyPort], timing }));
      await host.transport(topic).start(watched().handler);
      return host.addresses();
    },
  },
];

/** A connection below whose streams one can speak yamux by hand, and whose socket one can stop reading. */
async function openBelow(
  address: string,
): Promise<{ readonly yamux: MessageStream; readonly socket: WebSocket }> {
  let below: MessageStream | undefined;
  let socket: WebSocket | undefined;
  const lawful = yamux({ enableKeepAlive: false })();
  const node = await createLibp2p({
    transports: [
      webSocketsOver({
        connect: (url) => {
          socket = new WebSocket(url);
          socket.on('error', () => {});
          return socket as unknown as Socket;
        },
      }),
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
    // It would end a connection on which nothing is read, by itself.
    connectionMonitor: { enabled: false },
  });
  onTestFinished(async () => {
    await node.stop();
  });
  await node.dial(parseAddress(address));
  if (below === undefined || socket === undefined) throw new Error('There is no connection');
  return { yamux: below, socket };
}

function header(type: number, flags: number, stream: number, length: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.set([0, type, 0, flags]);
  bytes.writeUInt32BE(stream, 4);
  bytes.writeUInt32BE(length, 8);
  return bytes;
}

describe.each(users)('a stranger at a $who', ({ listen }) => {
  test('T9 Z45 that pings below its streams and reads nothing is let go', async () => {
    const addresses = await listen();
    const { yamux: below, socket } = await openBelow(addresses[0]!);
    // The question, as often as fits into one message.
    const pings = Buffer.concat(Array.from({ length: 2_000 }, () => header(2, 1, 0, 7)));
    socket.pause();
    let sent = 0;
    await until('it was let go', () => {
      if (socket.readyState !== WebSocket.OPEN) return true;
      if (socket.bufferedAmount < 1024 * 1024 && below.status === 'open') {
        below.send(pings);
        sent += 1;
      }
      return false;
    });
    expect(sent).toBeGreaterThan(10);
    await until('nothing is left of it', () => socket.readyState === WebSocket.CLOSED);
    expect((await metricsOf(portOf(addresses))).get('quorate_listener_connections')).toBe(1);
  });

  test('T9 Z45 that announces a frame of 2 GiB below its streams is let go before it comes', async () => {
    const addresses = await listen();
    const { yamux: below, socket } = await openBelow(addresses[0]!);
    // The first frame opens a stream, so that the length is the only thing that is wrong.
    below.send(Buffer.concat([header(1, 1, 99, 0), header(0, 0, 99, 2 ** 31)]));
    await until('it was let go', () => socket.readyState === WebSocket.CLOSED);
  });

  test('T9 that sends windows full of frames is served on', async () => {
    const addresses = await listen();
    const { yamux: below, socket } = await openBelow(addresses[0]!);
    below.send(header(1, 1, 99, 0));
    for (let turn = 0; turn < 4; turn += 1) {
      const payload = Buffer.alloc(60_000, turn);
      // In pieces that cut headers, too.
      const bytes = Buffer.concat([header(0, 0, 99, payload.length), payload]);
      for (const cut of [5, 30_000]) below.send(bytes.subarray(cut === 5 ? 0 : 5, cut));
      below.send(bytes.subarray(30_000));
    }
    await pause(200);
    expect(socket.readyState).toBe(WebSocket.OPEN);
  });
});

test('T9 Z45 of all pings of a WebSocket one answer waits, and it answers the last', () => {
  const sent: string[] = [];
  let done: () => void = () => {};
  const socket = Object.assign(new EventEmitter(), {
    OPEN: 1,
    readyState: 1,
    pong: (payload: Buffer, _mask: undefined, onSent: () => void) => {
      sent.push(payload.toString());
      done = onSent;
    },
  });
  hearPings(socket as unknown as WebSocket);
  for (let at = 0; at < 10_000; at += 1) socket.emit('ping', Buffer.from(`ping ${at}`));
  expect(sent).toEqual(['ping 0']);
  done();
  expect(sent).toEqual(['ping 0', 'ping 9999']);
  done();
  expect(sent).toHaveLength(2);
  socket.emit('ping', Buffer.from('again'));
  expect(sent[2]).toBe('again');
});
