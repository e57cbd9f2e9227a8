/** Of which group a relay is, who believes it, and who may found where relays are of several (T27, Z53). */
import { cp, rm } from 'node:fs/promises';
import { noise } from '@libp2p/noise';
import { yamux } from '@libp2p/yamux';
import type { PrivateKey } from '@libp2p/interface';
import { createLibp2p } from 'libp2p';
import { describe, expect, onTestFinished, test } from 'vitest';
import { createLibp2pHost } from '../src/index.ts';
import type { Libp2pHost, Libp2pHostOptions } from '../src/index.ts';
import { Libp2pStream } from '../src/host/connection-wire.ts';
import { FramedStream } from '../src/host/framed-stream.ts';
import type { RelayRecords } from '../src/host/relay-memory.ts';
import { nodeWebSockets } from '../src/node/web-sockets.ts';
import { startRelay } from '../src/relay/index.ts';
import type { Relay, RelayOptions } from '../src/relay/index.ts';
import { certificateMs, signCertificate } from '../src/wire/certificate.ts';
import { encodeMessage, relayProtocol } from '../src/wire/relay-messages.ts';
import { groupKeyIn, newKey, posingAs } from './group-keys.ts';
import { testCipher, verifyRecord } from './test-cipher.ts';
import { closing, folder, plainAddress } from './watching.ts';

const anyPort = '/ip4/127.0.0.1/tcp/0/ws';
const one = testCipher('one', 'secret');
const patience = (): AbortSignal => AbortSignal.timeout(15_000);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function open(options: Libp2pHostOptions): Promise<Libp2pHost> {
  return closing(await createLibp2pHost({ reserve: false, ...options }));
}

async function relayIn(directory: string, more: Partial<RelayOptions> = {}): Promise<Relay> {
  const options = { directory, listen: [anyPort], init: true, fresh: true, verify: verifyRecord };
  return closing(await startRelay({ ...options, ...more }));
}

/** Says that it is of `group`, and shows what `certificate` makes for its own id; answers nothing. */
async function impostor(
  group: string,
  certificate: (peer: string) => Promise<Uint8Array | null>,
): Promise<string> {
  const node = await createLibp2p({
    addresses: { listen: [anyPort] },
    transports: [nodeWebSockets()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  });
  onTestFinished(async () => {
    await node.stop();
  });
  const shown = await certificate(node.peerId.toString());
  await node.handle(relayProtocol, (stream) => {
    const none = (): void => {};
    const framed = new FramedStream({
      stream: new Libp2pStream(stream),
      ...{ prefixBytes: 0, frameBytesMax: 65_536, queueBytesMax: 65_536 },
      events: { prefix: none, control: none, drained: none, ended: none, frame: none },
    });
    framed.send(
      encodeMessage({ type: 'greeting', group, registerLost: false, certificate: shown }),
    );
  });
  return plainAddress(node.getMultiaddrs().map(String));
}

const day = (fromMs: number) => ({ fromMs, untilMs: fromMs + certificateMs, counter: 0 });

describe('a group that is pinned', () => {
  test.each<
    [
      string,
      string,
      (
        real: PrivateKey,
        own: PrivateKey,
        peer: string,
        other: string,
      ) => Promise<Uint8Array | null>,
    ]
  >([
    ['nothing', 'it shows no certificate', async () => null],
    ['noise', 'it shows no certificate', async () => new Uint8Array(200)],
    [
      'a certificate of a key of its own',
      'its certificate is of group',
      async (_real, own, peer) => signCertificate(own, { peer, ...day(Date.now()) }),
    ],
    [
      "a certificate that names the group's key and that it signed itself",
      'it shows no certificate of group',
      async (real, _own, peer) =>
        signCertificate(await posingAs(real), { peer, ...day(Date.now()) }),
    ],
    [
      "the true relay's certificate",
      'its certificate is of another relay',
      async (real, _own, _peer, other) =>
        signCertificate(real, { peer: other, ...day(Date.now()) }),
    ],
    [
      'a certificate of before, for a relay that left the group',
      'its certificate is good until',
      async (real, _own, peer) =>
        signCertificate(real, { peer, ...day(Date.now() - certificateMs - 1_000) }),
    ],
  ])(
    'T27 Z59 is not believed of an impostor that copies its id and shows %s',
    async (_name, why, make) => {
      const directory = await folder();
      const relay = await relayIn(directory);
      const group = relay.group ?? '';
      const [real, own] = [await groupKeyIn(directory), await newKey()];
      const address = await impostor(group, async (peer) => make(real, own, peer, relay.peerId));
      const host = await open({ relays: [`${address}#${group}`] });
      const read = host.register(one).read(patience());
      await expect(read).rejects.toMatchObject({ code: 'REGISTER_LOST' });
      await expect(read).rejects.toThrow(`it does not prove to be of group ${group}, for ${why}`);
      await expect(
        host.register(one).compareAndSet(0, bytes('x'), patience()),
      ).rejects.toMatchObject({
        code: 'REGISTER_LOST',
      });
    },
  );

  test('T27 Z59 is believed of the relay that has its key', async () => {
    const relay = await relayIn(await folder());
    const host = await open({ relays: [`${plainAddress(relay.addresses())}#${relay.group}`] });
    expect(await host.register(one).compareAndSet(0, bytes('x'), patience())).toMatchObject({
      ok: true,
    });
  });

  test('T29 two different pins are refused at once', async () => {
    const relays = ['ws://127.0.0.1:1', 'ws://127.0.0.1:2'].map(
      (relay, at) => `${relay}#${String(at).repeat(32)}`,
    );
    await expect(createLibp2pHost({ relays })).rejects.toThrow(TypeError);
  });
});

describe('what a host remembers of relays', () => {
  test('T27 the group that answered first; another one there is said', async () => {
    const first = await relayIn(await folder());
    const address = plainAddress(first.addresses());
    let kept: RelayRecords | null = null;
    const onRelays = (records: RelayRecords): void => void (kept = records);
    const host = await open({ relays: [address], onRelays });
    const register = host.register(one);
    await register.read(patience());
    expect(kept).toMatchObject({ groups: { [address]: first.group } });
    expect(register.notice).toBeNull();
    await host.close();
    await first.close();

    const second = await relayIn(await folder(), { listen: [address] });
    expect(second.group).not.toBe(first.group);
    const again = await open({ relays: [address], knownRelays: kept, onRelays });
    const changed = again.register(one);
    await changed.read(patience());
    expect(changed.notice).toContain(`${address} was of group ${first.group} before`);
    expect(kept).toMatchObject({ groups: { [address]: second.group } });
  });

  test('Z59 the highest counter: a relay put back to an earlier state is refused', async () => {
    const [directory, copy] = [await folder(), await folder()];
    const first = await relayIn(directory);
    const address = plainAddress(first.addresses());
    await first.close();
    await cp(directory, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
    const second = await relayIn(directory, { listen: [address] });
    let kept: RelayRecords | null = null;
    const onRelays = (records: RelayRecords): void => void (kept = records);
    const host = await open({ relays: [address] });
    await host.register(one).compareAndSet(0, bytes('x'), patience());
    await host.close();
    await second.close();
    // Its certificates count what the register has come to.
    const third = await relayIn(directory, { listen: [address] });
    const member = await open({ relays: [address], onRelays });
    await member.register(one).read(patience());
    expect(kept).toMatchObject({ counters: { [third.group ?? '']: 1 } });
    await member.close();
    await third.close();

    await relayIn(copy, { listen: [address] });
    const again = await open({ relays: [address], knownRelays: kept });
    const read = again.register(one).read(patience());
    await expect(read).rejects.toMatchObject({ code: 'REGISTER_LOST' });
    await expect(read).rejects.toThrow('its register was put back: it counts 0, and had come to 1');
    // Whoever remembers nothing believes it.
    const fresh = await open({ relays: [address] });
    expect(await fresh.register(one).read(patience())).toBeNull();
    await rm(copy, { recursive: true, force: true });
  });
});

describe('relays of several groups in one list', () => {
  test('Z53 T27 two that differ: nobody reads, claims or founds, and both are named', async () => {
    const relays = [await relayIn(await folder()), await relayIn(await folder())];
    const addresses = relays.map((relay) => plainAddress(relay.addresses()));
    for (const list of [addresses, addresses.toReversed()]) {
      const host = await open({ relays: list });
      const register = host.register(one);
      await expect
        .poll(async () => register.read(patience()).catch((error: Error) => error.message), {
          timeout: 15_000,
        })
        .toMatch(/relays of 2 groups: .*wanted one: take the others out/i);
      await expect(register.compareAndSet(0, bytes('x'), patience())).rejects.toMatchObject({
        code: 'FORMATION_WAITING',
      });
      await host.close();
    }
    // With one of them pinned, that one decides, wherever it stands in the list.
    const [a = '', b = ''] = addresses;
    const host = await open({ relays: [a, `${b}#${relays[1]?.group}`] });
    expect(await host.register(one).compareAndSet(0, bytes('x'), patience())).toMatchObject({
      ok: true,
    });
    expect(host.register(one).group).toBe(relays[1]?.group);
  });

  test('Z53 a relay that only carries traffic is no majority with one that decides', async () => {
    const [decider, carrier] = [
      await relayIn(await folder()),
      await relayIn(await folder(), { init: false }),
    ];
    const relays = [carrier, decider].map((relay) => plainAddress(relay.addresses()));
    const host = await open({ relays });
    const register = host.register(one);
    expect(await register.read(patience())).toBeNull();
    await expect(register.compareAndSet(0, bytes('x'), patience())).rejects.toThrow(
      `#${decider.group} says that this group decides`,
    );
    // A member's log names the group.
    register.follow?.(decider.group ?? '');
    expect(await register.compareAndSet(0, bytes('x'), patience())).toMatchObject({ ok: true });
  });
});
