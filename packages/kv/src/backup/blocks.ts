/**
 * Records in blocks that are each whole by themselves, so that neither end ever holds more than one:
 * what a backup carries of the state. Its history and its numbers stay behind; the records keep their
 * order and get revisions of the new generation (Z50).
 */
import { ByteReader, ByteWriter, DecodeError } from '../bytes.ts';
import { generationOf, inGeneration } from '../generation.ts';
import { compareKeys } from '../key.ts';
import { KvRecord, readRecord, writeRecord } from '../record.ts';
import { snapshotEnd, snapshotStart } from '../snapshot.ts';
import type { StoreCapture } from '../store.ts';
import { corrupt } from './container.ts';

export function* writeBlocks(capture: StoreCapture): Generator<Uint8Array, undefined> {
  const writer = new ByteWriter();
  for (const record of capture.records.all()) {
    writeRecord(writer, record);
    if (writer.length >= blockBytes) yield writer.take();
  }
  if (writer.length > 0) yield writer.take();
}

export type Contents = { readonly keys: number; readonly revision: number };

/** The records of all blocks. Rejects with `BACKUP_CORRUPT` for what is none, or not as `contents` says. */
export async function* readBlocks(
  blocks: AsyncIterable<Uint8Array>,
  { keys, revision }: Contents,
): AsyncGenerator<readonly KvRecord[], undefined> {
  let count = 0;
  let before: string | null = null;
  for await (const block of blocks) {
    const records: KvRecord[] = [];
    try {
      const reader = new ByteReader(block);
      while (reader.remaining > 0) {
        const record = readRecord(reader);
        if (before !== null && compareKeys(before, record.key) >= 0) {
          throw new DecodeError('keys out of order');
        }
        checkRevisions(record, revision);
        before = record.key;
        records.push(record);
      }
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      throw corrupt(0, `record ${count + records.length + 1} is damaged (${error.message})`);
    }
    count += records.length;
    yield records;
  }
  if (count !== keys) throw corrupt(0, `it has ${count} keys, its head says ${keys}`);
}

/** A snapshot of the state machine with these records, as of the same place in `generation`. */
export async function* rebased(
  blocks: AsyncIterable<Uint8Array>,
  contents: Contents,
  generation: number,
): AsyncGenerator<Uint8Array, undefined> {
  const moved = (revision: number): number => inGeneration(revision, generation);
  const revision = moved(contents.revision);
  yield snapshotStart(revision, contents.keys);
  const writer = new ByteWriter(blockBytes);
  for await (const records of readBlocks(blocks, contents)) {
    for (const record of records) {
      const { key, value, version } = record;
      const createRevision = moved(record.createRevision);
      const modRevision = moved(record.modRevision);
      writeRecord(writer, new KvRecord({ key, value, version, createRevision, modRevision }));
    }
    yield writer.take();
  }
  yield snapshotEnd(revision);
}

function checkRevisions({ createRevision, modRevision }: KvRecord, revision: number): void {
  const generation = generationOf(revision);
  if (modRevision > revision) throw new DecodeError('record of a later revision');
  if (generationOf(createRevision) !== generation) {
    throw new DecodeError('record of another generation');
  }
}

const blockBytes = 64 * 1024;
