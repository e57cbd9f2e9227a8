/**
 * A file system in memory whose machine can crash at any moment: of everything that was not synced
 * any combination may survive, file contents by the sector, names by the operation. Operations can
 * be made to fail.
 */
import { dirname, basename } from 'node:path';
import type { FileKind, FileSystem, OpenFile, SocketState } from '../src/index.ts';

export type Operation = {
  readonly type:
    'write' | 'sync' | 'syncDirectory' | 'truncate' | 'create' | 'link' | 'rename' | 'remove';
  readonly path: string;
  /** How many operations came before it. */
  readonly count: number;
};

/** `writtenBytes`: how much of a failing write is done all the same. */
export type Fault = { readonly code: string; readonly writtenBytes?: number };

export class FaultyFileSystem implements FileSystem {
  /** Asked before each operation that changes something; null lets it pass. */
  fault: (operation: Operation) => Fault | null = () => null;
  machineId = 'machine';
  bootId = 'boot';
  /** What all files together may hold; beyond it there is no space. */
  capacityBytes: number = Number.POSITIVE_INFINITY;

  #root: DirectoryNode = newDirectory();
  readonly #sockets = new Set<FileNode>();
  #life = 0;
  #operations = 0;

  get operations(): number {
    return this.#operations;
  }

  /** The machine stops. `survives` is asked for each thing that was not durable. */
  crash(survives: () => boolean): void {
    this.#life += 1;
    this.#sockets.clear();
    const decided = new Map<object, boolean>();
    const decide = (key: object): boolean => {
      const decision = decided.get(key) ?? survives();
      decided.set(key, decision);
      return decision;
    };
    this.#root = rebootDirectory(this.#root, decide, survives, new Map());
  }

  /** The process dies, the machine lives on: nothing is lost yet, and nothing becomes durable. */
  killProcess(): void {
    this.#life += 1;
    this.#sockets.clear();
  }

  /** From now on everything runs on another machine: it sees the files, and nobody behind a socket. */
  moveToMachine(machineId: string, bootId: string): void {
    this.machineId = machineId;
    this.bootId = bootId;
    this.#sockets.clear();
  }

  /** The bytes of a file, for damage done from outside; durable at once. */
  content(path: string): Uint8Array {
    return this.#file(path).current.slice();
  }

  setContent(path: string, bytes: Uint8Array): void {
    const node = this.#file(path);
    node.current = bytes.slice();
    node.durable = bytes.slice();
    node.pending = [];
  }

  /** What all files hold now. */
  get usedBytes(): number {
    const sizeOf = (node: Node): number =>
      node.type === 'file'
        ? node.current.length
        : [...node.current.values()].reduce((sum, child) => sum + sizeOf(child), 0);
    return sizeOf(this.#root);
  }

  /** All files below a directory, with their paths, sorted. */
  files(path: string): string[] {
    const found: string[] = [];
    const walk = (node: DirectoryNode, at: string): void => {
      for (const [name, child] of node.current) {
        if (child.type === 'directory') walk(child, `${at}/${name}`);
        else found.push(`${at}/${name}`);
      }
    };
    walk(this.#directory(path), path);
    return found.sort();
  }

  async makeDirectory(path: string): Promise<void> {
    await this.#step(null, path);
    let at = this.#root;
    for (const name of parts(path)) {
      let next = at.current.get(name);
      if (next === undefined) {
        next = newDirectory();
        at.current.set(name, next);
        at.durable.set(name, next);
      }
      if (next.type !== 'directory') throw failure('ENOTDIR', path);
      at = next;
    }
  }

  async kindOf(path: string): Promise<FileKind> {
    await this.#step(null, path);
    let at: Node | undefined = this.#root;
    for (const name of parts(path))
      at = at?.type === 'directory' ? at.current.get(name) : undefined;
    return at?.type ?? 'absent';
  }

  async list(path: string): Promise<readonly string[]> {
    await this.#step(null, path);
    return [...this.#directory(path).current.keys()];
  }

  async open(path: string, mode: 'read' | 'modify' | 'create'): Promise<OpenFile> {
    if (mode === 'create') {
      await this.#step('create', path);
      const directory = this.#directory(dirname(path));
      if (directory.current.has(basename(path))) throw failure('EEXIST', path);
      const node: FileNode = {
        type: 'file',
        durable: new Uint8Array(),
        current: new Uint8Array(),
        pending: [],
      };
      change(directory, { add: [basename(path), node] });
      return this.#opened(path, node);
    }
    await this.#step(null, path);
    return this.#opened(path, this.#file(path));
  }

  async link(existing: string, path: string): Promise<void> {
    await this.#step('link', path);
    const node = this.#file(existing);
    const directory = this.#directory(dirname(path));
    if (directory.current.has(basename(path))) throw failure('EEXIST', path);
    change(directory, { add: [basename(path), node] });
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#step('rename', to);
    const source = this.#directory(dirname(from));
    const target = this.#directory(dirname(to));
    const node = source.current.get(basename(from));
    if (node === undefined) throw failure('ENOENT', from);
    const add: [string, Node] = [basename(to), node];
    if (source === target) change(source, { remove: basename(from), add });
    else {
      // One operation in two directories: it survives in both or in none.
      const key = {};
      change(source, { remove: basename(from), key });
      change(target, { add, key });
    }
  }

  async remove(path: string): Promise<void> {
    await this.#step('remove', path);
    const directory = this.#directory(dirname(path));
    if (directory.current.has(basename(path))) change(directory, { remove: basename(path) });
  }

  async syncDirectory(path: string): Promise<void> {
    await this.#step('syncDirectory', path);
    const directory = this.#directory(path);
    directory.durable = new Map(directory.current);
    directory.pending = [];
  }

  async freeBytes(path: string): Promise<number | null> {
    await this.#step(null, path);
    if (this.capacityBytes === Number.POSITIVE_INFINITY) return null;
    return Math.max(0, this.capacityBytes - this.usedBytes);
  }

  async listen(directory: string, name: string): Promise<() => Promise<void>> {
    await this.#step(null, directory);
    const node = this.#directory(directory);
    if (node.current.has(name)) throw failure('EADDRINUSE', name);
    const socket: FileNode = {
      type: 'file',
      durable: new Uint8Array(),
      current: new Uint8Array(),
      pending: [],
    };
    change(node, { add: [name, socket] });
    this.#sockets.add(socket);
    const life = this.#life;
    return async () => {
      if (life !== this.#life) return;
      this.#sockets.delete(socket);
      if (node.current.has(name)) change(node, { remove: name });
    };
  }

  async probe(directory: string, name: string): Promise<SocketState> {
    await this.#step(null, directory);
    const node = this.#directory(directory).current.get(name);
    if (node === undefined) return 'absent';
    return this.#sockets.has(node as FileNode) ? 'alive' : 'dead';
  }

  async machine(): ReturnType<FileSystem['machine']> {
    return { machineId: this.machineId, bootId: this.bootId, pid: 1, host: this.machineId };
  }

  #opened(path: string, node: FileNode): OpenFile {
    const life = this.#life;
    const step = (type: Operation['type'] | null): Promise<Fault | null> =>
      this.#step(type, path, life);
    return {
      read: async (into, position) => {
        await step(null);
        const bytes = node.current.subarray(position, position + into.length);
        into.set(bytes);
        return bytes.length;
      },
      write: async (bytes, position) => {
        // Taken now, as a system call would, not when a promise settles.
        const copy = bytes.slice();
        const fault = (await step('write')) ?? this.#shortage(node, copy.length, position);
        const done = fault === null ? copy : copy.subarray(0, fault.writtenBytes ?? 0);
        if (done.length > 0) write(node, done, position);
        if (fault !== null) throw failure(fault.code, path);
      },
      sync: async () => {
        const fault = await step('sync');
        // A failed sync leaves pages that look clean: the next one says nothing about them.
        if (fault === null)
          for (const one of node.pending) node.durable = applied(node.durable, one);
        node.pending = [];
        if (fault !== null) throw failure(fault.code, path);
      },
      truncate: async (size) => {
        await step('truncate');
        const pending: PendingWrite = { type: 'truncate', size };
        node.pending.push(pending);
        node.current = applied(node.current, pending);
      },
      size: async () => {
        await step(null);
        return node.current.length;
      },
      close: async () => {},
    };
  }

  /** Of a write that does not fit as much is done as does. */
  #shortage(node: FileNode, bytes: number, position: number): Fault | null {
    const growth = position + bytes - node.current.length;
    const excess = growth - Math.max(0, this.capacityBytes - this.usedBytes);
    if (growth <= 0 || excess <= 0) return null;
    return { code: 'ENOSPC', writtenBytes: Math.max(0, bytes - excess) };
  }

  /** One moment in which the machine may stop, or the operation fail. */
  async #step(
    type: Operation['type'] | null,
    path: string,
    life: number = this.#life,
  ): Promise<Fault | null> {
    await Promise.resolve();
    if (type === null) return life === this.#life ? null : never();
    const fault = life === this.#life ? this.fault({ type, path, count: this.#operations }) : null;
    // Whoever ran on the machine before it stopped never hears of anything again.
    if (life !== this.#life) return never();
    this.#operations += 1;
    if (fault !== null && type !== 'write' && type !== 'sync') throw failure(fault.code, path);
    return fault;
  }

  #directory(path: string): DirectoryNode {
    let at: Node = this.#root;
    for (const name of parts(path)) {
      const next: Node | undefined = at.type === 'directory' ? at.current.get(name) : undefined;
      if (next === undefined) throw failure('ENOENT', path);
      at = next;
    }
    if (at.type !== 'directory') throw failure('ENOTDIR', path);
    return at;
  }

  #file(path: string): FileNode {
    const node = this.#directory(dirname(path)).current.get(basename(path));
    if (node === undefined) throw failure('ENOENT', path);
    if (node.type !== 'file') throw failure('EISDIR', path);
    return node;
  }
}

type PendingWrite =
  | { readonly type: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly type: 'truncate'; readonly size: number };

type FileNode = {
  readonly type: 'file';
  durable: Uint8Array;
  current: Uint8Array;
  /** What happened since the last sync, by the sector. */
  pending: PendingWrite[];
};

type DirectoryChange = {
  readonly remove?: string;
  readonly add?: readonly [string, Node];
  /** Shared by changes that are one operation. */
  readonly key?: object;
};

type DirectoryNode = {
  readonly type: 'directory';
  durable: Map<string, Node>;
  readonly current: Map<string, Node>;
  pending: DirectoryChange[];
};

type Node = FileNode | DirectoryNode;

function newDirectory(): DirectoryNode {
  return { type: 'directory', durable: new Map(), current: new Map(), pending: [] };
}

function change(directory: DirectoryNode, one: DirectoryChange): void {
  directory.pending.push(one);
  applyChange(directory.current, one);
}

function applyChange(names: Map<string, Node>, { remove, add }: DirectoryChange): void {
  if (remove !== undefined) names.delete(remove);
  if (add !== undefined) names.set(add[0], add[1]);
}

function write(node: FileNode, bytes: Uint8Array, position: number): void {
  let offset = position;
  while (offset < position + bytes.length) {
    const end = Math.min(
      position + bytes.length,
      (Math.floor(offset / sectorBytes) + 1) * sectorBytes,
    );
    const piece = bytes.slice(offset - position, end - position);
    node.pending.push({ type: 'write', offset, bytes: piece });
    offset = end;
  }
  node.current = applied(node.current, { type: 'write', offset: position, bytes });
}

function applied(content: Uint8Array, one: PendingWrite): Uint8Array {
  if (one.type === 'truncate') {
    const cut = new Uint8Array(one.size);
    cut.set(content.subarray(0, one.size));
    return cut;
  }
  const end = one.offset + one.bytes.length;
  let grown = content;
  if (end > content.length) {
    grown = new Uint8Array(end);
    grown.set(content);
  }
  grown.set(one.bytes, one.offset);
  return grown;
}

function rebootDirectory(
  node: DirectoryNode,
  decide: (key: object) => boolean,
  survives: () => boolean,
  seen: Map<Node, Node>,
): DirectoryNode {
  const names = new Map(node.durable);
  for (const one of node.pending) if (decide(one.key ?? one)) applyChange(names, one);
  const after = newDirectory();
  seen.set(node, after);
  for (const [name, child] of names) {
    const known = seen.get(child);
    const rebooted =
      known ??
      (child.type === 'directory'
        ? rebootDirectory(child, decide, survives, seen)
        : rebootFile(child, survives));
    seen.set(child, rebooted);
    after.current.set(name, rebooted);
    after.durable.set(name, rebooted);
  }
  return after;
}

function rebootFile(node: FileNode, survives: () => boolean): FileNode {
  let content: Uint8Array = node.durable.slice();
  for (const one of node.pending) if (survives()) content = applied(content, one);
  return { type: 'file', durable: content, current: content.slice(), pending: [] };
}

function parts(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code });
}

function never(): Promise<never> {
  return new Promise<never>(() => {});
}

const sectorBytes = 512;
