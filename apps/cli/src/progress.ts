/** How far a long transfer is, on the terminal of whoever waits for it; elsewhere silent. */

export class Progress {
  readonly #stream: NodeJS.WriteStream | null;
  readonly #what: string;
  #bytes = 0;
  #shownAtMs = 0;
  #isShown = false;

  /** Shows nothing where `stream` is no terminal, or `quiet` is true. */
  constructor(what: string, stream: NodeJS.WriteStream, quiet: boolean) {
    this.#what = what;
    this.#stream = stream.isTTY && !quiet ? stream : null;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    const nowMs = performance.now();
    if (this.#stream === null || nowMs - this.#shownAtMs < intervalMs) return;
    this.#shownAtMs = nowMs;
    this.#isShown = true;
    this.#stream.write(`\r${this.#what}: ${(this.#bytes / 2 ** 20).toFixed(1)} MiB\u001B[K`);
  }

  /** Clears what it showed. */
  end(): void {
    if (this.#isShown) this.#stream?.write('\r\u001B[K');
    this.#isShown = false;
  }
}

const intervalMs = 200;
