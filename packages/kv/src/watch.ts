/**
 * Watches. A watcher is a place in the replicated history and nothing else: it holds no events, so
 * a slow one costs nothing and delays nobody (K3). It moves past revisions that do not concern it
 * as they come, and stops at the first one that does until somebody asks for it.
 */
import { onAbort, QuorateError } from '@quorate/contracts';
import { generationOf } from './generation.ts';
import type { HistoryEvent, HistoryRevision } from './history.ts';
import { selects } from './ordered-map.ts';
import { entryOrNull } from './requests.ts';
import { compacted } from './selection.ts';
import type { KvStateMachine } from './state-machine.ts';
import type { KeySelector, WatchBatch, WatchEvent } from './types.ts';

export type WatchStart =
  /** The first revision to deliver. */
  | { readonly from: number }
  /** The present state, then what follows it. */
  | { readonly initial: true };

export type WatcherOptions = {
  readonly machine: KvStateMachine;
  readonly selector: KeySelector;
  readonly previous: boolean;
  readonly signal: AbortSignal | undefined;
  /** Where to begin, as soon as that is known. */
  readonly start: WatchStart | Promise<WatchStart>;
  /** The cluster that the state is of; null while that is not known. */
  readonly cluster: () => string | null;
  /** Called once, when the watch is over for whatever reason. */
  readonly ended: (watcher: Watcher) => void;
};

type Waiter = {
  readonly resolve: (result: IteratorResult<WatchBatch, undefined>) => void;
  readonly reject: (error: unknown) => void;
};

export class Watcher implements AsyncIterableIterator<WatchBatch, undefined> {
  readonly #options: WatcherOptions;
  readonly #waiters: Waiter[] = [];
  readonly #stopObserving: () => void;
  readonly #forget: () => void;
  /** The next revision to look at; null until the start is known. */
  #cursor: number | null = null;
  /** The cluster that the cursor is a place in (Z50). */
  #cluster: string | null = null;
  #initial: WatchBatch | null = null;
  #failure: unknown = null;
  #over = false;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#stopObserving = options.machine.observe({
      changed: (restored) => {
        // Only a snapshot brings the state of another cluster.
        if (restored) this.#checkCluster();
        this.#advance();
      },
      trimming: () => {
        this.#advance();
      },
    });
    this.#forget = onAbort(options.signal, this.#abort);
    if (options.signal?.aborted === true) this.#abort();
    const { start } = options;
    if (!(start instanceof Promise)) this.#begin(start);
    else {
      start.then(
        (known) => {
          this.#begin(known);
        },
        (error: unknown) => {
          this.fail(error);
        },
      );
    }
  }

  get over(): boolean {
    return this.#over;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** May be called again before the last one resolved; answers come in order. */
  next(): Promise<IteratorResult<WatchBatch, undefined>> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ resolve, reject });
      this.#advance();
    });
  }

  async return(): Promise<IteratorResult<WatchBatch, undefined>> {
    this.#end();
    return { done: true, value: undefined };
  }

  /** Ends the watch: the next `next()` rejects with `error`, later ones are done. */
  fail(error: unknown): void {
    if (this.#over) return;
    this.#failure = error;
    this.#end();
  }

  #begin(start: WatchStart): void {
    if (this.#over) return;
    const { machine, selector } = this.#options;
    this.#cluster = this.#options.cluster();
    if ('from' in start) {
      this.#cursor = start.from;
    } else {
      const { store } = machine;
      const events: WatchEvent[] = [];
      for (const record of store.records.select(selector)) {
        const entry = record.entry();
        events.push({ type: 'put', key: record.key, value: entry.value, entry });
      }
      this.#initial = { revision: store.revision, events, initial: true };
      this.#cursor = store.revision + 1;
    }
    this.#advance();
  }

  /** Z50: a place in the past of another cluster is none in this one's, whatever its number. */
  #checkCluster(): void {
    const cluster = this.#options.cluster();
    if (cluster === null || this.#cursor === null) return;
    this.#cluster ??= cluster;
    if (cluster !== this.#cluster) this.#failCompacted(this.#cursor);
  }

  #failCompacted(cursor: number): void {
    const { oldestRevision } = this.#options.machine.store.history;
    this.fail(compacted('watch from', cursor, oldestRevision));
  }

  /** Moves to the next revision that concerns this watch and delivers while somebody waits. */
  #advance(): void {
    const { store } = this.#options.machine;
    for (;;) {
      if (this.#over) {
        this.#settleWaiters();
        return;
      }
      if (this.#initial !== null) {
        if (!this.#deliver(this.#initial)) return;
        this.#initial = null;
        continue;
      }
      const cursor = this.#cursor;
      if (cursor === null) return;
      if (cursor > store.revision) {
        // One of a later generation waits for ever; but a state of nothing may merely not be here yet.
        if (store.revision === 0 || generationOf(cursor) === generationOf(store.revision)) return;
        this.#failCompacted(cursor);
        continue;
      }
      const revision = store.history.get(cursor);
      if (revision === undefined) {
        this.#failCompacted(cursor);
        continue;
      }
      const events = this.#matching(revision);
      if (events.length > 0) {
        if (this.#waiters.length === 0) return;
        this.#deliver(this.#batch(cursor, events));
      }
      this.#cursor = cursor + 1;
    }
  }

  #matching(revision: HistoryRevision): readonly HistoryEvent[] {
    return revision.events.filter(({ key }) => selects(this.#options.selector, key));
  }

  #batch(revision: number, events: readonly HistoryEvent[]): WatchBatch {
    const { previous } = this.#options;
    return { revision, events: events.map((event) => toEvent(event, previous)), initial: false };
  }

  #deliver(batch: WatchBatch): boolean {
    const waiter = this.#waiters.shift();
    waiter?.resolve({ done: false, value: batch });
    return waiter !== undefined;
  }

  #settleWaiters(): void {
    for (let waiter = this.#waiters.shift(); waiter !== undefined; waiter = this.#waiters.shift()) {
      if (this.#failure === null) {
        waiter.resolve({ done: true, value: undefined });
      } else {
        waiter.reject(this.#failure);
        this.#failure = null;
      }
    }
  }

  readonly #abort = (): void => {
    const { signal } = this.#options;
    this.fail(new QuorateError('ABORTED', 'Watch ended by its signal', { cause: signal?.reason }));
  };

  #end(): void {
    if (!this.#over) {
      this.#over = true;
      this.#initial = null;
      this.#stopObserving();
      this.#forget();
      this.#options.ended(this);
    }
    this.#settleWaiters();
  }
}

function toEvent(event: HistoryEvent, withPrevious: boolean): WatchEvent {
  const { key, record } = event;
  const previous = withPrevious ? { previous: entryOrNull(event.previous) } : {};
  if (record === null) return { type: 'delete', key, ...previous };
  const entry = record.entry();
  return { type: 'put', key, value: entry.value, entry, ...previous };
}
