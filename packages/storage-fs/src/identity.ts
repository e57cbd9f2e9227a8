/** The identity file: which replica this is, and its latest opening (Z1). */
import { join } from 'node:path';
import { QuorateError } from '@quorate/contracts';
import type { Run } from '@quorate/contracts';
import { checkedLine, readCheckedLine } from './checked-line.ts';
import type { FileSystem } from './file-system.ts';
import { replaceFile } from './layout.ts';

/** Null where there is no such file. Rejects with `STORAGE_CORRUPT` for a damaged one. */
export async function readIdentity(fileSystem: FileSystem, directory: string): Promise<Run | null> {
  const path = join(directory, identityName);
  const value = (await readCheckedLine(fileSystem, path)) as
    (Run & { readonly format: number }) | null;
  if (value === null) return null;
  if (value.format !== identityFormat) {
    throw new QuorateError(
      'OUTDATED',
      `Cannot read ${path}: it has format ${value.format}, wanted ${identityFormat}`,
    );
  }
  return { nodeId: value.nodeId, epoch: value.epoch, nonce: value.nonce };
}

/** Durable once it resolves. */
export async function writeIdentity(
  fileSystem: FileSystem,
  directory: string,
  run: Run,
): Promise<void> {
  const { nodeId, epoch, nonce } = run;
  const bytes = checkedLine({ format: identityFormat, nodeId, epoch, nonce });
  await replaceFile(fileSystem, directory, identityName, bytes);
}

const identityName = 'identity';
const identityFormat = 1;
