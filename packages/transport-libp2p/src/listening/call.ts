/** One connection to a listener, from the socket to its end: timed, counted, and ended when it must. */
import type { Socket } from 'node:net';
import type { Visit } from './door.ts';
import type { Listening } from './listening.ts';
import { sourceOf } from './source.ts';

export class Call {
  readonly #listening: Listening;
  readonly #socket: Socket;
  readonly #visit: Visit | null;
  #cancelTimer: () => void = () => {};
  /** Bytes that had come when something was last wanted of it. */
  #bytesBefore = 0;

  /** Ends the socket at once where there are too many. */
  constructor(listening: Listening, socket: Socket, address: string) {
    this.#listening = listening;
    this.#socket = socket;
    // A proxy's own address says nothing of whom it carries.
    const source = listening.proxies.has(address) ? null : sourceOf(address);
    this.#visit = listening.door.enter(
      {
        isSilent: () => socket.bytesRead <= this.#bytesBefore,
        giveWay: () => this.end(),
      },
      source,
    );
    socket.on('close', () => this.#leave());
    if (this.#visit === null) this.end();
    else this.#within(listening.limits.headersMs);
  }

  /** The head of a request is here, and says whose it is. False: there are too many of that source. */
  isOf(client: string): boolean {
    this.#bytesBefore = this.#socket.bytesRead;
    this.#within(this.#listening.limits.upgradeMs);
    return this.#visit?.isOf(sourceOf(client)) === true;
  }

  /** What both sides prove next, they prove on `connection`. */
  upgrades(connection: object): void {
    if (this.#visit !== null) this.#listening.expect(connection, this.#visit);
  }

  /** Nothing is waited for any more. */
  isUpgraded(): void {
    this.#cancelTimer();
  }

  end(): void {
    this.#leave();
    this.#socket.destroy();
  }

  #leave(): void {
    this.#cancelTimer();
    this.#visit?.leave();
  }

  #within(delayMs: number): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#listening.clock.setTimeout(() => {
      this.#listening.late += 1;
      this.end();
    }, delayMs);
  }
}
