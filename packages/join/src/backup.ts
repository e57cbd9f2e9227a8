/**
 * Backups as a member takes them (Z43): one consistent state at one revision, through the log. What
 * writes the bytes is loaded when it is asked for, so that pages do not carry it.
 */
import { encodeCbor } from '@quorate/contracts';
import type { CallOptions, CborMap } from '@quorate/contracts';
import type { Captured } from '@quorate/cluster';
import type { ExportedEntry, ImportOptions, StoreCapture } from '@quorate/kv/backup';
import type { KeyValue } from '@quorate/kv';

/** What a backup says of itself. */
export type BackupInfo = {
  readonly namespace: string;
  readonly clusterId: string;
  readonly generation: number;
  readonly featureLevel: number;
  /** The revision of the state in it, and the index of the log that made it. */
  readonly revision: number;
  readonly index: number;
  readonly term: number;
  /** Replicated time (Z24) in milliseconds; the restored cluster's goes on from there. */
  readonly time: number;
  readonly keys: number;
  /** The wall clock of the member that it was taken from, ISO 8601: for people, it decides nothing. */
  readonly takenAt: string;
  /** The label of that member. */
  readonly takenFrom: string;
  /** What a person should know before it is restored, in sentences; mostly none. */
  readonly marks: readonly string[];
};

/**
 * The bytes of a backup, in chunks as they are asked for, once. The state is captured at the first of
 * them, or when `info` is asked for; whatever is written later is not in it.
 */
export interface Backup extends AsyncIterable<Uint8Array> {
  /** What is in it: revision, index, generation. Rejects like the chunks. */
  readonly info: Promise<BackupInfo>;
  /** SHA-256 of the bytes, in hex; null until the last chunk was taken. */
  readonly checksum: string | null;
}

export type BackupOptions = CallOptions;

export type ExportOptions = CallOptions & {
  /** Only keys that begin with it. Those of the runtime (`~`) come along only if it begins so too. */
  readonly prefix?: string;
};

/** A captured state and what is said of it. */
export type BackupSource = {
  readonly facts: CborMap;
  readonly state: StoreCapture;
  readonly info: BackupInfo;
};

export function sourceOf(
  { facts, state }: Captured<StoreCapture>,
  takenFrom: string,
  marks: readonly string[] = [],
): BackupSource {
  const genesis = facts['genesis'] as CborMap;
  const info: BackupInfo = {
    namespace: genesis['namespace'] as string,
    clusterId: genesis['clusterId'] as string,
    generation: genesis['generation'] as number,
    featureLevel: genesis['featureLevel'] as number,
    revision: state.revision,
    index: facts['index'] as number,
    term: facts['term'] as number,
    time: facts['time'] as number,
    keys: state.records.size,
    takenAt: new Date().toISOString(),
    takenFrom,
    marks,
  };
  return { facts, state, info };
}

/** `capture` is called once, when the backup is read or asked what it is. */
export function backupOf(capture: () => Promise<BackupSource>): Backup {
  return new CapturedBackup(capture);
}

class CapturedBackup implements Backup {
  readonly #capture: () => Promise<BackupSource>;
  #source: Promise<BackupSource> | null = null;
  #read = false;
  #checksum: string | null = null;

  constructor(capture: () => Promise<BackupSource>) {
    this.#capture = capture;
  }

  get info(): Promise<BackupInfo> {
    return this.#begin().then(({ info }) => info);
  }

  get checksum(): string | null {
    return this.#checksum;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, undefined> {
    if (this.#read) throw new TypeError('Cannot read a backup twice: take another');
    this.#read = true;
    const source = await this.#begin();
    const { writeBlocks, writeContainer } = await import('@quorate/kv/backup');
    const chunks = writeContainer(headOf(source), writeBlocks(source.state));
    for (;;) {
      const { done, value } = chunks.next();
      if (done === true) {
        this.#checksum = value;
        return undefined;
      }
      yield value;
    }
  }

  #begin(): Promise<BackupSource> {
    this.#source ??= this.#capture();
    return this.#source;
  }
}

/** Entries of one captured state, in key order. */
export async function* exportOf(
  capture: () => Promise<Captured<StoreCapture>>,
  prefix: string | undefined,
): AsyncGenerator<ExportedEntry, undefined> {
  const { exportEntries } = await import('@quorate/kv/backup');
  yield* exportEntries((await capture()).state, prefix);
}

export async function importInto(
  kv: KeyValue,
  entries: AsyncIterable<ExportedEntry> | Iterable<ExportedEntry>,
  options: ImportOptions | undefined,
): Promise<number> {
  const { importEntries } = await import('@quorate/kv/backup');
  return importEntries(kv, entries, options);
}

/** The head of a backup's bytes; read by `openBackup` of Node. */
function headOf({ facts, info }: BackupSource): Uint8Array {
  const { revision, keys, takenAt, takenFrom, marks } = info;
  return encodeCbor({ facts, revision, keys, takenAt, takenFrom, marks });
}
