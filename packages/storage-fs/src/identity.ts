/**
 * The identity file: which replica this is, its latest openings (Z1, Z48), and whether it must not be
 * opened again (Z38).
 */
import { join } from 'node:path';
import { QuorateError } from '@quorate/contracts';
import type { StoredRun } from '@quorate/contracts';
import { checkedBytes } from '@quorate/contracts/files';
import type { FileSystem } from './file-system.ts';
import { layoutOf, readCheckedFile, replaceFile } from './layout.ts';
import { nodeFileSystem } from './node-file-system.ts';

/** Null where there is no such file. Rejects with `STORAGE_CORRUPT` for a damaged one. */
export async function readIdentity(
  fileSystem: FileSystem,
  directory: string,
): Promise<StoredRun | null> {
  const path = join(directory, identityName);
  const value = (await readCheckedFile(fileSystem, path)) as
    (StoredRun & { readonly format: number }) | null;
  if (value === null) return null;
  const { format, ...stored } = value;
  if (format !== identityFormat) {
    throw new QuorateError(
      'OUTDATED',
      `Cannot read ${path}: it has format ${format}, wanted ${identityFormat}`,
    );
  }
  return stored;
}

/**
 * What the store in a data directory says of its replica, for a look from outside: nothing is locked
 * or changed, and the key is not looked at. Null where there is none. Rejects with `STORAGE_CORRUPT`,
 * `OUTDATED`.
 */
export async function storedRunIn(directory: string): Promise<Omit<StoredRun, 'key'> | null> {
  const stored = await readIdentity(nodeFileSystem, layoutOf(directory).replica);
  if (stored === null) return null;
  const { key: _, ...run } = stored;
  return run;
}

/** Durable once it resolves. */
export async function writeIdentity(
  fileSystem: FileSystem,
  directory: string,
  { nodeId, key, epoch, nonce, past, givenUp, mark }: StoredRun,
): Promise<void> {
  const format = identityFormat;
  const bytes = checkedBytes({ format, nodeId, key, epoch, nonce, past, givenUp, mark });
  await replaceFile(fileSystem, directory, identityName, bytes);
}

const identityName = 'identity';
const identityFormat = 3;
