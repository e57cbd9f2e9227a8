/**
 * The registers of a relay: per topic a version and the record that holders of the secret sealed
 * and signed. Kept in memory, and in one file per topic that is durable before a change is
 * answered. Changes are carried out one after another.
 *
 * A file that is gone says nothing by itself, so `topics` lists which there must be. The record is
 * written first and listed then, both before the answer: a crash leaves at most one that is not listed.
 *
 * A name belongs to the first topic that claimed it: another topic under the same name tag is a
 * stranger with another secret, refused and counted. The count is not durable: a stranger shall not
 * be able to make the relay write.
 */
import { open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import { QuorateError, isQuorateError } from '@quorate/contracts';
import type { Clock, VerifyRecord } from '@quorate/contracts';
import { recordBytesMax } from '../wire/relay-messages.ts';
import type { StoredRecord } from '../wire/relay-messages.ts';
import { readSmall, writeDurably } from '@quorate/contracts/files';
import { topicsFile } from './directory.ts';

export type RegisterName = { readonly topic: string; readonly nameTag: string };

export type SetResult =
  { readonly ok: true } | { readonly ok: false; readonly current: StoredRecord | null };

type Slot = {
  readonly nameTag: string;
  readonly version: number;
  readonly record: Uint8Array;
  refusedCount: number;
};

const format = 1;
/** A topic in hex, and the end of its line. */
const lineBytes = 65;
const topicsMax = 16_384;
/** A record, and what stands around it. */
const storedFileBytesMax = recordBytesMax + 1024;
const storedBytesMax = 128 * 1024 * 1024;

export class RegisterStore {
  readonly #verify: VerifyRecord;
  readonly #clock: Clock;
  /** Null keeps everything in memory. */
  readonly #path: string | null;
  readonly #slots = new Map<string, Slot>();
  readonly #ownerOf = new Map<string, string>();
  /** Topics whose file could not be read. */
  readonly #damaged = new Set<string>();
  #storedBytes = 0;
  #failed = false;
  /** Length of the list, without what a crash left half-written behind it. */
  #listBytes = 0;
  /** First claims are refused until then, by `#clock`. */
  #heldUntilMs = -Infinity;
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string | null, verify: VerifyRecord, clock: Clock) {
    this.#path = path;
    this.#verify = verify;
    this.#clock = clock;
  }

  /** Files that cannot be read; their namespaces answer `REGISTER_LOST`. */
  get damagedTopics(): readonly string[] {
    return [...this.#damaged];
  }

  /** Nobody ever claimed anything here, as far as can be told. */
  get isEmpty(): boolean {
    return this.#slots.size === 0 && this.#damaged.size === 0;
  }

  /**
   * A register that was just made may stand where another one was lost, and members of its clusters
   * be on their way back: no first claim for so long (Z58).
   */
  holdFirstClaims(untilMs: number): void {
    this.#heldUntilMs = untilMs;
  }

  /** Reads what is stored; resolves with what of it is lost, or null. Called once, before all else. */
  async load(): Promise<string | null> {
    if (this.#path === null) return null;
    const list = await readSmall(join(this.#path, topicsFile), (topicsMax + 1) * lineBytes);
    if (list === null) return `register/${topicsFile} is missing`;
    const listed = this.#parseList(list);
    if (listed === null) return `register/${topicsFile} cannot be read`;
    const unlisted: string[] = [];
    for (const name of await readdir(this.#path)) {
      // What a crash left half-written was never acknowledged.
      if (name.endsWith('.tmp')) await rm(join(this.#path, name), { force: true });
      const topic = /^([0-9a-f]{64})\.cbor$/.exec(name)?.[1];
      if (topic === undefined) continue;
      const slot = await this.#read(topic, join(this.#path, name));
      if (slot === null) this.#damaged.add(topic);
      else this.#keep(topic, slot);
      if (!listed.delete(topic)) unlisted.push(topic);
    }
    if (unlisted.length > 1) {
      return `register/${topicsFile} lacks ${unlisted.length} namespaces that have a file`;
    }
    for (const topic of unlisted) await this.#list(topic);
    for (const topic of listed) this.#damaged.add(topic);
    return null;
  }

  /** Forgets a namespace for good; false where there was nothing of it. */
  async release(topic: string): Promise<boolean> {
    const released = this.#last.then(async () => this.#release(topic));
    this.#last = released.catch(() => {});
    return released;
  }

  get topics(): readonly string[] {
    return [...new Set([...this.#slots.keys(), ...this.#damaged])];
  }

  /** Errors: `BAD_SECRET` `REGISTER_LOST`. */
  read(name: RegisterName): StoredRecord | null {
    this.#admit(name);
    return copyOf(this.#slots.get(name.topic));
  }

  /**
   * Sets the record of version `expectedVersion + 1` if the current version is `expectedVersion`.
   * Errors: `BAD_SECRET` `REGISTER_LOST` `BAD_REQUEST` (not signed) `OVERLOADED` (full)
   * `STORAGE_FULL` `STORAGE_FAILED`.
   */
  async compareAndSet(
    name: RegisterName,
    expectedVersion: number,
    record: Uint8Array,
  ): Promise<SetResult> {
    const result = this.#last.then(async () => this.#set(name, expectedVersion, record));
    this.#last = result.catch(() => {});
    return result;
  }

  /** Waits for the changes under way. */
  async settle(): Promise<void> {
    await this.#last;
  }

  async #set(name: RegisterName, expectedVersion: number, record: Uint8Array): Promise<SetResult> {
    const version = expectedVersion + 1;
    if (record.length > recordBytesMax || !this.#verify(name.topic, 'register', version, record)) {
      throw new QuorateError(
        'BAD_REQUEST',
        'Cannot set a register: the record is not signed for this topic and version',
      );
    }
    this.#admit(name);
    const current = this.#slots.get(name.topic);
    if ((current?.version ?? 0) !== expectedVersion) {
      return { ok: false, current: copyOf(current) };
    }
    if (current === undefined && this.#clock.now() < this.#heldUntilMs) {
      throw new QuorateError(
        'FORMATION_WAITING',
        'Cannot take a first claim yet: this register is new, and waits some seconds for members ' +
          'of a cluster that may be alive (a relay started with --fresh does not)',
      );
    }
    const full = current === undefined && this.#slots.size >= topicsMax;
    if (full || this.#storedBytes + record.length > storedBytesMax) {
      throw new QuorateError('OVERLOADED', 'Cannot set a register: this relay holds its maximum');
    }
    const slot: Slot = {
      nameTag: current?.nameTag ?? name.nameTag,
      version,
      record: record.slice(),
      refusedCount: current?.refusedCount ?? 0,
    };
    await this.#write(name.topic, slot);
    if (current === undefined) await this.#list(name.topic);
    this.#keep(name.topic, slot);
    return { ok: true };
  }

  async #release(topic: string): Promise<boolean> {
    const slot = this.#slots.get(topic);
    if (slot === undefined && !this.#damaged.has(topic)) return false;
    if (this.#path !== null) {
      const lines = this.topics.filter((one) => one !== topic).map((one) => `${one}\n`);
      const bytes = new TextEncoder().encode(lines.join(''));
      await this.#durably(async (path) => writeDurably(path, topicsFile, bytes));
      this.#listBytes = bytes.length;
      await rm(join(this.#path, `${topic}.cbor`), { force: true });
    }
    this.#slots.delete(topic);
    this.#damaged.delete(topic);
    this.#storedBytes -= slot?.record.length ?? 0;
    if (slot !== undefined && this.#ownerOf.get(slot.nameTag) === topic) {
      this.#ownerOf.delete(slot.nameTag);
    }
    return true;
  }

  /** Adds a line at the end of what is whole; a line that fails is written over by the next. */
  async #list(topic: string): Promise<void> {
    const line = new TextEncoder().encode(`${topic}\n`);
    await this.#durably(async (path) => {
      const file = await open(join(path, topicsFile), 'r+');
      try {
        await file.write(line, 0, line.length, this.#listBytes);
        await file.sync();
      } finally {
        await file.close();
      }
    });
    this.#listBytes += line.length;
  }

  /** Null for anything but a topic a line; a last line cut short was never acknowledged. */
  #parseList(bytes: Uint8Array): Set<string> | null {
    this.#listBytes = bytes.length - (bytes.length % lineBytes);
    const whole = new TextDecoder().decode(bytes.subarray(0, this.#listBytes));
    const lines = whole === '' ? [] : whole.slice(0, -1).split('\n');
    if (whole !== '' && !whole.endsWith('\n')) return null;
    return lines.every((line) => /^[0-9a-f]{64}$/.test(line)) ? new Set(lines) : null;
  }

  #admit({ topic, nameTag }: RegisterName): void {
    if (this.#failed) {
      throw new QuorateError('STORAGE_FAILED', 'Cannot use the register: a write failed before');
    }
    if (this.#damaged.has(topic)) {
      throw new QuorateError(
        'REGISTER_LOST',
        `Cannot use the register of this namespace: its file ${topic}.cbor is damaged, wanted it restored`,
      );
    }
    const owner = this.#ownerOf.get(nameTag);
    if (owner === undefined || owner === topic) return;
    const stored = this.#slots.get(owner);
    if (stored !== undefined) stored.refusedCount += 1;
    throw new QuorateError(
      'BAD_SECRET',
      'Cannot use the namespace: it exists under another secret, wanted that one',
    );
  }

  #keep(topic: string, slot: Slot): void {
    this.#storedBytes += slot.record.length - (this.#slots.get(topic)?.record.length ?? 0);
    this.#slots.set(topic, slot);
    this.#ownerOf.set(slot.nameTag, topic);
  }

  async #write(topic: string, slot: Slot): Promise<void> {
    const { nameTag, version, record } = slot;
    const bytes = encode({ format, nameTag, version, record }, rfc8949EncodeOptions);
    await this.#durably(async (path) => writeDurably(path, `${topic}.cbor`, bytes));
  }

  async #durably(write: (path: string) => Promise<void>): Promise<void> {
    if (this.#path === null) return;
    try {
      await write(this.#path);
    } catch (cause) {
      const code = (cause as NodeJS.ErrnoException).code;
      // Without space nothing was renamed, and the old file stands. After anything else nobody
      // knows which one does: the relay stops deciding until it has read its files again.
      const full = code === 'ENOSPC' || code === 'EDQUOT';
      this.#failed = !full;
      throw new QuorateError(
        full ? 'STORAGE_FULL' : 'STORAGE_FAILED',
        `Cannot write the register of a namespace: ${code ?? String(cause)}`,
        { cause },
      );
    }
  }

  /** Null for what is damaged, or no file: one namespace's trouble is not that of all others. */
  async #read(topic: string, path: string): Promise<Slot | null> {
    try {
      const bytes = await readSmall(path, storedFileBytesMax);
      return bytes === null ? null : this.#parse(topic, bytes);
    } catch (error) {
      if (isQuorateError(error, 'STORAGE_CORRUPT')) return null;
      throw error;
    }
  }

  #parse(topic: string, bytes: Uint8Array): Slot | null {
    try {
      const raw = decode(bytes, { strict: true, rejectDuplicateMapKeys: true }) as unknown;
      const { format: found, nameTag, version, record } = raw as Record<string, unknown>;
      if (found !== format || typeof nameTag !== 'string') return null;
      if (typeof version !== 'number' || !(record instanceof Uint8Array)) return null;
      // The signature is the checksum: what does not verify is not what was stored.
      if (!this.#verify(topic, 'register', version, record)) return null;
      return { nameTag, version, record: record.slice(), refusedCount: 0 };
    } catch {
      return null;
    }
  }
}

function copyOf(slot: Slot | undefined): StoredRecord | null {
  if (slot === undefined) return null;
  const { version, record, refusedCount } = slot;
  return { version, record, refusedCount };
}
