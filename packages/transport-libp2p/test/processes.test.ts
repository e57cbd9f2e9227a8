import { transportConformance } from '@quorate/contracts/conformance';
import type { Transport } from '@quorate/contracts';
import { test } from 'vitest';
import { createLibp2pHost, generatePrivateKey } from '../src/index.ts';
import type { Libp2pHost } from '../src/index.ts';
import { RemoteHost } from './processes/remote-host.ts';

const topic = 'ef'.repeat(32);

// The first host of each world lives here, the others in processes of their own.
transportConformance({
  test: (name, run) => test(`${name} (between processes)`, run, 60_000),
  create: async () => {
    let local: Libp2pHost | null = null;
    const remote = new Map<string, { host: RemoteHost; privateKey: Uint8Array; listen: string }>();
    const launch = async (privateKey: Uint8Array, listen: string): Promise<Transport> => {
      const host = await RemoteHost.launch({ privateKey, listen: [listen], relays: [], topic });
      const address = host.addresses()[0]?.split('/p2p/')[0] ?? '';
      remote.set(host.host, { host, privateKey, listen: address });
      return host;
    };
    return {
      transport: async () => {
        if (local !== null) return launch(await generatePrivateKey(), '/ip4/127.0.0.1/tcp/0/ws');
        local = await createLibp2pHost({ listen: ['/ip4/127.0.0.1/tcp/0/ws'] });
        return local.transport(topic);
      },
      again: async (id) => {
        const old = remote.get(id)!;
        await old.host.end('SIGKILL');
        return launch(old.privateKey, old.listen);
      },
      unreachableAddress: '/ip4/127.0.0.1/tcp/1/ws',
      cleanup: async () => {
        await Promise.all([...remote.values()].map(async ({ host }) => host.end('SIGKILL')));
        await local?.close();
      },
    };
  },
});
