/**
 * The packed value of a group of batches, and the checksum that guards it and the pieces of
 * snapshots. Fixed-width numbers are little-endian.
 *
 * ```
 *  0  u32 crc-32 of everything behind it
 *  4  u32 bytes of the hard state, JSON
 *  8  the newest hard state of the group (figure 2)
 *     entries, in order: u32 bytes · one entry as the core encodes it
 * ```
 *
 * An entry replaces the stored suffix from its index on, so the batches of a group need no borders.
 */
import { decodeEntry, encodeEntry } from '@quorate/core';
import type { Entry, HardState, PersistBatch } from '@quorate/core';
import { crc32 } from './crc32.ts';

export type LogRecord = {
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
};

/** The batches as one value, all or nothing. At least one. */
export function packBatches(batches: readonly PersistBatch[]): Uint8Array {
  const hardState = new TextEncoder().encode(JSON.stringify(batches.at(-1)?.hardState));
  const encoded = batches.flatMap((batch) => batch.entries.map(encodeEntry));
  const length = encoded.reduce((sum, entry) => sum + 4 + entry.length, 8 + hardState.length);
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, hardState.length, true);
  bytes.set(hardState, 8);
  let at = 8 + hardState.length;
  for (const entry of encoded) {
    view.setUint32(at, entry.length, true);
    bytes.set(entry, at + 4);
    at += 4 + entry.length;
  }
  view.setUint32(0, crc32(bytes.subarray(4)), true);
  return bytes;
}

/** Null for anything that `packBatches` did not write. Entry data are views into `value`. */
export function unpackBatches(value: unknown): LogRecord | null {
  const content = unsealed(value);
  if (content === null) return null;
  try {
    const view = new DataView(content.buffer, content.byteOffset, content.length);
    let at = 4 + view.getUint32(0, true);
    const text = new TextDecoder().decode(content.subarray(4, at));
    const hardState = JSON.parse(text) as HardState;
    const entries: Entry[] = [];
    while (at < content.length) {
      const end = at + 4 + view.getUint32(at, true);
      if (end > content.length) return null;
      entries.push(decodeEntry(content.subarray(at + 4, end)));
      at = end;
    }
    return { hardState, entries };
  } catch {
    return null;
  }
}

/** A copy of `content` behind its checksum. */
export function sealed(content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(4 + content.length);
  bytes.set(content, 4);
  new DataView(bytes.buffer).setUint32(0, crc32(content), true);
  return bytes;
}

/** What `sealed` was given, as a view; null when it is damaged. */
export function unsealed(value: unknown): Uint8Array | null {
  // No `instanceof`: what a structured clone brings may belong to another realm.
  if (!ArrayBuffer.isView(value) || value.byteLength < 4) return null;
  const content = new Uint8Array(value.buffer, value.byteOffset + 4, value.byteLength - 4);
  const stored = new DataView(value.buffer, value.byteOffset).getUint32(0, true);
  return stored === crc32(content) ? content : null;
}
