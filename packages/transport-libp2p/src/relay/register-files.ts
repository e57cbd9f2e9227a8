/**
 * A relay's registers on a disk, in one file per topic.
 *
 * A file that is gone says nothing by itself, so `topics` lists which there must be, below a line with
 * revision and floor: no topic that is new begins at or below that version. A record is written first and listed
 * then, both before the answer; what is given up leaves the list first, in the write that raises the
 * floor. So a file that is not listed is what a crash left: of a namespace given up where its version is
 * not above the floor, else the one that was about to be listed.
 */
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import { isQuorateError } from '@quorate/contracts';
import { checkedBytes, checkedBytesMax, readSmall, writeDurably } from '@quorate/contracts/files';
import { recordBytesMax } from '../wire/relay-messages.ts';
import { topicsFile } from './directory.ts';
import type { RegisterDisk, RegisterList, StoredRegister } from './register-disk.ts';
import type { RegisterEntry } from './register-rules.ts';

const format = 3;
/** A topic in hex, and the end of its line; revision and floor are half as long each. */
const lineBytes = 65;
/** A record, and what stands around it. */
const storedFileBytesMax = recordBytesMax + 1024;
const crcBytes = 4;
/** In the register's folder while it may have forgotten something. */
const incompleteFile = 'INCOMPLETE';

export class RegisterFiles implements RegisterDisk {
  readonly #path: string;
  /** Length of the list, without what a crash left half-written behind it. */
  #listBytes = 0;

  constructor(path: string) {
    this.#path = path;
  }

  async load(topicsMax: number): Promise<StoredRegister | string> {
    const path = this.#path;
    const list = await readSmall(join(path, topicsFile), (topicsMax + 2) * lineBytes);
    if (list === null) return `register/${topicsFile} is missing`;
    const isIncomplete = (await readSmall(join(path, incompleteFile), checkedBytesMax)) !== null;
    const listed = this.#parseList(list);
    if (listed === null) return `register/${topicsFile} cannot be read`;
    const { floor, revision } = listed;
    const missing = new Set(listed.topics);
    const entries: (readonly [string, RegisterEntry])[] = [];
    const damaged: string[] = [];
    const unlisted: string[] = [];
    for (const name of await readdir(path)) {
      // What a crash left half-written was never acknowledged.
      if (name.endsWith('.tmp')) await rm(join(path, name), { force: true });
      const topic = /^([0-9a-f]{64})\.cbor$/.exec(name)?.[1];
      if (topic === undefined) continue;
      const entry = await readEntry(join(path, name));
      const isListed = missing.delete(topic);
      if (!isListed && entry !== null && entry.version <= floor) {
        await rm(join(path, name), { force: true });
        continue;
      }
      if (!isListed) unlisted.push(topic);
      if (entry === null) damaged.push(topic);
      else entries.push([topic, entry]);
    }
    if (unlisted.length > 1) {
      return `register/${topicsFile} lacks ${unlisted.length} namespaces that have a file`;
    }
    damaged.push(...missing);
    return { floor, revision, entries, damaged, unlisted: unlisted[0] ?? null, isIncomplete };
  }

  async writeList({ revision, floor, topics }: RegisterList): Promise<void> {
    const head = [revision, floor].map((count) => count.toString(16).padStart(32, '0')).join('');
    const bytes = new TextEncoder().encode([head, ...topics].map((line) => `${line}\n`).join(''));
    await writeDurably(this.#path, topicsFile, bytes);
    this.#listBytes = bytes.length;
  }

  async write(topic: string, entry: RegisterEntry): Promise<void> {
    await writeDurably(this.#path, `${topic}.cbor`, encodeEntry(entry));
  }

  /** At the end of what is whole; a line that fails is written over by the next. */
  async list(topic: string): Promise<void> {
    const line = new TextEncoder().encode(`${topic}\n`);
    const file = await open(join(this.#path, topicsFile), 'r+');
    try {
      await file.write(line, 0, line.length, this.#listBytes);
      await file.sync();
    } finally {
      await file.close();
    }
    this.#listBytes += line.length;
  }

  async remove(topic: string): Promise<void> {
    await rm(join(this.#path, `${topic}.cbor`), { force: true });
  }

  async setIncomplete(
    note: { readonly shown: number; readonly had: number } | null,
  ): Promise<void> {
    if (note === null) await rm(join(this.#path, incompleteFile), { force: true });
    else await writeDurably(this.#path, incompleteFile, checkedBytes({ format: 1, ...note }));
  }

  /** Null for anything but a topic a line; a last line cut short was never acknowledged. */
  #parseList(bytes: Uint8Array): RegisterList | null {
    this.#listBytes = bytes.length - (bytes.length % lineBytes);
    const whole = new TextDecoder().decode(bytes.subarray(0, this.#listBytes));
    if (!whole.endsWith('\n')) return null;
    const lines = whole.slice(0, -1).split('\n');
    if (!lines.every((line) => /^[0-9a-f]{64}$/.test(line))) return null;
    const head = lines[0] ?? '';
    const [revision, floor] = [head.slice(0, 32), head.slice(32)].map((digits) =>
      Number.parseInt(digits, 16),
    ) as [number, number];
    if (!Number.isSafeInteger(revision) || !Number.isSafeInteger(floor)) return null;
    return { revision, floor, topics: lines.slice(1) };
  }
}

function encodeEntry(entry: RegisterEntry): Uint8Array {
  const { source, ...rest } = entry;
  const body = encode({ format, ...source, ...rest }, rfc8949EncodeOptions);
  const bytes = new Uint8Array(body.length + crcBytes);
  bytes.set(body);
  new DataView(bytes.buffer).setUint32(body.length, crc32(body));
  return bytes;
}

/** Null for what is damaged, or no file: one namespace's trouble is not that of all others. */
async function readEntry(path: string): Promise<RegisterEntry | null> {
  try {
    const bytes = await readSmall(path, storedFileBytesMax);
    return bytes === null || bytes.length < crcBytes ? null : decodeEntry(bytes);
  } catch (error) {
    if (isQuorateError(error, 'STORAGE_CORRUPT')) return null;
    throw error;
  }
}

function decodeEntry(bytes: Buffer): RegisterEntry | null {
  const body = bytes.subarray(0, bytes.length - crcBytes);
  if (crc32(body) !== bytes.readUInt32BE(body.length)) return null;
  try {
    const raw = decode(body, { strict: true, rejectDuplicateMapKeys: true }) as unknown;
    const { format: found, ...fields } = raw as Record<string, unknown>;
    const { nameTag, version, record, active, revision, peer, address, setAtMs } = fields;
    if (found !== format || typeof nameTag !== 'string' || !(record instanceof Uint8Array)) {
      return null;
    }
    if (typeof version !== 'number' || typeof setAtMs !== 'number') return null;
    if (typeof revision !== 'number') return null;
    if (typeof peer !== 'string' || typeof address !== 'string') return null;
    const set = { revision, source: { peer, address }, setAtMs };
    return { nameTag, version, record: record.slice(), active: active === true, ...set };
  } catch {
    return null;
  }
}
