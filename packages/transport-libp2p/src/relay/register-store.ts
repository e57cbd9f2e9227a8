/**
 * The registers of a relay: per topic a version and the record that holders of the secret sealed
 * and signed. Kept in memory, and in one file per topic that is durable before a change is
 * answered. Changes are carried out one after another.
 *
 * A name belongs to the first topic that claimed it: another topic under the same name tag is a
 * stranger with another secret, refused and counted. The count is not durable: a stranger shall not
 * be able to make the relay write.
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { decode, encode, rfc8949EncodeOptions } from 'cborg';
import { QuorateError, isQuorateError } from '@quorate/contracts';
import type { VerifyRecord } from '@quorate/contracts';
import { recordBytesMax } from '../wire/relay-messages.ts';
import type { StoredRecord } from '../wire/relay-messages.ts';
import { readSmall, writeDurably } from '../node/checked-file.ts';

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
const topicsMax = 16_384;
/** A record, and what stands around it. */
const storedFileBytesMax = recordBytesMax + 1024;
const storedBytesMax = 128 * 1024 * 1024;

export class RegisterStore {
  readonly #verify: VerifyRecord;
  /** Null keeps everything in memory. */
  readonly #path: string | null;
  readonly #slots = new Map<string, Slot>();
  readonly #ownerOf = new Map<string, string>();
  /** Topics whose file could not be read. */
  readonly #damaged = new Set<string>();
  #storedBytes = 0;
  #failed = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(path: string | null, verify: VerifyRecord) {
    this.#path = path;
    this.#verify = verify;
  }

  /** Files that cannot be read; their namespaces answer `REGISTER_LOST`. */
  get damagedTopics(): readonly string[] {
    return [...this.#damaged];
  }

  /** Reads what is stored. Called once, before anything else. */
  async load(): Promise<void> {
    if (this.#path === null) return;
    for (const name of await readdir(this.#path)) {
      // What a crash left half-written was never acknowledged.
      if (name.endsWith('.tmp')) await rm(join(this.#path, name), { force: true });
      const topic = /^([0-9a-f]{64})\.cbor$/.exec(name)?.[1];
      if (topic === undefined) continue;
      const slot = await this.#read(topic, join(this.#path, name));
      if (slot === null) this.#damaged.add(topic);
      else this.#keep(topic, slot);
    }
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
    this.#keep(name.topic, slot);
    return { ok: true };
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
    if (this.#path === null) return;
    const { nameTag, version, record } = slot;
    const bytes = encode({ format, nameTag, version, record }, rfc8949EncodeOptions);
    try {
      await writeDurably(this.#path, `${topic}.cbor`, bytes);
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
