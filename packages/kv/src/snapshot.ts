/**
 * Snapshots of the state: magic, revision, records by key, history from the oldest revision on.
 * What a past event shares with the map or with an older event is referred to, not repeated; which
 * form is used follows from the state alone, so that equal state gives equal bytes.
 */
import { QuorateError } from '@quorate/contracts';
import { ByteReader, ByteWriter, DecodeError, encodeText } from './bytes.ts';
import { compareKeys } from './key.ts';
import type { HistoryEvent } from './history.ts';
import { History } from './history.ts';
import type { HistoryLimits } from './limits.ts';
import { OrderedMap } from './ordered-map.ts';
import type { KvRecord } from './record.ts';
import { readKey, readRecord, writeRecord } from './record.ts';
import { sameAsKnown } from './shared-records.ts';
import type { Share, StoreCapture, StoreParts } from './store.ts';

/** Writes the captured state bit by bit, as the chunks are asked for. */
export function* writeSnapshot(capture: StoreCapture): IterableIterator<Uint8Array> {
  const writer = new ByteWriter();
  writer.raw(snapshotStart(capture.revision, capture.records.size));
  for (const record of capture.records.all()) {
    writeRecord(writer, record);
    if (writer.length >= chunkBytes) yield writer.take();
  }
  writer.varint(capture.history.oldestRevision);
  for (const { events } of capture.history.revisions()) {
    writer.varint(events.length);
    for (const event of events) {
      writeEvent(writer, event, capture);
      if (writer.length >= chunkBytes) yield writer.take();
    }
  }
  yield writer.take();
}

/** What comes before the records of a snapshot. */
export function snapshotStart(revision: number, recordCount: number): Uint8Array {
  const writer = new ByteWriter();
  writer.raw(magic);
  writer.varint(revision);
  writer.varint(recordCount);
  return writer.take();
}

/** What comes after them where nothing of the past is kept. */
export function snapshotEnd(revision: number): Uint8Array {
  const writer = new ByteWriter();
  writer.varint(revision + 1);
  return writer.take();
}

/**
 * Reads a whole snapshot. Records that `known` holds unchanged are taken from there, so that their
 * decoded values keep their identity. Throws `DecodeError` for anything but a snapshot, and
 * `OUTDATED` for one of a later format.
 */
export function readSnapshot(
  bytes: Uint8Array,
  limits: HistoryLimits,
  known: OrderedMap,
  share: Share,
): StoreParts {
  const reader = new ByteReader(bytes);
  checkFormat(reader);
  const revision = reader.varint();
  const taken: Share = (record) => share(sameAsKnown(record, known.get(record.key)));
  const records = readRecords(reader, revision, taken);
  const history = readHistory(reader, revision, limits, records, share);
  reader.end();
  return { revision, records, history };
}

function checkFormat(reader: ByteReader): void {
  for (const [at, wanted] of magic.entries()) {
    const byte = reader.byte();
    if (byte === wanted) continue;
    // The last one is the format's number.
    if (at === magic.length - 1 && byte > wanted && byte <= digitMax) {
      const format = String.fromCharCode(byte);
      throw new QuorateError('OUTDATED', `Cannot read a key-value state of format ${format}`);
    }
    throw new DecodeError('no snapshot of a key-value state');
  }
}

function readRecords(reader: ByteReader, revision: number, share: Share): OrderedMap {
  const records = new OrderedMap();
  const count = reader.count(recordBytesMin);
  let before: string | null = null;
  for (let index = 0; index < count; index += 1) {
    const record = readRecord(reader);
    if (before !== null && compareKeys(before, record.key) >= 0) {
      throw new DecodeError('keys out of order');
    }
    if (record.modRevision > revision) throw new DecodeError('record of a later revision');
    before = record.key;
    records.set(share(record));
  }
  return records;
}

function readHistory(
  reader: ByteReader,
  revision: number,
  limits: HistoryLimits,
  records: OrderedMap,
  share: Share,
): History {
  const oldest = reader.varint();
  if (oldest === 0 || oldest > revision + 1) throw new DecodeError('history outside the revisions');
  const history = new History(limits, oldest - 1);
  // Each revision has a count and at least one event.
  if ((revision + 1 - oldest) * 2 > reader.remaining) throw new DecodeError('history ends early');
  for (let next = oldest; next <= revision; next += 1) {
    const count = reader.count(3);
    if (count === 0) throw new DecodeError('revision without events');
    const events: HistoryEvent[] = [];
    for (let index = 0; index < count; index += 1) {
      events.push(readEvent(reader, next, history, records, share));
    }
    history.append(next, events);
  }
  return history;
}

function writeEvent(writer: ByteWriter, event: HistoryEvent, capture: StoreCapture): void {
  const { key, record, previous } = event;
  writer.text(key);
  if (record === null) {
    writer.byte(forms.none);
  } else if (capture.records.get(key)?.modRevision === record.modRevision) {
    writer.byte(forms.shared);
  } else {
    writer.byte(forms.whole);
    writeRecord(writer, record);
  }
  if (previous === null) {
    writer.byte(forms.none);
  } else if (previous.modRevision >= capture.history.oldestRevision) {
    writer.byte(forms.shared);
    writer.varint(previous.modRevision);
  } else {
    writer.byte(forms.whole);
    writeRecord(writer, previous);
  }
}

function readEvent(
  reader: ByteReader,
  revision: number,
  history: History,
  records: OrderedMap,
  share: Share,
): HistoryEvent {
  const key = readKey(reader);
  const record = readForm(reader, share, () => records.get(key));
  const previous = readForm(reader, share, () => findPast(history, reader.varint(), key));
  if (record === null && previous === null) throw new DecodeError('event without a change');
  for (const [side, fits] of [
    [record, record?.modRevision === revision],
    [previous, previous !== null && previous.modRevision < revision],
  ] as const) {
    if (side !== null && (side.key !== key || !fits)) throw new DecodeError('event out of place');
  }
  return { key, record, previous };
}

function readForm(
  reader: ByteReader,
  share: Share,
  known: () => KvRecord | null | undefined,
): KvRecord | null {
  switch (reader.byte()) {
    case forms.none:
      return null;
    case forms.whole:
      return share(readRecord(reader));
    case forms.shared: {
      const record = known() ?? null;
      if (record === null) throw new DecodeError('reference to nothing');
      return record;
    }
    default:
      throw new DecodeError('unknown form of an event');
  }
}

function findPast(history: History, revision: number, key: string): KvRecord | null | undefined {
  return history.get(revision)?.events.find((event) => event.key === key)?.record;
}

const magic = encodeText('QKV1');
const digitMax = 0x39;
const chunkBytes = 64 * 1024;
const recordBytesMin = 8;
const forms = { none: 0, whole: 1, shared: 2 } as const;
