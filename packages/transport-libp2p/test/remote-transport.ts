/** A Transport whose host lives elsewhere, driven by messages. Its `send` is told of no refusals. */
import { QuorateError } from '@quorate/contracts';
import type {
  Channel,
  HostId,
  Link,
  LinkKind,
  Transport,
  TransportHandler,
} from '@quorate/contracts';
import type { FromHost, ToHost } from './remote-messages.ts';

/** Where its messages go; whoever makes it hands it those that come, by `heard`. */
export type Tell = (message: ToHost) => void;

export class RemoteTransport implements Transport {
  readonly host: HostId;
  readonly frameBytesMax: number = 1024 * 1024;
  readonly #tell: Tell;
  readonly #addresses: readonly string[];
  readonly #asked = new Map<number, (answer: { value: string; code: string }) => void>();
  readonly #links = new Map<number, RemoteLink>();
  #handler: TransportHandler | null = null;

  constructor(tell: Tell, host: HostId, addresses: readonly string[]) {
    this.#tell = tell;
    this.host = host;
    this.#addresses = addresses;
  }

  async start(handler: TransportHandler): Promise<void> {
    this.#handler = handler;
    await this.#ask((ask) => ({ type: 'start', ask }));
  }

  addresses(): readonly string[] {
    return this.#addresses;
  }

  connect(host: HostId, addresses: readonly string[]): void {
    this.#tell({ type: 'connect', host, addresses });
  }

  async dial(address: string): Promise<HostId> {
    return this.#ask((ask) => ({ type: 'dial', ask, address }));
  }

  disconnect(host: HostId): void {
    this.#tell({ type: 'disconnect', host });
  }

  async close(): Promise<void> {
    await this.#ask((ask) => ({ type: 'closeTransport', ask }));
  }

  heard(message: FromHost): void {
    switch (message.type) {
      case 'ready':
        break;
      case 'answer':
        this.#asked.get(message.ask)?.(message);
        break;
      case 'linkUp': {
        const link = new RemoteLink(message, this.#tell);
        this.#links.set(message.link, link);
        this.#handler?.linkUp(link);
        break;
      }
      case 'linkDown': {
        const link = this.#links.get(message.link);
        if (link === undefined) break;
        link.isUp = false;
        this.#handler?.linkDown(link, message.reason);
        break;
      }
      case 'frame': {
        const link = this.#links.get(message.link);
        if (link !== undefined) this.#handler?.frame(link, message.channel, message.frame);
        break;
      }
      case 'drained': {
        const link = this.#links.get(message.link);
        if (link !== undefined) this.#handler?.drained(link, message.channel);
        break;
      }
    }
  }

  async #ask(message: (ask: number) => ToHost): Promise<string> {
    const ask = this.#asked.size + 1;
    const answer = await new Promise<{ value: string; code: string }>((resolve) => {
      this.#asked.set(ask, resolve);
      this.#tell(message(ask));
    });
    if (answer.code === '') return answer.value;
    throw new QuorateError('UNREACHABLE', `The other side says ${answer.code}`);
  }
}

class RemoteLink implements Link {
  readonly host: HostId;
  readonly kind: LinkKind;
  readonly initiator: boolean;
  readonly roundTripMs = undefined;
  isUp = true;
  readonly #number: number;
  readonly #tell: Tell;

  constructor(up: Extract<FromHost, { type: 'linkUp' }>, tell: Tell) {
    this.host = up.host;
    this.kind = up.kind as LinkKind;
    this.initiator = up.initiator;
    this.#number = up.link;
    this.#tell = tell;
  }

  send(channel: Channel, frame: Uint8Array): boolean {
    if (this.isUp) this.#tell({ type: 'send', link: this.#number, channel, frame });
    return this.isUp;
  }

  unsentBytes(): number {
    return 0;
  }

  close(reason: string): void {
    this.#tell({ type: 'closeLink', link: this.#number, reason });
  }
}
