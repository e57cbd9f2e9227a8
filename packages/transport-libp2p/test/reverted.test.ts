/** A register that was put back to an earlier state, and registers beside one that is there (Z53). */
import { cp, readdir, rm } from 'node:fs/promises';
import { hexFromBytes } from '@quorate/contracts';
import { describe, expect, test } from 'vitest';
import { createLibp2pHost } from '../src/index.ts';
import type { Libp2pHost, Libp2pHostOptions } from '../src/index.ts';
import { completeRegister, startRelay } from '../src/relay/index.ts';
import type { Relay, RelayOptions } from '../src/relay/index.ts';
import { signCertificate } from '../src/wire/certificate.ts';
import { groupKeyIn, posingAs } from './group-keys.ts';
import { testCipher, verifyRecord } from './test-cipher.ts';
import { closing, folder, plainAddress, until } from './watching.ts';

const anyPort = '/ip4/127.0.0.1/tcp/0/ws';
const [kept, claimed, later, fresh] = ['kept', 'claimed', 'later', 'fresh'].map((name) =>
  testCipher(name, 'secret'),
) as [Cipher, Cipher, Cipher, Cipher];
type Cipher = ReturnType<typeof testCipher>;
const patience = (): AbortSignal => AbortSignal.timeout(15_000);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const lost = { code: 'REGISTER_LOST' };

async function open(options: Libp2pHostOptions): Promise<Libp2pHost> {
  return closing(await createLibp2pHost({ reserve: false, ...options }));
}

async function relayIn(directory: string, more: Partial<RelayOptions> = {}): Promise<Relay> {
  return closing(await startRelay({ directory, listen: [anyPort], verify: verifyRecord, ...more }));
}

/** The register knows `kept` and `claimed`; then its directory is copied, and `later` comes to be. */
async function putBack(): Promise<{
  readonly directory: string;
  readonly address: string;
  readonly member: Libp2pHost;
}> {
  const [directory, copy] = [await folder(), await folder()];
  const before = await relayIn(directory, { init: true, fresh: true });
  const address = plainAddress(before.addresses());
  const member = await open({ relays: [address] });
  const register = (cipher: Cipher) => member.register(cipher);
  await register(kept).compareAndSet(0, bytes('kept'), patience(), true);
  await register(claimed).compareAndSet(0, bytes('claimed'), patience());
  await cp(directory, copy, { recursive: true, filter: (path) => !path.endsWith('.sock') });
  await register(later).compareAndSet(0, bytes('later'), patience(), true);
  await before.close();
  await rm(directory, { recursive: true });
  await cp(copy, directory, { recursive: true });
  return { directory, address, member };
}

describe('a register that was put back', () => {
  test('Z53 learns it from whoever is announced, goes on above, and founds nothing that it may have forgotten', async () => {
    const { directory, address, member } = await putBack();
    const events: string[] = [];
    const relay = await relayIn(directory, {
      listen: [address],
      onEvent: ({ type }) => events.push(type),
    });
    expect(relay.isIncomplete).toBe(false);
    const cluster = { clusterId: 'ab'.repeat(16), generation: 1, label: 'a' };
    member.rendezvous(later).announce({ host: member.peerId, addresses: ['/a'], cluster });
    await until('a receipt was shown', () => relay.isIncomplete);
    await until('it is said', () => events.includes('reverted'));

    const host = await open({ relays: [address] });
    const of = (cipher: Cipher) => host.register(cipher);
    expect((await of(kept).read(patience()))?.value).toEqual(bytes('kept'));
    for (const cipher of [claimed, later, fresh]) {
      await expect(of(cipher).read(patience())).rejects.toMatchObject(lost);
      const claim = of(cipher).compareAndSet(0, bytes('founds'), patience());
      await expect(claim).rejects.toMatchObject(lost);
    }
    // Who has seen more believes it again, for its revisions are above all that ever were.
    await expect
      .poll(
        async () =>
          member
            .register(kept)
            .read(patience())
            .catch(() => null),
        {
          timeout: 15_000,
        },
      )
      .toMatchObject({ value: bytes('kept') });

    const register = member.register(later);
    register.writeBack?.(true);
    expect(await register.read(patience())).toBeNull();
    const back = await register.compareAndSet(0, bytes('later'), patience(), true);
    expect(back).toMatchObject({ ok: true });
    expect((await of(later).read(patience()))?.value).toEqual(bytes('later'));
    await expect(of(fresh).read(patience())).rejects.toMatchObject(lost);
  });

  test('Z53 stays incomplete across restarts, until a person says that nothing is missing', async () => {
    const { directory, address, member } = await putBack();
    const first = await relayIn(directory, { listen: [address] });
    member.rendezvous(later).announce({ host: member.peerId, addresses: ['/a'] });
    await until('a receipt was shown', () => first.isIncomplete);
    await member.close();
    await first.close();
    const relay = await relayIn(directory, { listen: [address] });
    expect(relay.isIncomplete).toBe(true);
    const host = await open({ relays: [address] });
    await expect(host.register(fresh).read(patience())).rejects.toMatchObject(lost);
    expect(await completeRegister({ directory, verify: verifyRecord })).toBe(true);
    expect(await completeRegister({ directory, verify: verifyRecord })).toBe(false);
    expect(await host.register(fresh).compareAndSet(0, bytes('x'), patience())).toMatchObject({
      ok: true,
    });
    await relay.close();
    const last = await relayIn(directory, { listen: [address] });
    expect(last.isIncomplete).toBe(false);
    await last.close();
    expect(await completeRegister({ directory, verify: verifyRecord })).toBe(false);
  });

  test('Z53 a receipt of another group, a forged one, and one that is not newer change nothing', async () => {
    const ownDirectory = await folder();
    const own = await relayIn(ownDirectory, { init: true, fresh: true });
    const other = await relayIn(await folder(), { init: true, fresh: true });
    const address = plainAddress(own.addresses());
    const busy = await open({ relays: [plainAddress(other.addresses())] });
    for (let count = 0; count < 3; count += 1) {
      await busy.register(testCipher(`n${count}`, 's')).compareAndSet(0, bytes('x'), patience());
    }
    let seen: { receipts: Readonly<Record<string, string>> } | null = null;
    const looking = await open({
      relays: [plainAddress(other.addresses())],
      onRelays: (records) => (seen = records),
    });
    await looking.register(kept).read(patience());
    const foreign = Object.values((seen as never as { receipts: object }).receipts)[0] as string;
    const group = own.group ?? '';
    const ownKey = await groupKeyIn(ownDirectory);
    // It names the group's key and a counter that this key never signed.
    const posing = await posingAs(ownKey);
    const content = { peer: own.peerId, counter: 17, fromMs: 0, untilMs: Date.now() + 60_000 };
    const forged = hexFromBytes(await signCertificate(posing, content));
    const stale = hexFromBytes(await signCertificate(ownKey, { ...content, counter: 0 }));
    for (const receipt of [foreign, forged, stale, '00']) {
      // It has seen more than the relay shows it now, else it would show what that was.
      const counters = { [group]: 99 };
      const knownRelays = { groups: {}, counters, receipts: { [group]: receipt } };
      const host = await open({ relays: [address], knownRelays });
      host.rendezvous(kept).announce({ host: host.peerId, addresses: ['/a'] });
      const watching = await open({ relays: [address] });
      await expect
        .poll(async () => watching.rendezvous(kept).list(patience()), { timeout: 15_000 })
        .toHaveLength(1);
      await host.close();
      await watching.close();
      expect(own.isIncomplete).toBe(false);
    }
  });
});

describe('--init beside another relay', () => {
  test('Z53 is refused while a peer answers that it is of a group, and nothing is made', async () => {
    const decider = await relayIn(await folder(), { init: true, fresh: true });
    const carrier = await relayIn(await folder());
    const directory = await folder();
    const peers = [carrier, decider].map((relay) => plainAddress(relay.addresses()));
    await expect(relayIn(directory, { init: true, peers })).rejects.toMatchObject({
      code: 'CONFLICT',
      details: { group: decider.group },
    });
    expect(await readdir(directory)).toEqual([]);
    // Without init, with peers that decide nothing, and where the group is there already, it starts.
    await (await relayIn(directory, { peers })).close();
    const [carrying = ''] = peers;
    const made = await relayIn(directory, { init: true, peers: [carrying, 'ws://127.0.0.1:1'] });
    expect(made.group).not.toBeNull();
    await made.close();
    expect((await relayIn(directory, { init: true, peers })).group).toBe(made.group);
  });
});
