/**
 * The log on disk: segments of records, appended to at the end only.
 *
 * Invariant: record n + 1 is written only after the sync that covers record n returned, and a new
 * segment only after the last record of the one before is durable. So at most one record, the very
 * last, can be torn; whatever is damaged before it is corruption, never skipped.
 */
import { join } from 'node:path';
import { QuorateError, assert } from '@quorate/contracts';
import type { Entry, HardState, PersistBatch } from '@quorate/core';
import { ByteWriter, checksum, isZero } from './bytes.ts';
import type { Extent } from './extent.ts';
import type { FileSystem, OpenFile } from './file-system.ts';
import {
  corrupt,
  isNoSpace,
  namesOfReplica,
  numberIn,
  paddedNumber,
  readWhole,
  storageError,
  storageFailed,
  syncing,
} from './layout.ts';
import {
  decodePayload,
  readRecordHeader,
  readRecordPayload,
  readSegmentHeader,
  recordHeaderBytes,
  segmentHeaderBytes,
  writeRecord,
  writeSegmentHeader,
} from './record.ts';

export type SegmentLogOptions = {
  readonly fileSystem: FileSystem;
  readonly directory: string;
  readonly nodeId: string;
  /** This opening's nonce: new segments get their salt from it. */
  readonly nonce: string;
  /** A segment that has records and would grow past this gets a successor. */
  readonly segmentBytes: number;
  /** What must be there, and is told what came. */
  readonly extent: Extent;
};

export class SegmentLog {
  readonly #fileSystem: FileSystem;
  readonly #directory: string;
  readonly #nodeId: string;
  readonly #nonce: string;
  readonly #segmentBytes: number;
  readonly #extent: Extent;
  readonly #writer: ByteWriter = new ByteWriter();
  /** Ascending; the last one is appended to. */
  #segments: Segment[] = [];
  #file: OpenFile | null = null;
  #lastRecord = 0;

  constructor(options: SegmentLogOptions) {
    this.#fileSystem = options.fileSystem;
    this.#directory = options.directory;
    this.#nodeId = options.nodeId;
    this.#nonce = options.nonce;
    this.#segmentBytes = options.segmentBytes;
    this.#extent = options.extent;
  }

  /** The number of the newest durable record; 0 in an empty log. */
  get lastRecord(): number {
    return this.#lastRecord;
  }

  /**
   * Reads everything and cuts a torn tail. Entries of records up to `droppedThroughRecord` are gone:
   * a snapshot replaced them. Rejects with `STORAGE_CORRUPT`, naming file and offset.
   */
  async load(droppedThroughRecord: number): Promise<{ hardState: HardState; entries: Entry[] }> {
    const loaded: Loaded = {
      hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
      entries: [],
    };
    const names = (await namesOfReplica(this.#fileSystem, this.#directory))
      .filter((name) => numberIn(name, '', '.log') !== null)
      .sort();
    for (const [position, name] of names.entries()) {
      const isLast = position === names.length - 1;
      await this.#loadSegment(name, isLast, droppedThroughRecord, loaded);
    }
    await this.#makeDurable();
    await this.tellExtent();
    return loaded;
  }

  /**
   * Makes `batches` durable as one record with one sync. Rejects with `STORAGE_FULL`, and then the
   * log is as before, or with `STORAGE_FAILED`, and then nothing is known.
   */
  async append(batches: readonly PersistBatch[]): Promise<void> {
    const bytes = batches.reduce((sum, batch) => sum + sizeBound(batch), recordHeaderBytes);
    let active = this.#segments.at(-1);
    if (active === undefined || (hasRecords(active) && active.used + bytes > this.#segmentBytes)) {
      active = await this.#addSegment();
    }
    const file = this.#file;
    assert(file !== null, 'a segment that is appended to is open');
    const number = this.#lastRecord + 1;
    this.#writer.reset(keptBufferBytes);
    writeRecord(this.#writer, number, active.salt, batches);
    try {
      await this.#write(file, active, this.#writer.bytes());
      await syncing('sync the log', file.sync());
    } catch (error) {
      if (isNoSpace(error)) await this.#cutBack(file, active);
      throw storageError(error, `write record ${number} to ${active.path}`);
    }
    active.lastRecordStart = active.used;
    active.used += this.#writer.length;
    active.lastRecord = number;
    for (const { entries } of batches) {
      active.lastIndex = Math.max(active.lastIndex, entries.at(-1)?.index ?? 0);
    }
    this.#lastRecord = number;
  }

  /**
   * Removes the oldest segments whose entries all lie at or below `throughIndex` or in records that
   * a snapshot replaced. The newest record stays in any case, for the hard state in it.
   */
  async removeThrough(throughIndex: number, droppedThroughRecord: number): Promise<void> {
    let removed = false;
    for (let first = this.#segments[0]; first !== undefined; first = this.#segments[0]) {
      const covered = first.lastIndex <= throughIndex || first.lastRecord <= droppedThroughRecord;
      if (!covered || first.lastRecord === this.#lastRecord || !hasRecords(first)) break;
      await this.#fileSystem.remove(first.path);
      // From the oldest on, each durably before the next: no hole can appear.
      await syncing(
        `make the removal of ${first.path} durable`,
        this.#fileSystem.syncDirectory(this.#directory),
      );
      this.#segments.shift();
      removed = true;
    }
    if (removed) assert(this.#segments.length > 0, 'the newest segment stays');
  }

  /** From now on damage that takes any of these records away is told from a torn write. */
  async tellExtent(): Promise<void> {
    const segment = this.#segments.at(-1)?.firstRecord;
    if (segment !== undefined) await this.#extent.grow({ segment, record: this.#lastRecord });
  }

  async close(): Promise<void> {
    const file = this.#file;
    this.#file = null;
    await file?.close();
  }

  async #loadSegment(
    name: string,
    isLast: boolean,
    droppedThroughRecord: number,
    loaded: Loaded,
  ): Promise<void> {
    const path = join(this.#directory, name);
    const bytes = (await readWhole(this.#fileSystem, path, segmentBytesMax)) ?? new Uint8Array();
    const header = readSegmentHeader(bytes);
    if (header === null) {
      // Records are written only after the header was synced: no records, no loss.
      const isKnown = (numberIn(name, '', '.log') ?? 0) <= this.#extent.stored.segment;
      if (isKnown || !isLast || !isZero(bytes.subarray(segmentHeaderBytes))) {
        throw corrupt(path, 0, 'the segment header is damaged');
      }
      await this.#fileSystem.remove(path);
      await this.#fileSystem.syncDirectory(this.#directory);
      return;
    }
    this.#checkHeader(path, name, header);
    const { firstRecord, salt } = header;
    const segment: Segment = {
      path,
      salt,
      firstRecord,
      lastRecord: firstRecord - 1,
      lastIndex: 0,
      used: segmentHeaderBytes,
      lastRecordStart: 0,
      allocated: bytes.length,
    };
    this.#segments.push(segment);
    readRecords(segment, bytes, droppedThroughRecord, loaded);
    this.#lastRecord = segment.lastRecord;
    const { record } = this.#extent.stored;
    if (isLast && segment.lastRecord < record) {
      const found = `its records end with ${segment.lastRecord}`;
      throw corrupt(path, segment.used, `${found}, wanted them up to ${record} at least`);
    }
    if (!isZero(bytes.subarray(segment.used))) await this.#cutTornTail(segment, bytes, isLast);
  }

  /**
   * What was read may be in the system's cache only: its writer may have been killed before its
   * sync, or the sync failed and left pages that look clean. So what can be meant, the last record
   * or the header before the first, is written once more in place, and synced.
   */
  async #makeDurable(): Promise<void> {
    await syncing(`sync ${this.#directory}`, this.#fileSystem.syncDirectory(this.#directory));
    const active = this.#segments.at(-1);
    if (active === undefined) return;
    const file = await this.#fileSystem.open(active.path, 'modify');
    this.#file = file;
    const bytes = new Uint8Array(active.used - active.lastRecordStart);
    const count = await file.read(bytes, active.lastRecordStart);
    assert(count === bytes.length, 'what was loaded can be read again');
    await file.write(bytes, active.lastRecordStart);
    await syncing(`sync ${active.path}`, file.sync());
  }

  #checkHeader(
    path: string,
    name: string,
    header: { format: number; firstRecord: number; nodeId: string },
  ): void {
    const { format, firstRecord, nodeId } = header;
    if (format > segmentFormat) {
      throw new QuorateError(
        'OUTDATED',
        `Cannot read ${path}: it has format ${format}, wanted at most ${segmentFormat}`,
      );
    }
    if (nodeId !== this.#nodeId) {
      throw corrupt(path, 24, `it belongs to replica ${nodeId}, wanted ${this.#nodeId}`);
    }
    const wanted = this.#segments.length === 0 ? numberIn(name, '', '.log') : this.#lastRecord + 1;
    if (firstRecord !== wanted || numberIn(name, '', '.log') !== firstRecord) {
      throw corrupt(path, 16, `the segment begins with record ${firstRecord}, wanted ${wanted}`);
    }
  }

  /** What follows the last good record of a segment is no record: a torn write, or damage? */
  async #cutTornTail(segment: Segment, bytes: Uint8Array, isLast: boolean): Promise<void> {
    const { path, used, lastRecord } = segment;
    if (!isLast || hasLaterRecord(bytes, used, segment.salt, lastRecord + 1)) {
      throw corrupt(path, used, `record ${lastRecord + 1} is damaged, and what follows it is not`);
    }
    const file = await this.#fileSystem.open(path, 'modify');
    try {
      await file.truncate(used);
      await file.sync();
    } finally {
      await file.close();
    }
    segment.allocated = used;
  }

  /** Appends the record; with it zeros, so that later syncs need not change the file's length. */
  async #write(file: OpenFile, active: Segment, record: Uint8Array): Promise<void> {
    const end = active.used + record.length;
    await file.write(record, active.used);
    if (end <= active.allocated) return;
    const step = Math.min(allocationBytes, this.#segmentBytes);
    const allocated = Math.min(Math.ceil(end / step) * step, Math.max(end, this.#segmentBytes));
    try {
      await file.write(zeros.subarray(0, allocated - end), end);
      active.allocated = allocated;
    } catch (error) {
      // Only a comfort: the record itself found its room.
      if (!isNoSpace(error)) throw error;
      active.allocated = end;
    }
  }

  /** After a write that found no space: nothing of it may stay where the next record goes. */
  async #cutBack(file: OpenFile, active: Segment): Promise<void> {
    try {
      await file.truncate(active.used);
      await file.sync();
    } catch (error) {
      throw storageFailed(error, `cut ${active.path} back to ${active.used}`);
    }
    active.allocated = active.used;
  }

  async #addSegment(): Promise<Segment> {
    const firstRecord = this.#lastRecord + 1;
    const path = join(this.#directory, `${paddedNumber(firstRecord)}.log`);
    const salt = checksum(new TextEncoder().encode(`${this.#nonce} ${firstRecord}`));
    const header = new ByteWriter(segmentHeaderBytes);
    writeSegmentHeader(header, { format: segmentFormat, salt, firstRecord, nodeId: this.#nodeId });
    let file: OpenFile | null = null;
    try {
      file = await this.#fileSystem.open(path, 'create');
      await file.write(header.bytes(), 0);
      await syncing('sync the log', file.sync());
    } catch (error) {
      await this.#removeUnfinished(file, path, error);
      throw storageError(error, `create ${path}`);
    }
    try {
      await this.#fileSystem.syncDirectory(this.#directory);
      await this.#file?.close();
    } catch (error) {
      throw storageFailed(error, `make ${path} durable`);
    }
    this.#file = file;
    const segment: Segment = {
      path,
      salt,
      firstRecord,
      lastRecord: firstRecord - 1,
      lastIndex: 0,
      used: segmentHeaderBytes,
      lastRecordStart: 0,
      allocated: segmentHeaderBytes,
    };
    this.#segments.push(segment);
    // Before it has a record that anybody could be told of.
    await this.tellExtent();
    return segment;
  }

  /** A file that found no space for its header must not come back after a crash. */
  async #removeUnfinished(file: OpenFile | null, path: string, reason: unknown): Promise<void> {
    try {
      await file?.close();
      if (!isNoSpace(reason)) return;
      await this.#fileSystem.remove(path);
      await this.#fileSystem.syncDirectory(this.#directory);
    } catch (error) {
      throw storageFailed(error, `remove the unfinished ${path}`);
    }
  }
}

type Segment = {
  readonly path: string;
  readonly salt: number;
  readonly firstRecord: number;
  /** `firstRecord - 1` while it has none. */
  lastRecord: number;
  /** The highest index of any entry in it. */
  lastIndex: number;
  /** Where the next record goes. */
  used: number;
  /** Where the last record begins; 0, the header, while there is none. */
  lastRecordStart: number;
  /** The file's length; zeros from `used` on. */
  allocated: number;
};

type Loaded = { hardState: HardState; entries: Entry[] };

function hasRecords(segment: Segment): boolean {
  return segment.lastRecord >= segment.firstRecord;
}

/** Replays the good records from the start of a segment into `loaded`, up to the first bad one. */
function readRecords(
  segment: Segment,
  bytes: Uint8Array,
  droppedThroughRecord: number,
  loaded: Loaded,
): void {
  for (;;) {
    const header = readRecordHeader(bytes, segment.used, segment.salt);
    if (header === null || header.number !== segment.lastRecord + 1) return;
    const payload = readRecordPayload(bytes, segment.used, header);
    if (payload === null) return;
    let decoded;
    try {
      decoded = decodePayload(payload);
    } catch (error) {
      throw corrupt(segment.path, segment.used, (error as Error).message);
    }
    loaded.hardState = decoded.hardState;
    for (const run of decoded.runs) {
      segment.lastIndex = Math.max(segment.lastIndex, run.at(-1)?.index ?? 0);
      if (header.number <= droppedThroughRecord) continue;
      if (!replaceSuffix(loaded.entries, run)) {
        throw corrupt(
          segment.path,
          segment.used,
          `record ${header.number} leaves a gap in the log`,
        );
      }
    }
    segment.lastRecordStart = segment.used;
    segment.used += header.recordBytes;
    segment.lastRecord = header.number;
  }
}

function replaceSuffix(entries: Entry[], run: readonly Entry[]): boolean {
  const first = run[0];
  const start = entries[0];
  if (first === undefined) return true;
  if (start !== undefined) {
    const kept = first.index - start.index;
    if (kept > entries.length) return false;
    entries.length = Math.max(0, kept);
  }
  for (const entry of run) entries.push(entry);
  return true;
}

/** Is there the header of a record after `number` somewhere behind `offset`? */
function hasLaterRecord(bytes: Uint8Array, offset: number, salt: number, number: number): boolean {
  for (let at = offset + 8; at + recordHeaderBytes <= bytes.length; at += 8) {
    const header = readRecordHeader(bytes, at, salt);
    if (header !== null && header.number > number) return true;
  }
  return false;
}

/** Not less than what the batch takes in a record. */
function sizeBound(batch: PersistBatch): number {
  return batch.entries.reduce((sum, entry) => sum + entry.data.length + 18, 64);
}

const segmentFormat = 1;
/** Far more than any that was written: one record may exceed what a segment is meant to hold. */
const segmentBytesMax = 256 * 1_048_576;
/** Files grow in steps of this, so that most syncs write data only. */
const allocationBytes = 262_144;
const keptBufferBytes = 1_048_576;
const zeros: Uint8Array = new Uint8Array(allocationBytes);
