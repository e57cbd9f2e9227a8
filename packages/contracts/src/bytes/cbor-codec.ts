/**
 * The part of CBOR that members say to each other, in canonical form (RFC 8949 §4.2.1): integers and
 * floats as short as they can be, map keys in the order of their bytes, definite lengths, no tags.
 * A page loads all of it, which is why it is not a package of ten times its size.
 */
import { ByteReader, ByteWriter, compareBytes } from './bytes.ts';
import { QuorateError } from '../errors.ts';
import { fromHalf, halfOf } from './half-float.ts';

/**
 * Encodes null, booleans, numbers, text, bytes, arrays and plain objects of them. `TypeError` for
 * anything else and for nesting beyond 64.
 */
export function encodeItem(value: unknown): Uint8Array {
  const writer = new ByteWriter();
  write(writer, value, 0);
  return writer.finish();
}

/**
 * Decodes exactly one item. Its bytes are copies, its map keys text. `BAD_REQUEST` for
 * anything that `encodeItem` does not write, but for numbers longer than needed and keys in another
 * order; for a key twice, for NaN and infinities, and for nesting beyond 64.
 */
export function decodeItem(bytes: Uint8Array): unknown {
  const reader = new ByteReader(bytes);
  const value = read(reader, 0);
  reader.end();
  return value;
}

function write(writer: ByteWriter, value: unknown, depth: number): void {
  if (depth > depthMax) throw unfit(`nested deeper than ${depthMax}`);
  if (value === null) writer.u8(simple.null);
  else if (typeof value === 'boolean') writer.u8(value ? simple.true : simple.false);
  else if (typeof value === 'number') writeNumber(writer, value);
  else if (typeof value === 'string') writeString(writer, major.text, encoder.encode(value));
  else if (value instanceof Uint8Array) writeString(writer, major.bytes, value);
  else if (Array.isArray(value)) {
    writeHead(writer, major.array, value.length);
    for (const item of value) write(writer, item, depth + 1);
  } else if (typeof value === 'object') writeMap(writer, value, depth);
  else throw unfit(typeof value);
}

function writeMap(writer: ByteWriter, object: object, depth: number): void {
  const entries = Object.entries(object).map(
    ([name, value]: [string, unknown]) => [nameBytes(name), value] as const,
  );
  entries.sort(([a], [b]) => compareBytes(a, b));
  writeHead(writer, major.map, entries.length);
  for (const [name, value] of entries) {
    writeString(writer, major.text, name);
    write(writer, value, depth + 1);
  }
}

/** The names of our own members are few, and each is written a thousand times a second. */
function nameBytes(name: string): Uint8Array {
  const known = names.get(name);
  if (known !== undefined) return known;
  const bytes = encoder.encode(name);
  if (names.size < namesMax) names.set(name, bytes);
  return bytes;
}

function writeString(writer: ByteWriter, kind: number, bytes: Uint8Array): void {
  writeHead(writer, kind, bytes.length);
  writer.raw(bytes);
}

function writeNumber(writer: ByteWriter, value: number): void {
  if (Number.isSafeInteger(value)) {
    if (value < 0) writeHead(writer, major.negative, -1 - value);
    else writeHead(writer, major.unsigned, value);
    return;
  }
  const half = halfOf(value);
  if (half !== null) return writeBits(writer, simple.float16, 2, (view) => view.setUint16(0, half));
  if (Math.fround(value) === value) {
    return writeBits(writer, simple.float32, 4, (view) => view.setFloat32(0, value));
  }
  writeBits(writer, simple.float64, 8, (view) => view.setFloat64(0, value));
}

function writeHead(writer: ByteWriter, kind: number, argument: number): void {
  const lead = kind << 5;
  if (argument < 24) {
    writer.u8(lead | argument);
    return;
  }
  const width = argument < 2 ** 8 ? 0 : argument < 2 ** 16 ? 1 : argument < 2 ** 32 ? 2 : 3;
  writer.u8(lead | (24 + width));
  for (let scale = 256 ** (2 ** width - 1); scale >= 1; scale /= 256) {
    writer.u8(Math.floor(argument / scale) % 256);
  }
}

function writeBits(
  writer: ByteWriter,
  lead: number,
  byteCount: number,
  set: (view: DataView) => void,
): void {
  const bytes = new Uint8Array(byteCount);
  set(new DataView(bytes.buffer));
  writer.u8(lead).raw(bytes);
}

function read(reader: ByteReader, depth: number): unknown {
  if (depth > depthMax) throw malformed(`nesting of at most ${depthMax}`);
  const lead = reader.u8();
  const kind = lead >> 5;
  if (kind > major.map) return readSimple(reader, lead);
  const argument = readArgument(reader, lead & 0x1f);
  switch (kind) {
    case major.unsigned:
      return safe(argument);
    case major.negative:
      return safe(-1 - argument);
    case major.bytes:
      return reader.raw(argument).slice();
    case major.text:
      return readText(reader, argument);
    case major.array:
      return readArray(reader, argument, depth);
    default:
      return readMap(reader, argument, depth);
  }
}

function readArray(reader: ByteReader, count: number, depth: number): unknown[] {
  // Each item takes a byte at least: nothing is allocated for those that cannot be there.
  if (count > reader.remaining) throw malformed('as many items as announced');
  const items: unknown[] = [];
  for (let index = 0; index < count; index++) items.push(read(reader, depth + 1));
  return items;
}

function readMap(reader: ByteReader, count: number, depth: number): Record<string, unknown> {
  const object: Record<string, unknown> = {};
  for (let index = 0; index < count; index++) {
    const name = read(reader, depth + 1);
    if (typeof name !== 'string' || name === '__proto__' || Object.hasOwn(object, name)) {
      throw malformed('map keys of text, each once');
    }
    object[name] = read(reader, depth + 1);
  }
  return object;
}

function readText(reader: ByteReader, length: number): string {
  const bytes = reader.raw(length);
  const text = shortAscii(bytes);
  if (text !== null) return text;
  try {
    return decoder.decode(bytes);
  } catch {
    throw malformed('text in UTF-8');
  }
}

/** Names and ids are short: a loop is faster there than a call into the platform. */
function shortAscii(bytes: Uint8Array): string | null {
  if (bytes.length > 32) return null;
  let text = '';
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0;
    if (byte > 0x7f) return null;
    text += String.fromCharCode(byte);
  }
  return text;
}

function readArgument(reader: ByteReader, short: number): number {
  if (short < 24) return short;
  if (short === 24) return reader.u8();
  const byteCount = 2 ** (short - 24);
  if (byteCount > 8) throw malformed('a definite length');
  let value = 0;
  for (let index = 0; index < byteCount; index++) value = value * 256 + reader.u8();
  return value;
}

function readSimple(reader: ByteReader, lead: number): null | boolean | number {
  switch (lead) {
    case simple.false:
    case simple.true:
      return lead === simple.true;
    case simple.null:
      return null;
    case simple.float16:
      return finite(fromHalf(viewOf(reader.raw(2)).getUint16(0)));
    case simple.float32:
      return finite(viewOf(reader.raw(4)).getFloat32(0));
    case simple.float64:
      return finite(viewOf(reader.raw(8)).getFloat64(0));
    default:
      throw malformed('null, a boolean or a number');
  }
}

function safe(value: number): number {
  if (!Number.isSafeInteger(value)) throw malformed('a safe integer');
  return value;
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw malformed('a finite number');
  return value;
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function unfit(what: string): TypeError {
  return new TypeError(`Cannot encode CBOR: it is ${what}, wanted data`);
}

function malformed(wanted: string): QuorateError {
  return new QuorateError('BAD_REQUEST', `Cannot decode CBOR: wanted ${wanted}`);
}

const major = { unsigned: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5 } as const;
const simple = {
  false: 0xf4,
  true: 0xf5,
  null: 0xf6,
  float16: 0xf9,
  float32: 0xfa,
  float64: 0xfb,
} as const;
const depthMax = 64;
const namesMax = 500;
const names = new Map<string, Uint8Array>();
const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
