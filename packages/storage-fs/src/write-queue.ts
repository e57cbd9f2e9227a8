/**
 * The order of writes, in one place: batches in call order, several that wait together as one
 * group; snapshots at their place among them.
 *
 * A *gate* is the place of a snapshot that replaces the log. It is taken when the snapshot is
 * announced and opens once its bytes are on disk; batches with entries wait behind it, for they
 * continue that snapshot. Batches that only carry a hard state do not wait: a vote must not hang on
 * the transfer of a snapshot, and means the same on either side of it.
 */
import type { PersistBatch } from '@quorate/core';

export type QueuedBatch = {
  readonly type: 'batch';
  readonly batch: PersistBatch;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
};

export type QueuedTask = {
  readonly type: 'task' | 'gate';
  /** A gate is closed until its owner says otherwise; a task is born open. */
  open: boolean;
  readonly run: () => Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
};

export type WriteQueueOptions = {
  /** Carries out a group of batches, all or none. */
  readonly write: (batches: readonly PersistBatch[]) => Promise<void>;
  /** Groups are cut at this many bytes of entry data; a single batch may be larger. */
  readonly groupBytesMax: number;
  /** Called with what was refused and must be told so; the queue goes on with what is left. */
  readonly refused: (error: unknown, batches: readonly QueuedBatch[]) => void;
};

export class WriteQueue {
  readonly #options: WriteQueueOptions;
  #items: (QueuedBatch | QueuedTask)[] = [];
  #running: Promise<void> | null = null;

  constructor(options: WriteQueueOptions) {
    this.#options = options;
  }

  /** What waits, in order. */
  get items(): readonly (QueuedBatch | QueuedTask)[] {
    return this.#items;
  }

  pushBatch(batch: PersistBatch): Promise<void> {
    return new Promise((resolve, reject) => {
      const item: QueuedBatch = { type: 'batch', batch, resolve, reject };
      const passes = batch.entries.length === 0 && !this.#items.some(isBatchBehindGate);
      this.#insert(item, passes);
    });
  }

  /** A task that leaves the log's entries alone: it passes gates that are still closed. */
  pushTask(run: () => Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#insert({ type: 'task', open: true, run, resolve, reject }, true);
    });
  }

  /** Takes the place of a snapshot; `open` lets it, and what waits behind it, go on. */
  pushGate(run: () => Promise<void>): {
    readonly done: Promise<void>;
    open(): void;
    cancel(error: Error): void;
  } {
    let gate: QueuedTask | null = null;
    const done = new Promise<void>((resolve, reject) => {
      gate = { type: 'gate', open: false, run, resolve, reject };
      this.#insert(gate, false);
    });
    // Whoever announced it may still be busy with its bytes when it is refused.
    done.catch(() => {});
    return {
      done,
      open: () => {
        if (gate !== null) gate.open = true;
        this.#start();
      },
      cancel: (error) => {
        this.#items = this.#items.filter((item) => item !== gate);
        gate?.reject(error);
        this.#start();
      },
    };
  }

  /** Takes out and rejects what `choose` picks. */
  rejectWhere(choose: (item: QueuedBatch | QueuedTask) => boolean, error: Error): void {
    const chosen = this.#items.filter(choose);
    this.#items = this.#items.filter((item) => !chosen.includes(item));
    for (const item of chosen) item.reject(error);
  }

  /** Resolves when nothing is under way; closed gates keep waiting. */
  async idle(): Promise<void> {
    while (this.#running !== null) await this.#running;
  }

  #insert(item: QueuedBatch | QueuedTask, passesGates: boolean): void {
    const gate = passesGates ? this.#items.findIndex(isClosedGate) : -1;
    if (gate === -1) this.#items.push(item);
    else this.#items.splice(gate, 0, item);
    this.#start();
  }

  #start(): void {
    this.#running ??= this.#drain();
  }

  async #drain(): Promise<void> {
    // Calls of the same turn come in meanwhile: they share the first group.
    await Promise.resolve();
    for (;;) {
      const head = this.#items[0];
      if (head === undefined || isClosedGate(head)) break;
      if (head.type === 'batch') await this.#writeGroup();
      else await this.#runTask(head);
    }
    this.#running = null;
  }

  async #writeGroup(): Promise<void> {
    const group: QueuedBatch[] = [];
    let bytes = 0;
    for (const item of this.#items) {
      if (item.type !== 'batch') break;
      bytes += item.batch.entries.reduce((sum, entry) => sum + entry.data.length, 0);
      if (group.length > 0 && bytes > this.#options.groupBytesMax) break;
      group.push(item);
    }
    this.#items.splice(0, group.length);
    try {
      // Meanwhile more may be queued, and what waits may have been rejected; the group is ours.
      await this.#options.write(group.map((item) => item.batch));
    } catch (error) {
      this.#options.refused(error, group);
      return;
    }
    for (const item of group) item.resolve();
  }

  async #runTask(task: QueuedTask): Promise<void> {
    this.#items.shift();
    try {
      await task.run();
      task.resolve();
    } catch (error) {
      task.reject(error as Error);
    }
  }
}

function isClosedGate(item: QueuedBatch | QueuedTask): boolean {
  return item.type === 'gate' && !item.open;
}

/** In the queue behind a closed gate there are only gates and what waits for them. */
function isBatchBehindGate(
  item: QueuedBatch | QueuedTask,
  position: number,
  items: readonly (QueuedBatch | QueuedTask)[],
): boolean {
  return item.type === 'batch' && items.slice(0, position).some((before) => before.type === 'gate');
}
