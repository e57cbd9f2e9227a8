/** An answer before it is text: what it weighs is known, its text is made part by part when it leaves. */
import { entryToWire } from '@quorate/client';
import type { RangeResult } from '@quorate/kv';

export type Answer = {
  /** About so many bytes of text. */
  readonly bytes: number;
  /** The JSON in pieces that belong together, each at most `partLength` and one value long. */
  readonly parts: () => Iterable<string>;
};

/** A small one: bounded by what a command may result in. */
export function answerOf(result: unknown): Answer {
  return { bytes: weightOf(result), parts: () => [JSON.stringify(result)] };
}

/** A page of a range: an entry becomes text only when those before it have left. */
export function rangeAnswer({ entries, ...rest }: RangeResult): Answer {
  const parts = function* (): Generator<string, undefined> {
    let text = '{"kvs":[';
    for (const [at, entry] of entries.entries()) {
      text += `${at === 0 ? '' : ','}${JSON.stringify(entryToWire(entry))}`;
      if (text.length < partLength) continue;
      yield text;
      text = '';
    }
    yield `${text}],${JSON.stringify(rest).slice(1)}`;
  };
  return { bytes: weightOf(entries), parts };
}

/** What is worth a write of its own. */
export const partLength: number = 64 * 1024;

/** About the bytes of `value` as JSON: characters that JSON escapes count as one. */
function weightOf(value: unknown): number {
  if (typeof value === 'string') return value.length + overheadBytes;
  if (typeof value !== 'object' || value === null) return overheadBytes;
  if (value instanceof Uint8Array) return Math.ceil((value.length * 4) / 3) + overheadBytes;
  let bytes = overheadBytes;
  if (Array.isArray(value)) {
    for (const item of value) bytes += weightOf(item);
    return bytes;
  }
  for (const [name, member] of Object.entries(value)) bytes += name.length + weightOf(member);
  return bytes;
}

const overheadBytes = 8;
