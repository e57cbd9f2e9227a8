/** One host of a page, driven by a spec. */
import type { HostId, Link, Rendezvous, Transport } from '@quorate/contracts';
import { createLibp2pHost } from '../src/browser/index.ts';
import type { Libp2pHost, Libp2pHostOptions } from '../src/browser/index.ts';
import { testCipher } from './test-cipher.ts';

export const libp2pPage = {
  host: null as Libp2pHost | null,
  transport: null as Transport | null,
  rendezvous: null as Rendezvous | null,
  links: [] as Link[],
  events: [] as string[],
  received: 0,

  /** Starts, announces itself and connects to everybody who does. Resolves with the host's id. */
  async start(namespace: string, options: Libp2pHostOptions): Promise<HostId> {
    const cipher = testCipher(namespace, 'secret');
    const host = await createLibp2pHost(options);
    const transport = host.transport(cipher.topic);
    this.host = host;
    this.transport = transport;
    await transport.start({
      linkUp: (link) => {
        this.links.push(link);
        this.events.push(`up ${link.kind}`);
      },
      linkDown: (link, reason) => {
        this.links = this.links.filter((one) => one !== link);
        this.events.push(`down ${link.kind} ${reason}`);
      },
      frame: (_link, _channel, frame) => {
        this.received += frame.length;
      },
      drained: () => {},
    });
    this.rendezvous = host.rendezvous(cipher);
    this.rendezvous.watch((found) => transport.connect(found.host, found.addresses));
    this.rendezvous.announce({ host: host.peerId, addresses: [] });
    return host.peerId;
  },

  /** From now on, leaving the page sends three bytes and closes (Z6). */
  closeOnPagehide(): void {
    addEventListener('pagehide', () => {
      for (const link of this.links) link.send('raft', new Uint8Array(3));
      void this.transport?.close();
    });
  },

  /** Sends one frame of `bytes` to everybody. */
  send(bytes: number): void {
    for (const link of this.links) link.send('bulk', new Uint8Array(bytes));
  },

  /** Links once more with a host, and resolves with the milliseconds until it was up. */
  async redial(host: HostId): Promise<{ readonly ms: number; readonly kind: string }> {
    const { transport } = this;
    const known = await this.rendezvous?.list(AbortSignal.timeout(5_000));
    const found = known?.find((one) => one.host === host);
    if (transport === null || found === undefined) throw new Error(`Host ${host} is not there`);
    transport.disconnect(host);
    while (this.links.some((link) => link.host === host)) await turn();
    const startMs = performance.now();
    transport.connect(host, found.addresses);
    let link: Link | undefined;
    while (link === undefined) {
      await turn();
      link = this.links.find((one) => one.host === host);
    }
    return { ms: performance.now() - startMs, kind: link.kind };
  },
};

async function turn(): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1));
}
