/**
 * The little of a file system that the storage needs, as a parameter: the real one is
 * `nodeFileSystem`; tests bring one that loses unsynced writes, runs full, or fails a sync.
 *
 * Nothing is durable before it was synced: bytes of a file by its `sync()`, names (created, linked,
 * renamed, removed) by `syncDirectory()` of the directory that holds them.
 *
 * Failures are Node's: errors with a `code` such as `ENOENT`, `EEXIST`, `ENOSPC`.
 */
export interface FileSystem {
  /** Creates `path` and its missing parents, durably. Existing ones are left alone. */
  makeDirectory(path: string): Promise<void>;
  /** What lies there; a link is one, whatever it leads to. */
  kindOf(path: string): Promise<FileKind>;
  /** The names in a directory, in no order. */
  list(path: string): Promise<readonly string[]>;
  /** `read` and `modify` want an existing file; `create` wants a free name (else `EEXIST`). */
  open(path: string, mode: 'read' | 'modify' | 'create'): Promise<OpenFile>;
  /** Gives the file `existing` a second name; `EEXIST` when that is taken. Atomic. */
  link(existing: string, path: string): Promise<void>;
  /** Moves a file or directory; an existing file at `to` is replaced. Atomic. */
  rename(from: string, to: string): Promise<void>;
  /** Removes a file or a directory with everything in it; a missing one is fine. */
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  /** How many bytes may still be written below `path`, as far as can be told; null where it cannot. */
  freeBytes(path: string): Promise<number | null>;
  /**
   * Listens on a new local socket `name` in `directory`, for as long as the process lives or until
   * the returned function is called, which also removes the name. The socket says one thing: that
   * its owner lives.
   */
  listen(directory: string, name: string): Promise<() => Promise<void>>;
  /** `alive`: somebody listens; `dead`: the name is there but nobody listens; `absent`: no name. */
  probe(directory: string, name: string): Promise<SocketState>;
  /** Which machine, and which start of it, this process runs on. */
  machine(): Promise<Machine>;
}

/** `other`: a socket, a FIFO, a device. `absent` also where something above is no directory. */
export type FileKind = 'absent' | 'file' | 'directory' | 'link' | 'other';

export type SocketState = 'alive' | 'dead' | 'absent';

export type Machine = {
  /** The same after every start of the machine; another one on every other machine. */
  readonly machineId: string;
  /** Another one after each start; shared by all containers on one kernel. Empty if unknown. */
  readonly bootId: string;
  /** For people: this process, and what the machine is called now. */
  readonly pid: number;
  readonly host: string;
};

export interface OpenFile {
  /** Fills `into` from `position` on; resolves to the bytes read, fewer only at the file's end. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes all of `bytes`, or rejects, and then any part of them may be in the file. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Makes everything written durable, with the length it needs. */
  sync(): Promise<void>;
  truncate(size: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}
