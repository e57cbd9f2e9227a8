/** What only a person at the relay's own machine may do with its register (Z10). */
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isQuorateError, QuorateError, systemClock } from '@quorate/contracts';
import type { VerifyRecord } from '@quorate/contracts';
import { askRelay } from './control.ts';
import type { ReleaseAnswer, ReleaseRequest } from './control.ts';
import { readChecked } from '@quorate/contracts/files';
import { RelayDirectory, groupKeyFile } from './directory.ts';
import { RegisterStore } from './register-store.ts';

/** The topics that the register in `directory` has a file of. Errors: `REGISTER_LOST`, `STORAGE_CORRUPT`. */
export async function registeredTopics(directory: string): Promise<readonly string[]> {
  const path = resolve(directory);
  for (const name of [groupKeyFile, join('register', 'GROUP')]) {
    if ((await readChecked(join(path, name))) !== null) continue;
    throw new QuorateError('REGISTER_LOST', `Cannot find a register in ${path}: no ${name}`);
  }
  const names = await readdir(join(path, 'register'));
  return names.flatMap((name) => /^([0-9a-f]{64})\.cbor$/.exec(name)?.[1] ?? []).sort();
}

/**
 * Takes a namespace's record out of the register: whoever comes next may found. Asks the relay that
 * runs in `directory`, or changes its files while none does. Not done while hosts of the topic are
 * announced, unless `force`: then the relay also names none of them until somebody has claimed.
 * Errors: `REGISTER_LOST`, `UNREACHABLE`, `STORAGE_FAILED`, `STORAGE_FULL`, `STORAGE_CORRUPT`.
 */
export async function releaseTopic(
  options: ReleaseRequest & { readonly directory: string; readonly verify: VerifyRecord },
): Promise<ReleaseAnswer> {
  const { topic, force } = options;
  await registeredTopics(options.directory);
  const directory = new RelayDirectory(options.directory);
  try {
    const { lost } = await directory.open(false);
    const store = new RegisterStore({
      path: directory.registerPath,
      verify: options.verify,
      clock: systemClock,
    });
    const missing = lost ?? (await store.load());
    if (missing !== null) throw new QuorateError('REGISTER_LOST', `Cannot release: ${missing}`);
    return { released: await store.release(topic), announced: 0 };
  } catch (error) {
    if (!isQuorateError(error, 'STORAGE_LOCKED')) throw error;
    const path = await directory.socketPath();
    if (path === null) throw error;
    return await askRelay(path, { topic, force });
  } finally {
    await directory.close();
  }
}
