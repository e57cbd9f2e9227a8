/**
 * Lets virtual time pass: as far as a test says, and else only as long as a call waits for an answer.
 */
import type { VirtualClock } from '../virtual-clock.ts';

/** Taken before a test replaces it. */
const immediate = setImmediate;

export class Pace {
  readonly #clock: VirtualClock;
  #pendingCount = 0;
  #advancing = 0;
  #running = false;

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  /** `call`, with time passing until it is settled. */
  drive<T>(call: Promise<T>): Promise<T> {
    this.#pendingCount += 1;
    this.#goOn();
    return call.finally(() => {
      this.#pendingCount -= 1;
    });
  }

  /** Lets `ms` pass, or as much of it as it takes until `condition` holds. */
  async advance(ms: number, condition: () => boolean = () => false): Promise<void> {
    this.#advancing += 1;
    try {
      await this.#clock.run(this.#clock.now() + ms, condition);
    } finally {
      this.#advancing -= 1;
      this.#goOn();
    }
  }

  /** Begins a little later, so that a test may say how far time goes before it moves. */
  #goOn(): void {
    if (this.#running) return;
    this.#running = true;
    immediate(() => {
      this.#run().then(
        () => {
          this.#running = false;
          if (this.#waits()) this.#goOn();
        },
        (error: unknown) => {
          // An event threw: a bug of ours, which no call may hide.
          queueMicrotask(() => {
            throw error;
          });
        },
      );
    });
  }

  #waits(): boolean {
    return this.#pendingCount > 0 && this.#advancing === 0;
  }

  async #run(): Promise<void> {
    while (this.#waits()) {
      await this.#clock.run(this.#clock.now() + stepMs, () => !this.#waits());
    }
  }
}

const stepMs = 10;
