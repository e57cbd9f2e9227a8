/** A host in a process of its own; a test drives it over the process's channel. */
import type { Link } from '@quorate/cluster';
import { createLibp2pHost } from '../../src/index.ts';
import type { FromHost, ToHost } from './messages.ts';

const { privateKey, listen, relays, topic } = JSON.parse(process.argv[2] ?? '{}') as {
  privateKey: string;
  listen: string[];
  relays: string[];
  topic: string;
};

const tell = (message: FromHost): void => {
  process.send?.(message);
};

const host = await createLibp2pHost({
  privateKey: Buffer.from(privateKey, 'hex'),
  listen,
  relays,
});
const transport = host.transport(topic);
const links = new Map<number, Link>();
const numbers = new Map<Link, number>();

const settled = async (ask: number, promise: Promise<string | void>): Promise<void> => {
  try {
    tell({ type: 'answer', ask, value: (await promise) ?? '', code: '' });
  } catch (error) {
    tell({ type: 'answer', ask, value: '', code: (error as { code?: string }).code ?? 'unknown' });
  }
};

const start = async (): Promise<void> =>
  transport.start({
    linkUp: (link) => {
      const number = numbers.size + 1;
      numbers.set(link, number);
      links.set(number, link);
      const { kind, initiator } = link;
      tell({ type: 'linkUp', link: number, host: link.host, kind, initiator });
    },
    linkDown: (link, reason) => {
      tell({ type: 'linkDown', link: numbers.get(link) ?? 0, reason });
    },
    frame: (link, channel, frame) => {
      tell({ type: 'frame', link: numbers.get(link) ?? 0, channel, frame });
    },
    drained: (link, channel) => {
      tell({ type: 'drained', link: numbers.get(link) ?? 0, channel });
    },
  });

process.on('message', (message: ToHost) => {
  switch (message.type) {
    case 'start':
      void settled(message.ask, start());
      break;
    case 'connect':
      transport.connect(message.host, message.addresses);
      break;
    case 'dial':
      void settled(message.ask, transport.dial(message.address, AbortSignal.timeout(10_000)));
      break;
    case 'disconnect':
      transport.disconnect(message.host);
      break;
    case 'send':
      links.get(message.link)?.send(message.channel, message.frame);
      break;
    case 'closeLink':
      links.get(message.link)?.close(message.reason);
      break;
    case 'closeTransport':
      void settled(message.ask, transport.close());
      break;
  }
});
process.on('disconnect', () => process.exit(0));

while (host.addresses().length === 0) await new Promise((resolve) => setTimeout(resolve, 20));
tell({ type: 'ready', host: host.peerId, addresses: host.addresses() });
