/**
 * A relay's directory:
 *
 *     relay.key        its private key (libp2p protobuf, mode 0600): the relay stays the same peer
 *     relay.sock       held while a relay runs here
 *     group.json       { format, group }: made by `init`, the mark that a register belongs here
 *     register/GROUP   the same group once more, inside of what must not be lost
 *     register/topics  every namespace that has a file (register-store.ts)
 *     register/*.cbor  one file per namespace
 *
 * Any of these without the others means that the register was lost (Z11, Z41): then claims are
 * refused until a person restores the files, or empties the directory and makes another group.
 */
import { chmod, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { join, resolve } from 'node:path';
import { generatePrivateKey, readPrivateKey } from '../host/private-key.ts';
import { QuorateError, systemRandom } from '@quorate/contracts';
import { toHex } from '../host/link-protocol.ts';

export type RelayIdentity = {
  readonly privateKey: Uint8Array;
  /** Null for a relay that only carries traffic. */
  readonly group: string | null;
  /** Why the register is lost; null when it is not. */
  readonly lost: string | null;
  /** The group was made, or its mark was, in this very start. */
  readonly made: boolean;
};

const format = 1;
/** In the register's folder: a topic a line, for a file that is gone says nothing by itself. */
export const topicsFile = 'topics';
/** Longest path of a Unix socket that every system takes. */
const socketPathBytesMax = 100;

export class RelayDirectory {
  readonly path: string;
  /** What a person asks on this machine while the relay runs; see `control.ts`. */
  onAsked: (socket: Socket) => void = (socket) => socket.destroy();
  #lock: Server | null = null;
  #folder: { readonly fd: number; close(): Promise<void> } | null = null;

  constructor(path: string) {
    this.path = resolve(path);
  }

  get registerPath(): string {
    return join(this.path, 'register');
  }

  /**
   * Takes the directory for this process and reads who this relay is, or makes it so: with `init`
   * a group, a key and an empty register, unless there is a group already. Errors: `STORAGE_LOCKED`
   * `STORAGE_CORRUPT`.
   */
  async open(init: boolean): Promise<RelayIdentity> {
    await mkdir(this.path, { recursive: true });
    await this.#takeLock();
    const key = await readOrNull(join(this.path, 'relay.key'));
    const mark = await readOrNull(join(this.path, 'group.json'));
    const inside = await readOrNull(join(this.registerPath, 'GROUP'));
    if (key !== null) await this.#checkKey(key);
    if (mark === null && (init || inside === null)) {
      const privateKey = key ?? (await this.#makeKey());
      const group = init ? await this.#makeGroup(inside) : null;
      return { privateKey, group, lost: null, made: init };
    }
    const group = mark === null ? groupIn(inside) : readMark(mark, join(this.path, 'group.json'));
    const lost =
      mark === null
        ? `group.json is missing in ${this.path}: --init makes it again`
        : this.#whatIsLost(key, group, inside);
    return { privateKey: key ?? (await generatePrivateKey()), group, lost, made: false };
  }

  #whatIsLost(
    key: Uint8Array | null,
    group: string | null,
    inside: Uint8Array | null,
  ): string | null {
    if (key === null) return `relay.key is missing in ${this.path}`;
    if (inside === null) return `register/GROUP is missing in ${this.path}`;
    const found = groupIn(inside);
    if (found === null) return `register/GROUP cannot be read in ${this.path}`;
    return found === group ? null : `register/GROUP in ${this.path} names another group`;
  }

  async #checkKey(key: Uint8Array): Promise<void> {
    try {
      await readPrivateKey(key);
    } catch (cause) {
      const path = join(this.path, 'relay.key');
      throw new QuorateError('STORAGE_CORRUPT', `Cannot read ${path}, wanted a private key`, {
        cause,
      });
    }
  }

  async close(): Promise<void> {
    const lock = this.#lock;
    this.#lock = null;
    if (lock !== null) {
      await new Promise<void>((done) => {
        lock.close(() => done());
      });
    }
    await this.#folder?.close();
    this.#folder = null;
  }

  async #makeKey(): Promise<Uint8Array> {
    const key = await generatePrivateKey();
    await writeDurably(this.path, 'relay.key', key);
    await chmod(join(this.path, 'relay.key'), 0o600);
    return key;
  }

  /** The mark is written last: a crash before it leaves a relay that `init` completes. */
  async #makeGroup(inside: Uint8Array | null): Promise<string> {
    await mkdir(this.registerPath, { recursive: true });
    const known = groupIn(inside);
    if (inside !== null && known === null) {
      const path = join(this.registerPath, 'GROUP');
      throw new QuorateError('STORAGE_CORRUPT', `Cannot read ${path}, wanted 32 hex digits`);
    }
    const group = known ?? toHex(systemRandom(16));
    if (known === null) {
      if ((await readOrNull(join(this.registerPath, topicsFile))) === null) {
        await writeDurably(this.registerPath, topicsFile, new Uint8Array());
      }
      await writeDurably(this.registerPath, 'GROUP', new TextEncoder().encode(`${group}\n`));
    }
    const mark = `${JSON.stringify({ format, group })}\n`;
    await writeDurably(this.path, 'group.json', new TextEncoder().encode(mark));
    return group;
  }

  /** A listening socket: refused connections mean that its owner is dead. */
  async #takeLock(): Promise<void> {
    const path = await this.socketPath();
    if (path === null) return;
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const server = await listenOn(path, (socket) => this.onAsked(socket));
      if (server !== null) {
        server.unref();
        this.#lock = server;
        return;
      }
      if (await answers(path)) break;
      await rm(path, { force: true });
    }
    await this.close();
    throw new QuorateError(
      'STORAGE_LOCKED',
      `Cannot use ${this.path}: another relay runs in it, wanted a directory of its own`,
    );
  }

  /** Null where no socket can stand for the directory: then only the port tells two relays apart. */
  async socketPath(): Promise<string | null> {
    if (process.platform === 'win32') return null;
    const path = join(this.path, 'relay.sock');
    if (Buffer.byteLength(path) <= socketPathBytesMax) return path;
    if (process.platform !== 'linux') return null;
    const folder = await open(this.path, 'r');
    this.#folder = { fd: folder.fd, close: async () => folder.close() };
    return `/proc/self/fd/${folder.fd}/relay.sock`;
  }
}

/** Replaces a file so that a crash leaves the old or the new one, durably. */
export async function writeDurably(folder: string, name: string, bytes: Uint8Array): Promise<void> {
  const temporary = join(folder, `.${name}.tmp`);
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, join(folder, name));
  const directory = await open(folder, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

function readMark(bytes: Uint8Array, path: string): string {
  try {
    const raw: unknown = JSON.parse(new TextDecoder().decode(bytes));
    const { format: found, group } = raw as { format?: unknown; group?: unknown };
    if (found === format && typeof group === 'string' && /^[0-9a-f]{32}$/.test(group)) return group;
  } catch {
    // Falls through to the one error that names the file.
  }
  throw new QuorateError('STORAGE_CORRUPT', `Cannot read ${path}, wanted format ${format}`);
}

/** Null for anything but 32 hex digits. */
function groupIn(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null;
  const text = new TextDecoder().decode(bytes).trim();
  return /^[0-9a-f]{32}$/.test(text) ? text : null;
}

export async function readOrNull(path: string): Promise<Uint8Array | null> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function listenOn(path: string, onAsked: (socket: Socket) => void): Promise<Server | null> {
  return new Promise((settle, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      onAsked(socket);
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') settle(null);
      else reject(error);
    });
    server.listen(path, () => settle(server));
  });
}

async function answers(path: string): Promise<boolean> {
  return new Promise((settle) => {
    const socket = createConnection(path);
    socket.once('connect', () => {
      socket.destroy();
      settle(true);
    });
    socket.once('error', () => settle(false));
  });
}
