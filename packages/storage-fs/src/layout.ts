/**
 * What lies where in a data directory. Names are part of the format (see FORMAT.md).
 *
 * ```
 * lock-<opening>            who has the directory: the highest opening counts
 * lock-<nonce>.sock         the owner's listening socket
 * replica/identity          NodeId, epoch, nonce
 * replica/secret            a salted hash of the topic it was made with (Z42)
 * replica/extent            how far log and snapshots are known to reach
 * replica/log/<record>.log  segments, named by the number of their first record
 * replica/snapshot/<n>.snap snapshots; the highest counts
 * replica/cache             hints
 * replica/reserve           room for when there is none
 * archive/<label>/          former replicas
 * trash-…, *.tmp            leftovers of what a crash interrupted
 * ```
 */
import { join } from 'node:path';
import { QuorateError, isQuorateError } from '@quorate/contracts';
import { checkedBytesMax, parseChecked } from '@quorate/contracts/files';
import type { FileSystem } from './file-system.ts';

export type Layout = {
  readonly directory: string;
  readonly replica: string;
  readonly archive: string;
};

export function layoutOf(directory: string): Layout {
  return {
    directory,
    replica: join(directory, 'replica'),
    archive: join(directory, 'archive'),
  };
}

/** Zero-padded, so that names sort like numbers; wide enough for every safe integer. */
export function paddedNumber(number: number): string {
  return number.toString().padStart(16, '0');
}

/** The number in `name` between `prefix` and `suffix`, or null when it is another kind of name. */
export function numberIn(name: string, prefix: string, suffix: string): number | null {
  if (!name.startsWith(prefix) || !name.endsWith(suffix)) return null;
  const digits = name.slice(prefix.length, name.length - suffix.length);
  return /^[0-9]{16}$/.test(digits) ? Number(digits) : null;
}

export function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}

/** No space left, or no quota: the one failure of a write that leaves the disk trustworthy. */
export function isNoSpace(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'STORAGE_FULL';
}

/** A failed action as what the contract promises: `STORAGE_FULL` or `STORAGE_FAILED`. */
export function storageError(error: unknown, action: string): QuorateError {
  if (isQuorateError(error)) return error;
  if (!isNoSpace(error)) return storageFailed(error, action);
  const reason = error instanceof Error ? error.message : String(error);
  return new QuorateError('STORAGE_FULL', `Cannot ${action}: ${reason}`, { cause: error });
}

/**
 * Waits for a sync, or for another step that cannot be tried again. Its failure is final whatever
 * the reason, a lack of space too: a sync that is repeated says nothing about what is on the disk.
 */
export async function syncing(action: string, operation: Promise<void>): Promise<void> {
  try {
    await operation;
  } catch (error) {
    throw storageFailed(error, action);
  }
}

export function storageFailed(error: unknown, action: string): QuorateError {
  const reason = error instanceof Error ? error.message : String(error);
  return new QuorateError('STORAGE_FAILED', `Cannot ${action}: ${reason}`, { cause: error });
}

/** Damage before the tail, with the place where it was found. */
export function corrupt(file: string, offset: number, wanted: string): QuorateError {
  return new QuorateError('STORAGE_CORRUPT', `Cannot read ${file} at offset ${offset}: ${wanted}`, {
    details: { file, offset },
  });
}

/**
 * The whole content of a file, or null when there is none. Rejects with `STORAGE_CORRUPT` for one
 * that nobody wrote here: of more than `bytesMax`, whatever it takes on the disk.
 */
export async function readWhole(
  fileSystem: FileSystem,
  path: string,
  bytesMax: number,
): Promise<Uint8Array | null> {
  let file;
  try {
    file = await fileSystem.open(path, 'read');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
  try {
    const size = await file.size();
    if (size > bytesMax) throw corrupt(path, bytesMax, `it has ${size} bytes, wanted fewer`);
    const bytes = new Uint8Array(size);
    const count = await file.read(bytes, 0);
    return bytes.subarray(0, count);
  } finally {
    await file.close();
  }
}

/** The content of a checked file; null where there is none. Rejects with `STORAGE_CORRUPT`. */
export async function readCheckedFile(fileSystem: FileSystem, path: string): Promise<unknown> {
  const bytes = await readWhole(fileSystem, path, checkedBytesMax);
  return bytes === null ? null : parseChecked(path, bytes);
}

/**
 * Puts `bytes` at `directory`/`name` so that a crash leaves the old or the new file: temporary file,
 * sync, rename, sync of the directory.
 */
export async function replaceFile(
  fileSystem: FileSystem,
  directory: string,
  name: string,
  bytes: Uint8Array,
): Promise<void> {
  const temporary = join(directory, `${name}.tmp`);
  await fileSystem.remove(temporary);
  await writeNew(fileSystem, temporary, bytes);
  const path = join(directory, name);
  await fileSystem.rename(temporary, path);
  await syncing(`make ${path} durable`, fileSystem.syncDirectory(directory));
}

/** Creates a file with durable content; its name is not durable yet. */
export async function writeNew(
  fileSystem: FileSystem,
  path: string,
  bytes: Uint8Array,
): Promise<void> {
  const file = await fileSystem.open(path, 'create');
  try {
    await file.write(bytes, 0);
    await syncing(`sync ${path}`, file.sync());
  } finally {
    await file.close();
  }
}

/** The names in a directory, or none when it does not exist. */
export async function namesIn(fileSystem: FileSystem, path: string): Promise<readonly string[]> {
  try {
    return await fileSystem.list(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  }
}

/** The names in a directory that every replica has. Rejects with `STORAGE_CORRUPT` without it. */
export async function namesOfReplica(
  fileSystem: FileSystem,
  path: string,
): Promise<readonly string[]> {
  try {
    return await fileSystem.list(path);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') throw corrupt(path, 0, 'the directory is missing');
    throw error;
  }
}
