/**
 * The real file system. Plain file descriptors and callbacks: the promise API of `node:fs` costs
 * more than a sync does on a fast disk.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, link, lstat, statfs } from 'node:fs/promises';
import { createServer, connect } from 'node:net';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import type { FileKind, FileSystem, Machine, OpenFile, SocketState } from './file-system.ts';
import { withKeptDescriptors } from './descriptors.ts';
import { corrupt } from './layout.ts';

export const nodeFileSystem: FileSystem = {
  async makeDirectory(path) {
    const first = await mkdir(path, { recursive: true, mode: 0o700 });
    if (first === undefined) return;
    // Each new name is durable once the directory above it is synced.
    for (let at = path; at.length >= first.length; at = dirname(at)) {
      await syncDirectory(dirname(at));
      if (dirname(at) === at) return;
    }
  },
  async kindOf(path): Promise<FileKind> {
    let stats;
    try {
      stats = await lstat(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' || code === 'ENOTDIR') return 'absent';
      throw error;
    }
    if (stats.isSymbolicLink()) return 'link';
    if (stats.isDirectory()) return 'directory';
    return stats.isFile() ? 'file' : 'other';
  },
  async list(path) {
    try {
      return await withKeptDescriptors(() => readdir(path));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOTDIR') throw error;
      throw corrupt(path, 0, 'it is a file, wanted a directory');
    }
  },
  async open(path, mode) {
    return new NodeFile(await openFile(path, openFlags[mode]));
  },
  link: (existing, path) => link(existing, path),
  rename: (from, to) => rename(from, to),
  remove: (path) => withKeptDescriptors(() => rm(path, { recursive: true, force: true })),
  syncDirectory,
  async freeBytes(path) {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  },
  async listen(directory, name) {
    const place = await socketPlace(directory, name);
    const server = createServer((socket) => {
      // Whoever looks may have gone already; that is nobody's failure (T7).
      socket.on('error', () => {});
      socket.destroy();
    });
    // Accepting may fail for as long as it listens, for want of descriptors say.
    server.on('error', () => {});
    // A storage that nobody closed must not keep the process alive.
    server.unref();
    try {
      await withKeptDescriptors(
        () =>
          new Promise<void>((resolve, reject) => {
            server.once('error', reject);
            server.listen(place.path, resolve);
          }),
      );
    } catch (error) {
      await place.close();
      throw error;
    }
    return async () => {
      await new Promise<void>((resolve) => server.close(() => resolve()));
      await place.close();
      await rm(join(directory, name), { force: true });
    };
  },
  async probe(directory, name) {
    if (!(await isThere(join(directory, name)))) return 'absent';
    const place = await socketPlace(directory, name);
    try {
      return await withKeptDescriptors(() => connectTo(place.path));
    } finally {
      await place.close();
    }
  },
  async machine(): Promise<Machine> {
    const [machineId, bootId] = await Promise.all([
      firstLine('/etc/machine-id'),
      firstLine('/proc/sys/kernel/random/boot_id'),
    ]);
    return {
      ...{ machineId: machineIdOf(machineId, hostname()), bootId },
      ...{ pid: process.pid, host: hostname() },
    };
  },
};

/** A machine that was given another name is the same one; only where it has no id the name tells. */
export function machineIdOf(machineId: string, host: string): string {
  const told = machineId === '' ? `name ${host}` : `id ${machineId}`;
  return createHash('sha256').update(told).digest('hex').slice(0, 32);
}

class NodeFile implements OpenFile {
  readonly #descriptor: number;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let done = 0;
    while (done < into.length) {
      const count = await this.#readOnce(into, done, position + done);
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    let done = 0;
    while (done < bytes.length) done += await this.#writeOnce(bytes, done, position + done);
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.fdatasync(this.#descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  truncate(size: number): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.ftruncate(this.#descriptor, size, (error) => (error === null ? resolve() : reject(error)));
    });
  }

  size(): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.fstat(this.#descriptor, (error, stats) => {
        if (error === null) resolve(stats.size);
        else reject(error);
      });
    });
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      fs.close(this.#descriptor, (error) => (error == null ? resolve() : reject(error)));
    });
  }

  #readOnce(into: Uint8Array, offset: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const length = into.length - offset;
      fs.read(this.#descriptor, into, offset, length, position, (error, count) => {
        if (error === null) resolve(count);
        else reject(error);
      });
    });
  }

  #writeOnce(bytes: Uint8Array, offset: number, position: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const length = bytes.length - offset;
      fs.write(this.#descriptor, bytes, offset, length, position, (error, count) => {
        if (error === null) resolve(count);
        // Before a byte was written: the next call begins at the same place.
        else if (error.code === 'EINTR') resolve(0);
        else reject(error);
      });
    });
  }
}

/**
 * A file of ours is a file: a link would lead out of the directory, a FIFO keep its reader waiting.
 * Rejects with `STORAGE_CORRUPT` for what is none.
 */
async function openFile(path: string, flags: number): Promise<number> {
  let descriptor: number;
  try {
    descriptor = await openDescriptor(path, flags);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ELOOP') throw corrupt(path, 0, 'it is a link, wanted a file');
    if (code === 'ENOTDIR') throw corrupt(path, 0, 'it lies in no directory');
    if (code === 'EISDIR') throw corrupt(path, 0, 'it is a directory, wanted a file');
    // A FIFO or a socket that nobody holds at the other end.
    if (code === 'ENXIO') throw corrupt(path, 0, 'it is no file');
    throw error;
  }
  const isFile = await new Promise<boolean>((resolve, reject) => {
    fs.fstat(descriptor, (error, stats) => {
      if (error === null) resolve(stats.isFile());
      else reject(error);
    });
  });
  if (isFile) return descriptor;
  await closeDescriptor(descriptor);
  throw corrupt(path, 0, 'it is no file');
}

const {
  O_CREAT = 0,
  O_EXCL = 0,
  O_NOFOLLOW = 0,
  O_NONBLOCK = 0,
  O_RDONLY,
  O_RDWR,
} = fs.constants as Partial<typeof fs.constants>;
const careful = O_NOFOLLOW | O_NONBLOCK;
const openFlags = {
  read: (O_RDONLY ?? 0) | careful,
  modify: (O_RDWR ?? 2) | careful,
  create: (O_RDWR ?? 2) | O_CREAT | O_EXCL | careful,
} as const;

function openDescriptor(path: string, flags: string | number): Promise<number> {
  return withKeptDescriptors(
    () =>
      new Promise((resolve, reject) => {
        fs.open(path, flags, 0o600, (error, descriptor) => {
          if (error === null) resolve(descriptor);
          else reject(error);
        });
      }),
  );
}

function closeDescriptor(descriptor: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fs.close(descriptor, (error) => (error == null ? resolve() : reject(error)));
  });
}

async function syncDirectory(path: string): Promise<void> {
  const descriptor = await openDescriptor(path, 'r');
  try {
    await new Promise<void>((resolve, reject) => {
      fs.fsync(descriptor, (error) => (error === null ? resolve() : reject(error)));
    });
  } finally {
    await closeDescriptor(descriptor);
  }
}

/**
 * Where to bind or connect. The system cuts a longer path silently and the socket would land
 * elsewhere, so on Linux the directory goes in as a descriptor, whatever the length of its path.
 */
async function socketPlace(
  directory: string,
  name: string,
): Promise<{ readonly path: string; close(): Promise<void> }> {
  if (process.platform === 'linux') {
    const descriptor = await openDescriptor(directory, 'r');
    return {
      path: `/proc/self/fd/${descriptor}/${name}`,
      close: () => closeDescriptor(descriptor),
    };
  }
  const path = join(directory, name);
  const bytes = Buffer.byteLength(path);
  if (bytes > socketPathBytesMax) {
    throw new RangeError(
      `Cannot lock ${directory}: its socket's path has ${bytes} bytes, wanted at most ${socketPathBytesMax}`,
    );
  }
  return { path, close: async () => {} };
}

async function connectTo(path: string): Promise<SocketState> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve('alive');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ECONNREFUSED') resolve('dead');
      else if (error.code === 'ENOENT') resolve('absent');
      // A full backlog means a living owner that is busy or stopped.
      else if (error.code === 'EAGAIN') resolve('alive');
      else reject(error);
    });
  });
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

async function firstLine(path: string): Promise<string> {
  try {
    return (await withKeptDescriptors(() => readFile(path, 'utf8'))).split('\n')[0]?.trim() ?? '';
  } catch {
    return '';
  }
}

/** What every Unix has room for, with its final zero (macOS: 104). */
const socketPathBytesMax = 103;
