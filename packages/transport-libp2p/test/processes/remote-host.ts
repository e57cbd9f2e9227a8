/** A Transport whose host runs in another process. Its `send` is told of no refusals. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { QuorateError } from '@quorate/cluster';
import type {
  Channel,
  HostId,
  Link,
  LinkKind,
  Transport,
  TransportHandler,
} from '@quorate/cluster';
import type { FromHost, ToHost } from './messages.ts';

export type RemoteHostOptions = {
  readonly privateKey: Uint8Array;
  readonly listen: readonly string[];
  readonly relays: readonly string[];
  readonly topic: string;
};

/** Starts a TypeScript program of this folder in a process of its own. */
export function runProgram(name: string, ...args: string[]): ChildProcess {
  const path = fileURLToPath(new URL(name, import.meta.url));
  return fork(path, args, {
    execArgv: ['--conditions=source', '--import', import.meta.resolve('tsx')],
    serialization: 'advanced',
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

export class RemoteHost implements Transport {
  readonly host: HostId;
  readonly frameBytesMax: number = 1024 * 1024;
  readonly #process: ChildProcess;
  readonly #addresses: readonly string[];
  readonly #asked = new Map<number, (answer: { value: string; code: string }) => void>();
  readonly #links = new Map<number, RemoteLink>();
  #handler: TransportHandler | null = null;

  static async launch(options: RemoteHostOptions): Promise<RemoteHost> {
    const child = runProgram(
      './host-main.ts',
      JSON.stringify({ ...options, privateKey: Buffer.from(options.privateKey).toString('hex') }),
    );
    const ready = await new Promise<Extract<FromHost, { type: 'ready' }>>((resolve, reject) => {
      child.once('exit', (code) => reject(new Error(`The host ended with ${code}`)));
      child.on('message', (message: FromHost) => {
        if (message.type === 'ready') resolve(message);
      });
    });
    return new RemoteHost(child, ready.host, ready.addresses);
  }

  private constructor(child: ChildProcess, host: HostId, addresses: readonly string[]) {
    this.#process = child;
    this.host = host;
    this.#addresses = addresses;
    child.on('message', (message: FromHost) => this.#heard(message));
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
    if (this.#process.connected) await this.#ask((ask) => ({ type: 'closeTransport', ask }));
  }

  /** Ends the process: politely, or as a crash would. */
  async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.#process.once('exit', resolve));
    this.#process.kill(signal);
    await gone;
  }

  #heard(message: FromHost): void {
    switch (message.type) {
      case 'ready':
        break;
      case 'answer':
        this.#asked.get(message.ask)?.(message);
        break;
      case 'linkUp': {
        const link = new RemoteLink(message, (out) => this.#tell(out));
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

  #tell(message: ToHost): void {
    if (this.#process.connected) this.#process.send(message);
  }

  async #ask(message: (ask: number) => ToHost): Promise<string> {
    const ask = this.#asked.size + 1;
    const answer = await new Promise<{ value: string; code: string }>((resolve) => {
      this.#asked.set(ask, resolve);
      this.#tell(message(ask));
    });
    if (answer.code === '') return answer.value;
    throw new QuorateError('UNREACHABLE', `The other process says ${answer.code}`);
  }
}

class RemoteLink implements Link {
  readonly host: HostId;
  readonly kind: LinkKind;
  readonly initiator: boolean;
  readonly roundTripMs = undefined;
  isUp = true;
  readonly #number: number;
  readonly #tell: (message: ToHost) => void;

  constructor(up: Extract<FromHost, { type: 'linkUp' }>, tell: (message: ToHost) => void) {
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
