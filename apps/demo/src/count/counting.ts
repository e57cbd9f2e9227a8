/** The shared number: adds to it, follows it revision by revision, and keeps the tally. */
import { isQuorateError } from 'quorate';
import type { KeyValue, OperationResult, TxnResult, WatchBatch } from 'quorate';
import { Tallying } from './tally.ts';
import type { Tally } from './tally.ts';

/** One +1 of somebody, as everybody sees it. */
export type Step = { readonly total: number; readonly writer: string };

export type CountingEvents = {
  /** The total as it is now, and what made it so, oldest first. */
  stepped(total: number, steps: readonly Step[]): void;
  tallied(tally: Tally): void;
};

export class Counting {
  readonly #kv: KeyValue;
  readonly #ownKey: string;
  readonly #events: CountingEvents;
  readonly #tallying = new Tallying();
  readonly #ended = new AbortController();
  #settled: Promise<void> = Promise.resolve();
  #streaming = false;

  /** `writer` names the tab; a number of chance behind it names this load of its page. */
  constructor(kv: KeyValue, writer: string, events: CountingEvents) {
    this.#kv = kv;
    this.#ownKey = `${ownPrefix}${writer}/${crypto.getRandomValues(new Uint32Array(1)).join('')}`;
    this.#events = events;
    void this.#follow();
  }

  /** Adds one. Resolves when it is known what became of it; never rejects. */
  add(): Promise<void> {
    const written = this.#kv.batch([
      { type: 'increment', key: totalKey },
      { type: 'increment', key: this.#ownKey },
    ]);
    this.#settled = this.#hold(written, this.#settled);
    return this.#settled;
  }

  /** Adds one after another until `stopStream`, as fast as a person can follow. */
  stream(mayWrite: () => boolean): void {
    if (this.#streaming) return;
    this.#streaming = true;
    void this.#stream(mayWrite);
  }

  stopStream(): void {
    this.#streaming = false;
  }

  close(): void {
    this.#streaming = false;
    this.#ended.abort();
  }

  /** Against the tally, in call order: that is the order in which they take effect. */
  async #hold(written: Promise<TxnResult>, before: Promise<void>): Promise<void> {
    let own: OperationResult | undefined;
    let doubted = false;
    try {
      own = (await written).results[1];
    } catch (error) {
      doubted = isQuorateError(error) && error.outcome === 'unknown';
    }
    await before;
    if (own?.type === 'increment') this.#tallying.acked(own.value);
    if (doubted) this.#tallying.doubted();
    this.#events.tallied(this.#tallying.tally);
  }

  async #stream(mayWrite: () => boolean): Promise<void> {
    while (this.#streaming) {
      if (mayWrite()) await this.add();
      await new Promise((resolve) => setTimeout(resolve, streamPauseMs));
    }
  }

  async #follow(): Promise<void> {
    const { signal } = this.#ended;
    while (!signal.aborted) {
      try {
        for await (const batch of this.#kv.watch<number>({ prefix, initial: true, signal })) {
          this.#take(batch);
        }
      } catch (error) {
        if (signal.aborted || isQuorateError(error, 'CLOSED')) return;
        // Fell too far behind, as a page does that slept: begin again from what is there.
        await new Promise((resolve) => setTimeout(resolve, followAgainMs));
      }
    }
  }

  #take({ events, initial }: WatchBatch<number>): void {
    const total = events.find(({ key }) => key === totalKey);
    if (initial) {
      const value = total?.type === 'put' ? total.value : 0;
      this.#tallying.startAt(value);
      this.#events.stepped(value, []);
      return;
    }
    if (total?.type !== 'put') return;
    this.#tallying.saw(total.value);
    const own = events.find(({ key }) => key.startsWith(ownPrefix));
    const writer = own?.key.slice(ownPrefix.length).split('/')[0] ?? '';
    this.#events.stepped(total.value, [{ total: total.value, writer }]);
    this.#events.tallied(this.#tallying.tally);
  }
}

const prefix = 'count/';
const totalKey = `${prefix}total`;
const ownPrefix = `${prefix}by/`;
const streamPauseMs = 60;
const followAgainMs = 200;
