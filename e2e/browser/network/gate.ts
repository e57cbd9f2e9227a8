/**
 * Stands in front of servers, and can cut browsers off from them without a word, as when a machine
 * loses its network. Who else dials passes: only browsers say of which origin their page is.
 */
import { connect, createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';

type Connection = { readonly dialler: Socket; readonly called: Socket };

export class Gate {
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #ofBrowsers = new Set<Connection>();
  #isOpen = true;

  /** A port of the loopback that leads to `target`, another one of it. */
  async before(target: number): Promise<number> {
    const server = createServer((dialler) => this.#accept(dialler, target));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    this.#servers.push(server);
    return (server.address() as AddressInfo).port;
  }

  /** How many connections of browsers there are. */
  get browsers(): number {
    return this.#ofBrowsers.size;
  }

  /** Nothing of what browsers send or are sent arrives from now on, and nothing tells them so. */
  cut(): void {
    this.#isOpen = false;
    for (const { dialler, called } of this.#ofBrowsers) {
      dialler.unpipe().pause();
      called.unpipe().pause();
    }
  }

  /** What was cut goes on where it was, if it is still there. */
  heal(): void {
    this.#isOpen = true;
    for (const { dialler, called } of this.#ofBrowsers) {
      dialler.pipe(called);
      called.pipe(dialler);
    }
  }

  close(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(dialler: Socket, target: number): void {
    this.#keep(dialler);
    // Every connection begins with one small request for an upgrade.
    dialler.once('data', (head) => {
      const called = connect(target, '127.0.0.1');
      this.#keep(called);
      called.write(head);
      const connection = { dialler, called };
      const isOfBrowser = /^origin:/im.test(head.toString('latin1'));
      if (isOfBrowser) this.#ofBrowsers.add(connection);
      for (const end of [dialler, called]) {
        end.once('close', () => {
          this.#ofBrowsers.delete(connection);
          dialler.destroy();
          called.destroy();
        });
      }
      if (isOfBrowser && !this.#isOpen) return void dialler.pause();
      dialler.pipe(called);
      called.pipe(dialler);
    });
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.once('close', () => this.#sockets.delete(socket));
  }
}
