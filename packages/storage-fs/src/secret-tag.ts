/**
 * Which secret a replica was made with (Z42): a salted hash of its topic, so that a directory does
 * not tell which namespace on a relay it belongs to.
 */
import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { QuorateError } from '@quorate/contracts';
import { checkedBytes } from '@quorate/contracts/files';
import type { FileSystem } from './file-system.ts';
import { corrupt, readCheckedFile, writeNew } from './layout.ts';

type SecretTag = { readonly format: number; readonly salt: string; readonly tag: string };

/** Into a replica that is being made; durable with it. */
export async function writeSecretTag(
  fileSystem: FileSystem,
  replica: string,
  topic: string,
): Promise<void> {
  const salt = randomBytes(16).toString('hex');
  const content: SecretTag = { format: tagFormat, salt, tag: tagOf(salt, topic) };
  await writeNew(fileSystem, join(replica, tagName), checkedBytes(content));
}

/** Was the replica made with one of these? Rejects with `STORAGE_CORRUPT`, also where it is missing. */
export async function isOfOne(
  fileSystem: FileSystem,
  replica: string,
  topics: readonly string[],
): Promise<boolean> {
  const path = join(replica, tagName);
  const stored = (await readCheckedFile(fileSystem, path)) as SecretTag | null;
  if (stored === null) throw corrupt(path, 0, 'it is missing');
  if (stored.format !== tagFormat) {
    throw new QuorateError(
      'OUTDATED',
      `Cannot read ${path}: it has format ${stored.format}, wanted ${tagFormat}`,
    );
  }
  return topics.some((topic) => tagOf(stored.salt, topic) === stored.tag);
}

function tagOf(salt: string, topic: string): string {
  return createHash('sha256').update(`quorate/1 replica\0${salt}\0${topic}`).digest('hex');
}

const tagName = 'secret';
const tagFormat = 1;
