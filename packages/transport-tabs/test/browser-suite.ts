/** What a real browser is asked: the contracts' suites, and a host that a page starts by hand. */
import { systemClock, systemRandom } from '@quorate/contracts';
import type { HostId, Link, Rendezvous, Transport } from '@quorate/contracts';
import { rendezvousConformance, transportConformance } from '@quorate/contracts/conformance';
import { createTabsRendezvous } from '../src/tabs-rendezvous.ts';
import { createTabsTransport } from '../src/tabs-transport.ts';
import type { TabsTiming } from '../src/timing.ts';

type Register = (name: string, run: () => Promise<void>) => void;

export function registerSuite(test: Register): void {
  let worlds = 0;
  transportConformance({
    test,
    create: async () => {
      const topic = `conformance ${(worlds += 1)}`;
      const transports: Transport[] = [];
      const create = (host?: HostId): Transport => {
        const options = { topic, clock: systemClock, random: systemRandom };
        const transport = createTabsTransport(host === undefined ? options : { ...options, host });
        transports.push(transport);
        return transport;
      };
      return {
        transport: async () => create(),
        again: async (host) => create(host),
        unreachableAddress: '/tabs/nobody',
        cleanup: async () => {
          for (const transport of transports) await transport.close();
        },
      };
    },
  });
  rendezvousConformance({
    test,
    create: async () => {
      const world = (worlds += 1);
      const joined: Rendezvous[] = [];
      return {
        join: async (namespace) => {
          const topic = `${namespace} ${world}`;
          const rendezvous = createTabsRendezvous({ topic, clock: systemClock });
          joined.push(rendezvous);
          return { host: `host-${joined.length}`, rendezvous };
        },
        cleanup: async () => {
          for (const rendezvous of joined) await rendezvous.close();
        },
      };
    },
  });
}

/** One host of this page, driven from outside. */
export const tabsPage = {
  transport: null as Transport | null,
  rendezvous: null as Rendezvous | null,
  links: [] as Link[],
  ups: 0,
  downs: [] as string[],
  received: 0,

  /** Starts, announces itself and connects to everybody who does. Resolves with the host's id. */
  async start(topic: string, timing: Partial<TabsTiming> = {}): Promise<HostId> {
    const options = { topic, clock: systemClock, random: systemRandom, timing };
    const transport = createTabsTransport(options);
    this.transport = transport;
    await transport.start({
      linkUp: (link) => {
        this.links.push(link);
        this.ups += 1;
      },
      linkDown: (link, reason) => {
        this.links = this.links.filter((one) => one !== link);
        this.downs.push(reason);
      },
      frame: (_link, _channel, frame) => {
        this.received += frame.length;
      },
      drained: () => {},
    });
    this.rendezvous = createTabsRendezvous({ topic, clock: systemClock });
    this.rendezvous.watch(({ host, addresses }) => transport.connect(host, addresses));
    this.rendezvous.announce({ host: transport.host, addresses: transport.addresses() });
    return transport.host;
  },

  /** From now on, leaving the page sends three bytes and closes (Z6). */
  closeOnPagehide(): void {
    addEventListener('pagehide', () => {
      for (const link of this.links) link.send('raft', new Uint8Array(3));
      void this.transport?.close();
    });
  },

  /** Sends `count` frames of `bytes` to everybody, as fast as they are taken. */
  async send(count: number, bytes: number): Promise<void> {
    for (let sent = 0; sent < count; sent += 1) {
      for (const link of this.links) {
        while (!link.send('bulk', new Uint8Array(bytes))) {
          await new Promise((resolve) => setTimeout(resolve, 1));
        }
      }
    }
  },
};
