import { yamux } from '@libp2p/yamux';
import { noise } from '@libp2p/noise';
import type { Connection } from '@libp2p/interface';
import { createLibp2p } from 'libp2p';
import type { Libp2p } from 'libp2p';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parseAddress } from '../src/host/addresses.ts';
import { createLibp2pHost } from '../src/index.ts';
import { nodeWebSockets } from '../src/node/web-sockets.ts';
import { startRelay } from '../src/relay/index.ts';
import type { Relay } from '../src/relay/index.ts';
import { requestFrame } from './frames-by-hand.ts';
import { metricsOf, portOf } from './raw-sockets.ts';
import { testCipher, verifyRecord } from './test-cipher.ts';
import { closing, pause, until, watched } from './watching.ts';

const topic = '56'.repeat(32);
const anyPort = '/ip4/127.0.0.1/tcp/0/ws';

/** A peer that speaks libp2p and nothing of ours. */
async function stranger(address: string): Promise<Connection> {
  const node = await plainNode();
  return node.dial(parseAddress(address));
}

async function plainNode(listen: string[] = []): Promise<Libp2p> {
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
}

/** A relay with a register, of nothing but memory. */
async function openRelay(): Promise<Relay> {
  return closing(
    await startRelay({
      ephemeral: true,
      init: true,
      fresh: true,
      listen: [anyPort],
      verify: verifyRecord,
    }),
  );
}

function noiseBytes(size: number, seed: number): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: size }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 24;
  });
}

describe('bytes from strangers', () => {
  test('garbage on every protocol of a host leaves its links alone', async () => {
    const a = closing(await createLibp2pHost());
    const b = closing(await createLibp2pHost({ listen: [anyPort] }));
    const [seenA, seenB] = [watched(), watched()];
    const from = a.transport(topic);
    await from.start(seenA.handler);
    await b.transport(topic).start(seenB.handler);
    from.connect(b.peerId, b.addresses());
    await until('the link is up', () => seenA.links.size === 1 && seenB.links.size === 1);

    const connection = await stranger(b.addresses()[0]!);
    const header = Uint8Array.of(1, ...Buffer.from(topic, 'hex'), ...new Uint8Array(8));
    for (const [turn, protocol] of ['raft', 'bulk', 'rpc', 'raft', 'rpc'].entries()) {
      const stream = await connection.newStream(`/quorate/${protocol}/1`);
      // With and without a lawful header in front; the third has an absurd length behind it.
      if (turn > 0) stream.send(header);
      stream.send(turn === 2 ? Uint8Array.of(0xff, 0xff, 0xff, 0x7f) : noiseBytes(5_000, turn));
    }
    await pause(300);
    seenA.links.get(b.peerId)!.send('raft', Buffer.from('still here'));
    await until('frames flow', () => seenB.events.includes('raft still here'));
    expect(seenA.events).toEqual(['up']);
    expect(seenB.links.size).toBe(1);
  });

  test('a peer that takes links and answers none is tried again and again', async () => {
    const mute = await plainNode([anyPort]);
    let opened = 0;
    for (const protocol of ['raft', 'bulk', 'rpc']) {
      await mute.handle(`/quorate/${protocol}/1`, (stream) => {
        stream.addEventListener('message', () => {
          if (protocol === 'rpc') opened += 1;
        });
      });
    }
    const timing = { openTimeoutMs: 200, retryMsMax: 200 };
    const host = closing(await createLibp2pHost({ timing }));
    const seen = watched();
    const transport = host.transport(topic);
    await transport.start(seen.handler);
    transport.connect(mute.peerId.toString(), mute.getMultiaddrs().map(String));
    await until('a third attempt was made', () => opened >= 3);
    const dialled = transport.dial(mute.getMultiaddrs()[0]!.toString(), AbortSignal.timeout(1_000));
    await expect(dialled).rejects.toMatchObject({ code: 'UNREACHABLE' });
    expect(seen.events).toEqual([]);
  });

  test('a peer that opens links and confirms none does not keep a host from dialling', async () => {
    const mute = await plainNode([anyPort]);
    let opened = 0;
    await mute.handle('/quorate/rpc/1', (stream) => {
      stream.addEventListener('message', () => {
        opened += 1;
      });
    });
    for (const protocol of ['raft', 'bulk']) await mute.handle(`/quorate/${protocol}/1`, () => {});
    const timing = { openTimeoutMs: 200, retryMsMax: 200 };
    const host = closing(await createLibp2pHost({ listen: [anyPort], timing }));
    const transport = host.transport(topic);
    await transport.start(watched().handler);
    const connection = await mute.dial(parseAddress(host.addresses()[0]!));
    let accepted = 0;
    for (const ending of ['silence', 'frames', 'end']) {
      const linkId = noiseBytes(8, opened + accepted);
      const streams = await Promise.all(
        ['raft', 'bulk', 'rpc'].map((each) => connection.newStream(`/quorate/${each}/1`)),
      );
      const answered = accepted;
      streams[2]!.addEventListener('message', () => (accepted += 1));
      for (const stream of streams) {
        stream.send(Uint8Array.of(1, ...Buffer.from(topic, 'hex'), ...linkId));
      }
      await until('the link is accepted', () => accepted > answered);
      if (ending === 'frames') streams[0]!.send(Uint8Array.of(1, 1));
      if (ending === 'end') streams[0]!.abort(new Error('gone'));
      const before = opened;
      transport.connect(mute.peerId.toString(), mute.getMultiaddrs().map(String));
      await until('the host dials in spite of it', () => opened > before);
      transport.disconnect(mute.peerId.toString());
    }
  });

  test('garbage on the relay protocol ends that stream and nothing else', async () => {
    const relay = await openRelay();
    const connection = await stranger(relay.addresses()[0]!);
    for (let turn = 0; turn < 8; turn += 1) {
      const stream = await connection.newStream('/quorate/relay/1');
      let ended = false;
      stream.addEventListener('close', () => (ended = true));
      stream.send(noiseBytes(3_000, turn));
      await until('the stream is closed', () => ended);
    }
    const host = closing(
      await createLibp2pHost({ relays: [...relay.addresses()], reserve: false }),
    );
    const register = host.register(testCipher('one', 'secret'));
    expect(await register.read(AbortSignal.timeout(10_000))).toBeNull();
  });
});

describe('what a stranger can take of a relay’s processor', () => {
  test('T25: who asks too much is not read, and others are served at once', async () => {
    const relay = await openRelay();
    const at = relay.addresses()[0]!;
    const connection = await stranger(at);
    const stream = await connection.newStream('/quorate/relay/1');
    const wanted = 50_000;
    // Each is a wrong signature, of a version of its own.
    const frameOf = (id: number): Uint8Array => {
      const record = noiseBytes(600, id);
      return requestFrame({ type: 'announce', id, topic, version: id, record, receipt: null });
    };
    let sent = 0;
    let isOver = false;
    const asking = (async () => {
      for (; !isOver && sent < wanted; await pause(1)) {
        for (let turn = 0; turn < 100 && !stream.writableNeedsDrain; turn += 1) {
          stream.send(frameOf((sent += 1)));
        }
      }
    })();
    await until('it is not read any more', () => stream.writableNeedsDrain);
    const host = closing(
      await createLibp2pHost({ relays: [...relay.addresses()], reserve: false }),
    );
    const register = host.register(testCipher('one', 'secret'));
    for (let turn = 0; turn < 50; turn += 1) {
      expect(await register.read(AbortSignal.timeout(10_000))).toBeNull();
    }
    isOver = true;
    await asking;
    expect(sent).toBeLessThan(wanted);
    const refused = (await metricsOf(portOf([at]))).get('quorate_relay_overloaded_total') ?? 0;
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(sent / 10);
  });
});
