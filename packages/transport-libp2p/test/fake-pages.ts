/** Hosts as pages have them, in Node: nobody can dial them, and their WebRTC is a fake. */
import '../src/node/polyfills.ts';
import { systemClock, systemRandom } from '@quorate/contracts';
import { createHost } from '../src/host/host.ts';
import type { Libp2pHost } from '../src/host/host.ts';
import type { LinkTiming } from '../src/host/options.ts';
import { readPrivateKey } from '../src/host/private-key.ts';
import { nodeWebSockets } from '../src/node/web-sockets.ts';
import { announced } from './announced.ts';
import type { FakeNetwork } from './fake-web-rtc.ts';

export type FakePageOptions = {
  readonly relay: string;
  readonly network: FakeNetwork;
  readonly privateKey?: Uint8Array;
  readonly timing?: Partial<LinkTiming>;
};

/** Resolves once others can reach it through the relay. */
export async function openFakePage(options: FakePageOptions): Promise<Libp2pHost> {
  const { relay, network, privateKey, timing } = options;
  const host = await createHost({
    privateKey: await readPrivateKey(privateKey),
    clock: systemClock,
    random: systemRandom,
    listen: [],
    announce: [],
    relays: [relay],
    reserve: true,
    webSockets: nodeWebSockets,
    createPeerConnection: () => network.create(),
    canDial: (address) => address.includes('/ws'),
    ...(timing === undefined ? {} : { timing }),
  });
  while (host.addresses().length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  return announced(host);
}
