/**
 * Small files that a member or a relay reads at its start. Whatever is not as it was written is
 * `STORAGE_CORRUPT`, at once and named: a damaged key would start somebody whom nobody finds again.
 *
 * Text, for people: one line of JSON, one line with the CRC-32 of the first in hex.
 */
import { constants } from 'node:fs';
import { lstat, open, rename } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { QuorateError } from '../errors.ts';
import { withDescriptors } from './descriptors.ts';

/** The content of `path`; null where there is none. Rejects with `STORAGE_CORRUPT`. */
export async function readChecked(path: string): Promise<unknown> {
  const bytes = await readSmall(path, checkedBytesMax);
  return bytes === null ? null : parseChecked(path, bytes);
}

/** What `checkedBytes` made; `path` is for the error. Throws `STORAGE_CORRUPT` for anything else. */
export function parseChecked(path: string, bytes: Uint8Array): unknown {
  const [line = '', crc, rest] = new TextDecoder().decode(bytes).split('\n');
  if (rest !== '' || crc !== checksumOf(line)) throw corrupt(path, 'its checksum does not fit');
  return JSON.parse(line) as unknown;
}

/** The content of a checked file. */
export function checkedBytes(value: object): Uint8Array {
  const line = JSON.stringify(value);
  return new TextEncoder().encode(`${line}\n${checksumOf(line)}\n`);
}

/** Durable once it resolves; a crash leaves the old content or the new one. */
export async function writeChecked(folder: string, name: string, value: object): Promise<void> {
  await writeDurably(folder, name, checkedBytes(value));
}

/**
 * A directory of ours is one: a link would lead out of the data directory, to where nobody looks after
 * modes and locks. One that is not there is fine. Rejects with `STORAGE_CORRUPT` for anything else.
 */
export async function checkDirectory(path: string): Promise<void> {
  let stats;
  try {
    stats = await lstat(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return;
    // Something above is no directory.
    if (code === 'ENOTDIR') throw corrupt(path, 'it lies in no directory');
    throw error;
  }
  if (stats.isSymbolicLink()) throw corrupt(path, 'it is a link');
  if (!stats.isDirectory()) throw corrupt(path, 'it is no directory');
}

/**
 * The bytes of a file of ours; null where there is none. Rejects with `STORAGE_CORRUPT` for a link, a
 * FIFO, a directory, and for more than `bytesMax`, which are not read.
 */
export async function readSmall(path: string, bytesMax: number): Promise<Buffer | null> {
  let file: FileHandle;
  try {
    file = await opened(path, careful);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return null;
    if (code === 'ELOOP') throw corrupt(path, 'it is a link');
    if (code === 'ENXIO' || code === 'ENOTDIR') throw corrupt(path, 'it is no file');
    throw error;
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw corrupt(path, 'it is no file');
    if (stats.size > bytesMax) throw corrupt(path, `it has ${stats.size} bytes`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Replaces a file so that a crash leaves the old or the new one, durably. */
export async function writeDurably(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(folder, `.${name}.tmp`);
  const file = await opened(temporary, 'w', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  // Opened before: without a descriptor nothing is changed.
  const directory = await opened(folder, 'r');
  try {
    await rename(temporary, join(folder, name));
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function opened(path: string, flags: string | number, mode?: number): Promise<FileHandle> {
  return withDescriptors(() => open(path, flags, mode));
}

export function corrupt(path: string, why: string): QuorateError {
  return new QuorateError('STORAGE_CORRUPT', `Cannot read ${path}: ${why}, wanted it as written`, {
    details: { file: path, offset: 0 },
  });
}

function checksumOf(line: string): string {
  return crc32(line).toString(16).padStart(8, '0');
}

// Not there on Windows: links and FIFOs of that kind are not either.
const { O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants as Partial<typeof constants>;
const careful = constants.O_RDONLY | O_NOFOLLOW | O_NONBLOCK;
/** Checked files are smaller by far. */
export const checkedBytesMax: number = 16 * 1024;
