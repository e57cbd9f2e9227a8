/**
 * What lies where: one database per replica, one object store in it, and these keys.
 *
 * ```
 * 'replica'                            Head: whose this is, its latest run, may it be opened again
 * 'generation'                         the newest generation ever used, a number
 * [generation, 'log', number]          a group of batches: see record.ts
 * [generation, 'snapshot']             SnapshotHead
 * [generation, 'chunk', id, position]  a piece of snapshot `id`
 * [generation, 'cache']                hints
 * 'reserve'                            room for when there is none, of whatever replica is here
 * ['archive', label]                   ArchiveHead: a generation that is never a replica again (Z7)
 * ```
 *
 * Every replica that ever lived here has a generation of its own, so that putting one aside is a
 * matter of two small records in one transaction, however large it is.
 */
import { QuorateError } from '@quorate/contracts';
import type { StoredRun } from '@quorate/contracts';
import type { SnapshotMeta } from '@quorate/core';

/** Read by each transaction (Z4), written by each one that writes. */
export type Head = StoredRun & {
  readonly format: number;
  readonly generation: number;
  /** Counts the transactions that wrote, over all runs. */
  readonly writes: number;
  /** Of the secret that the replica was made with (Z42); null: nobody said. */
  readonly topic: string | null;
};

/** Was the replica made with another secret than these topics are of? */
export function isOfNone(head: Head, topics: readonly string[] | undefined): boolean {
  return topics !== undefined && (head.topic === null || !topics.includes(head.topic));
}

export type SnapshotHead = {
  readonly meta: SnapshotMeta;
  /** Its pieces are `[generation, 'chunk', id, 0 … chunks - 1]`. */
  readonly id: number;
  readonly chunks: number;
};

export type ArchiveHead = {
  readonly generation: number;
  readonly nodeId: string;
  readonly epoch: number;
};

export const databaseVersion = 1;
export const storeName = 'quorate';
export const headFormat = 3;
export const headKey = 'replica';
export const generationKey = 'generation';
export const reserveKey = 'reserve';

export function logKey(generation: number, number: number): IDBValidKey {
  return [generation, 'log', number];
}

export function logRange(generation: number): IDBKeyRange {
  return under(generation, 'log');
}

export function snapshotKey(generation: number): IDBValidKey {
  return [generation, 'snapshot'];
}

export function chunkKey(generation: number, id: number, position: number): IDBValidKey {
  return [generation, 'chunk', id, position];
}

export function chunksRange(generation: number): IDBKeyRange {
  return under(generation, 'chunk');
}

export function cacheKey(generation: number): IDBValidKey {
  return [generation, 'cache'];
}

export function archiveKey(label: string): IDBValidKey {
  return ['archive', label];
}

/** Every key that begins with `prefix`: arrays sort after everything that may follow it here. */
export function under(...prefix: readonly (number | string)[]): IDBKeyRange {
  return IDBKeyRange.bound([...prefix], [...prefix, []]);
}

/** What a failure of the database means: no room, or no trust any more. */
export function storageError(error: unknown, action: string): Error {
  if (error instanceof QuorateError) return error;
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  const full = error instanceof Error && error.name === 'QuotaExceededError';
  const code = full ? 'STORAGE_FULL' : 'STORAGE_FAILED';
  return new QuorateError(code, `Cannot ${action}: ${reason}`, { cause: error });
}

/** Damage, with the place where it was found. */
export function corrupt(database: string, key: IDBValidKey, wanted: string): QuorateError {
  const place = JSON.stringify(key);
  return new QuorateError('STORAGE_CORRUPT', `Cannot read ${database} at ${place}: ${wanted}`, {
    details: { file: database, offset: place },
  });
}
