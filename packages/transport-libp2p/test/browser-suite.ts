/**
 * What a real browser is asked: the Transport suite between hosts of this page, with hosts in Node,
 * and with hosts of another page; and a host that a spec starts by hand.
 */
import { decode, encode } from 'cborg';
import { systemClock } from '@quorate/contracts';
import type { HostId, LinkKind, Transport } from '@quorate/contracts';
import { transportConformance } from '@quorate/contracts/conformance';
import { createLibp2pHost, generatePrivateKey } from '../src/browser/index.ts';
import { announced } from './announced.ts';
import { RemoteTransport } from './remote-transport.ts';
import type { FromHost, ToHost } from './remote-messages.ts';
import { serveTransport } from './serve-transport.ts';
import { watchedKinds } from './watched-kinds.ts';

export { libp2pPage } from './browser-page.ts';

type Register = (name: string, run: () => Promise<void>) => void;

/** Where relay and remote hosts are; a spec says it before it runs a case. */
export type World = { readonly relay: string; readonly control: string };

let world: World = { relay: '', control: '' };

export function setWorld(given: World): void {
  world = given;
}

const topic = 'cd'.repeat(32);
const nobody = '12D3KooWQYV9dGMFoRzNStwpXztXaBUjtPqi6aU76ZgUriHhKust';
/** Of a machine that has other things to do: these suites are about what happens, not how soon. */
const patient = { webRtcTimeoutMs: 4_000 };

type Place = 'here' | 'node' | 'page';

/** One run of the suite: where all hosts but the first live, and what their links must be. */
const runs: readonly {
  readonly name: string;
  readonly others: Place;
  readonly direct: boolean;
  readonly kind: LinkKind;
}[] = [
  { name: 'relayed', others: 'here', direct: false, kind: 'relayed' },
  { name: 'page and Node', others: 'node', direct: true, kind: 'websocket' },
  { name: 'two pages', others: 'page', direct: true, kind: 'webrtc' },
];

export function registerSuite(test: Register): void {
  for (const { name, others, direct, kind } of runs) {
    transportConformance({
      test: (title, run) => test(`${name}: ${title}`, run),
      create: async () => {
        const kinds = new Set<LinkKind>();
        const closing: (() => Promise<void>)[] = [];
        const reopen = new Map<HostId, () => Promise<Transport>>();
        const open = async (place: Place, privateKey: Uint8Array): Promise<Transport> => {
          const opened =
            place === 'here'
              ? await openHere(privateKey, direct)
              : await openElsewhere(place, privateKey);
          closing.push(opened.close);
          reopen.set(opened.transport.host, async () => {
            await opened.close();
            return open(place, privateKey);
          });
          return opened.transport;
        };
        let isFirst = true;
        return {
          transport: async () => {
            const place = isFirst ? 'here' : others;
            isFirst = false;
            return watchedKinds(await open(place, await generatePrivateKey()), kinds);
          },
          again: async (host) => {
            const again = reopen.get(host);
            if (again === undefined) throw new Error(`There was no host ${host}`);
            return watchedKinds(await again(), kinds);
          },
          unreachableAddress: `${world.relay}/p2p-circuit/p2p/${nobody}`,
          cleanup: async () => {
            await Promise.all(closing.map(async (close) => close()));
            const found = [...kinds].join(', ');
            if (![kind, ''].includes(found)) {
              throw new Error(`Links were ${found}, wanted ${kind}`);
            }
          },
        };
      },
    });
  }
}

type Opened = { readonly transport: Transport; close(): Promise<void> };

async function openHere(privateKey: Uint8Array, direct: boolean): Promise<Opened> {
  const host = await createLibp2pHost({
    privateKey,
    relays: [world.relay],
    direct,
    timing: patient,
  });
  while (host.addresses().length === 0) await pause(10);
  await announced(host);
  return { transport: host.transport(topic), close: async () => host.close() };
}

/** Ports that Node hosts had, so that they come back at the same address. */
const listening = new Map<string, string>();

async function openElsewhere(place: 'node' | 'page', privateKey: Uint8Array): Promise<Opened> {
  const key = hexOf(privateKey);
  const listen = listening.get(key);
  const query = new URLSearchParams({ key, topic, ...(listen === undefined ? {} : { listen }) });
  const socket = new WebSocket(`${world.control}/${place}?${query.toString()}`);
  socket.binaryType = 'arraybuffer';
  const closed = new Promise<void>((resolve) => {
    socket.addEventListener('close', () => resolve());
  });
  let remote: RemoteTransport | null = null;
  const ready = new Promise<RemoteTransport>((resolve, reject) => {
    socket.addEventListener('close', () => reject(new Error(`No host came to be (${place})`)));
    socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) => {
      const message = decode(new Uint8Array(data)) as FromHost;
      if (message.type === 'ready') {
        const tell = (out: ToHost): void => socket.send(encode(out));
        remote = new RemoteTransport(tell, message.host, message.addresses);
        resolve(remote);
      } else remote?.heard(message);
    });
  });
  const transport = await ready;
  const [address = ''] = transport.addresses();
  if (place === 'node') listening.set(key, address.split('/p2p/')[0] ?? '');
  return {
    transport,
    close: async () => {
      socket.close();
      await closed;
    },
  };
}

/** Serves hosts of this page to whoever drives them through the world. */
export function serveHosts(): void {
  const requests = new WebSocket(`${world.control}/pages`);
  requests.addEventListener('message', ({ data }: MessageEvent<string>) => {
    const { id, key } = JSON.parse(data) as { id: string; key: string };
    void serveHost(id, key);
  });
}

async function serveHost(id: string, key: string): Promise<void> {
  const opened = await openHere(bytesOf(key), true);
  const { transport } = opened;
  const socket = new WebSocket(`${world.control}/host?id=${id}`);
  socket.binaryType = 'arraybuffer';
  const tell = (message: FromHost): void => {
    if (socket.readyState === WebSocket.OPEN) {
      socket.send(encode(message));
    }
  };
  const take = serveTransport(transport, tell);
  socket.addEventListener('message', ({ data }: MessageEvent<ArrayBuffer>) =>
    take(decode(new Uint8Array(data)) as ToHost),
  );
  socket.addEventListener('close', () => void opened.close());
  socket.addEventListener('open', () =>
    tell({ type: 'ready', host: transport.host, addresses: transport.addresses() }),
  );
}

function hexOf(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

function bytesOf(hex: string): Uint8Array {
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

async function pause(delayMs: number): Promise<void> {
  await new Promise<void>((resolve) => {
    systemClock.setTimeout(resolve, delayMs);
  });
}
