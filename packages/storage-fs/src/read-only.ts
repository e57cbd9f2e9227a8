/**
 * A look at the data directory of a member that does not run, which leaves its replica as it is: no
 * run begins, no epoch grows, no torn tail is cut. Only the lock is real, so that nobody starts on the
 * directory meanwhile and nobody reads one that is in use.
 */
import { basename, join, sep } from 'node:path';
import { FileStorage } from './file-storage.ts';
import type { FileKind, FileSystem, OpenFile } from './file-system.ts';
import { nodeFileSystem } from './node-file-system.ts';

export type ReadOnlyOptions = {
  readonly directory: string;
  /** Reads this one of the directory's archives in place of its replica. */
  readonly archive?: string;
  readonly takeOver?: boolean;
  /** By default the real one. */
  readonly fileSystem?: FileSystem;
};

/** A store to open with `create: false`, to load, to read a snapshot of, and to close: nothing else. */
export function readOnlyStorage(options: ReadOnlyOptions): FileStorage {
  const { directory, archive, takeOver = false, fileSystem = nodeFileSystem } = options;
  return new FileStorage({
    directory,
    takeOver,
    fileSystem: new ReadOnlyFileSystem(fileSystem, directory, archive ?? null),
  });
}

class ReadOnlyFileSystem implements FileSystem {
  readonly #base: FileSystem;
  readonly #replica: string;
  readonly #directory: string;
  /** Where the replica is read from. */
  readonly #source: string;

  constructor(base: FileSystem, directory: string, archive: string | null) {
    this.#base = base;
    this.#directory = directory;
    this.#replica = join(directory, 'replica');
    this.#source = archive === null ? this.#replica : join(directory, 'archive', archive);
  }

  makeDirectory(): Promise<void> {
    return Promise.resolve();
  }

  kindOf(path: string): Promise<FileKind> {
    return this.#base.kindOf(this.#at(path));
  }

  async list(path: string): Promise<readonly string[]> {
    const names = await this.#base.list(this.#at(path));
    if (path !== this.#directory || this.#source === this.#replica) return names;
    // Where an archive is read the replica's place is taken by it, be there one or not.
    const archives = names.includes('archive')
      ? await this.#base.list(join(this.#directory, 'archive'))
      : [];
    const rest = names.filter((name) => name !== 'replica');
    return archives.includes(basename(this.#source)) ? [...rest, 'replica'] : rest;
  }

  async open(path: string, mode: 'read' | 'modify' | 'create'): Promise<OpenFile> {
    if (isLock(path)) return this.#base.open(path, mode);
    if (mode === 'create') return nothing;
    return unwritten(await this.#base.open(this.#at(path), 'read'));
  }

  async link(existing: string, path: string): Promise<void> {
    if (isLock(path)) await this.#base.link(existing, path);
  }

  async rename(from: string, to: string): Promise<void> {
    if (isLock(to)) await this.#base.rename(from, to);
  }

  async remove(path: string): Promise<void> {
    if (isLock(path)) await this.#base.remove(path);
  }

  async syncDirectory(path: string): Promise<void> {
    if (path === this.#directory) await this.#base.syncDirectory(path);
  }

  freeBytes(path: string): Promise<number | null> {
    return this.#base.freeBytes(this.#at(path));
  }

  listen(directory: string, name: string): ReturnType<FileSystem['listen']> {
    return this.#base.listen(directory, name);
  }

  probe(directory: string, name: string): ReturnType<FileSystem['probe']> {
    return this.#base.probe(directory, name);
  }

  machine(): ReturnType<FileSystem['machine']> {
    return this.#base.machine();
  }

  #at(path: string): string {
    const isReplica = path === this.#replica || path.startsWith(this.#replica + sep);
    return isReplica ? this.#source + path.slice(this.#replica.length) : path;
  }
}

function isLock(path: string): boolean {
  return basename(path).startsWith('lock-');
}

function unwritten(file: OpenFile): OpenFile {
  return {
    ...nothing,
    read: (into, position) => file.read(into, position),
    size: () => file.size(),
    close: () => file.close(),
  };
}

/** A file that takes everything and keeps nothing. */
const nothing: OpenFile = {
  read: () => Promise.resolve(0),
  write: () => Promise.resolve(),
  sync: () => Promise.resolve(),
  truncate: () => Promise.resolve(),
  size: () => Promise.resolve(0),
  close: () => Promise.resolve(),
};
