/** The program of the pages that `network.ts` measures: it runs in a browser, with the built library. */
import { joinCluster } from 'quorate';

export type NetworkPage = {
  /** Milliseconds since 1970 at which the page's first script ran, to the microsecond. */
  readonly startedAtMs: number;
  /** Milliseconds from then on; null for what did not happen. */
  readonly times: { read: number | null; leader: number | null };
  status(): {
    readonly canWrite: boolean;
    readonly leader: string | null;
    readonly voters: number;
    /** How this page is linked to the others; null: not at all. */
    readonly links: readonly (string | null)[];
  };
  /** Puts stamps, one after another, and resolves once all are acknowledged. */
  stamp(count: number, pauseMs: number): Promise<void>;
  /** Milliseconds from the call of each stamp, in another tab, to its event here. */
  readonly delays: number[];
  /** Puts one key after another until `stop`, which tells the longest time between two of them. */
  beat(): void;
  stop(): Promise<number>;
};

/** The other program: a host and no member. */
export type DialPage = {
  /** Resolves with the host's id and addresses once the relay has a place for it. */
  host(relay: string): Promise<{ readonly id: string; readonly addresses: readonly string[] }>;
  /** Links with a host, and unlinks again: how long the first took, and of which kind it was. */
  dial(id: string, addresses: readonly string[]): Promise<Dialled>;
};

export type Dialled = { readonly ms: number; readonly kind: string };

type Link = { readonly host: string; readonly kind: string };
type Transport = {
  readonly start: (handler: object) => Promise<void>;
  readonly connect: (host: string, addresses: readonly string[]) => void;
  readonly disconnect: (host: string) => void;
};
type Relays = {
  readonly createLibp2pHost: (options: { readonly relays: readonly string[] }) => Promise<{
    readonly peerId: string;
    addresses(): readonly string[];
    transport(topic: string): Transport;
  }>;
};

declare global {
  var network: NetworkPage;
  var dialler: DialPage;
  /** Set by the first script of the page, before any module. */
  var startedAt: number;
}

const asked = new URLSearchParams(location.search);
const relay = asked.get('relay');
if (relay !== null) globalThis.network = member(relay, asked.get('namespace') ?? 'bench');
else globalThis.dialler = dialler();

function member(address: string, namespace: string): NetworkPage {
  const sinceStart = (): number => performance.now() - startedAt;
  const now = (): number => performance.timeOrigin + performance.now();
  const times: NetworkPage['times'] = { read: null, leader: null };
  const cluster = joinCluster({ namespace, relays: [address], secret: 'public' });
  const delays: number[] = [];
  const name = Math.random().toString(36).slice(2);
  let beating: Promise<number> | null = null;
  let stopped = false;
  const readFirst = async (): Promise<void> => {
    while (times.read === null) {
      await cluster.kv.get('first').then(
        () => {
          times.read = sinceStart();
        },
        () => null,
      );
    }
  };
  void readFirst();
  cluster.subscribe(({ members }) => {
    if (members.some(({ leader }) => leader)) times.leader ??= sinceStart();
  });
  cluster.kv.live('stamp').subscribe((value) => {
    const { by, at } = (value ?? {}) as { by?: string; at?: number };
    if (at !== undefined && by !== name) delays.push(now() - at);
  });
  return {
    startedAtMs: performance.timeOrigin + startedAt,
    times,
    delays,
    status() {
      const { canWrite, members } = cluster.status;
      return {
        canWrite,
        leader: members.find((one) => one.leader)?.nodeId ?? null,
        voters: members.filter(({ kind }) => kind === 'voter').length,
        links: members.filter(({ self }) => !self).map(({ link }) => link),
      };
    },
    async stamp(count, pauseMs) {
      for (let i = 0; i < count; i += 1) {
        await cluster.kv.put('stamp', { by: name, at: now() });
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
      }
    },
    beat() {
      stopped = false;
      beating = (async () => {
        let longest = 0;
        for (let i = 0; !stopped; i += 1) {
          const from = performance.now();
          await cluster.kv.put('beat', i);
          longest = Math.max(longest, performance.now() - from);
        }
        return longest;
      })();
    },
    async stop() {
      stopped = true;
      return (await beating) ?? 0;
    },
  };
}

function dialler(): DialPage {
  const links = new Map<string, Link>();
  let transport: Transport | null = null;
  const turn = async (): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 1));
  };
  return {
    async host(at) {
      const library: string = '/quorate-relays.js';
      const { createLibp2pHost } = (await import(library)) as Relays;
      const host = await createLibp2pHost({ relays: [at] });
      transport = host.transport('0'.repeat(64));
      await transport.start({
        linkUp: (link: Link) => links.set(link.host, link),
        linkDown: (link: Link) => links.delete(link.host),
        frame: () => undefined,
        drained: () => undefined,
      });
      while (host.addresses().length === 0) await turn();
      return { id: host.peerId, addresses: host.addresses() };
    },
    async dial(id, addresses) {
      const from = performance.now();
      transport?.connect(id, addresses);
      while (!links.has(id)) await turn();
      const ms = performance.now() - from;
      const kind = links.get(id)?.kind ?? '';
      transport?.disconnect(id);
      while (links.has(id)) await turn();
      return { ms, kind };
    },
  };
}
