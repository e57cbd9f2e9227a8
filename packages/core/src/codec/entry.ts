import type { Entry, EntryType } from '../types.ts';
import { DecodeError } from './errors.ts';
import { entryDataBytesMax } from './limits.ts';
import { Reader } from './reader.ts';
import { Writer, varintBytesMax } from './writer.ts';

/** One entry as bytes, for storage. Throws `RangeError` for data beyond `entryDataBytesMax`. */
export function encodeEntry(entry: Entry): Uint8Array {
  const writer = new Writer(varintBytesMax + entryBytesMax(entry));
  writer.varint(entry.index);
  writeEntryBody(writer, entry);
  return writer.finish();
}

/**
 * Reads what `encodeEntry` wrote. `data` is a view into `bytes`, which therefore must not be
 * written to afterwards. Throws `DecodeError`.
 */
export function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new Reader(bytes);
  const entry = readEntryBody(reader, reader.varint());
  reader.end();
  return entry;
}

/** An upper bound of what `writeEntryBody` writes. */
export function entryBytesMax(entry: Entry): number {
  return 1 + 2 * varintBytesMax + entry.data.length;
}

/** Bytes that any entry takes at least in `writeEntryBody`'s form. */
export const entryBytesMin: number = 3;

/** Everything but the index, which a message says once for all its entries. */
export function writeEntryBody(writer: Writer, entry: Entry): void {
  if (entry.data.length > entryDataBytesMax) {
    throw new RangeError(
      `Cannot encode entry ${entry.index}: ${entry.data.length} bytes, wanted at most ${entryDataBytesMax}`,
    );
  }
  writer.byte(entryTypes.indexOf(entry.type));
  writer.varint(entry.term);
  writer.blob(entry.data);
}

export function readEntryBody(reader: Reader, index: number): Entry {
  const code = reader.byte();
  const type = entryTypes[code];
  if (type === undefined) throw new DecodeError(`Cannot read an entry of type ${code}`);
  const term = reader.varint();
  if (term === 0 || index === 0 || !Number.isSafeInteger(index)) {
    throw new DecodeError(`Cannot read entry ${index} of term ${term}: wanted both positive`);
  }
  return { term, index, type, data: reader.blob(entryDataBytesMax) };
}

/** The position is the code on the wire: only ever append. */
const entryTypes: readonly EntryType[] = ['normal', 'noop', 'membership'];
