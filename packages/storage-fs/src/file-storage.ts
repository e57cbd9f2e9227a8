/**
 * The `LogStorage` of Node members: a directory with a lock, an identity, a segmented log and a
 * snapshot (see layout.ts for what lies where, record.ts and snapshot-store.ts for the bytes).
 *
 * Two chains of work run side by side. The *queue* writes batches, one record and one sync for all
 * that wait. The *snapshot chain* writes snapshot bytes beside it, without holding batches up, and
 * comes to the queue only for the moment in which the snapshot begins to count.
 */
import {
  QuorateError,
  assert,
  isQuorateError,
  madeWithAnotherSecret,
  nextRun,
} from '@quorate/contracts';
import type {
  Chunks,
  LoadedLog,
  LogStorage,
  Mark,
  OpenOptions,
  OpenedRun,
  StoredRun,
} from '@quorate/contracts';
import type { HardState, PersistBatch, SnapshotMeta } from '@quorate/core';
import { join } from 'node:path';
import { checksum } from './bytes.ts';
import { DirectoryLock } from './directory-lock.ts';
import { Extent } from './extent.ts';
import type { FileSystem } from './file-system.ts';
import { readIdentity, writeIdentity } from './identity.ts';
import type { Layout } from './layout.ts';
import {
  corrupt,
  isNoSpace,
  layoutOf,
  namesIn,
  readWhole,
  storageError,
  syncing,
} from './layout.ts';
import { nodeFileSystem } from './node-file-system.ts';
import { Reserve } from './reserve.ts';
import { isOfOne, writeSecretTag } from './secret-tag.ts';
import { SegmentLog } from './segment-log.ts';
import { cacheName, checkShape } from './shape.ts';
import { SnapshotStore } from './snapshot-store.ts';
import { TermRuns } from './term-runs.ts';
import { WriteQueue, type QueuedBatch } from './write-queue.ts';

export type FileStorageOptions = {
  /** The data directory; created on demand. One replica lives in it. */
  readonly directory: string;
  /** By default the real one. */
  readonly fileSystem?: FileSystem;
  /** Opens a directory that another machine held and did not close. Only a person can know. */
  readonly takeOver?: boolean;
  /** Segments are closed at this size, 8 MiB by default, at least 1 KiB; one record may exceed it. */
  readonly segmentBytes?: number;
  /** Room that is kept for when the disk is full, 4 MiB by default; 0: none. */
  readonly reserveBytes?: number;
  /** Monotonic milliseconds, for noticing that this process slept. */
  readonly monotonicNow?: () => number;
};

export class FileStorage implements LogStorage {
  readonly durable = true;

  readonly #layout: Layout;
  readonly #fileSystem: FileSystem;
  readonly #takeOver: boolean;
  readonly #segmentBytes: number;
  readonly #monotonicNow: () => number;
  readonly #queue: WriteQueue;
  readonly #reserve: Reserve;

  #state: 'new' | 'opening' | 'open' | 'loading' | 'loaded' | 'closed' = 'new';
  #failure: Error | null = null;
  #closing: Promise<void> | null = null;
  #lock: DirectoryLock | null = null;
  #lockVerifiedAtMs = 0;
  #run: OpenedRun | null = null;
  #extent: Extent | null = null;
  #log: SegmentLog | null = null;
  #snapshots: SnapshotStore | null = null;
  /** Snapshots and what must see them, in call order. Never rejects. */
  #snapshotChain: Promise<void> = Promise.resolve();
  /** The index of the newest snapshot that was accepted, written or not. */
  #acceptedSnapshot = 0;
  /** The log as of everything accepted, and as of everything durable. */
  #accepted: TermRuns = TermRuns.empty({ index: 0, term: 0 });
  #durable: TermRuns = TermRuns.empty({ index: 0, term: 0 });
  #hardState: HardState = { currentTerm: 0, votedFor: null, commitIndex: 0 };
  /** After `STORAGE_FULL`: the first refused batch, which must come again before later ones. */
  #refusedFrom: number | null = null;
  /** Does the log end with a record that holds a batch, not with the mark of a clean close? */
  #unmarked = false;

  constructor(options: FileStorageOptions) {
    const segmentBytes = options.segmentBytes ?? segmentBytesDefault;
    if (!Number.isSafeInteger(segmentBytes) || segmentBytes < segmentBytesMin) {
      throw new RangeError(
        `Cannot use segments of ${segmentBytes} bytes: wanted at least ${segmentBytesMin}`,
      );
    }
    this.#layout = layoutOf(options.directory);
    this.#fileSystem = options.fileSystem ?? nodeFileSystem;
    this.#takeOver = options.takeOver ?? false;
    this.#segmentBytes = segmentBytes;
    const { reserveBytes = reserveBytesDefault } = options;
    this.#reserve = new Reserve(this.#fileSystem, this.#layout.replica, reserveBytes);
    this.#monotonicNow = options.monotonicNow ?? (() => performance.now());
    this.#queue = new WriteQueue({
      write: (batches) => this.#write(batches),
      groupBytesMax,
      refused: (error, batches) => this.#refuse(error, batches),
    });
  }

  async open(options: OpenOptions): Promise<OpenedRun> {
    assert(this.#state === 'new', 'open() is called once, first');
    this.#state = 'opening';
    try {
      const run = await this.#openWithRoom(options);
      this.#state = 'open';
      return run;
    } catch (error) {
      await this.#lock?.release().catch(() => {});
      this.#lock = null;
      throw this.#fail(error, `open ${this.#layout.directory}`);
    }
  }

  async mark(mark: Mark): Promise<void> {
    this.#check('open', 'loaded');
    const { replica } = this.#layout;
    await this.#afterSnapshots(async () => {
      try {
        await writeIdentity(this.#fileSystem, replica, { ...this.#opened(), mark });
      } catch (error) {
        throw this.#fail(error, `mark ${replica}`);
      }
    });
  }

  async load(): Promise<LoadedLog> {
    this.#check('open');
    this.#state = 'loading';
    try {
      const loaded = await this.#load();
      this.#state = 'loaded';
      return loaded;
    } catch (error) {
      throw this.#fail(error, `load ${this.#layout.replica}`);
    }
  }

  async persist(batch: PersistBatch): Promise<void> {
    this.#check('loaded');
    if (this.#refusedFrom !== null) {
      if (batch.number > this.#refusedFrom) throw afterRefused(this.#refusedFrom);
      this.#refusedFrom = null;
    }
    try {
      this.#accepted = this.#accepted.with(batch.entries);
    } catch (error) {
      throw this.#fail(error, 'persist');
    }
    await this.#queue.pushBatch(batch);
  }

  async saveSnapshot(meta: SnapshotMeta, chunks: Chunks): Promise<void> {
    this.#check('loaded');
    if (meta.index < this.#acceptedSnapshot) return;
    const store = this.#store();
    this.#acceptedSnapshot = meta.index;
    let path: string | null = null;
    const install = async (): Promise<void> => {
      assert(path !== null, 'a snapshot is installed when its bytes are there');
      await this.#install(meta, path, keeps);
    };
    const keeps = this.#accepted.termAt(meta.index) === meta.term;
    const gate = keeps ? null : this.#queue.pushGate(install);
    if (gate !== null) this.#accepted = TermRuns.empty(meta);
    await this.#afterSnapshots(async () => {
      try {
        path = await store.write(meta, chunks);
        gate?.open();
        await (gate?.done ?? this.#queue.pushTask(install));
      } catch (error) {
        if (path !== null) await store.discard(path);
        gate?.cancel(error as Error);
        this.#acceptedSnapshot = store.current?.meta.index ?? 0;
        if (isFinal(error)) throw this.#fail(error, `save snapshot ${meta.index}`);
        if (gate !== null) this.#rejectWhatNoLongerFits(error);
        throw error;
      }
    });
  }

  async readSnapshot(): ReturnType<LogStorage['readSnapshot']> {
    this.#check('loaded');
    return this.#afterSnapshots(() => this.#store().read());
  }

  async takeReserve(): Promise<boolean> {
    this.#check('loaded');
    let isTaken = false;
    // Nothing else of this replica is written meanwhile: it may take the last room there is.
    await this.#afterSnapshots(() =>
      this.#queue.pushTask(async () => {
        isTaken = await this.#reserve.take();
      }),
    ).catch((error: unknown) => {
      throw this.#fail(error, 'take the reserve');
    });
    return isTaken;
  }

  async releaseReserve(): Promise<void> {
    this.#check('loaded');
    try {
      await this.#queue.pushTask(async () => {
        await this.#reserve.release();
      });
    } catch (error) {
      throw this.#fail(error, 'give back the reserve');
    }
  }

  async compact(throughIndex: number): Promise<void> {
    this.#check('loaded');
    if (throughIndex > this.#acceptedSnapshot) {
      const error = new RangeError(
        `Cannot compact through ${throughIndex}: the snapshot ends at ${this.#acceptedSnapshot}, ` +
          'wanted no more',
      );
      throw this.#fail(error, 'compact');
    }
    await this.#afterSnapshots(async () => {
      const current = this.#store().current;
      // The snapshot that this call relied on may have been refused; then there is nothing to do.
      if (current === null) return;
      const through = Math.min(throughIndex, current.meta.index);
      const remove = (): Promise<void> =>
        this.#segments().removeThrough(through, current.droppedThroughRecord);
      try {
        await this.#queue.pushTask(remove);
      } catch (error) {
        const failure = storageError(error, `compact through ${throughIndex}`);
        throw isFinal(failure) ? this.#fail(failure, 'compact') : failure;
      }
    });
  }

  async readCache(): Promise<Uint8Array | null> {
    this.#check('open', 'loaded');
    const path = join(this.#layout.replica, cacheName);
    let bytes;
    try {
      bytes = await readWhole(this.#fileSystem, path, cacheBytesMax);
    } catch (error) {
      // No reason to stop a replica; its reader says that it is gone.
      if (isQuorateError(error)) throw error;
      throw corrupt(path, 0, error instanceof Error ? error.message : String(error));
    }
    if (bytes === null) return null;
    const content = bytes.subarray(4);
    const isWhole =
      bytes.length >= 4 &&
      new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === checksum(content);
    if (!isWhole) throw corrupt(path, 0, 'its checksum does not fit');
    return content;
  }

  async writeCache(bytes: Uint8Array): Promise<void> {
    this.#check('open', 'loaded');
    const content = new Uint8Array(bytes.length + 4);
    content.set(bytes, 4);
    new DataView(content.buffer).setUint32(0, checksum(bytes), true);
    await this.#afterSnapshots(async () => {
      const path = join(this.#layout.replica, cacheName);
      const temporary = `${path}.tmp`;
      try {
        await this.#fileSystem.remove(temporary);
        const file = await this.#fileSystem.open(temporary, 'create');
        try {
          await file.write(content, 0);
        } finally {
          await file.close();
        }
        await this.#fileSystem.rename(temporary, path);
      } catch {
        // As above; and a hint is no reason to stop a replica.
      }
    });
  }

  async archive(label: string): Promise<void> {
    this.#check('open', 'loaded');
    if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(label)) {
      throw new RangeError(
        `Cannot archive as ${JSON.stringify(label)}: wanted 1 to 64 letters, digits, dots, dashes`,
      );
    }
    await this.#end(async () => {
      const { archive, replica, directory } = this.#layout;
      await this.#reserve.release();
      await this.#fileSystem.makeDirectory(archive);
      const taken = await this.#fileSystem.list(archive);
      let name = label;
      for (let count = 2; taken.includes(name); count += 1) name = `${label}-${count}`;
      await this.#fileSystem.rename(replica, join(archive, name));
      await this.#fileSystem.syncDirectory(archive);
      await this.#fileSystem.syncDirectory(directory);
    }, `archive ${this.#layout.replica}`);
  }

  async destroy(): Promise<void> {
    this.#check('open', 'loaded');
    await this.#end(async () => {
      const { replica, directory } = this.#layout;
      // One rename decides; what is then removed is no replica any more.
      const trash = join(directory, `trash-${this.#opened().nonce}`);
      await this.#fileSystem.rename(replica, trash);
      await this.#fileSystem.syncDirectory(directory);
      await this.#fileSystem.remove(trash);
    }, `destroy ${this.#layout.replica}`);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** On a full disk what is kept for that makes the room that a new run needs (T20). */
  async #openWithRoom(options: OpenOptions): Promise<OpenedRun> {
    try {
      return await this.#open(options);
    } catch (error) {
      // Who came as far as that knows that nobody else has the directory.
      if (!isNoSpace(error) || !(await this.#reserve.release())) throw error;
    }
    await this.#lock?.release();
    this.#lock = null;
    return this.#open(options);
  }

  async #open(options: OpenOptions): Promise<OpenedRun> {
    const { directory, replica } = this.#layout;
    const fileSystem = this.#fileSystem;
    if (!options.create && !(await namesIn(fileSystem, directory)).includes('replica')) {
      throw new QuorateError('STORAGE_LOST', `Cannot open ${directory}: there is no replica in it`);
    }
    await checkShape(fileSystem, directory);
    // Before the lock, and before anything of it is read: it may be somebody else's (Z42).
    await this.#checkSecret(options);
    await fileSystem.makeDirectory(directory);
    this.#lock = await DirectoryLock.acquire(fileSystem, directory, options.nonce, this.#takeOver);
    this.#lockVerifiedAtMs = this.#monotonicNow();
    const names = await fileSystem.list(directory);
    for (const name of names) {
      const leftover = name.startsWith('trash-') || /^replica-.*\.tmp$/.test(name);
      if (leftover) await fileSystem.remove(join(directory, name));
    }
    const isOthers = await this.#checkSecret(options);
    if (isOthers) await this.#discardBlank(options.nonce);
    if (isOthers || !names.includes('replica')) {
      // It may have been archived or destroyed since we looked.
      if (!options.create) {
        throw new QuorateError('STORAGE_LOST', `Cannot open ${directory}: its replica is gone`);
      }
      const run = nextRun(null, options);
      await this.#createReplica(run, options.topics?.[0]);
      return this.#use(run, await Extent.read(fileSystem, replica));
    }
    const known = await readIdentity(fileSystem, replica);
    if (known === null) throw corrupt(join(replica, 'identity'), 0, 'the identity is missing');
    const extent = await Extent.read(fileSystem, replica);
    await extent.check();
    const run = nextRun(known, options);
    await writeIdentity(fileSystem, replica, run);
    assert(run.mark === null || options.asMarked === true, 'a marked replica is not opened');
    return this.#use(run, extent);
  }

  /**
   * True for a replica that was made with another secret and never persisted anything: it may be
   * replaced. Rejects with `BAD_SECRET` for one that did.
   */
  async #checkSecret({ topics }: OpenOptions): Promise<boolean> {
    const { directory, replica } = this.#layout;
    if (topics === undefined) return false;
    if (!(await namesIn(this.#fileSystem, directory)).includes('replica')) return false;
    if (await isOfOne(this.#fileSystem, replica, topics)) return false;
    const [log, snapshots] = await Promise.all([
      namesIn(this.#fileSystem, join(replica, 'log')),
      namesIn(this.#fileSystem, join(replica, 'snapshot')),
    ]);
    const { isBlank } = await Extent.read(this.#fileSystem, replica);
    if (isBlank && log.length + snapshots.length === 0) return true;
    throw madeWithAnotherSecret(directory);
  }

  /** Under the lock. One rename decides, as for one that is destroyed. */
  async #discardBlank(nonce: string): Promise<void> {
    const { directory, replica } = this.#layout;
    const trash = join(directory, `trash-${nonce}`);
    await this.#fileSystem.rename(replica, trash);
    await this.#fileSystem.syncDirectory(directory);
    await this.#fileSystem.remove(trash);
  }

  /** All at once: a replica without its identity or its directories never exists. */
  async #createReplica(run: StoredRun, topic: string | undefined): Promise<void> {
    const { directory, replica } = this.#layout;
    const temporary = join(directory, `replica-${run.nonce}.tmp`);
    await this.#fileSystem.makeDirectory(join(temporary, 'log'));
    await this.#fileSystem.makeDirectory(join(temporary, 'snapshot'));
    await Extent.create(this.#fileSystem, temporary);
    if (topic !== undefined) await writeSecretTag(this.#fileSystem, temporary, topic);
    await writeIdentity(this.#fileSystem, temporary, run);
    await this.#fileSystem.rename(temporary, replica);
    await syncing(`make ${replica} durable`, this.#fileSystem.syncDirectory(directory));
  }

  #use({ mark: _, ...run }: StoredRun, extent: Extent): OpenedRun {
    const { replica } = this.#layout;
    this.#run = run;
    this.#extent = extent;
    this.#log = new SegmentLog({
      fileSystem: this.#fileSystem,
      directory: join(replica, 'log'),
      nodeId: run.nodeId,
      nonce: run.nonce,
      segmentBytes: this.#segmentBytes,
      extent,
    });
    this.#snapshots = new SnapshotStore(this.#fileSystem, join(replica, 'snapshot'));
    return run;
  }

  async #load(): Promise<LoadedLog> {
    const stored = await this.#store().load();
    const { hardState, entries } = await this.#segments().load(stored?.droppedThroughRecord ?? 0);
    const snapshot = stored?.meta ?? null;
    const base = { term: snapshot?.term ?? 0, index: snapshot?.index ?? 0 };
    const firstIndex = entries[0]?.index ?? base.index + 1;
    const lastIndex = entries.at(-1)?.index ?? base.index;
    if (firstIndex > base.index + 1 || lastIndex < base.index) {
      throw corrupt(
        join(this.#layout.replica, 'log'),
        0,
        `the log has entries ${firstIndex} to ${lastIndex} and the snapshot ends at ${base.index}`,
      );
    }
    const behind = entries.slice(Math.max(0, base.index + 1 - firstIndex));
    this.#durable = TermRuns.empty(base).with(behind);
    this.#accepted = this.#durable;
    this.#acceptedSnapshot = base.index;
    // The commit index rides along lazily; a snapshot says more than the last record knew.
    const commitIndex = Math.max(hardState.commitIndex, base.index);
    this.#hardState = { ...hardState, commitIndex };
    return { hardState: this.#hardState, snapshot, entries };
  }

  /** One record, one sync; the lock is looked at if this process slept (Z5). */
  async #write(batches: readonly PersistBatch[]): Promise<void> {
    let durable = this.#durable;
    for (const batch of batches) durable = durable.with(batch.entries);
    // Before, lest we write into what became another's; after, lest we acknowledge it.
    await this.#verifyLockAfterSleep();
    await this.#segments().append(batches);
    await this.#verifyLockAfterSleep();
    this.#durable = durable;
    this.#hardState = batches.at(-1)?.hardState ?? this.#hardState;
    this.#unmarked = true;
  }

  async #verifyLockAfterSleep(): Promise<void> {
    // Looking takes time, in which the process may be stopped again.
    while (this.#monotonicNow() - this.#lockVerifiedAtMs > lockTrustMs) {
      const startMs = this.#monotonicNow();
      await this.#lock?.verify();
      this.#lockVerifiedAtMs = startMs;
    }
  }

  /** The moment in which a written snapshot begins to count; only the queue calls it. */
  async #install(meta: SnapshotMeta, path: string, keeps: boolean): Promise<void> {
    const store = this.#store();
    const { current } = store;
    if (current !== null && meta.index < current.meta.index) {
      await store.discard(path);
      return;
    }
    const holds = this.#durable.termAt(meta.index) === meta.term;
    // What it was to stand on was refused for want of space.
    if (keeps && !holds) throw afterRefused(this.#refusedFrom ?? 0);
    const droppedThroughRecord = holds
      ? (current?.droppedThroughRecord ?? 0)
      : this.#segments().lastRecord;
    await store.install(path, { meta, droppedThroughRecord });
    await this.#extent?.grow({ snapshot: store.number });
    await this.#verifyLockAfterSleep();
    this.#durable = holds ? this.#durable.rebased(meta) : TermRuns.empty(meta);
    if (keeps) this.#accepted = this.#accepted.rebased(meta);
  }

  /** A group could not be written: for want of space it may come again, otherwise all is over. */
  #refuse(error: unknown, group: readonly QueuedBatch[]): void {
    if (!isQuorateError(error, 'STORAGE_FULL')) {
      const failure = this.#fail(error, 'persist');
      for (const item of group) item.reject(failure);
      return;
    }
    const reason = error;
    this.#refusedFrom = group[0]?.batch.number ?? null;
    for (const item of group) item.reject(reason);
    this.#queue.rejectWhere((item) => item.type !== 'task', reason);
    this.#accepted = this.#durable;
    this.#acceptedSnapshot = this.#store().current?.meta.index ?? 0;
  }

  /** After a snapshot that was to replace the log did not come: batches that continue it go too. */
  #rejectWhatNoLongerFits(reason: unknown): void {
    let accepted = this.#durable;
    for (const [position, item] of this.#queue.items.entries()) {
      if (item.type !== 'batch') continue;
      try {
        accepted = accepted.with(item.batch.entries);
      } catch {
        this.#refusedFrom = item.batch.number;
        const rest = this.#queue.items.slice(position);
        this.#queue.rejectWhere((one) => one.type !== 'task' && rest.includes(one), fullOf(reason));
        break;
      }
    }
    this.#accepted = accepted;
  }

  /** Runs `work` once everything about snapshots that was called before is done. */
  async #afterSnapshots<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#snapshotChain.then(() => {
      if (this.#failure !== null) throw this.#failure;
      return work();
    });
    this.#snapshotChain = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  /** Ends this replica by `work`, after everything that was accepted. */
  async #end(work: () => Promise<void>, action: string): Promise<void> {
    this.#state = 'closed';
    await this.#settle();
    this.#closing ??= this.#release(async () => {
      await work();
    });
    try {
      await this.#closing;
    } catch (error) {
      this.#closing = Promise.resolve();
      throw storageError(error, action);
    }
  }

  async #close(): Promise<void> {
    const wasLoaded = this.#state === 'loaded';
    this.#state = 'closed';
    await this.#settle();
    await this.#release(async () => {
      if (wasLoaded && this.#unmarked && this.#failure === null) await this.#markClosed();
    });
  }

  /** All that was accepted has been carried out, or refused. */
  async #settle(): Promise<void> {
    let chain;
    do {
      chain = this.#snapshotChain;
      await chain;
      await this.#queue.idle();
    } while (chain !== this.#snapshotChain);
  }

  /**
   * A record of its own behind the last batch: from now on damage to that batch is told from a torn
   * write. Best effort, for nothing rests on it.
   */
  async #markClosed(): Promise<void> {
    const mark: PersistBatch = { number: 0, hardState: this.#hardState, entries: [] };
    await this.#segments()
      .append([mark])
      .then(() => this.#segments().tellExtent())
      .catch(() => {});
  }

  /** Closes files, does `last` in between, and frees the directory whatever happens. */
  async #release(last: () => Promise<void>): Promise<void> {
    try {
      await this.#snapshots?.close().catch(() => {});
      await last();
      await this.#log?.close().catch(() => {});
    } finally {
      await this.#lock?.release().catch(() => {});
      this.#lock = null;
    }
  }

  /** Ends this opening: every waiting and every later call rejects with what it returns. */
  #fail(error: unknown, action: string): Error {
    if (this.#failure === null) {
      const caller = error instanceof RangeError || error instanceof TypeError;
      this.#failure = caller ? error : storageError(error, action);
      this.#queue.rejectWhere(() => true, this.#failure);
    }
    return this.#failure;
  }

  #check(...states: readonly ('open' | 'loaded')[]): void {
    if (this.#failure !== null) throw this.#failure;
    if (this.#state === 'closed') {
      throw new QuorateError('CLOSED', `Cannot use ${this.#layout.directory}: it is closed`);
    }
    const fits = (states as readonly string[]).includes(this.#state);
    assert(
      fits,
      `calls come after open() and load(): ${this.#state}, wanted ${states.join(' or ')}`,
    );
  }

  #opened(): OpenedRun {
    assert(this.#run !== null, 'open() made the run');
    return this.#run;
  }

  #segments(): SegmentLog {
    assert(this.#log !== null, 'open() made the log');
    return this.#log;
  }

  #store(): SnapshotStore {
    assert(this.#snapshots !== null, 'open() made the snapshot store');
    return this.#snapshots;
  }
}

/** Anything but a lack of space, or a source of bytes that broke, ends the opening. */
function isFinal(error: unknown): boolean {
  if (isQuorateError(error)) return error.code !== 'STORAGE_FULL';
  return error instanceof Error && error.message.startsWith('Invariant broken');
}

function afterRefused(number: number): QuorateError {
  return new QuorateError(
    'STORAGE_FULL',
    `Cannot persist: batch ${number} before it found no space, wanted that one again first`,
  );
}

function fullOf(reason: unknown): Error {
  if (isQuorateError(reason, 'STORAGE_FULL')) return reason;
  return new QuorateError('STORAGE_FULL', 'Cannot persist: the snapshot before it did not come', {
    cause: reason,
  });
}

const segmentBytesDefault = 8 * 1_048_576;
const segmentBytesMin = 1024;
const reserveBytesDefault = 4 * 1_048_576;
/** One record stays well below what a reader is asked to hold at once. */
const groupBytesMax = 4 * 1_048_576;
/** How long a look at the lock is good for: longer than this between two means that we slept. */
const lockTrustMs = 1000;
const cacheBytesMax = 64 * 1_048_576;
