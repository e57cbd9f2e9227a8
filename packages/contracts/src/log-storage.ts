import type { Entry, HardState, PersistBatch, SnapshotMeta } from '@quorate/core';
import type { Mark, OpenedRun, OpenOptions } from './run.ts';

export type LoadedLog = {
  /** All zeros and null for a replica that has never persisted anything. */
  readonly hardState: HardState;
  readonly snapshot: SnapshotMeta | null;
  /** Consecutive; reaches back to snapshot.index + 1 or further (a trailing window). */
  readonly entries: readonly Entry[];
};

/** A log with the bytes of its snapshot, if it has one. */
export type HeldLog = LoadedLog & { readonly snapshotBytes: Uint8Array | null };

/** Bytes in order; where one chunk ends and the next begins means nothing. */
export type Chunks = AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/**
 * The durable log of one replica.
 *
 * Calls are carried out in call order (FIFO) even when they are not awaited in between. After a
 * rejection other than `STORAGE_FULL` every later call rejects too: a store that failed once cannot
 * be trusted, and a retried sync lies.
 *
 * Errors: `STORAGE_LOCKED`, `BAD_SECRET`, `REPLICA_ROLLED_BACK`, `REPLICA_CLONED` (open),
 * `STORAGE_LOST`, `STORAGE_CORRUPT` (open, load), `STORAGE_FAILED`,
 * `STORAGE_FULL`, `CLOSED`.
 */
export interface LogStorage {
  /** False when a restart of the process forgets everything. Such a replica never votes beside durable ones (Z16). */
  readonly durable: boolean;

  /**
   * Takes the store for this process, bumps its epoch and writes the nonce and where it comes from
   * (`nextRun`), durably, before it resolves (Z1, Z5, Z48). Called once, first. A marked replica
   * rejects with the mark's code, with the mark in `details`, and stays as it is (Z38).
   */
  open(options: OpenOptions): Promise<OpenedRun>;

  /**
   * What is stored where `open` has just rejected with `STORAGE_FULL`: to be shown, and for nothing else,
   * for it is no run. Null: nothing that may be shown. Absent where full disks mostly let a run begin.
   */
  look?(): Promise<HeldLog | null>;

  /**
   * Writes beside the log why this replica must not be opened again by itself (Z38); durable once it
   * resolves. The log stays as it is. After `open`; the last mark counts.
   */
  mark(mark: Mark): Promise<void>;

  /** Reads what is stored and repairs a torn tail. Called once, after `open`. */
  load(): Promise<LoadedLog>;

  /**
   * Makes `batch` durable: once resolved it survives a crash of the process and of the machine.
   * Atomic: after a crash `load()` sees all of it or none. A stored suffix that its entries overlap
   * is replaced. Batches that wait together may share one sync. The buffers inside stay unchanged
   * until it settles.
   */
  persist(batch: PersistBatch): Promise<void>;

  /**
   * Replaces the stored snapshot, atomically: a crash leaves the old or the new one. A log that
   * holds the entry (meta.term, meta.index) keeps it and what follows; any other log is dropped
   * whole, for the snapshot contradicts or outruns it (§7). A snapshot older than the stored one is
   * ignored.
   */
  saveSnapshot(meta: SnapshotMeta, chunks: Chunks): Promise<void>;

  /**
   * Takes room of the medium for when there is none (T20): true once all of it is there, false where
   * it does not fit, and then nothing of it is kept. Of earlier runs it is there still. After `load`;
   * in order with batches. Absent where nothing can run full.
   */
  takeReserve?(): Promise<boolean>;

  /**
   * Gives that room back: once resolved, the next batches may use it. Nothing else changes, and it
   * may be given back when it is not there.
   */
  releaseReserve?(): Promise<void>;

  /** The newest stored snapshot, or null. The chunks stay readable while a newer one is saved. */
  readSnapshot(): Promise<{
    readonly meta: SnapshotMeta;
    readonly chunks: AsyncIterable<Uint8Array>;
  } | null>;

  /** Allows entries up to and including `throughIndex` (≤ snapshot.index) to be forgotten; cheap, may keep more. */
  compact(throughIndex: number): Promise<void>;

  /**
   * What a replica may lose: last known addresses, whose loss costs time only, and what it knows of other
   * replicas (Z3), whose loss takes a second fault to matter. Not ordered with batches, and not synced:
   * a crash may damage it. Where that can be told reading rejects with `STORAGE_CORRUPT`, which ends
   * nothing, until it is written again.
   */
  readCache(): Promise<Uint8Array | null>;
  writeCache(bytes: Uint8Array): Promise<void>;

  /**
   * Moves everything aside under `label` as data that is never a replica again (Z7) and closes.
   * The next `open({ create: true })` makes a new replica.
   */
  archive(label: string): Promise<void>;

  /** Erases the replica and closes. */
  destroy(): Promise<void>;

  /** Waits for what was accepted, then releases the store. Idempotent. */
  close(): Promise<void>;

  /**
   * Ends this opening synchronously, without waiting for anything, as a page must that is being left
   * (Z6): what waits rejects with `CLOSED`. Absent where nothing can be left so suddenly but by a
   * crash.
   */
  drop?(): void;
}
