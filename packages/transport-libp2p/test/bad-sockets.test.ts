/** What becomes of sockets whose other side is mad, silent or gone: they end, and nothing else does (T7). */
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { noise } from '@libp2p/noise';
import type { StreamMuxerFactory } from '@libp2p/interface';
import { yamux } from '@libp2p/yamux';
import { createLibp2p } from 'libp2p';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../src/host/addresses.ts';
import { forgetAbsentPeers } from '../src/host/connections.ts';
import { createLibp2pHost } from '../src/index.ts';
import { nodeWebSockets } from '../src/node/web-sockets.ts';
import { startRelay } from '../src/relay/index.ts';
import { verifyRecord } from './test-cipher.ts';
import { closing, pause, until, watched } from './watching.ts';

const topic = '78'.repeat(32);
const anyPort = '/ip4/127.0.0.1/tcp/0/ws';

function portOf(addresses: readonly string[]): number {
  return Number(/\/tcp\/(\d+)\//.exec(addresses[0] ?? '')?.[1]);
}

/** A connection with the upgrade behind it. */
async function upgraded(port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write(
    'GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: Upgrade\r\n' +
      'sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n',
  );
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(answer.toString()).toMatch(/^HTTP\/1.1 101/);
  return socket;
}

/** One binary message of a client with a reserved bit set. */
const malformed = Buffer.from('c281000000ff78', 'hex');
/** The head of a message of one byte more than is taken. */
const oversized = Buffer.from('82ff000000000002000100000000', 'hex');

describe('sockets of strangers', () => {
  for (const [what, bytes] of [
    ['a malformed frame', malformed],
    ['a message of more than 128 KiB', oversized],
  ] as const) {
    test(`T7 ${what} ends that connection of a relay or a listening host, is counted, and nothing else`, async () => {
      const relay = closing(
        await startRelay({ ephemeral: true, listen: [anyPort], verify: verifyRecord }),
      );
      const host = closing(await createLibp2pHost({ listen: [anyPort] }));
      let broken = 0;
      const { handler } = watched();
      await host.transport(topic).start({ ...handler, broken: () => (broken += 1) });
      for (const port of [portOf(relay.addresses()), portOf(host.addresses())]) {
        const socket = await upgraded(port);
        const closed = once(socket, 'close');
        socket.write(bytes);
        socket.resume();
        await closed;
      }
      await until('both counted it', () => relay.brokenConnections === 1 && broken === 1);
      // They answer the next one.
      await upgraded(portOf(relay.addresses()));
      await upgraded(portOf(host.addresses()));
    });
  }

  test('T7 a dial that is given up leaves nothing open, and nothing that fails later is unheard', async () => {
    const accepted = new Set<Socket>();
    const server = createServer((socket) => {
      socket.on('error', () => {});
      // It reads what comes, and says nothing.
      socket.resume();
      accepted.add(socket);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(async () => {
      for (const socket of accepted) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    const address = `ws://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const transport = closing(await createLibp2pHost()).transport(topic);
    await transport.start(watched().handler);
    for (let turn = 0; turn < 5; turn += 1) {
      const dial = transport.dial(address, AbortSignal.timeout(100));
      await expect(dial).rejects.toMatchObject({ code: 'UNREACHABLE' });
    }
    await until('all of them were accepted and have ended', () => {
      return accepted.size === 5 && [...accepted].every((socket) => socket.closed);
    });
  });

  test('T7 nonsense behind the Noise handshake ends that connection and nothing else', async () => {
    const host = closing(await createLibp2pHost({ listen: [anyPort] }));
    await host.transport(topic).start(watched().handler);
    const lawful = yamux()();
    let sent = 0;
    const node = await createLibp2p({
      transports: [nodeWebSockets()],
      connectionEncrypters: [noise()],
      streamMuxers: [
        (): StreamMuxerFactory => ({
          protocol: lawful.protocol,
          createStreamMuxer: (connection) => {
            sent += 1;
            // Not one byte of it is a header of yamux.
            connection.send(new Uint8Array(2_000).fill(0xee));
            return lawful.createStreamMuxer(connection);
          },
        }),
      ],
      connectionGater: { denyDialMultiaddr: () => false },
    });
    onTestFinished(async () => {
      await node.stop();
    });
    for (let turn = 0; turn < 3; turn += 1) {
      const connection = await node.dial(parseAddress(host.addresses()[0]!));
      await until('it was closed', () => connection.status !== 'open');
    }
    expect(sent).toBe(3);
    await upgraded(portOf(host.addresses()));
  });

  test('T10 a peer without a connection leaves the peer store', async () => {
    const plain = async (listen: string[]): ReturnType<typeof createLibp2p> => {
      const node = await createLibp2p({
        addresses: { listen },
        transports: [nodeWebSockets()],
        connectionEncrypters: [noise()],
        streamMuxers: [yamux()],
        connectionGater: { denyDialMultiaddr: () => false },
      });
      onTestFinished(async () => {
        await node.stop();
      });
      return node;
    };
    const node = await plain([anyPort]);
    const [stays, goes] = [await plain([]), await plain([])];
    for (const one of [stays, goes]) {
      await one.dial(node.getMultiaddrs()[0]!);
      await node.peerStore.merge(one.peerId, { protocols: ['/a/1'] });
    }
    await goes.stop();
    await until('it has gone', () => node.getConnections(goes.peerId).length === 0);
    await pause(50);
    await forgetAbsentPeers(node);
    const left = (await node.peerStore.all()).map(({ id }) => id.toString());
    expect(left).toContain(stays.peerId.toString());
    expect(left).not.toContain(goes.peerId.toString());
  });
});
