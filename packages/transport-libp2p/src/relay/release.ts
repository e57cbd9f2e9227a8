/** What only a person at the relay's own machine may do with its register (Z10). */
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isQuorateError, QuorateError, systemClock } from '@quorate/contracts';
import type { VerifyRecord } from '@quorate/contracts';
import { askComplete, askRelay } from './control.ts';
import type { ReleaseAnswer, ReleaseRequest } from './control.ts';
import { readChecked } from '@quorate/contracts/files';
import { RelayDirectory, groupKeyFile } from './directory.ts';
import { RegisterFiles } from './register-files.ts';
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
export async function releaseTopic(options: ReleaseRequest & Place): Promise<ReleaseAnswer> {
  const { topic, force } = options;
  return atRegister(options, {
    stopped: async (store) => ({ released: await store.release(topic), announced: 0 }),
    running: (path) => askRelay(path, { topic, force }),
  });
}

/**
 * A person says that a register that was put back to an earlier state misses nothing (any more): from now
 * on whoever it does not know may found. False where it was complete. Errors: as `releaseTopic`.
 */
export async function completeRegister(place: Place): Promise<boolean> {
  return atRegister(place, { stopped: (store) => store.complete(), running: askComplete });
}

type Place = { readonly directory: string; readonly verify: VerifyRecord };

/** Changes the files while no relay runs there, else asks the one that does. */
async function atRegister<T>(
  { directory: path, verify }: Place,
  carryOut: {
    readonly stopped: (store: RegisterStore) => Promise<T>;
    readonly running: (socketPath: string) => Promise<T>;
  },
): Promise<T> {
  await registeredTopics(path);
  const directory = new RelayDirectory(path);
  try {
    const { lost } = await directory.open(false);
    const disk = new RegisterFiles(directory.registerPath);
    const store = new RegisterStore({ disk, verify, clock: systemClock });
    const missing = lost ?? (await store.load());
    if (missing !== null) throw new QuorateError('REGISTER_LOST', `Cannot change: ${missing}`);
    return await carryOut.stopped(store);
  } catch (error) {
    if (!isQuorateError(error, 'STORAGE_LOCKED')) throw error;
    const socketPath = await directory.socketPath();
    if (socketPath === null) throw error;
    return await carryOut.running(socketPath);
  } finally {
    await directory.close();
  }
}
