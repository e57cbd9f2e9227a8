/** A relay that serves some namespaces only. */
import { describe, expect, test } from 'vitest';
import { createLibp2pHost } from '../src/index.ts';
import { startRelay } from '../src/relay/index.ts';
import type { RelayOptions } from '../src/relay/index.ts';
import { testCipher, verifyRecord } from './test-cipher.ts';
import { closing, plainAddress } from './watching.ts';

const [one, two] = [testCipher('one', 'secret'), testCipher('two', 'secret')];
const patience = (): AbortSignal => AbortSignal.timeout(15_000);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

async function relayWith(allow: readonly string[]): ReturnType<typeof startRelay> {
  const options: RelayOptions = {
    ...{ ephemeral: true, init: true, fresh: true, allow, verify: verifyRecord },
    listen: ['/ip4/127.0.0.1/tcp/0/ws'],
  };
  return closing(await startRelay(options));
}

describe('a relay with a list', () => {
  test('T21 serves the namespaces of its list; others hear NOT_ALLOWED, whatever they ask', async () => {
    const relay = await relayWith([one.topic]);
    const relays = [plainAddress(relay.addresses())];
    const host = closing(await createLibp2pHost({ relays, reserve: false }));
    expect(await host.register(one).compareAndSet(0, bytes('a'), patience())).toMatchObject({
      ok: true,
    });
    const refused = { code: 'NOT_ALLOWED', message: expect.stringContaining(two.topic) as string };
    const register = host.register(two);
    await expect(register.read(patience())).rejects.toMatchObject(refused);
    await expect(register.compareAndSet(0, bytes('a'), patience())).rejects.toMatchObject(refused);
    const looking = closing(await createLibp2pHost({ relays, reserve: false }));
    host.rendezvous(two).announce({ host: host.peerId, addresses: ['/here'] });
    await expect(looking.rendezvous(two).list(patience())).rejects.toThrow('no relay answered');
  });

  test('T21 a list that changes counts at once, and who is announced elsewhere is withdrawn', async () => {
    const relay = await relayWith([one.topic]);
    const relays = [plainAddress(relay.addresses())];
    const host = closing(await createLibp2pHost({ relays, reserve: false }));
    const looking = closing(await createLibp2pHost({ relays, reserve: false }));
    host.rendezvous(one).announce({ host: host.peerId, addresses: ['/here'] });
    const seen = looking.rendezvous(one);
    await expect.poll(async () => seen.list(patience()), { timeout: 15_000 }).toHaveLength(1);
    await host.register(one).compareAndSet(0, bytes('kept'), patience());
    await host.rendezvous(one).close();

    relay.allow([two.topic]);
    expect(await host.register(two).read(patience())).toBeNull();
    await expect(host.register(one).read(patience())).rejects.toMatchObject({
      code: 'NOT_ALLOWED',
    });
    relay.allow(null);
    // What the register holds was never given up.
    expect((await host.register(one).read(patience()))?.value).toEqual(bytes('kept'));
  });

  test('T21 T29 what is no topic is refused at once, and an empty list serves nobody', async () => {
    await expect(relayWith(['shop'])).rejects.toThrow(/allow\[0\] is "shop", wanted a topic/);
    const relay = await relayWith([]);
    expect(() => relay.allow(['shop'])).toThrow(TypeError);
    const host = closing(
      await createLibp2pHost({ relays: [plainAddress(relay.addresses())], reserve: false }),
    );
    await expect(host.register(one).read(patience())).rejects.toMatchObject({
      code: 'NOT_ALLOWED',
    });
  });
});
