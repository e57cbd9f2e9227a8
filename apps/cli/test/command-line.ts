/** Runs command lines in this process, as a shell would in its own. */
import { run } from '../src/index.ts';

export type Finished = { readonly code: number; readonly out: string; readonly err: string };

export class RunningCommand {
  readonly finished: Promise<Finished>;
  #out = '';
  #err = '';
  readonly #stop = new AbortController();
  readonly #waiting = new Set<() => void>();

  constructor(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    piped: readonly Uint8Array[] = [],
  ) {
    const wake = (): void => {
      for (const look of [...this.#waiting]) look();
    };
    const surroundings = {
      environment,
      out: { write: (text: string) => ((this.#out += text), wake()) },
      err: { write: (text: string) => ((this.#err += text), wake()) },
      input: (async function* () {
        yield* piped;
      })(),
      version: '1.2.3',
      stopSignal: () => this.#stop.signal,
    };
    this.finished = run(args, surroundings).then((code) => {
      wake();
      return { code, out: this.#out, err: this.#err };
    });
  }

  /** What it has written to stderr so far. */
  get err(): string {
    return this.#err;
  }

  /** What a first Ctrl-C does. */
  stop(): void {
    this.#stop.abort();
  }

  /** The first event on `out` that `wanted` takes. */
  async event(
    wanted: (event: Record<string, unknown>) => boolean,
  ): Promise<Record<string, unknown>> {
    let ended = false;
    void this.finished.then(() => (ended = true));
    for (;;) {
      const lines = this.#out.split('\n').slice(0, -1);
      const found = lines.map((line) => JSON.parse(line) as Record<string, unknown>).find(wanted);
      if (found !== undefined) return found;
      if (ended) throw new Error(`Ended without the event:\n${this.#out}${this.#err}`);
      await new Promise<void>((resolve) => {
        const look = (): void => {
          this.#waiting.delete(look);
          resolve();
        };
        this.#waiting.add(look);
        void this.finished.then(look);
      });
    }
  }
}

/** Runs a command line to its end. */
export async function quorate(
  args: readonly string[],
  environment?: Readonly<Record<string, string>>,
  piped?: readonly Uint8Array[],
): Promise<Finished> {
  return new RunningCommand(args, environment, piped).finished;
}
