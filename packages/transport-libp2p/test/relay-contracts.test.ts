import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { registerConformance, rendezvousConformance } from '@quorate/contracts/conformance';
import type { Rendezvous } from '@quorate/contracts';
import { test } from 'vitest';
import { createLibp2pHost } from '../src/index.ts';
import type { Libp2pHost } from '../src/index.ts';
import { startRelay } from '../src/relay/index.ts';
import { testCipher, verifyRecord } from './test-cipher.ts';
import { answered } from './watching.ts';

registerConformance({
  test,
  create: async () => {
    const directory = await mkdtemp(join(tmpdir(), 'quorate-relay-'));
    let listen = '/ip4/127.0.0.1/tcp/0/ws';
    const open = async () =>
      startRelay({ directory, listen: [listen], init: true, fresh: true, verify: verifyRecord });
    let relay = await open();
    listen = relay.addresses()[0]!.split('/p2p/')[0]!;
    const host = await createLibp2pHost({ relays: [listen], reserve: false });
    const announcing = new Map<string, Rendezvous>();
    return {
      appear: async (namespace, secret) => {
        const cipher = testCipher(namespace, secret);
        const rendezvous = announcing.get(cipher.topic) ?? host.rendezvous(cipher);
        announcing.set(cipher.topic, rendezvous);
        rendezvous.announce({ host: host.peerId, addresses: ['/here'] });
        const looking = await createLibp2pHost({ relays: [listen], reserve: false });
        try {
          const seen = looking.rendezvous(cipher);
          await answered('the announcement', async () => {
            const hosts = await seen.list(AbortSignal.timeout(10_000));
            return hosts.length === 0 ? null : hosts;
          });
        } finally {
          await looking.close();
        }
      },
      register: async (namespace, secret) => {
        const register = host.register(testCipher(namespace, secret));
        return register;
      },
      restart: async () => {
        await relay.close();
        relay = await open();
        // A call that meets the dying session is refused; what follows meets the new one.
        const probe = host.register(testCipher('probe', 'probe'));
        for (let attempt = 0; attempt < 100; attempt += 1) {
          const answered = await probe.read(AbortSignal.timeout(5_000)).then(
            () => true,
            () => false,
          );
          if (answered) return;
        }
        throw new Error('The relay did not come back');
      },
      cleanup: async () => {
        await host.close();
        await relay.close();
        await rm(directory, { recursive: true });
      },
    };
  },
});

rendezvousConformance({
  test,
  create: async () => {
    const relay = await startRelay({
      ephemeral: true,
      listen: ['/ip4/127.0.0.1/tcp/0/ws'],
      verify: verifyRecord,
    });
    const hosts: Libp2pHost[] = [];
    return {
      join: async (namespace) => {
        const host = await createLibp2pHost({ relays: [...relay.addresses()], reserve: false });
        hosts.push(host);
        return { host: host.peerId, rendezvous: host.rendezvous(testCipher(namespace, 'secret')) };
      },
      cleanup: async () => {
        await Promise.all(hosts.map(async (host) => host.close()));
        await relay.close();
      },
    };
  },
});
