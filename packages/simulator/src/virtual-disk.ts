/**
 * A disk on virtual time. `VirtualDisk` is the medium, which outlives processes; `storage()` gives
 * the log of one process on it. Writes take their time, one sync carries all batches that wait
 * together, and a crash keeps any prefix of what was not yet acknowledged: it may or may not have
 * reached the platter.
 */
import type {
  Chunks,
  LoadedLog,
  LogStorage,
  Mark,
  OpenOptions,
  OpenedRun,
  Run,
  StoredRun,
} from '@quorate/contracts';
import { QuorateError, madeWithAnotherSecret, nextRun } from '@quorate/contracts';
import type { Entry, HardState, PersistBatch, SnapshotMeta } from '@quorate/core';
import type { Prng } from './prng.ts';
import type { ProcessClock, VirtualClock } from './virtual-clock.ts';

export type DiskConditions = {
  syncMsMin: number;
  syncMsMax: number;
  /** Chance that a sync takes fifty times as long. */
  stallChance: number;
};

/** Sees what is durable, as it becomes so. */
export type DiskTap = {
  opened?(run: Run): void;
  /** Handed over, not durable yet. */
  written?(batch: PersistBatch): void;
  persisted?(batch: PersistBatch): void;
  snapshotSaved?(meta: SnapshotMeta, bytes: Uint8Array): void;
};

/** What is on the medium. Entries are kept with an arbitrary first index. */
export type Platter = {
  identity: StoredRun | null;
  /** Of the secret that the replica was made with; null: of none. */
  topic: string | null;
  hardState: HardState;
  snapshot: { readonly meta: SnapshotMeta; readonly bytes: Uint8Array } | null;
  entries: Entry[];
  cache: Uint8Array | null;
};

type Operation = {
  readonly kind: 'persist' | 'other';
  /** The operation keeps its place in the queue while this is pending. */
  readonly prepared: Promise<void> | null;
  /** Changes the platter. Repeatable until it is acknowledged. */
  readonly carryOut: () => void;
  readonly settle: () => void;
  readonly fail: (error: Error) => void;
};

const noHardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
const chunkBytes = 16 * 1024;

export class VirtualDisk {
  readonly conditions: DiskConditions;
  readonly tap: DiskTap;
  readonly durable: boolean;
  readonly archives: { readonly label: string; readonly lastIndex: number }[] = [];
  readonly clock: VirtualClock;
  readonly prng: Prng;
  platter: Platter = blank();
  holder: VirtualStorage | null = null;
  /** While true every batch is refused with `STORAGE_FULL`, but for what the reserve takes. */
  full = false;
  /** So many syncs fit into the room that is kept for when the disk is full (T20). */
  reserveSyncs = 20;
  isReserveHeld = false;
  /** Of the reserve that was taken last. */
  reservedSyncs = 0;
  /** The next sync fails, for good. */
  failing = false;
  /** A sync failed because it was told to. */
  hasFailed = false;
  /** What is read back is not what was written: `load` refuses it. */
  corrupt = false;
  #hung = false;
  #whenFree: (() => void)[] = [];

  constructor(options: {
    clock: VirtualClock;
    prng: Prng;
    conditions: DiskConditions;
    tap?: DiskTap;
    durable?: boolean;
  }) {
    this.clock = options.clock;
    this.prng = options.prng;
    this.conditions = options.conditions;
    this.tap = options.tap ?? {};
    this.durable = options.durable ?? true;
  }

  /** The log of one process. `sameRun`: it was opened before, as when a machine goes on from an image. */
  storage(process: ProcessClock, sameRun: boolean = false): LogStorage {
    return new VirtualStorage(this, process, sameRun);
  }

  /**
   * The process (or the machine) stops now: nothing more is acknowledged, and of the unacknowledged
   * operations a random prefix is on the medium.
   */
  crash(): void {
    this.holder?.crash();
    this.holder = null;
    if (!this.durable) this.platter = blank();
  }

  /** Nothing of a log is stored. */
  get isBlank(): boolean {
    const { hardState, snapshot, entries } = this.platter;
    return hardState.currentTerm === 0 && snapshot === null && entries.length === 0;
  }

  /** Everything on the medium is lost. Nobody may hold it. */
  wipe(): void {
    this.platter = blank();
    this.corrupt = false;
  }

  /** The medium as it is now, for a later `putBack`. */
  copy(): Platter {
    return { ...this.platter, entries: [...this.platter.entries] };
  }

  /** As when somebody restores a backup. Nobody may hold it. */
  putBack(copy: Platter): void {
    this.platter = { ...copy, entries: [...copy.entries] };
  }

  /** While hung nothing is answered; afterwards everything goes on where it stood. */
  set hung(hung: boolean) {
    this.#hung = hung;
    if (hung) return;
    for (const go of this.#whenFree.splice(0)) go();
  }

  whenFree(go: () => void): void {
    if (this.#hung) this.#whenFree.push(go);
    else go();
  }

  syncMs(): number {
    const { syncMsMin, syncMsMax, stallChance } = this.conditions;
    const syncMs = this.prng.between(syncMsMin, syncMsMax);
    return this.prng.chance(stallChance) ? syncMs * 50 : syncMs;
  }
}

class VirtualStorage implements LogStorage {
  readonly #disk: VirtualDisk;
  readonly #process: ProcessClock;
  readonly #sameRun: boolean;
  #queue: Operation[] = [];
  #syncing: Operation[] = [];
  #state: 'new' | 'open' | 'closing' | 'closed' | 'failed' | 'crashed' = 'new';

  constructor(disk: VirtualDisk, process: ProcessClock, sameRun: boolean) {
    this.#disk = disk;
    this.#process = process;
    this.#sameRun = sameRun;
  }

  get durable(): boolean {
    return this.#disk.durable;
  }

  open(options: OpenOptions): Promise<OpenedRun> {
    const disk = this.#disk;
    // It died before it came to this.
    if (!this.#process.alive) return new Promise(() => undefined);
    const { topics } = options;
    const isOthers = isOfNone(disk.platter, topics);
    if (isOthers && !isBlank(disk.platter)) {
      return Promise.reject(madeWithAnotherSecret('the store'));
    }
    if (disk.holder !== null) {
      return Promise.reject(
        new QuorateError('STORAGE_LOCKED', 'Cannot open the store: another process holds it'),
      );
    }
    if (disk.platter.identity === null && !options.create) {
      return Promise.reject(new QuorateError('STORAGE_LOST', 'Cannot open the store: it is empty'));
    }
    const known = isOthers ? null : disk.platter.identity;
    let next: StoredRun;
    try {
      next = this.#sameRun && known !== null ? known : nextRun(known, options);
    } catch (error) {
      return Promise.reject(error instanceof Error ? error : new Error(String(error)));
    }
    disk.holder = this;
    disk.hasFailed = false;
    this.#state = 'open';
    const topic = known === null ? (topics?.[0] ?? null) : disk.platter.topic;
    const { mark: _, ...run } = next;
    return this.#enqueue('other', () => {
      disk.platter.identity = next;
      disk.platter.topic = topic;
      disk.tap.opened?.(run);
    }).then(() => run);
  }

  mark(mark: Mark): Promise<void> {
    return this.#enqueue('other', () => {
      const { platter } = this.#disk;
      if (platter.identity !== null) platter.identity = { ...platter.identity, mark };
    });
  }

  async load(): Promise<LoadedLog> {
    await this.#enqueue('other', () => undefined);
    if (this.#disk.corrupt) {
      throw new QuorateError('STORAGE_CORRUPT', 'Cannot load: a checksum does not match');
    }
    const { hardState, snapshot, entries } = this.#disk.platter;
    return { hardState, snapshot: snapshot?.meta ?? null, entries: [...entries] };
  }

  async takeReserve(): Promise<boolean> {
    const disk = this.#disk;
    await this.#enqueue('other', () => {
      if (disk.full || disk.isReserveHeld) return;
      disk.isReserveHeld = true;
      disk.reservedSyncs = disk.reserveSyncs;
    });
    return disk.isReserveHeld;
  }

  releaseReserve(): Promise<void> {
    return this.#enqueue('other', () => {
      this.#disk.isReserveHeld = false;
    });
  }

  persist(batch: PersistBatch): Promise<void> {
    if (this.#state === 'open') this.#disk.tap.written?.(batch);
    return this.#enqueue('persist', () => {
      const platter = this.#disk.platter;
      platter.hardState = batch.hardState;
      platter.entries = withSuffix(platter.entries, batch.entries);
      this.#disk.tap.persisted?.(batch);
    });
  }

  saveSnapshot(meta: SnapshotMeta, chunks: Chunks): Promise<void> {
    let bytes: Uint8Array | null = null;
    const prepared = gather(chunks).then((all) => {
      bytes = all;
    });
    const carryOut = (): void => {
      if (bytes === null) return;
      const platter = this.#disk.platter;
      if (platter.snapshot !== null && platter.snapshot.meta.index > meta.index) return;
      const firstIndex = platter.entries[0]?.index ?? 1;
      const same = platter.entries[meta.index - firstIndex];
      if (same === undefined || same.term !== meta.term) platter.entries = [];
      platter.snapshot = { meta, bytes };
      this.#disk.tap.snapshotSaved?.(meta, bytes);
    };
    return this.#enqueue('other', carryOut, prepared);
  }

  async readSnapshot(): Promise<{
    readonly meta: SnapshotMeta;
    readonly chunks: AsyncIterable<Uint8Array>;
  } | null> {
    await this.#enqueue('other', () => undefined);
    const snapshot = this.#disk.platter.snapshot;
    if (snapshot === null) return null;
    return { meta: snapshot.meta, chunks: inChunks(snapshot.bytes) };
  }

  compact(throughIndex: number): Promise<void> {
    return this.#enqueue('other', () => {
      const platter = this.#disk.platter;
      const snapshotIndex = platter.snapshot?.meta.index ?? 0;
      if (throughIndex > snapshotIndex) {
        throw new RangeError(
          `Cannot compact through ${throughIndex}: the snapshot is at ${snapshotIndex}`,
        );
      }
      platter.entries = platter.entries.filter((entry) => entry.index > throughIndex);
    });
  }

  async readCache(): Promise<Uint8Array | null> {
    await this.#enqueue('other', () => undefined);
    return this.#disk.platter.cache;
  }

  writeCache(bytes: Uint8Array): Promise<void> {
    return this.#enqueue('other', () => {
      this.#disk.platter.cache = bytes;
    });
  }

  async archive(label: string): Promise<void> {
    await this.#enqueue('other', () => {
      const { entries, snapshot } = this.#disk.platter;
      const lastIndex = entries.at(-1)?.index ?? snapshot?.meta.index ?? 0;
      this.#disk.archives.push({ label, lastIndex });
      this.#disk.platter = blank();
    });
    this.#release();
  }

  async destroy(): Promise<void> {
    await this.#enqueue('other', () => {
      this.#disk.platter = blank();
    });
    this.#release();
  }

  async close(): Promise<void> {
    if (this.#state !== 'open') {
      if (this.#state !== 'crashed') this.#release();
      return;
    }
    const drained = this.#enqueue('other', () => undefined);
    this.#state = 'closing';
    await drained.catch(() => undefined);
    this.#release();
  }

  crash(): void {
    const waiting = [...this.#syncing, ...this.#queue];
    const survivorCount = this.#disk.prng.int(waiting.length + 1);
    for (const operation of waiting.slice(0, survivorCount)) {
      try {
        operation.carryOut();
      } catch {
        // Nobody hears of the refusal, and nothing after it reached the medium.
        break;
      }
    }
    this.#syncing = [];
    this.#queue = [];
    this.#state = 'crashed';
  }

  #release(): void {
    if (this.#state === 'crashed') return;
    this.#state = 'closed';
    if (this.#disk.holder === this) this.#disk.holder = null;
  }

  #enqueue(
    kind: 'persist' | 'other',
    carryOut: () => void,
    prepared: Promise<void> | null = null,
  ): Promise<void> {
    if (this.#state === 'crashed') return new Promise(() => undefined);
    if (this.#state === 'failed') {
      return Promise.reject(new QuorateError('STORAGE_FAILED', 'Cannot use the store: it failed'));
    }
    if (this.#state !== 'open') {
      return Promise.reject(new QuorateError('CLOSED', 'Cannot use the store: it is closed'));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ kind, prepared, carryOut, settle: resolve, fail: reject });
      if (this.#syncing.length === 0) this.#sync();
    });
  }

  #failAll(operations: readonly Operation[]): void {
    const error = new QuorateError('STORAGE_FAILED', 'Cannot sync: the disk answered EIO');
    for (const operation of operations) {
      this.#process.enter(() => {
        operation.fail(error);
      });
    }
  }

  /** Starts on the head of the queue: all batches in front share one sync. */
  #sync(): void {
    const head = this.#queue[0];
    if (head === undefined) return;
    let count = 1;
    while (head.kind === 'persist' && this.#queue[count]?.kind === 'persist') count += 1;
    const syncing = this.#queue.splice(0, count);
    this.#syncing = syncing;
    const begin = (): void => {
      this.#disk.clock.setTimeout(() => {
        this.#disk.whenFree(() => {
          if (this.#state !== 'crashed') this.#complete();
        });
      }, this.#disk.syncMs());
    };
    if (head.prepared === null) return begin();
    head.prepared.then(begin, (cause: unknown) => {
      this.#syncing = [];
      head.fail(new QuorateError('STORAGE_FAILED', 'Cannot save a snapshot', { cause }));
      this.#sync();
    });
  }

  #complete(): void {
    const done = this.#syncing;
    this.#syncing = [];
    const disk = this.#disk;
    if (disk.failing && done[0]?.kind === 'persist') {
      disk.failing = false;
      disk.hasFailed = true;
      this.#state = 'failed';
      this.#failAll([...done, ...this.#queue.splice(0)]);
      return;
    }
    const needsRoom = disk.full && done[0]?.kind === 'persist';
    if (needsRoom && !disk.isReserveHeld && disk.reservedSyncs > 0) disk.reservedSyncs -= 1;
    else if (needsRoom) {
      const error = new QuorateError('STORAGE_FULL', 'Cannot write: no space left');
      for (const operation of done) {
        this.#process.enter(() => {
          operation.fail(error);
        });
      }
      this.#sync();
      return;
    }
    for (const operation of done) {
      try {
        operation.carryOut();
      } catch (error) {
        const refusal = error instanceof Error ? error : new Error(String(error));
        if (operation.kind === 'persist') this.#state = 'failed';
        this.#process.enter(() => {
          operation.fail(refusal);
        });
        continue;
      }
      this.#process.enter(operation.settle);
    }
    if (this.#state === 'failed') {
      this.#failAll(this.#queue.splice(0));
    } else {
      this.#sync();
    }
  }
}

function isOfNone({ identity, topic }: Platter, topics: readonly string[] | undefined): boolean {
  return identity !== null && topics !== undefined && (topic === null || !topics.includes(topic));
}

/** A replica that never persisted anything is nobody's. */
function isBlank({ entries, snapshot, hardState }: Platter): boolean {
  return entries.length === 0 && snapshot === null && hardState.currentTerm === 0;
}

function blank(): Platter {
  return {
    identity: null,
    topic: null,
    hardState: noHardState,
    snapshot: null,
    entries: [],
    cache: null,
  };
}

/** `entries` with everything from the first of `suffix` on replaced by it. */
function withSuffix(entries: Entry[], suffix: readonly Entry[]): Entry[] {
  const first = suffix[0];
  if (first === undefined) return entries;
  const offset = entries[0]?.index ?? first.index;
  const keepCount = first.index - offset;
  if (keepCount > entries.length) {
    throw new QuorateError(
      'STORAGE_FAILED',
      `Cannot append entry ${first.index}: the log ends at ${offset + entries.length - 1}`,
    );
  }
  if (keepCount < 0) return [...suffix];
  // In place: nobody holds the array, `load` hands out copies.
  entries.length = Math.min(entries.length, keepCount);
  for (const entry of suffix) entries.push(entry);
  return entries;
}

async function gather(chunks: Chunks): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let byteCount = 0;
  for await (const chunk of chunks) {
    parts.push(chunk.slice());
    byteCount += chunk.length;
  }
  const all = new Uint8Array(byteCount);
  let position = 0;
  for (const part of parts) {
    all.set(part, position);
    position += part.length;
  }
  return all;
}

async function* inChunks(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    yield bytes.slice(start, start + chunkBytes);
  }
}
