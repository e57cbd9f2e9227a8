/** A transport driven by messages: the other half of remote-transport.ts. */
import type { Link, Transport } from '@quorate/contracts';
import type { FromHost, ToHost } from './remote-messages.ts';

/** Returns what takes the messages of whoever drives it. */
export function serveTransport(
  transport: Transport,
  tell: (message: FromHost) => void,
): (message: ToHost) => void {
  const links = new Map<number, Link>();
  const numbers = new Map<Link, number>();
  const settled = async (ask: number, promise: Promise<string | void>): Promise<void> => {
    try {
      tell({ type: 'answer', ask, value: (await promise) ?? '', code: '' });
    } catch (error) {
      const code = (error as { code?: string }).code ?? 'unknown';
      tell({ type: 'answer', ask, value: '', code });
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
  return (message) => {
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
  };
}
