/**
 * Snapshots as files. One is written beside the others under a temporary name and synced; `install`
 * renames it, which is the moment it counts. The newest is found by the number in its name; older
 * ones go as soon as it is durable, open readers keep what they read.
 *
 * ```
 * name: <number>-<record>.snap       the log's entries in records up to <record> are replaced by it
 *  0  'QRTSNAPS'
 *  8  u32 format, 1
 * 12  u32 bytes of the meta
 * 16  meta: varint term · varint index · varint membershipIndex ·
 *     voters, votersOutgoing, learners, learnersNext: each varint count, node ids of 16 bytes
 *     u32 crc of everything before
 *     blocks: u32 length, 1…262,144 · u32 crc of the data, seeded with the crc before · data
 *     end: u32 0 · u32 crc of the next 8 bytes, seeded with the crc before · u64 bytes in all blocks
 * ```
 */
import { join } from 'node:path';
import { QuorateError } from '@quorate/contracts';
import type { Chunks } from '@quorate/contracts';
import type { Membership, NodeId, SnapshotMeta } from '@quorate/core';
import { ByteReader, ByteWriter, bytesOfNodeId, checksum, nodeIdOf } from './bytes.ts';
import type { FileSystem, OpenFile } from './file-system.ts';
import { corrupt, namesOfReplica, paddedNumber, storageError, syncing } from './layout.ts';

/** A stored snapshot. */
export type StoredSnapshot = {
  readonly meta: SnapshotMeta;
  /** Entries of log records up to this one are replaced by a snapshot, this or an earlier one. */
  readonly droppedThroughRecord: number;
};

export class SnapshotStore {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #readers = new Set<OpenFile>();
  #number = 0;
  #path: string | null = null;
  #current: StoredSnapshot | null = null;

  constructor(fileSystem: FileSystem, directory: string) {
    this.#fileSystem = fileSystem;
    this.#directory = directory;
  }

  /** Of the newest one; 0 without any. */
  get number(): number {
    return this.#number;
  }

  get current(): StoredSnapshot | null {
    return this.#current;
  }

  /** Finds the newest snapshot, checks its meta and removes what a crash left over. */
  async load(): Promise<StoredSnapshot | null> {
    const names = await namesOfReplica(this.#fileSystem, this.#directory);
    let newest: ParsedName | null = null;
    for (const name of names) {
      const parsed = parseName(name);
      if (parsed !== null && parsed.number > (newest?.number ?? 0)) newest = parsed;
    }
    if (newest !== null) {
      this.#number = newest.number;
      this.#path = join(this.#directory, newest.name);
      const file = await this.#fileSystem.open(this.#path, 'read');
      try {
        const { meta } = await readHead(file, this.#path);
        this.#current = { meta, droppedThroughRecord: newest.droppedThroughRecord };
      } finally {
        await file.close();
      }
    }
    for (const name of names) {
      if (name !== newest?.name) await this.#fileSystem.remove(join(this.#directory, name));
    }
    // The name may be in the system's cache only, and the log is compacted on the strength of it.
    await syncing(`sync ${this.#directory}`, this.#fileSystem.syncDirectory(this.#directory));
    return this.#current;
  }

  /**
   * Writes a snapshot durably under a temporary name and resolves to its path. Rejects with
   * `STORAGE_FULL`, `STORAGE_FAILED`, or with what `chunks` threw; then nothing is left of it.
   */
  async write(meta: SnapshotMeta, chunks: Chunks): Promise<string> {
    const path = join(this.#directory, 'next.tmp');
    const action = `write snapshot ${meta.index} to ${path}`;
    let file: OpenFile | null = null;
    try {
      await storing(action, this.#fileSystem.remove(path));
      file = await storing(action, this.#fileSystem.open(path, 'create'));
      await writeContent(file, meta, chunks, action);
      await syncing(action, file.sync());
      await file.close();
      return path;
    } catch (error) {
      await file?.close().catch(() => {});
      await this.#fileSystem.remove(path).catch(() => {});
      throw error;
    }
  }

  /** Makes a written snapshot the one that counts. Resolves once that is durable. */
  async install(path: string, snapshot: StoredSnapshot): Promise<void> {
    const { droppedThroughRecord } = snapshot;
    const name = `${paddedNumber(this.#number + 1)}-${paddedNumber(droppedThroughRecord)}.snap`;
    const target = join(this.#directory, name);
    const action = `install snapshot ${snapshot.meta.index} as ${target}`;
    await syncing(action, this.#fileSystem.rename(path, target));
    await syncing(action, this.#fileSystem.syncDirectory(this.#directory));
    const old = this.#path;
    this.#number += 1;
    this.#path = target;
    this.#current = snapshot;
    if (old !== null) await syncing(action, this.#fileSystem.remove(old));
  }

  async discard(path: string): Promise<void> {
    await this.#fileSystem.remove(path).catch(() => {});
  }

  /** The current snapshot; its chunks are verified one by one before they are handed out. */
  async read(): Promise<{
    readonly meta: SnapshotMeta;
    readonly chunks: AsyncIterable<Uint8Array>;
  } | null> {
    const path = this.#path;
    if (path === null) return null;
    const file = await storing(`read ${path}`, this.#fileSystem.open(path, 'read'));
    this.#readers.add(file);
    try {
      const head = await readHead(file, path);
      return { meta: head.meta, chunks: this.#blocks(file, path, head) };
    } catch (error) {
      await this.#closeReader(file);
      throw error;
    }
  }

  /** Ends all readers. */
  async close(): Promise<void> {
    for (const file of [...this.#readers]) await this.#closeReader(file);
  }

  async *#blocks(file: OpenFile, path: string, head: Head): AsyncGenerator<Uint8Array> {
    try {
      let offset = head.bytes;
      let seed = head.crc;
      let total = 0;
      for (;;) {
        if (!this.#readers.has(file)) {
          throw new QuorateError('CLOSED', `Cannot read ${path}: the storage is closed`);
        }
        const reader = new ByteReader(await readExactly(file, path, offset, 8));
        const length = reader.u32();
        const crc = reader.u32();
        if (length > blockBytesMax) throw corrupt(path, offset, 'a block is too long');
        const data = await readExactly(file, path, offset + 8, length === 0 ? 8 : length);
        if (checksum(data, seed) !== crc) throw corrupt(path, offset, 'a block is damaged');
        offset += 8 + data.length;
        if (length === 0) {
          if (new ByteReader(data).u64() !== total || (await file.size()) !== offset) {
            throw corrupt(path, offset, 'the end of the snapshot is not where it says');
          }
          return;
        }
        seed = crc;
        total += length;
        yield data;
      }
    } finally {
      await this.#closeReader(file);
    }
  }

  async #closeReader(file: OpenFile): Promise<void> {
    if (this.#readers.delete(file)) await file.close();
  }
}

/** The number of a snapshot by its file's name; null for any other name. */
export function snapshotNumberOf(name: string): number | null {
  return parseName(name)?.number ?? null;
}

type ParsedName = {
  readonly name: string;
  readonly number: number;
  readonly droppedThroughRecord: number;
};

type Head = { readonly meta: SnapshotMeta; readonly bytes: number; readonly crc: number };

function parseName(name: string): ParsedName | null {
  const match = /^([0-9]{16})-([0-9]{16})\.snap$/.exec(name);
  if (match === null) return null;
  return { name, number: Number(match[1]), droppedThroughRecord: Number(match[2]) };
}

async function writeContent(
  file: OpenFile,
  meta: SnapshotMeta,
  chunks: Chunks,
  action: string,
): Promise<void> {
  const head = encodeHead(meta);
  await storing(action, file.write(head.content, 0));
  let offset = head.content.length;
  let seed = head.crc;
  let total = 0;
  const block = new ByteWriter(blockBytesMax + 8);
  const flush = async (): Promise<void> => {
    const bytes = block.bytes();
    const data = bytes.subarray(8);
    seed = checksum(data, seed);
    block.setU32(0, data.length);
    block.setU32(4, seed);
    await storing(action, file.write(bytes, offset));
    offset += bytes.length;
    total += data.length;
  };
  block.zeros(8);
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      const room = blockBytesMax + 8 - block.length;
      const piece = chunk.subarray(at, at + room);
      block.raw(piece);
      at += piece.length;
      if (piece.length < room) continue;
      await flush();
      block.reset();
      block.zeros(8);
    }
  }
  if (block.length > 8) await flush();
  const end = new ByteWriter(16);
  end.zeros(8);
  end.u64(total);
  end.setU32(4, checksum(end.bytes().subarray(8), seed));
  await storing(action, file.write(end.bytes(), offset));
}

function encodeHead(meta: SnapshotMeta): { content: Uint8Array; crc: number } {
  const body = new ByteWriter();
  body.varint(meta.term);
  body.varint(meta.index);
  body.varint(meta.membershipIndex);
  const { voters, votersOutgoing, learners, learnersNext } = meta.membership;
  for (const list of [voters, votersOutgoing, learners, learnersNext]) {
    body.varint(list.length);
    for (const nodeId of list) body.raw(bytesOfNodeId(nodeId));
  }
  const writer = new ByteWriter();
  writer.raw(magic);
  writer.u32(snapshotFormat);
  writer.u32(body.length);
  writer.raw(body.bytes());
  const crc = checksum(writer.bytes());
  writer.u32(crc);
  return { content: writer.bytes(), crc };
}

async function readHead(file: OpenFile, path: string): Promise<Head> {
  const start = await readExactly(file, path, 0, 16);
  if (!magic.every((byte, at) => byte === start[at])) throw corrupt(path, 0, 'it is no snapshot');
  const view = new ByteReader(start.subarray(8));
  const format = view.u32();
  const metaBytes = view.u32();
  if (metaBytes > metaBytesMax) throw corrupt(path, 12, 'its meta is too long');
  const content = await readExactly(file, path, 0, 16 + metaBytes + 4);
  const crc = checksum(content.subarray(0, 16 + metaBytes));
  if (new ByteReader(content.subarray(16 + metaBytes)).u32() !== crc) {
    throw corrupt(path, 0, 'its head is damaged');
  }
  if (format > snapshotFormat) {
    throw new QuorateError(
      'OUTDATED',
      `Cannot read ${path}: it has format ${format}, wanted at most ${snapshotFormat}`,
    );
  }
  try {
    const meta = decodeMeta(content.subarray(16, 16 + metaBytes));
    return { meta, bytes: content.length, crc };
  } catch (error) {
    throw corrupt(path, 16, (error as Error).message);
  }
}

function decodeMeta(bytes: Uint8Array): SnapshotMeta {
  const reader = new ByteReader(bytes);
  const term = reader.varint();
  const index = reader.varint();
  const membershipIndex = reader.varint();
  const nodeIds = (): NodeId[] => {
    const count = reader.varint();
    const list: NodeId[] = [];
    for (let at = 0; at < count; at += 1) list.push(nodeIdOf(reader.raw(16)));
    return list;
  };
  const membership: Membership = {
    voters: nodeIds(),
    votersOutgoing: nodeIds(),
    learners: nodeIds(),
    learnersNext: nodeIds(),
  };
  return { term, index, membership, membershipIndex };
}

async function readExactly(
  file: OpenFile,
  path: string,
  offset: number,
  count: number,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(count);
  const got = await storing(`read ${path}`, file.read(bytes, offset));
  if (got < count)
    throw corrupt(path, offset + got, `it ends here, wanted ${count - got} bytes more`);
  return bytes;
}

async function storing<T>(action: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    throw storageError(error, action);
  }
}

const magic: Uint8Array = new TextEncoder().encode('QRTSNAPS');
const snapshotFormat = 1;
const blockBytesMax = 262_144;
/** Room for tens of thousands of members; a bound before allocation. */
const metaBytesMax = 1_048_576;
