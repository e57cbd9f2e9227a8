/**
 * The identity file: which replica this is, and its latest opening (Z1). Text, so that a person can
 * read it: one line of JSON, one line with the CRC-32 of the first line in hex.
 */
import { join } from 'node:path';
import { QuorateError } from '@quorate/contracts';
import type { Run } from '@quorate/contracts';
import { checksum } from './bytes.ts';
import type { FileSystem } from './file-system.ts';
import { corrupt, readWhole, replaceFile } from './layout.ts';

/** Null where there is no such file. Rejects with `STORAGE_CORRUPT` for a damaged one. */
export async function readIdentity(fileSystem: FileSystem, directory: string): Promise<Run | null> {
  const path = join(directory, identityName);
  const bytes = await readWhole(fileSystem, path);
  if (bytes === null) return null;
  const text = new TextDecoder().decode(bytes);
  const [line = '', crc, rest] = text.split('\n');
  if (rest !== '' || crc !== checksumOf(line)) throw corrupt(path, 0, 'the identity is damaged');
  const value = JSON.parse(line) as Run & { readonly format: number };
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
  const line = JSON.stringify({ format: identityFormat, nodeId, epoch, nonce });
  const bytes = new TextEncoder().encode(`${line}\n${checksumOf(line)}\n`);
  await replaceFile(fileSystem, directory, identityName, bytes);
}

function checksumOf(line: string): string {
  return checksum(new TextEncoder().encode(line)).toString(16).padStart(8, '0');
}

const identityName = 'identity';
const identityFormat = 1;
