/**
 * The `LogStorage` of tabs: a database per replica (see layout.ts for what lies where).
 *
 * Batches, snapshots and what must see them pass through one queue, in call order. A snapshot whose
 * entry the log holds is written beside the queue, piece by piece, and comes back to it for the
 * moment in which it begins to count; one that replaces the log holds the queue until it is there.
 */
import {
  QuorateError,
  assert,
  concatBytes,
  isQuorateError,
  madeWithAnotherSecret,
} from '@quorate/contracts';
import type {
  Chunks,
  HeldLog,
  LoadedLog,
  LogStorage,
  Mark,
  OpenOptions,
  OpenedRun,
} from '@quorate/contracts';
import type { Entry, HardState, PersistBatch, SnapshotMeta } from '@quorate/core';
import { get, promisifyRequest, set } from 'idb-keyval';
import { holdsLog } from './holds-log.ts';
import {
  archiveKey,
  cacheKey,
  corrupt,
  headKey,
  logKey,
  logRange,
  snapshotKey,
  storageError,
  under,
} from './layout.ts';
import type { ArchiveHead, SnapshotHead } from './layout.ts';
import { OperationQueue } from './operation-queue.ts';
import { packBatches, unpackBatches } from './record.ts';
import { ReplicaDatabase } from './replica-database.ts';
import type { Rows } from './replica-database.ts';
import { SnapshotChunks } from './snapshot-chunks.ts';
import { TermRuns } from './term-runs.ts';
import { takeLock } from './web-lock.ts';
import type { HeldLock, Locks } from './web-lock.ts';

export type IndexedDbStorageOptions = {
  /** The database's name. One replica lives in it. */
  readonly name: string;
  /** By default the page's own. */
  readonly indexedDB?: IDBFactory;
  /**
   * Where the lock of this store is taken, by default `navigator.locks`. Null: the caller sees to
   * it that one tab opens the store; if another one does, this opening ends with `STORAGE_LOST`.
   */
  readonly locks?: Locks | null;
  /**
   * Go on in a browser that cannot be asked for strict durability, where a vote may be lost at a
   * power failure. False by default: `STORAGE_FAILED`.
   */
  readonly acceptRelaxed?: boolean;
};

/** One stored group of batches. */
type StoredGroup = { readonly number: number; readonly lastIndex: number };

export class IndexedDbStorage implements LogStorage {
  readonly durable = true;

  readonly #name: string;
  readonly #indexedDB: IDBFactory;
  readonly #locks: Locks | null | undefined;
  readonly #database: ReplicaDatabase;
  readonly #chunks: SnapshotChunks;
  readonly #queue: OperationQueue;

  #topics: readonly string[] | undefined;
  #state: 'new' | 'opening' | 'open' | 'loaded' | 'closed' = 'new';
  #failure: Error | null = null;
  #opening: Promise<OpenedRun> | null = null;
  #closing: Promise<void> | null = null;
  #lock: HeldLock | null = null;
  /** Groups in the database, by number; the last one holds the hard state. */
  #groups: StoredGroup[] = [];
  #groupNumber = 0;
  #log: TermRuns = TermRuns.over({ index: 0, term: 0 });
  #hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  #snapshot: SnapshotHead | null = null;
  #snapshotId = 0;
  /** The snapshot that is written beside the queue. Never rejects. */
  #beside: Promise<void> = Promise.resolve();
  /** After `STORAGE_FULL`: the first refused batch, which must come again before later ones. */
  #refusedFrom: number | null = null;
  /** Why the last snapshot that was to replace the log did not: what continues it does not fit. */
  #missing: unknown = null;

  constructor(options: IndexedDbStorageOptions) {
    this.#name = options.name;
    this.#locks = options.locks === undefined ? navigatorLocks() : options.locks;
    this.#indexedDB = options.indexedDB ?? globalThis.indexedDB;
    this.#database = new ReplicaDatabase({
      name: options.name,
      indexedDB: this.#indexedDB,
      acceptRelaxed: options.acceptRelaxed ?? false,
    });
    this.#chunks = new SnapshotChunks(options.name, this.#database);
    this.#queue = new OperationQueue({
      write: (batches) => this.#write(batches),
      admit: (batch, before) => this.#admit(batch, before),
      groupBytesMax,
    });
  }

  /** Connects to the database ahead of `open`, which may have to wait for its turn. Claims nothing. */
  prepare(): void {
    this.#database.prepare();
  }

  async open(options: OpenOptions): Promise<OpenedRun> {
    assert(this.#state === 'new', 'open() is called once, first');
    this.#state = 'opening';
    this.#topics = options.topics;
    this.#opening = this.#open(options);
    return this.#opening;
  }

  async look(): Promise<HeldLog | null> {
    if (!(await this.#database.look(this.#topics))) return null;
    const log = this.#read(this.#database.takeRows());
    const pieces: Uint8Array[] = [];
    if (this.#snapshot !== null) {
      for await (const piece of this.#chunks.read(this.#snapshot)) pieces.push(piece);
    }
    return { ...log, snapshotBytes: this.#snapshot === null ? null : concatBytes(pieces) };
  }

  async mark(mark: Mark): Promise<void> {
    this.#check('open', 'loaded');
    try {
      await this.#database.mark(mark);
    } catch (error) {
      throw this.#fail(error, 'mark');
    }
  }

  async load(): Promise<LoadedLog> {
    this.#check('open');
    try {
      const loaded = await this.#load();
      this.#state = 'loaded';
      return loaded;
    } catch (error) {
      throw this.#fail(error, 'load');
    }
  }

  async persist(batch: PersistBatch): Promise<void> {
    this.#check('loaded');
    await this.#queue.pushBatch(batch);
  }

  async saveSnapshot(meta: SnapshotMeta, chunks: Chunks): Promise<void> {
    this.#check('loaded');
    let saved: Promise<void> = Promise.resolve();
    await this.#queue.push(async () => {
      await this.#beside;
      this.#checkFailure();
      if (this.#snapshot !== null && meta.index < this.#snapshot.meta.index) return;
      const replaces = this.#log.termAt(meta.index) !== meta.term;
      if (replaces && this.#refusedFrom !== null && this.#missing === null) {
        throw afterRefused(this.#refusedFrom);
      }
      saved = this.#save(meta, chunks, replaces);
      this.#beside = saved.catch(() => {});
      if (!replaces) return;
      this.#missing = null;
      await saved.catch((error: unknown) => {
        this.#missing = error;
      });
    });
    await saved;
  }

  async takeReserve(): Promise<boolean> {
    this.#check('loaded');
    return this.#reserve(reserveBytes);
  }

  async releaseReserve(): Promise<void> {
    this.#check('loaded');
    await this.#reserve(0);
  }

  async readSnapshot(): ReturnType<LogStorage['readSnapshot']> {
    this.#check('loaded');
    await this.#queue.push(async () => {});
    await this.#beside;
    this.#checkFailure();
    const snapshot = this.#snapshot;
    if (snapshot === null) return null;
    this.#chunks.hold(snapshot.id);
    return { meta: snapshot.meta, chunks: this.#chunks.read(snapshot) };
  }

  async compact(throughIndex: number): Promise<void> {
    this.#check('loaded');
    await this.#queue.push(async () => {});
    await this.#beside;
    await this.#queue.push(() => this.#compact(throughIndex));
  }

  async readCache(): Promise<Uint8Array | null> {
    this.#check('open', 'loaded');
    const { generation, useStore } = this.#database;
    try {
      const bytes = await get<Uint8Array>(cacheKey(generation), useStore);
      return bytes ?? null;
    } catch (error) {
      throw this.#failUnlessFull(error, 'read the cache');
    }
  }

  async writeCache(bytes: Uint8Array): Promise<void> {
    this.#check('open', 'loaded');
    const { generation, useStore } = this.#database;
    try {
      await set(cacheKey(generation), bytes.slice(), useStore);
    } catch (error) {
      // Its loss costs time only, and a hint is no reason to stop a replica that is short of space.
      const failure = this.#failUnlessFull(error, 'write the cache');
      if (!isQuorateError(failure, 'STORAGE_FULL')) throw failure;
    }
  }

  async archive(label: string): Promise<void> {
    this.#check('open', 'loaded');
    await this.#end('archive', async ({ useStore, generation, run }) => {
      const keys = await useStore('readonly', (store) =>
        promisifyRequest(store.getAllKeys(under('archive'))),
      );
      const taken = new Set(keys.map((key) => (key as [string, string])[1]));
      let name = label;
      for (let count = 2; taken.has(name); count += 1) name = `${label}-${count}`;
      const keep: ArchiveHead = { generation, nodeId: run.nodeId, epoch: run.epoch };
      await useStore('readwrite', (store) => {
        store.put(keep, archiveKey(name));
        store.delete(headKey);
      });
    });
  }

  async destroy(): Promise<void> {
    this.#check('open', 'loaded');
    await this.#end('destroy', async ({ useStore, generation }) => {
      await useStore('readwrite', (store) => {
        store.delete(under(generation));
        store.delete(headKey);
      });
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#close(async () => {});
    return this.#closing;
  }

  /**
   * Ends this opening at once, without waiting for anything, as a page must that is being left (Z6):
   * what is not durable was not acknowledged. What waits rejects with `CLOSED`; a transaction that
   * has begun is carried out or not, and the next run sees which.
   */
  drop(): void {
    this.#state = 'closed';
    this.#failure ??= closedError(this.#name);
    this.#queue.rejectAll(this.#failure);
    this.#database.close();
    this.#closing ??= this.#releaseLock();
    // Also when a close was under way: the lock is free from now on.
    void this.#releaseLock();
  }

  async #open(options: OpenOptions): Promise<OpenedRun> {
    try {
      await this.#takeLock(options.topics);
      const run = await this.#claim(options);
      // Meanwhile it may have been closed; a run that nobody uses harms nobody.
      if (this.#state === 'opening') this.#state = 'open';
      return run;
    } catch (error) {
      // Who finds no room may look before it closes.
      if (!isQuorateError(error, 'STORAGE_FULL')) {
        this.#database.close();
        await this.#releaseLock();
      }
      throw this.#fail(error, 'open');
    }
  }

  /** With what is kept for a full disk, where that is one. */
  async #claim(options: OpenOptions): Promise<OpenedRun> {
    try {
      return await this.#database.claim(options);
    } catch (error) {
      if (!isQuorateError(error, 'STORAGE_FULL')) throw error;
    }
    await this.#database.reserve(0);
    return this.#database.claim(options);
  }

  /** False where there is no room, in whatever order a browser finds that out. */
  async #reserve(bytes: number): Promise<boolean> {
    try {
      await this.#queue.push(() => this.#database.reserve(bytes));
      return true;
    } catch (error) {
      const failure = this.#failUnlessFull(error, 'keep room');
      if (!isQuorateError(failure, 'STORAGE_FULL')) throw failure;
      return false;
    }
  }

  async #takeLock(topics: readonly string[] | undefined): Promise<void> {
    // Whoever sees to locks itself looks before it takes one; the claim looks again.
    if (this.#locks === null) return;
    if (topics !== undefined && (await holdsLog(this.#indexedDB, [this.#name], topics))) {
      throw madeWithAnotherSecret(this.#name);
    }
    if (this.#locks === undefined) {
      throw new QuorateError(
        'STORAGE_FAILED',
        `Cannot open ${this.#name}: there are no Web Locks here, wanted a secure context`,
        { outcome: 'not-applied' },
      );
    }
    const lock = await takeLock(this.#locks, `${this.#name} store`);
    if (lock === null) {
      throw new QuorateError('STORAGE_LOCKED', `Cannot open ${this.#name}: another tab has it`);
    }
    this.#lock = lock;
    if (this.#state === 'closed') await this.#releaseLock();
  }

  async #releaseLock(): Promise<void> {
    const lock = this.#lock;
    this.#lock = null;
    await lock?.release();
  }

  async #load(): Promise<LoadedLog> {
    const rows = this.#database.takeRows();
    const log = this.#read(rows);
    const sweeping = this.#chunks.sweep(rows.chunkKeys, rows.snapshot?.id ?? null);
    await sweeping.catch((error: unknown) => {
      // The next opening sweeps, too.
      if (!isQuorateError(error, 'STORAGE_FULL')) throw error;
    });
    return log;
  }

  #read({ logKeys, logValues, snapshot }: Rows): LoadedLog {
    const { generation } = this.#database;
    this.#snapshot = snapshot ?? null;
    this.#snapshotId = snapshot?.id ?? 0;
    const entries = this.#replay(logKeys, logValues);
    const base = { index: snapshot?.meta.index ?? 0, term: snapshot?.meta.term ?? 0 };
    const firstIndex = entries[0]?.index ?? base.index + 1;
    const lastIndex = entries.at(-1)?.index ?? base.index;
    if (firstIndex > base.index + 1 || lastIndex < base.index) {
      const held = `the log has entries ${firstIndex} to ${lastIndex}`;
      throw corrupt(this.#name, [generation, 'log'], `${held}, the snapshot ends at ${base.index}`);
    }
    this.#log = TermRuns.over(base).with(entries.slice(base.index + 1 - firstIndex));
    // The commit index rides along lazily; a snapshot says more than the last batch knew.
    const commitIndex = Math.max(this.#hardState.commitIndex, base.index);
    this.#hardState = { ...this.#hardState, commitIndex };
    return { hardState: this.#hardState, snapshot: snapshot?.meta ?? null, entries };
  }

  /** Each group replaces the suffix that it overlaps; groups that replaced everything begin anew. */
  #replay(keys: readonly IDBValidKey[], values: readonly unknown[]): Entry[] {
    const entries: Entry[] = [];
    for (const [position, key] of keys.entries()) {
      const record = unpackBatches(values[position]);
      if (record === null) throw corrupt(this.#name, key, 'the record is damaged');
      for (const entry of record.entries) {
        const firstIndex = entries[0]?.index ?? entry.index;
        const at = Math.max(0, entry.index - firstIndex);
        if (at > entries.length) {
          const last = entries.at(-1)?.index;
          throw corrupt(this.#name, key, `entry ${entry.index} follows entry ${last}`);
        }
        entries.length = at;
        entries.push(entry);
      }
      this.#hardState = record.hardState;
      this.#groupNumber = (key as [number, string, number])[2];
      this.#groups.push(groupOf(this.#groupNumber, record.entries));
    }
    return entries;
  }

  /**
   * Throws for a batch that came after one that found no space, until that one comes again, and for
   * one that continues a snapshot which did not come. `before` are the others of its group.
   */
  #admit(batch: PersistBatch, before: readonly PersistBatch[]): void {
    this.#checkFailure();
    if (this.#refusedFrom !== null) {
      if (batch.number > this.#refusedFrom) throw afterRefused(this.#refusedFrom);
      this.#refusedFrom = null;
    }
    if (this.#missing === null) return;
    try {
      [...before, batch].reduce((log, { entries }) => log.with(entries), this.#log);
    } catch {
      this.#refusedFrom = batch.number;
      throw withoutSnapshot(this.#missing);
    }
  }

  /** One value, one transaction. */
  async #write(batches: readonly PersistBatch[]): Promise<void> {
    try {
      let log = this.#log;
      for (const batch of batches) log = log.with(batch.entries);
      const number = this.#groupNumber + 1;
      const { generation, useStore } = this.#database;
      await set(logKey(generation, number), packBatches(batches), useStore);
      const entries = batches.flatMap((batch) => batch.entries);
      this.#groups.push(groupOf(number, entries));
      this.#groupNumber = number;
      this.#log = log;
      this.#hardState = batches.at(-1)?.hardState ?? this.#hardState;
    } catch (error) {
      const failure = this.#failUnlessFull(error, 'persist');
      if (isQuorateError(failure, 'STORAGE_FULL')) this.#refusedFrom = batches[0]?.number ?? null;
      throw failure;
    }
  }

  /** `replaces`: the log goes with the moment in which the snapshot begins to count (§7). */
  async #save(meta: SnapshotMeta, chunks: Chunks, replaces: boolean): Promise<void> {
    this.#snapshotId += 1;
    const id = this.#snapshotId;
    const previous = this.#snapshot;
    try {
      const head: SnapshotHead = { meta, id, chunks: await this.#chunks.write(id, chunks) };
      const install = (): Promise<void> => this.#install(head, replaces);
      await (replaces ? install() : this.#queue.push(install));
    } catch (error) {
      await this.#chunks.retire(id).catch(() => {});
      const failure = isOurs(error) ? this.#failUnlessFull(error, 'save a snapshot') : error;
      throw failure;
    }
    // It counts; what it replaced is swept by the next opening if it cannot go now.
    if (previous !== null) await this.#chunks.retire(previous.id).catch(() => {});
  }

  async #install(head: SnapshotHead, replaces: boolean): Promise<void> {
    this.#checkFailure();
    const { generation, useStore } = this.#database;
    const { index, term } = head.meta;
    if (!replaces) {
      assert(this.#log.termAt(index) === term, 'a log keeps the entry of a snapshot under way');
      await set(snapshotKey(generation), head, useStore);
      this.#log = this.#log.rebased({ index, term });
      this.#snapshot = head;
      return;
    }
    const number = this.#groupNumber + 1;
    const empty: PersistBatch = { number: 0, hardState: this.#hardState, entries: [] };
    await useStore('readwrite', (store) => {
      store.delete(logRange(generation));
      store.put(packBatches([empty]), logKey(generation, number));
      store.put(head, snapshotKey(generation));
    });
    this.#groups = [groupOf(number, [])];
    this.#groupNumber = number;
    this.#log = TermRuns.over({ index, term });
    this.#snapshot = head;
  }

  /** Removes the oldest groups whose entries are all covered; the newest one stays. */
  async #compact(throughIndex: number): Promise<void> {
    this.#checkFailure();
    const snapshotIndex = this.#snapshot?.meta.index ?? 0;
    if (throughIndex > snapshotIndex) {
      const error = new RangeError(
        `Cannot compact through ${throughIndex}: the snapshot ends at ${snapshotIndex}, wanted no more`,
      );
      throw this.#fail(error, 'compact');
    }
    // A prefix of the groups only: a later one may have replaced what an earlier one holds.
    const kept = this.#groups.findIndex((group) => group.lastIndex > throughIndex);
    const count = Math.min(kept === -1 ? Infinity : kept, this.#groups.length - 1);
    if (count <= 0) return;
    const { generation, useStore } = this.#database;
    try {
      await useStore('readwrite', (store) => {
        for (const { number } of this.#groups.slice(0, count)) {
          store.delete(logKey(generation, number));
        }
      });
      this.#groups.splice(0, count);
    } catch (error) {
      throw this.#failUnlessFull(error, 'compact');
    }
  }

  /** Ends this replica by `work`, after everything that was accepted. */
  async #end(
    action: string,
    work: (place: {
      readonly useStore: ReplicaDatabase['useStore'];
      readonly generation: number;
      readonly run: OpenedRun;
    }) => Promise<void>,
  ): Promise<void> {
    const { useStore, generation, run } = this.#database;
    let failure: Error | null = null;
    this.#closing ??= this.#close(async () => {
      try {
        this.#checkFailure();
        await work({ useStore, generation, run });
      } catch (error) {
        failure = storageError(error, `${action} ${this.#name}`);
      }
    });
    await this.#closing;
    if (failure !== null) throw failure as Error;
  }

  async #close(last: () => Promise<void>): Promise<void> {
    const opened = this.#state === 'open' || this.#state === 'loaded';
    this.#state = 'closed';
    if (opened) {
      await this.#settle();
      await last();
    }
    this.#database.close();
    // A claim under way would make a run of what somebody else has by then.
    await this.#opening?.catch(() => {});
    await this.#releaseLock();
  }

  /** All that was accepted has been carried out, or refused. */
  async #settle(): Promise<void> {
    let beside;
    do {
      await this.#queue.idle();
      beside = this.#beside;
      await beside;
      await this.#queue.idle();
    } while (beside !== this.#beside);
  }

  #failUnlessFull(error: unknown, action: string): Error {
    const failure = asFailure(error, `${action} in ${this.#name}`);
    return isQuorateError(failure, 'STORAGE_FULL') ? failure : this.#fail(failure, action);
  }

  /** Ends this opening: every waiting and every later call rejects with what it returns. */
  #fail(error: unknown, action: string): Error {
    this.#failure ??= asFailure(error, `${action} ${this.#name}`);
    this.#queue.rejectAll(this.#failure);
    return this.#failure;
  }

  #check(...states: readonly ('open' | 'loaded')[]): void {
    this.#checkFailure();
    if (this.#state === 'closed') throw closedError(this.#name);
    assert(
      (states as readonly string[]).includes(this.#state),
      `calls come after open() and load(): ${this.#state}, wanted ${states.join(' or ')}`,
    );
  }

  #checkFailure(): void {
    if (this.#failure !== null) throw this.#failure;
  }
}

function navigatorLocks(): Locks | undefined {
  // Absent without a secure context, and in Node before 24.
  return (globalThis.navigator as { readonly locks?: Locks } | undefined)?.locks;
}

function groupOf(number: number, entries: readonly Entry[]): StoredGroup {
  return { number, lastIndex: entries.reduce((last, { index }) => Math.max(last, index), 0) };
}

/** A caller's mistake stays what it is; anything else is a failure of the store. */
function asFailure(error: unknown, action: string): Error {
  if (error instanceof RangeError || error instanceof TypeError) return error;
  return storageError(error, action);
}

/** Did the store fail, or the source of a snapshot's bytes? */
function isOurs(error: unknown): boolean {
  if (isQuorateError(error)) return /^(STORAGE_|CLOSED$)/.test(error.code);
  return error instanceof Error && error.message.startsWith('Invariant broken');
}

function afterRefused(number: number): QuorateError {
  return new QuorateError(
    'STORAGE_FULL',
    `Cannot persist: batch ${number} before it found no space, wanted that one again first`,
  );
}

function withoutSnapshot(reason: unknown): Error {
  if (isQuorateError(reason, 'STORAGE_FULL')) return reason;
  return new QuorateError('STORAGE_FULL', 'Cannot persist: the snapshot before it did not come', {
    cause: reason,
  });
}

function closedError(name: string): QuorateError {
  return new QuorateError('CLOSED', `Cannot use ${name}: it is closed`);
}

/** Groups are cut at this many bytes of entry data, so that one value stays handy. */
const groupBytesMax = 4 * 1_048_576;
/** Kept for when there is no room. */
const reserveBytes = 262_144;
