import { transportConformance } from '@quorate/contracts/conformance';
import { test } from 'vitest';
import { createLibp2pHost, generatePrivateKey } from '../src/index.ts';
import type { Libp2pHost } from '../src/index.ts';
import { startRelay } from '../src/relay/index.ts';
import { announced } from './announced.ts';
import { verifyRecord } from './test-cipher.ts';

const topic = 'cd'.repeat(32);

// Hosts that do not listen: every link goes through the relay.
transportConformance({
  test,
  create: async () => {
    const relay = await startRelay({
      ephemeral: true,
      listen: ['/ip4/127.0.0.1/tcp/0/ws'],
      verify: verifyRecord,
    });
    const hosts = new Map<string, { host: Libp2pHost; privateKey: Uint8Array }>();
    const open = async (privateKey: Uint8Array): Promise<Libp2pHost> => {
      const relays = [...relay.addresses()];
      const host = await announced(await createLibp2pHost({ privateKey, relays }));
      hosts.set(host.peerId, { host, privateKey });
      while (host.addresses().length === 0) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      return host;
    };
    return {
      transport: async () => (await open(await generatePrivateKey())).transport(topic),
      again: async (id) => {
        const old = hosts.get(id)!;
        await old.host.close();
        return (await open(old.privateKey)).transport(topic);
      },
      unreachableAddress: `${relay.addresses()[0]}/p2p-circuit/p2p/12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust`,
      cleanup: async () => {
        await Promise.all([...hosts.values()].map(async ({ host }) => host.close()));
        await relay.close();
      },
    };
  },
});
