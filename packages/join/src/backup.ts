/**
 * Backups as a member takes them (Z43): one consistent state at one revision, through the log. What
 * writes the bytes is loaded when it is asked for, so that pages do not carry it.
 */
import type { CallOptions } from '@quorate/contracts';
import type { Captured } from '@quorate/cluster';
import type {
  BackupInfo,
  BackupSource,
  ExportedEntry,
  ImportOptions,
  StoreCapture,
} from '@quorate/kv/backup';
import type { KeyValue } from '@quorate/kv';

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

/** Captures once, when it is read or asked what it is. */
export class CapturedBackup implements Backup {
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
    const { backupChunks } = await import('@quorate/kv/backup');
    const chunks = backupChunks(source);
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

/** What a running member hands out. */
export function backupOf(
  capture: () => Promise<Captured<StoreCapture>>,
  takenFrom: string,
): Backup {
  return new CapturedBackup(async () => {
    const { sourceOf } = await import('@quorate/kv/backup');
    return sourceOf(await capture(), { at: new Date().toISOString(), from: takenFrom });
  });
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
