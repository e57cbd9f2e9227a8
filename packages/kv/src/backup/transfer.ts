/** Keys and values out of a state and into another one, without its revisions: export and import. */
import { isQuorateError, QuorateError } from '@quorate/contracts';
import { checkKey } from '../key.ts';
import { keyBytes } from '../record.ts';
import type { StoreCapture } from '../store.ts';
import type { KeyValue, Value, WriteOperation } from '../types.ts';
import { encodeValue } from '../value.ts';

/** One key with its value, as exports have it and imports take it. */
export type ExportedEntry = { readonly key: string; readonly value: Value };

/**
 * The entries of one captured state, in key order. What begins with `~` is the runtime's own, and comes
 * along only where `prefix` begins so too.
 */
export function* exportEntries(
  capture: StoreCapture,
  prefix: string = '',
): Generator<ExportedEntry, undefined> {
  for (const record of capture.records.select({ prefix })) {
    if (isReserved(record.key) && !isReserved(prefix)) continue;
    yield { key: record.key, value: record.entry().value as Value };
  }
}

export type ImportOptions = {
  readonly signal?: AbortSignal;
  /** Called after each batch with how many entries are written. */
  readonly onProgress?: (count: number) => void;
};

/**
 * Puts each entry, some hundred at a time and in order; a key that comes twice has its last value in the
 * end. Resolves with how many there were. Rejects at the first that cannot be taken, such as a reserved key
 * (`BAD_REQUEST`), or with what a batch came to: `details.entry` is where it failed, counted from 1, and
 * the first `details.written` are written. To put the same entries again is harmless.
 */
export async function importEntries(
  kv: Pick<KeyValue, 'batch'>,
  entries: AsyncIterable<ExportedEntry> | Iterable<ExportedEntry>,
  options: ImportOptions = {},
): Promise<number> {
  const { signal, onProgress } = options;
  let written = 0;
  let batch = new Map<string, WriteOperation>();
  let bytes = 0;
  const flush = async (): Promise<void> => {
    if (batch.size === 0) return;
    try {
      await kv.batch([...batch.values()], signal === undefined ? {} : { signal });
    } catch (error) {
      throw at(written + 1, error, written);
    }
    written += batch.size;
    batch = new Map();
    bytes = 0;
    onProgress?.(written);
  };
  for await (const entry of entries) {
    let size: number;
    try {
      size = checkEntry(entry);
    } catch (error) {
      throw at(written + batch.size + 1, error, written);
    }
    const isFull = batch.size >= batchCountMax || bytes + size > batchBytesMax;
    if (isFull || batch.has(entry.key)) await flush();
    batch.set(entry.key, { type: 'put', key: entry.key, value: entry.value });
    bytes += size;
  }
  await flush();
  return written;
}

/**
 * The bytes that an entry takes. Throws `BAD_REQUEST` for one that cannot be imported: a key of the
 * runtime, one that is too long, a value that is none.
 */
export function checkEntry(entry: ExportedEntry): number {
  if (typeof entry !== 'object' || (entry as unknown) === null || typeof entry.key !== 'string') {
    throw badRequest('wanted a key and a value');
  }
  if (isReserved(entry.key)) {
    throw badRequest(`the key ${JSON.stringify(entry.key)} is reserved`);
  }
  try {
    checkKey(entry.key, 'import');
    return keyBytes(entry.key) + encodeValue(entry.value).length;
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : String(error));
  }
}

function badRequest(message: string): QuorateError {
  return new QuorateError('BAD_REQUEST', message);
}

/** The failure with its place, and with how many entries are written all the same. */
function at(entry: number, error: unknown, written: number): unknown {
  if (!isQuorateError(error)) return error;
  const before = written > 0 ? `; the first ${written} are written` : '';
  return new QuorateError(error.code, `Cannot import entry ${entry}: ${error.message}${before}`, {
    cause: error,
    outcome: written > 0 ? 'unknown' : error.outcome,
    details: { ...error.details, entry, written },
  });
}

/** Keys of locks, counters, queues and their like: nobody else writes them. */
function isReserved(key: string): boolean {
  return key.startsWith('~');
}

const batchCountMax = 128;
const batchBytesMax = 512 * 1024;
