/** The transport contract on the virtual network: wants links, and keeps wanting them. */
import type { HostId, Transport, TransportHandler } from '@quorate/contracts';
import { QuorateError } from '@quorate/contracts';
import type { ProcessClock } from './virtual-clock.ts';
import { frameBytesMax } from './virtual-conditions.ts';
import type { Surroundings } from './virtual-conditions.ts';
import type { LinkEnd, VirtualLinkPair } from './virtual-link.ts';

/** The network as a transport uses it. */
export type Ether = Pick<Surroundings, 'clock' | 'prng'> & {
  register(transport: VirtualTransport): void;
  unregister(transport: VirtualTransport): void;
  linkBetween(a: HostId, b: HostId): VirtualLinkPair | null;
  /** `done(true)` once a link is up on both sides. */
  attempt(from: VirtualTransport, to: HostId, done: (up: boolean) => void): void;
};

/** A link that lives less long was refused. */
const shortMs = 100;

/** The transport of one host in the life of one process. */
export class VirtualTransport implements Transport, LinkEnd {
  readonly host: HostId;
  readonly frameBytesMax: number = frameBytesMax;
  readonly process: ProcessClock;
  readonly #network: Ether;
  readonly #wanted = new Set<HostId>();
  /** When the last link was made from this side. */
  readonly #linkedAt = new Map<HostId, number>();
  /** Hosts with an attempt or a pause under way. */
  readonly #trying = new Set<HostId>();
  handler: TransportHandler | null = null;
  open = false;

  constructor(network: Ether, host: HostId, process: ProcessClock) {
    this.#network = network;
    this.host = host;
    this.process = process;
  }

  start(handler: TransportHandler): Promise<void> {
    return new Promise((resolve) => {
      this.#network.clock.setTimeout(() => {
        this.process.enter(() => {
          this.handler = handler;
          this.open = true;
          this.#network.register(this);
          resolve();
        });
      }, 1);
    });
  }

  addresses(): readonly string[] {
    return this.open ? [`virtual:${this.host}`] : [];
  }

  connect(host: HostId, _addresses: readonly string[]): void {
    if (host === this.host) return;
    this.#wanted.add(host);
    this.#try(host, 0);
  }

  dial(address: string, signal: AbortSignal): Promise<HostId> {
    const host = address.replace(/^virtual:/, '');
    return new Promise((resolve, reject) => {
      const fail = (): void => {
        reject(new QuorateError('UNREACHABLE', `Cannot dial ${address}: no answer`));
      };
      if (signal.aborted || !this.open || host === this.host) return fail();
      signal.addEventListener('abort', fail);
      this.#network.attempt(this, host, (up) => {
        this.process.enter(() => {
          if (up) resolve(host);
          else fail();
        });
      });
    });
  }

  disconnect(host: HostId): void {
    this.#wanted.delete(host);
    this.#network.linkBetween(this.host, host)?.sideOf(this.host).close('disconnected');
  }

  close(): Promise<void> {
    this.open = false;
    this.#wanted.clear();
    this.#network.unregister(this);
    this.handler = null;
    return Promise.resolve();
  }

  wantAgain(host: HostId): void {
    if (!this.#wanted.has(host)) return;
    // As real ones do: whoever is refused at once does not come back at once, again and again.
    const ageMs = this.process.now() - (this.#linkedAt.get(host) ?? -Infinity);
    this.#try(host, ageMs < shortMs ? 1 : 0);
  }

  #try(host: HostId, failures: number): void {
    if (this.#trying.has(host) || !this.open) return;
    this.#trying.add(host);
    const pauseMs = failures === 0 ? 0 : Math.min(2_000, 50 * 2 ** Math.min(failures, 6));
    this.process.setTimeout(
      () => {
        const over = (): boolean =>
          !this.open || !this.#wanted.has(host) || this.#linkedTo(host) || !this.process.alive;
        if (over()) {
          this.#trying.delete(host);
          return;
        }
        this.#network.attempt(this, host, (up) => {
          this.#trying.delete(host);
          if (up) this.#linkedAt.set(host, this.process.now());
          else if (!over()) this.#try(host, failures + 1);
        });
      },
      pauseMs * this.#network.prng.between(0.5, 1),
    );
  }

  #linkedTo(host: HostId): boolean {
    const link = this.#network.linkBetween(this.host, host);
    return link !== null && link.alive && link.sideOf(this.host).local === this;
  }
}
