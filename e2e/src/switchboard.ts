/**
 * A network between processes on loopback that can be cut by pair and direction. Every process is
 * dialled at a port of the switchboard, which knows from the first line of a connection who dials
 * (`dialling-card.mjs`). What a cut holds is delivered when it heals, as TCP would.
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

export class Switchboard {
  readonly #servers: Server[] = [];
  readonly #ports: number[] = [];
  readonly #pipes = new Set<Pipe>();
  readonly #cuts = new Set<string>();

  /** A port where `name` is reached, which itself listens on `target` of this machine. */
  async port(name: string, target: number): Promise<number> {
    const server = createServer((dialler) => this.#accept(dialler, name, target));
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    this.#servers.push(server);
    const { port } = server.address() as AddressInfo;
    this.#ports.push(port);
    return port;
  }

  /** The environment of the process `name`, once all ports are there. */
  environment(name: string): Readonly<Record<string, string>> {
    return {
      NODE_OPTIONS: `--import ${new URL('dialling-card.mjs', import.meta.url).href}`,
      E2E_DIALLER: name,
      E2E_SWITCHBOARD: this.#ports.join(','),
    };
  }

  /** From now on nothing that `from` says reaches `to`, over whichever connection. */
  cut(from: string, to: string): void {
    this.#cuts.add(direction(from, to));
  }

  /** Neither hears the other. */
  part(one: string, other: string): void {
    this.cut(one, other);
    this.cut(other, one);
  }

  heal(): void {
    this.#cuts.clear();
    for (const pipe of this.#pipes) pipe.flow();
  }

  /** Whether a connection between the two exists, whoever dialled. */
  joins(one: string, other: string): boolean {
    return [...this.#pipes].some(({ from, to }) => from === one && to === other);
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const pipe of this.#pipes) pipe.destroy();
  }

  #accept(dialler: Socket, name: string, target: number): void {
    dialler.on('error', () => dialler.destroy());
    let card = '';
    const read = (): void => {
      for (let byte: Buffer | null; (byte = dialler.read(1) as Buffer | null) !== null;) {
        if (byte[0] !== newline) {
          card += byte.toString();
          continue;
        }
        dialler.off('readable', read);
        this.#join(dialler, card, connect(target, '127.0.0.1'), name);
        return;
      }
    };
    dialler.on('readable', read);
  }

  #join(dialler: Socket, diallerName: string, called: Socket, calledName: string): void {
    const add = (source: Socket, sink: Socket, from: string, to: string): void => {
      const isCut = (): boolean => this.#cuts.has(direction(from, to));
      const pipe: Pipe = new Pipe({ source, sink, from, to, isCut }, () => {
        this.#pipes.delete(pipe);
      });
      this.#pipes.add(pipe);
    };
    add(dialler, called, diallerName, calledName);
    add(called, dialler, calledName, diallerName);
  }
}

type Ends = {
  readonly source: Socket;
  readonly sink: Socket;
  readonly from: string;
  readonly to: string;
  readonly isCut: () => boolean;
};

/** One direction of a connection. */
class Pipe {
  readonly from: string;
  readonly to: string;
  readonly #ends: Ends;
  /** Null: the end of the stream. */
  readonly #held: (Buffer | null)[] = [];

  constructor(ends: Ends, onEnd: () => void) {
    this.#ends = ends;
    this.from = ends.from;
    this.to = ends.to;
    const { source, sink } = ends;
    source.on('data', (bytes: Buffer) => this.#push(bytes));
    source.on('error', () => source.destroy());
    source.on('close', () => this.#push(null));
    sink.on('drain', () => source.resume());
    sink.on('close', onEnd);
  }

  flow(): void {
    const { source, sink, isCut } = this.#ends;
    while (this.#held.length > 0 && !isCut()) {
      const bytes = this.#held.shift();
      if (bytes === null || bytes === undefined) sink.destroySoon();
      else if (!sink.destroyed && !sink.write(bytes)) source.pause();
    }
  }

  destroy(): void {
    this.#ends.source.destroy();
    this.#ends.sink.destroy();
  }

  #push(bytes: Buffer | null): void {
    this.#held.push(bytes);
    this.flow();
  }
}

function direction(from: string, to: string): string {
  return `${from} > ${to}`;
}

const newline = 10;
