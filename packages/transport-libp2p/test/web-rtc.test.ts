import { transportConformance } from '@quorate/contracts/conformance';
import type { LinkKind } from '@quorate/contracts';
import { describe, expect, test } from 'vitest';
import { createLibp2pHost, generatePrivateKey } from '../src/index.ts';
import type { Libp2pHost } from '../src/index.ts';
import { webRtcProtocol } from '../src/webrtc/signals.ts';
import { startRelay } from '../src/relay/index.ts';
import type { Relay } from '../src/relay/index.ts';
import { announced } from './announced.ts';
import { openFakePage } from './fake-pages.ts';
import { FakeNetwork } from './fake-web-rtc.ts';
import { openStranger } from './stranger.ts';
import { verifyRecord } from './test-cipher.ts';
import { watchedKinds } from './watched-kinds.ts';
import { closing, until, watched } from './watching.ts';
import type { Watched } from './watching.ts';

const topic = 'ab'.repeat(32);
const anyPort = '/ip4/127.0.0.1/tcp/0/ws';

async function openRelay(): Promise<Relay> {
  return startRelay({ ephemeral: true, listen: [anyPort], verify: verifyRecord });
}

transportConformance({
  test: (name, run) => test(`${name} (WebRTC)`, run),
  create: async () => {
    const relay = await openRelay();
    const [address = ''] = relay.addresses();
    const network = new FakeNetwork();
    const kinds = new Set<LinkKind>();
    const hosts = new Map<string, { host: Libp2pHost; privateKey: Uint8Array }>();
    const open = async (privateKey: Uint8Array): Promise<Libp2pHost> => {
      const timing = { webRtcTimeoutMs: 4_000 };
      const host = await openFakePage({ relay: address, network, privateKey, timing });
      hosts.set(host.peerId, { host, privateKey });
      return host;
    };
    return {
      transport: async () =>
        watchedKinds((await open(await generatePrivateKey())).transport(topic), kinds),
      again: async (id) => {
        const old = hosts.get(id)!;
        await old.host.close();
        return watchedKinds((await open(old.privateKey)).transport(topic), kinds);
      },
      unreachableAddress: `${address}/p2p-circuit/webrtc/p2p/12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust`,
      cleanup: async () => {
        await Promise.all([...hosts.values()].map(async ({ host }) => host.close()));
        await relay.close();
        expect([...kinds].filter((kind) => kind !== 'webrtc')).toEqual([]);
      },
    };
  },
});

describe('links between pages', () => {
  const quick = { webRtcTimeoutMs: 200, upgradeMs: 200 };

  async function pages(
    network: FakeNetwork,
    timing: Parameters<typeof openFakePage>[0]['timing'] = quick,
  ): Promise<{ a: Libp2pHost; b: Libp2pHost; seenA: Watched; seenB: Watched }> {
    const relay = closing(await openRelay());
    const [address = ''] = relay.addresses();
    const a = closing(await openFakePage({ relay: address, network, timing }));
    const b = closing(await openFakePage({ relay: address, network, timing }));
    const [seenA, seenB] = [watched(), watched()];
    const [from, to] = [a.transport(topic), b.transport(topic)];
    await from.start(seenA.handler);
    await to.start(seenB.handler);
    from.connect(b.peerId, b.addresses());
    to.connect(a.peerId, a.addresses());
    return { a, b, seenA, seenB };
  }

  /** Peer connections that were not closed: two for each link. */
  const openOf = (network: FakeNetwork): number =>
    network.connections.filter(({ connectionState }) => connectionState !== 'closed').length;

  const bothAre = (kind: LinkKind, one: Watched, other: Watched): boolean =>
    [one, other].every(({ links }) => [...links.values()].some((link) => link.kind === kind));

  test('the relay carries where WebRTC leads nowhere, and no longer once it does', async () => {
    const network = new FakeNetwork();
    network.fate = 'never connects';
    const { seenA, seenB } = await pages(network);
    await until('the relay carries', () => bothAre('relayed', seenA, seenB));
    network.fate = 'connects';
    await until('WebRTC carries', () => bothAre('webrtc', seenA, seenB));
    expect(seenA.events).toEqual(['up', 'down replaced', 'up']);
    await until('what came to nothing was closed', () => openOf(network) === 2);
  });

  test('a link whose peer connection fails goes over to the relay, and back', async () => {
    const network = new FakeNetwork();
    const { seenA, seenB } = await pages(network);
    await until('WebRTC carries', () => bothAre('webrtc', seenA, seenB));
    const before = seenA.events.length;
    network.fate = 'never connects';
    for (const connection of [...network.connections]) connection.fail();
    await until('the relay carries', () => bothAre('relayed', seenA, seenB));
    expect(seenA.events[before]).toMatch(/^down (reset|ended)$/);
    network.fate = 'connects';
    await until('WebRTC carries again', () => bothAre('webrtc', seenA, seenB));
  });

  test('of two that dial at once one remains, and no peer connection is left over', async () => {
    const network = new FakeNetwork();
    const { seenA, seenB } = await pages(network, { ...quick, yieldMs: 0, webRtcTimeoutMs: 4_000 });
    await until('WebRTC carries', () => bothAre('webrtc', seenA, seenB));
    await until('only one is left', () => openOf(network) === 2);
    expect(seenA.links.size).toBe(1);
    const [link] = [...seenA.links.values()];
    const [other] = [...seenB.links.values()];
    expect(link?.initiator).not.toBe(other?.initiator);
  });

  test('the one with the lower id dials, and the other leaves it to that one', async () => {
    const network = new FakeNetwork();
    const { a, b, seenA, seenB } = await pages(network, {
      yieldMs: 20_000,
      webRtcTimeoutMs: 4_000,
    });
    await until('WebRTC carries', () => bothAre('webrtc', seenA, seenB));
    expect(network.connections.length).toBe(2);
    const [seen, other] = a.peerId < b.peerId ? [seenA, b] : [seenB, a];
    expect(seen.links.get(other.peerId)?.initiator).toBe(true);
  });

  test('a Node host reaches a page through the relay, and the page comes to it directly', async () => {
    const relay = closing(await openRelay());
    const [address = ''] = relay.addresses();
    const page = closing(
      await openFakePage({ relay: address, network: new FakeNetwork(), timing: quick }),
    );
    const timing = { yieldToDirectMs: 50 };
    const node = closing(
      await announced(await createLibp2pHost({ listen: [anyPort], relays: [address], timing })),
    );
    const [seenPage, seenNode] = [watched(), watched()];
    const [ofPage, ofNode] = [page.transport(topic), node.transport(topic)];
    await ofPage.start(seenPage.handler);
    await ofNode.start(seenNode.handler);
    ofNode.connect(page.peerId, page.addresses());
    await until('the relay carries', () => bothAre('relayed', seenPage, seenNode));
    ofPage.connect(node.peerId, node.addresses());
    await until('the page came', () => bothAre('websocket', seenPage, seenNode));
    expect(seenPage.links.get(node.peerId)?.initiator).toBe(true);
  });

  test('addresses() offers WebRTC before the relay', async () => {
    const relay = closing(await openRelay());
    const [address = ''] = relay.addresses();
    const page = closing(await openFakePage({ relay: address, network: new FakeNetwork() }));
    expect(page.addresses()).toEqual([
      `${address}/p2p-circuit/webrtc/p2p/${page.peerId}`,
      `${address}/p2p-circuit/p2p/${page.peerId}`,
    ]);
  });

  test('offers that lead nowhere and garbage leave nothing behind', async () => {
    const network = new FakeNetwork();
    const { a, seenA, seenB } = await pages(network, { openTimeoutMs: 500 });
    await until('WebRTC carries', () => bothAre('webrtc', seenA, seenB));
    const stranger = closing(await openStranger());
    const target = a.addresses().find((address) => !address.includes('/webrtc')) ?? '';
    const made = network.connections.length;
    for (const bytes of [
      Uint8Array.of(3, 1, 2, 3),
      Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x7f),
      new Uint8Array(0),
      new Uint8Array(0),
      new Uint8Array(0),
      new Uint8Array(0),
    ]) {
      await stranger.say(target, webRtcProtocol, bytes);
    }
    await until('all are given up', () =>
      network.connections.slice(made).every(({ connectionState }) => connectionState === 'closed'),
    );
    // A stranger may have three under way, and not more.
    expect(network.connections.length - made).toBeLessThanOrEqual(5);
    expect(seenA.events).toEqual(['up']);
  });
});
