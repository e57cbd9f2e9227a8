/**
 * A relay's directory:
 *
 *     relay.key        its private key (libp2p protobuf, mode 0600): the relay stays the same peer
 *     relay.sock       held while a relay runs here
 *     group.key        the group's private key, made by `init`: the mark that a register belongs here
 *     register/GROUP   the group's id, the hash of that key, inside of what must not be lost
 *     register/topics  every namespace that has a file (register-files.ts)
 *     register/*.cbor  one file per namespace
 *
 * Any of these without the others means that the register was lost (Z11, Z41): then claims are
 * refused until a person restores the files, or empties the directory and makes another group. Keys
 * and GROUP carry a checksum (checked-file.ts); all are of mode 600 in directories of 700.
 */
import { mkdir, open, readdir, rm } from 'node:fs/promises';
import { createConnection, createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { generatePrivateKey, readPrivateKey } from '../host/private-key.ts';
import { hexFromBytes, QuorateError } from '@quorate/contracts';
import { groupOf } from '../wire/certificate.ts';
import {
  checkDirectory,
  corrupt,
  readChecked,
  readSmall,
  writeChecked,
  writeDurably,
} from '@quorate/contracts/files';

export type RelayIdentity = {
  readonly privateKey: Uint8Array;
  /** Signs the relay's certificates; null where there is no group, or its key is lost. */
  readonly groupKey: Uint8Array | null;
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
/** Whoever has what is in it is this group. */
export const groupKeyFile = 'group.key';
/** What it holds while there is none: revision and floor (register-store.ts). */
const emptyList = `${'0'.repeat(64)}\n`;
/** Longer than any that was written. */
const listBytesMax = 8 * 1024 * 1024;
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

  /** Is there a group already? */
  async hasGroup(): Promise<boolean> {
    return (await namesIn(this.path)).includes(groupKeyFile);
  }

  /**
   * Takes the directory for this process and reads who this relay is, or makes it so: with `init`
   * a group, a key and an empty register, unless there is a group already. Errors: `STORAGE_LOCKED`
   * `STORAGE_CORRUPT`.
   */
  async open(init: boolean): Promise<RelayIdentity> {
    await refuseMembers(this.path);
    await checkDirectory(this.registerPath);
    await mkdir(this.path, { recursive: true, mode: 0o700 });
    await this.#takeLock();
    const key = await readKey(join(this.path, 'relay.key'));
    const groupKey = await readKey(join(this.path, groupKeyFile));
    const inside = await readGroup(join(this.registerPath, 'GROUP'));
    const isUnfinished = inside !== null && groupKey === null && (await this.#holdsNothing());
    if (groupKey === null && (inside === null || (init && isUnfinished))) {
      const privateKey = key ?? (await this.#makeKey());
      if (!init) return { privateKey, groupKey: null, group: null, lost: null, made: false };
      return { privateKey, ...(await this.#makeGroup()), lost: null, made: true };
    }
    const mark = groupKey === null ? null : groupOf(await readPrivateKey(groupKey));
    const lost = this.#whatIsLost(key, mark, inside);
    const privateKey = key ?? (await generatePrivateKey());
    return { privateKey, groupKey, group: mark ?? inside, lost, made: false };
  }

  #whatIsLost(key: Uint8Array | null, mark: string | null, inside: string | null): string | null {
    if (mark === null) {
      return `${groupKeyFile} is missing in ${this.path}: nobody else can prove to be that group`;
    }
    if (key === null) return `relay.key is missing in ${this.path}`;
    if (inside === null) return `register/GROUP is missing in ${this.path}`;
    return inside === mark ? null : `register/GROUP in ${this.path} names another group`;
  }

  /** Without a key there was no group yet that anybody could know, if nothing was claimed either. */
  async #holdsNothing(): Promise<boolean> {
    const names = await namesIn(this.registerPath);
    if (names.some((name) => name.endsWith('.cbor'))) return false;
    const list = await readSmall(join(this.registerPath, topicsFile), listBytesMax);
    return list?.toString() === emptyList;
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
    await writeChecked(this.path, 'relay.key', { format, key: hexFromBytes(key) });
    return key;
  }

  /** The key is written last: a crash before it leaves a relay that `init` completes. */
  async #makeGroup(): Promise<Pick<RelayIdentity, 'group' | 'groupKey'>> {
    await mkdir(this.registerPath, { recursive: true, mode: 0o700 });
    const groupKey = await generatePrivateKey();
    const group = groupOf(await readPrivateKey(groupKey));
    if (!(await namesIn(this.registerPath)).includes(topicsFile)) {
      await writeDurably(this.registerPath, topicsFile, new TextEncoder().encode(emptyList));
    }
    await writeChecked(this.registerPath, 'GROUP', { format, group });
    await writeChecked(this.path, groupKeyFile, { format, key: hexFromBytes(groupKey) });
    return { group, groupKey };
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
      const owner = await ownerAt(path);
      if (owner !== null) {
        await this.close();
        throw new QuorateError(
          'STORAGE_LOCKED',
          `Cannot use ${this.path}: another relay runs in it (${owner}), wanted a directory of its own`,
        );
      }
      await rm(path, { force: true });
    }
    await this.close();
    throw new QuorateError('STORAGE_LOCKED', `Cannot use ${this.path}: another relay starts in it`);
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

/** What a member keeps must not get between a relay's files: it would be taken for lost, one day. */
async function refuseMembers(path: string): Promise<void> {
  const names = await namesIn(path);
  if (names.includes('relay.key') || names.includes(groupKeyFile)) return;
  for (const name of ['.', ...names]) {
    const inside = await namesIn(join(path, name));
    if (!inside.includes('host-key') && !inside.includes('log')) continue;
    throw new QuorateError(
      'BAD_REQUEST',
      `Cannot use ${path} for a relay: a member keeps its data there, wanted a directory of its own`,
    );
  }
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    return await readdir(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}

async function listenOn(path: string, onAsked: (socket: Socket) => void): Promise<Server | null> {
  return new Promise((settle, reject) => {
    const server = createServer((socket) => {
      socket.on('error', () => socket.destroy());
      socket.write(`process ${process.pid} on ${hostname()}\n`);
      onAsked(socket);
    });
    server.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'EADDRINUSE') settle(null);
      else reject(error);
    });
    server.listen(path, () => settle(server));
  });
}

/** Who listens there; null where nobody does. One that stands still does not say its name. */
async function ownerAt(path: string): Promise<string | null> {
  return new Promise((settle) => {
    let name = '';
    const socket = createConnection(path);
    const end = (owner: string | null): void => {
      clearTimeout(timer);
      socket.destroy();
      settle(owner);
    };
    const named = (): void => end(name.trim() === '' ? 'which does not answer' : name.trim());
    const timer = setTimeout(named, ownerMs);
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      name = (name + text).slice(0, 300);
      if (name.includes('\n')) named();
    });
    socket.once('end', named);
    socket.once('error', (error: NodeJS.ErrnoException) => {
      const nobody = error.code === 'ECONNREFUSED' || error.code === 'ENOENT';
      if (nobody) end(null);
      else named();
    });
  });
}

async function readKey(path: string): Promise<Uint8Array | null> {
  const value = await readChecked(path);
  if (value === null) return null;
  const { format: found, key } = value as { readonly format?: unknown; readonly key?: unknown };
  if (found !== format || typeof key !== 'string' || !/^(?:[0-9a-f]{2})+$/.test(key)) {
    throw corrupt(path, 'it holds no key');
  }
  const bytes = new Uint8Array(Buffer.from(key, 'hex'));
  try {
    await readPrivateKey(bytes);
  } catch {
    throw corrupt(path, 'it holds no key');
  }
  return bytes;
}

async function readGroup(path: string): Promise<string | null> {
  const value = await readChecked(path);
  if (value === null) return null;
  const { format: found, group } = value as { readonly format?: unknown; readonly group?: unknown };
  if (found !== format || typeof group !== 'string' || !/^[0-9a-f]{32}$/.test(group)) {
    throw corrupt(path, `it names no group in format ${format}`);
  }
  return group;
}

const ownerMs = 500;
