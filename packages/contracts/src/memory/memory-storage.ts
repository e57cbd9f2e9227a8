/**
 * A replica's log in memory. `MemoryDisk` is the medium and outlives what is opened on it, so that a
 * restart is a new `MemoryStorage` on the same disk; `MemoryStorage` is one opening.
 *
 * There is no timer and no clock here: a write becomes durable when the `sync` function that was
 * given to the disk calls back, so a simulation decides when, and what a crash leaves behind.
 */
import type { Entry, HardState, PersistBatch, SnapshotMeta } from '@quorate/core';
import type { Chunks, HeldLog, LoadedLog, LogStorage } from '../log-storage.ts';
import { QuorateError, assert, madeWithAnotherSecret } from '../errors.ts';
import { nextRun } from '../run.ts';
import type { Mark, OpenOptions, OpenedRun, StoredRun } from '../run.ts';

export type MemoryDiskOptions = {
  /** What storages on this disk say of themselves. False by default: memory forgets (Z16). */
  readonly durable?: boolean;
  /**
   * Called once for each sync, never while another one is under way; the writes it covers are
   * durable when `complete` is called. `bytes` is their size. By default completed in a microtask.
   */
  readonly sync?: (complete: () => void, bytes: number) => void;
  /** Room that is kept for when the disk is full (T20). Default 0: none. */
  readonly reserveBytes?: number;
};

/** What is durable on a disk, for checks from outside; never to be changed. */
export type MemoryDiskContents = {
  readonly run: StoredRun | null;
  readonly topic: string | null;
  readonly hardState: HardState;
  readonly snapshot: { readonly meta: SnapshotMeta; readonly bytes: Uint8Array } | null;
  readonly entries: readonly Entry[];
  readonly archives: ReadonlyMap<string, MemoryDiskContents>;
};

/** The medium: what is durable, and the writes on their way to it in call order. */
export class MemoryDisk {
  readonly durable: boolean;
  /** While true, batches and snapshots are refused with `STORAGE_FULL`, but for what the reserve takes. */
  full = false;
  /** While true, opening is refused with `STORAGE_FULL`. */
  fullToRuns = false;
  readonly #reserveBytes: number;
  /** What is left of the reserve: nobody may write it while it is held. */
  #reservedBytes = 0;
  #isReserveHeld = false;

  readonly #sync: (complete: () => void, bytes: number) => void;
  #contents: Contents = emptyContents(new Map());
  #owner: MemoryStorage | null = null;
  #queue: Operation[] = [];
  /** The operations that the sync under way covers; null when there is none. */
  #syncing: Operation[] | null = null;
  #pumpScheduled = false;
  /** Counts crashes, so that a sync that completes after one finds itself outdated. */
  #life = 0;
  #syncsUntilFailure = 0;
  #keptByFailure = 0;
  #refusedFrom: number | null = null;

  constructor(options: MemoryDiskOptions = {}) {
    this.durable = options.durable ?? false;
    this.#reserveBytes = options.reserveBytes ?? 0;
    this.#sync = options.sync ?? ((complete) => queueMicrotask(complete));
  }

  get contents(): MemoryDiskContents {
    return this.#contents;
  }

  /** Was its replica made with another secret than these topics are of? */
  isOfNone(topics: readonly string[] | undefined): boolean {
    const { run, topic } = this.#contents;
    return run !== null && topics !== undefined && (topic === null || !topics.includes(topic));
  }

  /** A replica that never persisted anything is nobody's. */
  get isBlank(): boolean {
    const { hardState, snapshot, entries } = this.#contents;
    return entries.length === 0 && snapshot === null && hardState.currentTerm === 0;
  }

  /** What is durable here, on a medium of its own: as a backup or an image of the machine takes it. */
  copy(): MemoryDisk {
    const { durable } = this;
    const copy = new MemoryDisk({ durable, sync: this.#sync, reserveBytes: this.#reserveBytes });
    const { entries, archives, ...rest } = this.#contents;
    copy.#contents = { ...rest, entries: [...entries], archives: new Map(archives) };
    return copy;
  }

  /** How many accepted writes are not durable yet. */
  get unsyncedCount(): number {
    return [...(this.#syncing ?? []), ...this.#queue].filter((one) => one.type !== 'read').length;
  }

  /**
   * The process and the machine die: of the writes that are not durable the first `keepCount`
   * survive, each whole. What was pending never settles, for its caller is gone; the disk is free.
   */
  crash(keepCount: number = 0): void {
    const pending = [...(this.#syncing ?? []), ...this.#queue];
    this.#keepFirst(pending, keepCount);
    this.#life += 1;
    this.#queue = [];
    this.#syncing = null;
    this.#refusedFrom = null;
    this.#owner?.abandon(new QuorateError('CLOSED', 'Cannot use the storage: it crashed'));
    this.#owner = null;
  }

  /**
   * Makes the `nth` sync from now fail, once: its writes are refused with `STORAGE_FAILED` though
   * the first `keepCount` of them did reach the disk.
   */
  failSync(nth: number = 1, keepCount: number = 0): void {
    this.#syncsUntilFailure = nth;
    this.#keptByFailure = keepCount;
  }

  /** For `MemoryStorage`: takes the disk. Rejects with `STORAGE_LOCKED` while another one has it. */
  acquire(owner: MemoryStorage): void {
    if (this.#owner !== null) {
      throw new QuorateError(
        'STORAGE_LOCKED',
        'Cannot open the memory disk: another storage has it',
      );
    }
    this.#owner = owner;
    this.#refusedFrom = null;
  }

  /** For `MemoryStorage`: takes the reserve, where there is room for it. */
  takeReserve(): boolean {
    if (this.#isReserveHeld) return true;
    if (this.full) return false;
    this.#isReserveHeld = true;
    this.#reservedBytes = this.#reserveBytes;
    return true;
  }

  /** For `MemoryStorage`: what is reserved may be written from now on. */
  releaseReserve(): void {
    this.#isReserveHeld = false;
  }

  /** For `MemoryStorage`: frees the disk for the next opener. */
  release(owner: MemoryStorage): void {
    if (this.#owner === owner) this.#owner = null;
  }

  /** For `MemoryStorage`: queues one operation behind those before it. */
  submit(operation: Operation): void {
    this.#queue.push(operation);
    this.#schedulePump();
  }

  /** For `MemoryStorage`: an operation that was waiting for its bytes has them now, or never will. */
  ready(): void {
    this.#schedulePump();
  }

  #schedulePump(): void {
    if (this.#pumpScheduled) return;
    this.#pumpScheduled = true;
    const life = this.#life;
    queueMicrotask(() => {
      this.#pumpScheduled = false;
      if (life === this.#life) this.#pump();
      else this.#schedulePump();
    });
  }

  /** Starts a sync over everything that waits, unless one is under way. */
  #pump(): void {
    if (this.#syncing !== null) return;
    const group: Operation[] = [];
    for (let head = this.#queue[0]; head !== undefined; head = this.#queue[0]) {
      if (head.waiting) break;
      this.#queue.shift();
      if (this.#isRefused(head)) {
        head.reject(new QuorateError('STORAGE_FULL', 'Cannot write: the memory disk is full'));
      } else {
        group.push(head);
      }
    }
    if (group.length === 0) return;
    this.#syncing = group;
    const life = this.#life;
    if (group.every((one) => one.type === 'read')) {
      this.#complete(group, false);
      return;
    }
    const bytes = group.reduce((sum, one) => sum + one.bytes, 0);
    this.#sync(() => {
      if (life !== this.#life || this.#syncing !== group) return;
      const fails = this.#syncsUntilFailure === 1;
      if (this.#syncsUntilFailure > 0) this.#syncsUntilFailure -= 1;
      this.#complete(group, fails);
    }, bytes);
  }

  /**
   * What follows a refused batch is refused with it, until that batch itself comes again: a batch
   * means something only on top of the one before (Z22).
   */
  #isRefused(operation: Operation): boolean {
    if (operation.type === 'read' || operation.type === 'control') return false;
    const { number, bytes } = operation;
    if (number === null && this.#refusedFrom !== null) return true;
    if (number !== null && this.#refusedFrom !== null && number > this.#refusedFrom) return true;
    const isRefused = this.full && (this.#isReserveHeld || bytes > this.#reservedBytes);
    if (this.full && !isRefused) this.#reservedBytes -= bytes;
    if (number !== null) this.#refusedFrom = isRefused ? number : null;
    return isRefused;
  }

  #complete(group: Operation[], fails: boolean): void {
    this.#syncing = null;
    if (fails) {
      this.#keepFirst(group, this.#keptByFailure);
      const error = new QuorateError('STORAGE_FAILED', 'Cannot sync the memory disk: it failed');
      this.#fail(error, group);
      return;
    }
    for (const [position, one] of group.entries()) {
      try {
        this.#contents = one.apply(this.#contents);
      } catch (error) {
        assert(error instanceof Error, 'only errors are thrown');
        this.#fail(error, group.slice(position));
        return;
      }
      one.resolve();
    }
    this.#pump();
  }

  /** The opening is over: `operations` and all that waits behind them end with `error`. */
  #fail(error: Error, operations: readonly Operation[]): void {
    this.#owner?.abandon(error);
    const refused = [...operations, ...this.#queue];
    this.#queue = [];
    for (const one of refused) one.reject(error);
  }

  #keepFirst(operations: readonly Operation[], keepCount: number): void {
    let kept = 0;
    for (const one of operations) {
      if (one.type === 'read') continue;
      if (kept === keepCount || one.waiting) return;
      try {
        this.#contents = one.apply(this.#contents);
      } catch {
        // Nobody hears of the refusal, and nothing after it reached the medium.
        return;
      }
      kept += 1;
    }
  }
}

/** One opening of a {@link MemoryDisk}; without one it brings its own, and forgets with it. */
export class MemoryStorage implements LogStorage {
  readonly durable: boolean;

  readonly #disk: MemoryDisk;
  #state: 'new' | 'opening' | 'open' | 'loaded' | 'closed' = 'new';
  #failure: Error | null = null;
  #closing: Promise<void> | null = null;

  constructor(disk: MemoryDisk = new MemoryDisk()) {
    this.#disk = disk;
    this.durable = disk.durable;
  }

  async open(options: OpenOptions): Promise<OpenedRun> {
    assert(this.#state === 'new', 'open() is called once');
    this.#state = 'opening';
    try {
      const { topics } = options;
      const isOthers = this.#disk.isOfNone(topics);
      if (isOthers && !this.#disk.isBlank) throw madeWithAnotherSecret('the memory disk');
      if (this.#disk.fullToRuns) {
        throw new QuorateError('STORAGE_FULL', 'Cannot open: the memory disk is full');
      }
      this.#disk.acquire(this);
      await this.#submit('control', 64, (contents) => {
        if (contents.run === null && !options.create) {
          throw new QuorateError('STORAGE_LOST', 'Cannot open the memory disk: it is empty');
        }
        const run = isOthers ? null : contents.run;
        contents.topic = run === null ? (topics?.[0] ?? null) : contents.topic;
        contents.run = nextRun(run, options);
        return contents;
      });
    } catch (error) {
      this.#disk.release(this);
      this.#failure ??= error as Error;
      throw error;
    }
    this.#state = 'open';
    const { run } = this.#disk.contents;
    assert(run !== null, 'an open disk has a run');
    const { mark, ...opened } = run;
    assert(mark === null || options.asMarked === true, 'an open replica is not marked');
    return opened;
  }

  async look(): Promise<HeldLog | null> {
    const { hardState, snapshot, entries } = this.#disk.contents;
    const { meta = null, bytes = null } = snapshot ?? {};
    return { hardState, snapshot: meta, snapshotBytes: bytes, entries: [...entries] };
  }

  async takeReserve(): Promise<boolean> {
    this.#check();
    let isTaken = false;
    await this.#submit('control', 0, (contents) => {
      isTaken = this.#disk.takeReserve();
      return contents;
    });
    return isTaken;
  }

  async releaseReserve(): Promise<void> {
    this.#check();
    await this.#submit('control', 0, (contents) => {
      this.#disk.releaseReserve();
      return contents;
    });
  }

  async mark(mark: Mark): Promise<void> {
    this.#check();
    await this.#submit('control', 256, (contents) => {
      assert(contents.run !== null, 'an open disk has a run');
      contents.run = { ...contents.run, mark };
      return contents;
    });
  }

  async load(): Promise<LoadedLog> {
    this.#check();
    assert(this.#state === 'open', 'load() is called once, after open()');
    const loaded = await this.#read(({ hardState, snapshot, entries }) => ({
      hardState: {
        ...hardState,
        commitIndex: Math.max(hardState.commitIndex, snapshot?.meta.index ?? 0),
      },
      snapshot: snapshot?.meta ?? null,
      entries: [...entries],
    }));
    this.#state = 'loaded';
    return loaded;
  }

  async persist(batch: PersistBatch): Promise<void> {
    this.#check();
    assert(this.#state === 'loaded', 'persist() comes after load()');
    const bytes = batch.entries.reduce((sum, entry) => sum + entry.data.length + 16, 64);
    await this.#submit('ordered', bytes, (contents) => applyBatch(contents, batch), batch.number);
  }

  async saveSnapshot(meta: SnapshotMeta, chunks: Chunks): Promise<void> {
    this.#check();
    assert(this.#state === 'loaded', 'saveSnapshot() comes after load()');
    let bytes: Uint8Array | null = null;
    const saved = this.#newOperation('ordered', 0, (contents) => {
      assert(bytes !== null, 'a snapshot is applied when its bytes are there');
      return applySnapshot(contents, meta, bytes);
    });
    saved.operation.waiting = true;
    this.#disk.submit(saved.operation);
    try {
      bytes = await collect(chunks);
      saved.operation.bytes = bytes.length;
    } catch (error) {
      // The place in the queue is given back as an operation that does nothing.
      saved.operation.type = 'read';
      saved.operation.apply = (contents) => contents;
      saved.operation.waiting = false;
      this.#disk.ready();
      await saved.promise;
      throw error;
    }
    saved.operation.waiting = false;
    this.#disk.ready();
    await saved.promise;
  }

  async readSnapshot(): ReturnType<LogStorage['readSnapshot']> {
    this.#check();
    const snapshot = await this.#read((contents) => contents.snapshot);
    if (snapshot === null) return null;
    return { meta: snapshot.meta, chunks: chunksOf(snapshot.bytes) };
  }

  async compact(throughIndex: number): Promise<void> {
    this.#check();
    await this.#submit('control', 0, (contents) => {
      const snapshotIndex = contents.snapshot?.meta.index ?? 0;
      if (throughIndex > snapshotIndex) {
        throw new RangeError(
          `Cannot compact through ${throughIndex}: the snapshot ends at ${snapshotIndex}, wanted no more`,
        );
      }
      const firstIndex = contents.entries[0]?.index ?? 0;
      contents.entries.splice(0, Math.max(0, throughIndex + 1 - firstIndex));
      return contents;
    });
  }

  async readCache(): Promise<Uint8Array | null> {
    this.#check();
    return this.#read((contents) => contents.cache?.slice() ?? null);
  }

  async writeCache(bytes: Uint8Array): Promise<void> {
    this.#check();
    const copy = bytes.slice();
    await this.#submit('control', copy.length, (contents) => {
      contents.cache = copy;
      return contents;
    });
  }

  async archive(label: string): Promise<void> {
    this.#check();
    await this.#submit('control', 0, (contents) => {
      const { archives } = contents;
      let name = label;
      for (let count = 2; archives.has(name); count += 1) name = `${label}-${count}`;
      archives.set(name, contents);
      return emptyContents(archives);
    });
    await this.close();
  }

  async destroy(): Promise<void> {
    this.#check();
    await this.#submit('control', 0, ({ archives }) => emptyContents(archives));
    await this.close();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** For `MemoryDisk`: every later call rejects with `error`. */
  abandon(error: Error): void {
    this.#failure ??= error;
  }

  async #close(): Promise<void> {
    const waits = this.#state !== 'new' && this.#failure === null;
    const accepted = waits ? this.#read(() => null) : null;
    this.#state = 'closed';
    try {
      await accepted;
    } catch {
      // Whoever waits for what failed has been told; closing only frees the disk.
    }
    this.#disk.release(this);
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#state === 'closed') {
      throw new QuorateError('CLOSED', 'Cannot use the storage: it is closed');
    }
    assert(this.#state !== 'new' && this.#state !== 'opening', 'open() comes first');
  }

  async #read<T>(read: (contents: Contents) => T): Promise<T> {
    let result: { readonly value: T } | null = null;
    await this.#submit('read', 0, (contents) => {
      result = { value: read(contents) };
      return contents;
    });
    assert(result !== null, 'a resolved read has read');
    return (result as { readonly value: T }).value;
  }

  #submit(
    type: Operation['type'],
    bytes: number,
    apply: Operation['apply'],
    number: number | null = null,
  ): Promise<void> {
    const { operation, promise } = this.#newOperation(type, bytes, apply, number);
    this.#disk.submit(operation);
    return promise;
  }

  #newOperation(
    type: Operation['type'],
    bytes: number,
    apply: Operation['apply'],
    number: number | null = null,
  ): { operation: Operation; promise: Promise<void> } {
    let operation: Operation | null = null;
    const promise = new Promise<void>((resolve, reject) => {
      operation = { type, bytes, number, waiting: false, apply, resolve, reject };
    });
    assert(operation !== null, 'a promise runs its executor at once');
    return { operation, promise };
  }
}

/**
 * `ordered`: refused when the disk is full, and with everything before it. `control`: a small write
 * that is never refused. `read`: needs no sync.
 */
type Operation = {
  type: 'ordered' | 'control' | 'read';
  bytes: number;
  /** The batch's number; null for what is no batch. */
  readonly number: number | null;
  /** True while a snapshot's bytes are still coming: nothing overtakes it. */
  waiting: boolean;
  apply: (contents: Contents) => Contents;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
};

type Contents = {
  run: StoredRun | null;
  /** Of the secret that the replica was made with; null: of none. */
  topic: string | null;
  hardState: HardState;
  snapshot: { readonly meta: SnapshotMeta; readonly bytes: Uint8Array } | null;
  entries: Entry[];
  cache: Uint8Array | null;
  readonly archives: Map<string, MemoryDiskContents>;
};

function emptyContents(archives: Map<string, MemoryDiskContents>): Contents {
  const hardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  return { run: null, topic: null, hardState, snapshot: null, entries: [], cache: null, archives };
}

function applyBatch(contents: Contents, batch: PersistBatch): Contents {
  const { entries } = contents;
  const first = batch.entries[0];
  if (first !== undefined) {
    const snapshotIndex = contents.snapshot?.meta.index ?? 0;
    const lastIndex = entries.at(-1)?.index ?? snapshotIndex;
    if (first.index <= snapshotIndex || first.index > lastIndex + 1) {
      throw new RangeError(
        `Cannot persist entry ${first.index}: the log ends at ${lastIndex} and the snapshot at ` +
          `${snapshotIndex}, wanted an index between`,
      );
    }
    entries.length = Math.max(0, first.index - (entries[0]?.index ?? first.index));
    let index = first.index;
    for (const entry of batch.entries) {
      if (entry.index !== index) {
        throw new RangeError(`Cannot persist entry ${entry.index}: wanted ${index} next`);
      }
      entries.push({ ...entry, data: entry.data.slice() });
      index += 1;
    }
  }
  contents.hardState = { ...batch.hardState };
  return contents;
}

function applySnapshot(contents: Contents, meta: SnapshotMeta, bytes: Uint8Array): Contents {
  const { snapshot, entries } = contents;
  if (snapshot !== null && meta.index < snapshot.meta.index) return contents;
  const firstIndex = entries[0]?.index ?? 0;
  const held =
    snapshot !== null && snapshot.meta.index === meta.index
      ? snapshot.meta
      : entries[meta.index - firstIndex];
  if (held?.term !== meta.term) contents.entries = [];
  contents.snapshot = { meta, bytes };
  return contents;
}

async function collect(chunks: Chunks): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    parts.push(chunk.slice());
    length += chunk.length;
  }
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let offset = 0; offset < bytes.length; offset += chunkBytes) {
    yield bytes.slice(offset, offset + chunkBytes);
  }
}

const chunkBytes = 65_536;
