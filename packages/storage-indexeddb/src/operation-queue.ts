/**
 * Calls in call order, one at a time, except that batches that wait together go as one group: they
 * share a transaction, and with it one flush of the disk.
 */
import type { PersistBatch } from '@quorate/core';

type Waiting = {
  /** Null for what is no batch. */
  readonly batch: PersistBatch | null;
  readonly run: () => Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
};

export type OperationQueueOptions = {
  /** Carries out a group of batches, all or none. */
  readonly write: (batches: readonly PersistBatch[]) => Promise<void>;
  /** May this batch come, behind those of its group before it? Throws the reason if not. */
  readonly admit: (batch: PersistBatch, before: readonly PersistBatch[]) => void;
  /** A group is cut at this many bytes of entry data; a single batch may be larger. */
  readonly groupBytesMax: number;
};

export class OperationQueue {
  readonly #options: OperationQueueOptions;
  readonly #waiting: Waiting[] = [];
  #running: Promise<void> | null = null;

  constructor(options: OperationQueueOptions) {
    this.#options = options;
  }

  pushBatch(batch: PersistBatch): Promise<void> {
    return this.#push(batch, async () => {});
  }

  /** Resolves once `run` has, at its place among the others. */
  push(run: () => Promise<void>): Promise<void> {
    return this.#push(null, run);
  }

  /** Everything that waits ends with `error`; what is under way ends by itself. */
  rejectAll(error: Error): void {
    for (const one of this.#waiting.splice(0)) one.reject(error);
  }

  /** Resolves when nothing waits and nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  #push(batch: PersistBatch | null, run: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ batch, run, resolve, reject });
      this.#running ??= this.#drain();
    });
  }

  async #drain(): Promise<void> {
    // Calls of the same turn come in meanwhile: they share the first group.
    await Promise.resolve();
    for (let head = this.#waiting[0]; head !== undefined; head = this.#waiting[0]) {
      if (head.batch !== null) {
        await this.#writeGroup();
        continue;
      }
      this.#waiting.shift();
      await settle(head.run, [head]);
    }
    this.#running = null;
  }

  async #writeGroup(): Promise<void> {
    const group: Waiting[] = [];
    const batches: PersistBatch[] = [];
    let bytes = 0;
    for (let next = this.#waiting[0]; next?.batch != null; next = this.#waiting[0]) {
      const { batch } = next;
      bytes += batch.entries.reduce((sum, entry) => sum + entry.data.length, 0);
      if (group.length > 0 && bytes > this.#options.groupBytesMax) break;
      this.#waiting.shift();
      try {
        this.#options.admit(batch, batches);
      } catch (error) {
        next.reject(error as Error);
        continue;
      }
      group.push(next);
      batches.push(batch);
    }
    // Meanwhile more may be queued, and what waits may have been rejected; the group is ours.
    if (group.length > 0) await settle(() => this.#options.write(batches), group);
  }
}

async function settle(work: () => Promise<void>, waiting: readonly Waiting[]): Promise<void> {
  try {
    await work();
  } catch (error) {
    for (const one of waiting) one.reject(error as Error);
    return;
  }
  for (const one of waiting) one.resolve();
}
