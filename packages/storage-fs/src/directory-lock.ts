/**
 * One owner per data directory (Z5).
 *
 * An owner first listens on a socket of its own, `lock-<nonce>.sock`, and only then takes the next
 * file `lock-<opening>`, which names that socket. The file appears with its whole content or not at
 * all (`link` of a synced temporary file) and never twice, so it decides between two starters; who
 * finds it finds the socket already listening. A socket that refuses belongs to a dead owner; one
 * that is gone to an owner that closed. Sockets say nothing across machines, so the file also names
 * the machine: another one's directory is locked until its owner closed, or a person said
 * `takeOver`.
 *
 * Old lock files are removed only by a later owner, and the highest one always stays: a slow starter
 * that links an old number sees the higher one and gives up.
 */
import { join } from 'node:path';
import { QuorateError } from '@quorate/contracts';
import type { FileSystem, Machine } from './file-system.ts';
import { codeOf, numberIn, paddedNumber, readWhole, syncing, writeNew } from './layout.ts';

export class DirectoryLock {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #opening: number;
  readonly #socketName: string;
  readonly #stopListening: () => Promise<void>;

  private constructor(
    fileSystem: FileSystem,
    directory: string,
    opening: number,
    socketName: string,
    stopListening: () => Promise<void>,
  ) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
    this.#opening = opening;
    this.#socketName = socketName;
    this.#stopListening = stopListening;
  }

  /**
   * Takes the existing directory for this process. `nonce` makes the socket's name unique. Rejects
   * with `STORAGE_LOCKED` while somebody else has it, or may have it.
   */
  static async acquire(
    fileSystem: FileSystem,
    directory: string,
    nonce: string,
    takeOver: boolean,
  ): Promise<DirectoryLock> {
    const machine = await fileSystem.machine();
    const last = await lastOpening(fileSystem, directory);
    if (last > 0) await refuseLivingOwner(fileSystem, directory, last, machine, takeOver);
    const socketName = `lock-${nonce}.sock`;
    const stopListening = await listenAlone(fileSystem, directory, socketName);
    try {
      const opening = last + 1;
      const content: LockFile = { format: 1, socket: socketName, ...machine };
      await linkNew(fileSystem, directory, opening, nonce, content);
      await syncing(`make the lock in ${directory} durable`, fileSystem.syncDirectory(directory));
      if ((await lastOpening(fileSystem, directory)) !== opening) {
        await fileSystem.remove(join(directory, lockName(opening)));
        throw locked(directory, 'another process was faster');
      }
      await removeLeftovers(fileSystem, directory, opening, socketName);
      return new DirectoryLock(fileSystem, directory, opening, socketName, stopListening);
    } catch (error) {
      await stopListening();
      throw error;
    }
  }

  /**
   * Asks the directory itself whether it is still ours; rejects with `STORAGE_LOST` when it was
   * taken over or removed. A process that slept does so before it acknowledges anything.
   */
  async verify(): Promise<void> {
    let names: readonly string[] = [];
    try {
      names = await this.#fileSystem.list(this.#directory);
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
    }
    if (highest(names) === this.#opening && names.includes(this.#socketName)) return;
    throw new QuorateError(
      'STORAGE_LOST',
      `Cannot go on in ${this.#directory}: it was taken over or removed while open`,
    );
  }

  /** Frees the directory. The lock file stays: it keeps the count. */
  async release(): Promise<void> {
    await this.#stopListening();
  }
}

type LockFile = Machine & { readonly format: 1; readonly socket: string };

function nameOf({ pid, host }: Machine): string {
  return `process ${pid} on ${host}`;
}

async function lastOpening(fileSystem: FileSystem, directory: string): Promise<number> {
  return highest(await fileSystem.list(directory));
}

function highest(names: readonly string[]): number {
  return names.reduce((last, name) => Math.max(last, numberIn(name, 'lock-', '') ?? 0), 0);
}

function lockName(opening: number): string {
  return `lock-${paddedNumber(opening)}`;
}

async function refuseLivingOwner(
  fileSystem: FileSystem,
  directory: string,
  opening: number,
  machine: Machine,
  takeOver: boolean,
): Promise<void> {
  const owner = parseLockFile(
    await readWhole(fileSystem, join(directory, lockName(opening)), lockBytesMax),
  );
  if (owner === null) {
    if (takeOver) return;
    throw locked(directory, `its ${lockName(opening)} cannot be read`);
  }
  const state = await fileSystem.probe(directory, owner.socket);
  if (state === 'absent') return;
  const here =
    owner.machineId === machine.machineId ||
    (owner.bootId !== '' && owner.bootId === machine.bootId);
  // Our own kernel knows the living; nobody can allow a theft from them (Z2).
  if (state === 'alive') throw locked(directory, `${nameOf(owner)} has it open`);
  if (!here && !takeOver)
    throw locked(directory, `${nameOf(owner)}, another machine, had it open and did not close it`);
}

/** Null for what is no lock file of a format we know. */
function parseLockFile(bytes: Uint8Array | null): LockFile | null {
  try {
    const value = JSON.parse(new TextDecoder().decode(bytes ?? new Uint8Array())) as LockFile;
    const { format, socket, machineId, bootId, pid, host } = value;
    const fits =
      format === 1 &&
      /^lock-[0-9a-z-]{1,64}\.sock$/.test(socket) &&
      typeof machineId === 'string' &&
      typeof bootId === 'string' &&
      Number.isSafeInteger(pid) &&
      typeof host === 'string';
    return fits ? value : null;
  } catch {
    return null;
  }
}

/** Listens under a name that only a dead process can have used before. */
async function listenAlone(
  fileSystem: FileSystem,
  directory: string,
  socketName: string,
): Promise<() => Promise<void>> {
  if ((await fileSystem.probe(directory, socketName)) === 'dead') {
    await fileSystem.remove(join(directory, socketName));
  }
  try {
    return await fileSystem.listen(directory, socketName);
  } catch (error) {
    if (codeOf(error) === 'EADDRINUSE') throw locked(directory, 'another process starts on it');
    throw error;
  }
}

/** The exclusive, all-at-once creation of `lock-<opening>`. */
async function linkNew(
  fileSystem: FileSystem,
  directory: string,
  opening: number,
  nonce: string,
  content: LockFile,
): Promise<void> {
  const temporary = join(directory, `lock-${nonce}.tmp`);
  await fileSystem.remove(temporary);
  await writeNew(fileSystem, temporary, new TextEncoder().encode(`${JSON.stringify(content)}\n`));
  try {
    await fileSystem.link(temporary, join(directory, lockName(opening)));
  } catch (error) {
    // ENOENT: the winner has already cleaned up behind the losers.
    if (codeOf(error) === 'EEXIST' || codeOf(error) === 'ENOENT') {
      throw locked(directory, 'another process was faster');
    }
    throw error;
  } finally {
    await fileSystem.remove(temporary);
  }
}

/** Files of earlier owners and of starters that lost; those still running have lost too. */
async function removeLeftovers(
  fileSystem: FileSystem,
  directory: string,
  opening: number,
  socketName: string,
): Promise<void> {
  for (const name of await fileSystem.list(directory)) {
    const number = numberIn(name, 'lock-', '');
    const old = number !== null && number < opening;
    const started = name.startsWith('lock-') && /\.(sock|tmp)$/.test(name) && name !== socketName;
    if (old || started) await fileSystem.remove(join(directory, name));
  }
}

/** What a lock file takes many times over. */
const lockBytesMax = 4096;

function locked(directory: string, reason: string): QuorateError {
  return new QuorateError('STORAGE_LOCKED', `Cannot open ${directory}: ${reason}`);
}
