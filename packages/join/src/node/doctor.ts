/** A person decides for a replica that was refused and marked (Z38, Z48). */
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { hexFromBytes, QuorateError, systemRandom } from '@quorate/contracts';
import type { Run, StoredRun } from '@quorate/contracts';
import { FileStorage, storedRunIn } from '@quorate/storage-fs';

export type FoundReplica = {
  /** Its store, as `keepThis` wants it. */
  readonly directory: string;
  readonly run: Omit<StoredRun, 'key'>;
};

/**
 * The replica under `directory`, which is a member's data directory or the store in it. Rejects with
 * `STORAGE_LOST` where there is none, `RangeError` where there are several, `STORAGE_CORRUPT`.
 */
export async function findReplica(directory: string): Promise<FoundReplica> {
  const root = resolve(directory);
  const names = await readdir(root).catch(() => [] as string[]);
  const places = [root, join(root, 'log'), ...names.map((name) => join(root, name, 'log'))];
  const found: FoundReplica[] = [];
  for (const place of places) {
    const run = await storedRunIn(place);
    if (run !== null) found.push({ directory: place, run });
  }
  const [first, second] = found;
  if (first === undefined) {
    throw new QuorateError('STORAGE_LOST', `Cannot find a replica in ${root}: there is none`);
  }
  if (second !== undefined) {
    const all = found.map((one) => one.directory).join(', ');
    throw new RangeError(`Cannot choose a replica in ${root}: wanted one, found ${all}`);
  }
  return first;
}

/**
 * Opens a run that names the branch given up, which takes the mark away. The next start of the member
 * is let in by those who knew the other branch; that one is refused from then on. Rejects with
 * `STORAGE_LOCKED` while somebody runs it.
 */
export async function keepThis(directory: string): Promise<Run> {
  const storage = new FileStorage({ directory });
  const { key: _, ...run } = await storage.open({
    create: false,
    newNodeId: hexFromBytes(systemRandom(16)),
    nonce: hexFromBytes(systemRandom(8)),
    keepThis: true,
  });
  await storage.close();
  return run;
}
