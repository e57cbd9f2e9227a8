import { createConnection, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLibp2pHost, generatePrivateKey } from '../src/index.ts';
import type { Libp2pHost, Libp2pHostOptions } from '../src/index.ts';
import { startRelay } from '../src/relay/index.ts';
import { announced } from './announced.ts';
import { RemoteHost } from './processes/remote-host.ts';
import { verifyRecord } from './test-cipher.ts';
import { closing, pause, plainAddress, until, watched } from './watching.ts';

const topic = '12'.repeat(32);
const anyPort = '/ip4/127.0.0.1/tcp/0/ws';

async function open(options: Libp2pHostOptions = {}): Promise<Libp2pHost> {
  const host = closing(await createLibp2pHost(options));
  return options.reserve === false || (options.relays ?? []).length === 0 ? host : announced(host);
}

/** A TCP proxy whose wire can go dead without a word, as a lost network does. */
async function fragileProxy(port: number): Promise<{ address: string; cut(): void }> {
  const sockets: Socket[] = [];
  const server = createServer((near) => {
    const far = createConnection(port, '127.0.0.1');
    sockets.push(near, far);
    near.pipe(far);
    far.pipe(near);
    near.on('error', () => far.destroy());
    far.on('error', () => near.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    address: `/ip4/127.0.0.1/tcp/${(server.address() as AddressInfo).port}/ws`,
    cut: () => {
      for (const socket of sockets) {
        socket.unpipe();
        socket.pause();
      }
    },
  };
}

describe('links of a libp2p host', () => {
  test('a wire that goes dead without a word takes the link down on both sides', async () => {
    const timing = { pingIntervalMs: 100, silentAfterMs: 600 };
    const b = await open({ listen: [anyPort], timing });
    const a = await open({ timing });
    const proxy = await fragileProxy(Number(plainAddress(b.addresses()).split('/')[4]));
    const [seenA, seenB] = [watched(), watched()];
    const [from, to] = [a.transport(topic), b.transport(topic)];
    await from.start(seenA.handler);
    await to.start(seenB.handler);
    await from.dial(proxy.address, AbortSignal.timeout(10_000));
    await until('both sides have the link', () => seenA.links.size + seenB.links.size === 2);
    await until('a round trip was measured', () => {
      const roundTripMs = seenA.links.get(b.peerId)?.roundTripMs;
      return roundTripMs !== undefined && roundTripMs > 0;
    });
    // A quiet link that answers its pings lives on.
    await pause(1_500);
    expect(seenA.events).toEqual(['up']);
    proxy.cut();
    await until('both sides gave it up', () => seenA.links.size + seenB.links.size === 0);
    expect(seenA.events).toEqual(['up', 'down silent']);
    expect(seenB.events).toEqual(['up', 'down silent']);
  });

  test('a killed process takes its links down, and they come back with it', async () => {
    const a = await open({ listen: [anyPort] });
    const seen = watched();
    const transport = a.transport(topic);
    await transport.start(seen.handler);
    const privateKey = await generatePrivateKey();
    const first = await RemoteHost.launch({ privateKey, listen: [anyPort], relays: [], topic });
    await first.start(watched().handler);
    transport.connect(first.host, first.addresses());
    await until('the link is up', () => seen.links.size === 1);
    await first.end('SIGKILL');
    await until('the link is down', () => seen.links.size === 0);
    const listen = [plainAddress(first.addresses())];
    const second = await RemoteHost.launch({ privateKey, listen, relays: [], topic });
    onTestFinished(async () => second.end('SIGKILL'));
    await second.start(watched().handler);
    await until('the link is back', () => seen.links.size === 1);
    expect([...seen.links.keys()]).toEqual([second.host]);
  });

  test('a topic that nobody serves is refused, and linked once it is served', async () => {
    const a = await open();
    const b = await open({ listen: [anyPort] });
    const [seenA, seenB] = [watched(), watched()];
    const from = a.transport(topic);
    await from.start(seenA.handler);
    const dialled = from.dial(plainAddress(b.addresses()), AbortSignal.timeout(5_000));
    await expect(dialled).rejects.toMatchObject({ code: 'UNREACHABLE' });
    from.connect(b.peerId, b.addresses());
    await pause(500);
    expect(seenA.events).toEqual([]);
    await b.transport(topic).start(seenB.handler);
    await until('the link is up', () => seenA.links.size === 1 && seenB.links.size === 1);
  });

  test('one host carries many namespaces apart', async () => {
    const a = await open();
    const b = await open({ listen: [anyPort] });
    const topics = ['a1', 'b2', 'c3'].map((pair) => pair.repeat(32));
    const seen = topics.map(() => [watched(), watched()] as const);
    for (const [index, each] of topics.entries()) {
      const [from, to] = [a.transport(each), b.transport(each)];
      await from.start(seen[index]![0].handler);
      await to.start(seen[index]![1].handler);
      from.connect(b.peerId, to.addresses());
    }
    await until('all links are up', () => seen.every(([from]) => from.links.size === 1));
    for (const [index, [from]] of seen.entries()) {
      from.links.get(b.peerId)!.send('rpc', Buffer.from(`for ${index}`));
    }
    await until('all frames arrive', () => seen.every(([, to]) => to.events.length === 2));
    expect(seen.map(([, to]) => to.events[1])).toEqual(['rpc for 0', 'rpc for 1', 'rpc for 2']);
    expect(() => a.transport(topics[0]!)).toThrow(TypeError);
    expect(() => a.transport('short')).toThrow(TypeError);
    await closing(a.transport('d4'.repeat(32))).close();
    expect(() => a.transport('d4'.repeat(32))).not.toThrow();
  });

  test('a relayed link moves to a direct path when one appears', async () => {
    const relay = closing(
      await startRelay({ ephemeral: true, listen: [anyPort], verify: verifyRecord }),
    );
    const timing = { upgradeMs: 200 };
    const relays = [plainAddress(relay.addresses())];
    const a = await open({ relays, timing });
    const b = await open({ listen: [anyPort], relays, timing });
    const isRelayed = (address: string): boolean => address.includes('/p2p-circuit');
    await until('b has a place on the relay', () => b.addresses().some(isRelayed));
    const [seenA, seenB] = [watched(), watched()];
    const [from, to] = [a.transport(topic), b.transport(topic)];
    await from.start(seenA.handler);
    await to.start(seenB.handler);
    from.connect(b.peerId, b.addresses().filter(isRelayed));
    await until('a relayed link is up', () => seenA.links.get(b.peerId)?.kind === 'relayed');
    await until('there too', () => seenB.links.get(a.peerId)?.kind === 'relayed');
    from.connect(b.peerId, b.addresses());
    await until('it is direct', () => seenA.links.get(b.peerId)?.kind === 'websocket');
    await until('there too', () => seenB.links.get(a.peerId)?.kind === 'websocket');
    expect(seenA.events).toEqual(['up', 'down replaced', 'up']);
  });

  test('an address that swallows everything does not keep a host from the relay', async () => {
    const relay = closing(
      await startRelay({ ephemeral: true, listen: [anyPort], verify: verifyRecord }),
    );
    // A listener that accepts and says nothing: each dial to it runs into its deadline.
    const mute = createServer((socket) => socket.on('error', () => socket.destroy()));
    await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', () => resolve()));
    onTestFinished(() => void mute.close());
    const { port } = mute.address() as AddressInfo;
    const relays = [plainAddress(relay.addresses())];
    // A connection that only carries a circuit is in use: it outlives the idle ones.
    const timing = { idleAfterMs: 300, dialTimeoutMs: 2_000 };
    const a = await open({ timing });
    const b = await open({ relays, timing });
    await until('b has a place', () => b.addresses().length > 0);
    const [seenA, seenB] = [watched(), watched()];
    const from = a.transport(topic);
    await from.start(seenA.handler);
    await b.transport(topic).start(seenB.handler);
    const dead = [`/ip4/127.0.0.1/tcp/${port}/ws`, `/ip4/127.0.0.1/tcp/${port}/ws/http-path/x`];
    from.connect(b.peerId, [...dead, ...b.addresses()]);
    await until('a relayed link is up', () => seenA.links.get(b.peerId)?.kind === 'relayed');
    await pause(1_500);
    expect(seenA.events).toEqual(['up']);
    seenA.links.get(b.peerId)!.send('rpc', Buffer.from('hello'));
    await until('frames flow', () => seenB.events.includes('rpc hello'));
  });

  test('createLibp2pHost() keeps identity and port, and refuses a taken port', async () => {
    const privateKey = await generatePrivateKey();
    const first = await createLibp2pHost({ privateKey, listen: [anyPort] });
    const listen = [plainAddress(first.addresses())];
    const taken = createLibp2pHost({ listen });
    await expect(taken).rejects.toMatchObject({ code: 'UNREACHABLE' });
    await first.close();
    expect(first.addresses()).toEqual([]);
    const second = await open({ privateKey, listen });
    expect(second.peerId).toBe(first.peerId);
    expect(plainAddress(second.addresses())).toBe(listen[0]);
    const wrongKey = createLibp2pHost({ privateKey: new Uint8Array(5) });
    await expect(wrongKey).rejects.toThrow(TypeError);
  });
});
