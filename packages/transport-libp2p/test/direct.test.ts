import { transportConformance } from '@quorate/contracts/conformance';
import { test } from 'vitest';
import { createLibp2pHost, generatePrivateKey } from '../src/index.ts';
import type { Libp2pHost } from '../src/index.ts';

const topic = 'ab'.repeat(32);

transportConformance({
  test,
  create: async () => {
    const hosts = new Map<string, { host: Libp2pHost; privateKey: Uint8Array; listen: string }>();
    const open = async (privateKey: Uint8Array, listen: string): Promise<Libp2pHost> => {
      const host = await createLibp2pHost({ privateKey, listen: [listen] });
      const address = host.addresses()[0] ?? '';
      hosts.set(host.peerId, { host, privateKey, listen: address.split('/p2p/')[0] ?? '' });
      return host;
    };
    return {
      transport: async () =>
        (await open(await generatePrivateKey(), '/ip4/127.0.0.1/tcp/0/ws')).transport(topic),
      again: async (id) => {
        const old = hosts.get(id)!;
        await old.host.close();
        return (await open(old.privateKey, old.listen)).transport(topic);
      },
      unreachableAddress: '/ip4/127.0.0.1/tcp/1/ws',
      cleanup: async () => {
        await Promise.all([...hosts.values()].map(async ({ host }) => host.close()));
      },
    };
  },
});
