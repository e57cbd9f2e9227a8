/**
 * What pages under test meet: a relay that can be stopped and started again, and a socket through
 * which a page drives hosts that live elsewhere, in this process or in another page.
 *
 *     ws://…/node?key=HEX&listen=ADDR&topic=T   a new host in this process
 *     ws://…/page?key=HEX&topic=T               a new host in the page that waits at /pages
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decode, encode } from 'cborg';
import { WebSocketServer } from 'ws';
import type { RawData, WebSocket } from 'ws';
import { createLibp2pHost, generatePrivateKey } from '../../src/index.ts';
import { announced } from '../announced.ts';
import type { Libp2pHost, Libp2pHostOptions } from '../../src/index.ts';
import { startRelay } from '../../src/relay/index.ts';
import type { Relay } from '../../src/relay/index.ts';
import type { ToHost } from '../remote-messages.ts';
import { serveTransport } from '../serve-transport.ts';
import { folder } from './own-folder.ts';
import { verifyRecord } from '../test-cipher.ts';

const directory = await folder();
let listen = '/ip4/127.0.0.1/tcp/0/ws';
let relay: Relay | null = null;
/** Sockets of driving pages whose page of hosts has not come yet, by number. */
const waiting = new Map<string, { driver: WebSocket; early: RawData[] }>();
let pages: WebSocket | null = null;
let count = 0;

async function openRelay(): Promise<string> {
  relay ??= await startRelay({
    directory,
    listen: [listen],
    init: true,
    fresh: true,
    verify: verifyRecord,
  });
  const [address = ''] = relay.addresses();
  listen = address.split('/p2p/')[0] ?? '';
  return address;
}

async function serveNodeHost(socket: WebSocket, query: URLSearchParams): Promise<void> {
  const early: RawData[] = [];
  let take: (data: RawData) => void = (data) => early.push(data);
  socket.on('message', (data) => take(data));
  const key = query.get('key') ?? '';
  const relayWanted = query.get('relay');
  const host = await patiently({
    privateKey: key === '' ? await generatePrivateKey() : Buffer.from(key, 'hex'),
    listen: [query.get('listen') ?? '/ip4/127.0.0.1/tcp/0/ws'],
    relays: relayWanted === null ? [] : [relayWanted],
  });
  if (relayWanted !== null) await announced(host);
  const transport = host.transport(query.get('topic') ?? '');
  const serve = serveTransport(transport, (message) => socket.send(encode(message)));
  take = (data) => serve(decode(bytesOf(data)) as ToHost);
  for (const data of early) take(data);
  socket.on('close', () => void host.close());
  if (socket.readyState === socket.CLOSED) await host.close();
  else socket.send(encode({ type: 'ready', host: host.peerId, addresses: host.addresses() }));
}

/** The port of a host that is just closing is free in a moment. */
async function patiently(options: Libp2pHostOptions): Promise<Libp2pHost> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await createLibp2pHost(options);
    } catch (error) {
      if (attempt === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function join(driver: WebSocket, host: WebSocket, early: readonly RawData[]): void {
  for (const data of early) host.send(data);
  driver.on('message', (data) => host.send(data));
  host.on('message', (data) => driver.send(data));
  driver.on('close', () => host.close());
  host.on('close', () => driver.close());
}

const server = createServer();
const sockets = new WebSocketServer({ server });
sockets.on('connection', (socket, request) => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'ws://host');
  if (pathname === '/node') void serveNodeHost(socket, searchParams);
  else if (pathname === '/pages') pages = socket;
  else if (pathname === '/page') {
    count += 1;
    const id = `${count}`;
    const early: RawData[] = [];
    const collect = (data: RawData): void => void early.push(data);
    socket.on('message', collect);
    waiting.set(id, { driver: socket, early });
    pages?.send(JSON.stringify({ id, ...Object.fromEntries(searchParams) }));
  } else if (pathname === '/host') {
    const found = waiting.get(searchParams.get('id') ?? '');
    if (found === undefined) return;
    found.driver.removeAllListeners('message');
    join(found.driver, socket, found.early);
  }
});

function bytesOf(data: RawData): Uint8Array {
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : Array.isArray(data)
      ? Buffer.concat(data)
      : data;
}

process.on('message', (command: { ask: number; type: 'stopRelay' | 'startRelay' }) => {
  const carryOut = async (): Promise<void> => {
    if (command.type === 'startRelay') await openRelay();
    else {
      await relay?.close();
      relay = null;
    }
    process.send?.({ ask: command.ask });
  };
  void carryOut();
});
process.on('disconnect', () => process.exit(0));

const relayAddress = await openRelay();
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address() as AddressInfo;
process.send?.({ ready: true, relay: relayAddress, control: `ws://127.0.0.1:${port}` });
