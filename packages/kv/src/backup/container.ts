/**
 * The bytes of a backup (PROTOCOL.md): a head that says what it is, blocks of records, and at the end
 * their number of bytes and the SHA-256 of everything before. Whatever was cut off, added or changed
 * is found; nothing in it may be believed before the end was read.
 */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { Chunks } from '@quorate/contracts';
import { equalBytes, QuorateError } from '@quorate/contracts';

/** Writes a backup chunk by chunk; returns the checksum, in hex, when the last one was taken. */
export function* writeContainer(
  head: Uint8Array,
  blocks: Iterable<Uint8Array>,
): Generator<Uint8Array, string> {
  const hash = sha256.create();
  const sealed = (...parts: Uint8Array[]): Uint8Array => {
    const chunk = joined(parts);
    hash.update(chunk);
    return chunk;
  };
  yield sealed(magic, uint32(backupFormat), uint32(head.length), head);
  let total = 0;
  for (const block of blocks) {
    if (block.length === 0) continue;
    total += block.length;
    yield sealed(uint32(block.length), block);
  }
  const end = sealed(uint32(0), uint64(total));
  const checksum = hash.digest();
  yield joined([end, checksum]);
  return bytesToHex(checksum);
}

export type Container = {
  readonly head: Uint8Array;
  /** Each block whole; ends only after the checksum was found right. */
  readonly blocks: AsyncIterable<Uint8Array>;
  /** Known once `blocks` has ended. */
  readonly checksum: () => string;
  /** Lets the source go; for whoever does not read to the end. */
  readonly close: () => Promise<void>;
};

/**
 * Reads a backup as it comes; at most a block is held. Rejects, as its blocks do, with
 * `BACKUP_CORRUPT` naming the place, or `OUTDATED` for a format to come.
 */
export async function readContainer(chunks: Chunks): Promise<Container> {
  const source = new Source(chunks);
  try {
    const start = await source.take(16);
    if (!equalBytes(start.subarray(0, 8), magic)) throw corrupt(0, 'it is no backup');
    const format = readUint32(start, 8);
    if (format > backupFormat) {
      throw new QuorateError(
        'OUTDATED',
        `Cannot read the backup: it has format ${format}, wanted at most ${backupFormat}`,
      );
    }
    const length = readUint32(start, 12);
    if (length > headBytesMax) throw corrupt(12, 'its head is too long');
    const head = await source.take(length);
    let checksum = '';
    return {
      head,
      blocks: blocksOf(source, (found) => (checksum = found)),
      checksum: () => checksum,
      close: () => source.close(),
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function* blocksOf(
  source: Source,
  ended: (checksum: string) => void,
): AsyncGenerator<Uint8Array, undefined> {
  let total = 0;
  try {
    for (;;) {
      const at = source.offset;
      const length = readUint32(await source.take(4), 0);
      if (length === 0) break;
      if (length > blockBytesMax) throw corrupt(at, 'a block is too long');
      const block = await source.take(length);
      total += length;
      yield block;
    }
    const at = source.offset;
    const size = await source.take(8);
    const wanted = source.digest();
    const checksum = await source.take(32);
    if (!equalBytes(size, uint64(total))) throw corrupt(at, 'its length is another');
    if (!equalBytes(checksum, wanted)) throw corrupt(at + 8, 'its checksum is another');
    if (!(await source.isOver())) throw corrupt(source.offset, 'something follows its end');
    ended(bytesToHex(checksum));
    return undefined;
  } finally {
    await source.close();
  }
}

export function corrupt(offset: number, what: string): QuorateError {
  return new QuorateError('BACKUP_CORRUPT', `Cannot read the backup at byte ${offset}: ${what}`, {
    details: { offset },
  });
}

/** Bytes by number from chunks of any size, hashed as they are taken. */
class Source {
  readonly #chunks: AsyncIterator<Uint8Array> | Iterator<Uint8Array>;
  readonly #hash = sha256.create();
  #chunk: Uint8Array = new Uint8Array(0);
  #offset = 0;

  constructor(chunks: Chunks) {
    this.#chunks =
      Symbol.asyncIterator in chunks ? chunks[Symbol.asyncIterator]() : chunks[Symbol.iterator]();
  }

  get offset(): number {
    return this.#offset;
  }

  async take(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for (let missing = count; missing > 0;) {
      if (this.#chunk.length === 0 && !(await this.#more())) {
        throw corrupt(this.#offset + count - missing, `it ends here, ${missing} bytes are missing`);
      }
      const part = this.#chunk.subarray(0, missing);
      this.#chunk = this.#chunk.subarray(part.length);
      missing -= part.length;
      parts.push(part);
    }
    const bytes = joined(parts);
    this.#hash.update(bytes);
    this.#offset += count;
    return bytes;
  }

  async isOver(): Promise<boolean> {
    return this.#chunk.length === 0 && !(await this.#more());
  }

  /** Of what was taken so far. */
  digest(): Uint8Array {
    return this.#hash.clone().digest();
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #more(): Promise<boolean> {
    for (;;) {
      const next = await this.#chunks.next();
      if (next.done === true) return false;
      const chunk: unknown = next.value;
      if (!(chunk instanceof Uint8Array)) throw corrupt(this.#offset, 'wanted bytes');
      this.#chunk = chunk;
      if (chunk.length > 0) return true;
    }
  }
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function uint64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

function readUint32(bytes: Uint8Array, at: number): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(at, true);
}

const magic: Uint8Array = new TextEncoder().encode('QRTBAKUP');
const backupFormat = 1;
const headBytesMax = 1024 * 1024;
/** Records are gathered to 64 KiB; one alone may be longer. */
const blockBytesMax = 2 * 1024 * 1024;
