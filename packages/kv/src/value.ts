/**
 * Values as canonical CBOR (RFC 8949 §4.2.1): shortest integers and floats, map keys in the order of
 * their encoded bytes, definite lengths, no tags. One pass checks and writes; what it cannot carry
 * is the caller's mistake and named by its path.
 */
import { QuorateError, compareBytes, fromHalf, halfOf } from '@quorate/contracts';
import { ByteReader, ByteWriter, DecodeError, decodeText, encodeText } from './bytes.ts';
import { isWellFormed } from './key.ts';
import { valueBytesMax, valueDepthMax } from './limits.ts';
import type { Value } from './types.ts';

/**
 * Encodes JSON-like data or a `Uint8Array`. `TypeError` for undefined, functions, symbols, bigints,
 * NaN, infinities, half surrogate pairs, class instances, holes, cycles, bytes inside
 * data and nesting beyond 128; `LIMIT_EXCEEDED` past 1 MiB. -0 becomes 0.
 */
export function encodeValue(value: Value): Uint8Array {
  const writer = new ByteWriter();
  if (value instanceof Uint8Array) {
    writeHead(writer, major.bytes, value.length);
    writer.raw(value);
  } else {
    writeData(writer, value, [], new Set());
  }
  if (writer.length > valueBytesMax) {
    throw new QuorateError(
      'LIMIT_EXCEEDED',
      `Cannot store value: it has ${writer.length} bytes, wanted at most ${valueBytesMax}`,
      { details: { limit: 'valueBytesMax', max: valueBytesMax, actual: writer.length } },
    );
  }
  return writer.take();
}

/** Decodes to frozen data, or to a copy of the bytes. Throws `DecodeError` for anything else. */
export function decodeValue(encoded: Uint8Array): Value {
  const reader = new ByteReader(encoded);
  const value = isBytes(encoded) ? readBytes(reader) : readData(reader, 0);
  reader.end();
  return value;
}

/** Are these bytes a value? What is not is refused before it becomes state. */
export function isValue(encoded: Uint8Array): boolean {
  const reader = new ByteReader(encoded);
  try {
    if (isBytes(encoded)) reader.raw(readArgument(reader, reader.byte()));
    else readData(reader, 0);
    reader.end();
    return true;
  } catch {
    return false;
  }
}

/** Does the encoded value hold a `Uint8Array`? */
export function isBytes(encoded: Uint8Array): boolean {
  return (encoded[0] ?? 0) >> 5 === major.bytes;
}

/** The safe integer an encoded value holds, or null for anything else. Never throws. */
export function decodeInteger(encoded: Uint8Array): number | null {
  const kind = (encoded[0] ?? 0xff) >> 5;
  if (kind > major.negative) return null;
  try {
    const value = decodeValue(encoded);
    return typeof value === 'number' ? value : null;
  } catch {
    return null;
  }
}

type Path = (string | number)[];

function writeData(writer: ByteWriter, value: unknown, path: Path, above: Set<object>): void {
  switch (typeof value) {
    case 'boolean':
      writer.byte(value ? simple.true : simple.false);
      return;
    case 'number':
      writeNumber(writer, value, path);
      return;
    case 'string':
      writeText(writer, value, path);
      return;
    case 'object':
      if (value === null) writer.byte(simple.null);
      else writeObject(writer, value, path, above);
      return;
    default:
      refuse(path, typeof value);
  }
}

function writeObject(writer: ByteWriter, value: object, path: Path, above: Set<object>): void {
  if (above.has(value)) refuse(path, 'a cycle');
  if (above.size >= valueDepthMax) refuse(path, `nested deeper than ${valueDepthMax}`);
  above.add(value);
  if (Array.isArray(value)) writeArray(writer, value, path, above);
  else writeMap(writer, value, path, above);
  above.delete(value);
}

function writeArray(
  writer: ByteWriter,
  array: readonly unknown[],
  path: Path,
  above: Set<object>,
): void {
  writeHead(writer, major.array, array.length);
  for (let index = 0; index < array.length; index += 1) {
    path.push(index);
    if (!(index in array)) refuse(path, 'a hole in an array');
    writeData(writer, array[index], path, above);
    path.pop();
  }
}

function writeMap(writer: ByteWriter, object: object, path: Path, above: Set<object>): void {
  if (object instanceof Uint8Array) refuse(path, 'bytes inside data');
  const prototype: unknown = Object.getPrototypeOf(object);
  // A plain object of another realm (an iframe, a vm) has that realm's Object.prototype.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    refuse(path, 'an instance of a class');
  }
  if (Object.prototype.toString.call(object) !== '[object Object]') {
    refuse(path, 'an instance of a class');
  }
  if (Object.getOwnPropertySymbols(object).length > 0) refuse(path, 'an object with symbols');
  const members = Object.keys(object).map((name) => ({ name, bytes: memberBytes(name, path) }));
  members.sort((a, b) => compareBytes(a.bytes, b.bytes));
  writeHead(writer, major.map, members.length);
  for (const { name, bytes } of members) {
    path.push(name);
    writeHead(writer, major.text, bytes.length);
    writer.raw(bytes);
    writeData(writer, (object as Record<string, unknown>)[name], path, above);
    path.pop();
  }
}

function memberBytes(name: string, path: Path): Uint8Array {
  if (!isWellFormed(name)) refuse([...path, name], 'named with half a surrogate pair');
  return encodeText(name);
}

function writeText(writer: ByteWriter, text: string, path: Path): void {
  if (!isWellFormed(text)) refuse(path, 'text with half a surrogate pair');
  const bytes = encodeText(text);
  writeHead(writer, major.text, bytes.length);
  writer.raw(bytes);
}

function writeNumber(writer: ByteWriter, value: number, path: Path): void {
  if (!Number.isFinite(value)) refuse(path, String(value));
  if (Number.isSafeInteger(value)) {
    if (value < 0) writeHead(writer, major.negative, -1 - value);
    else writeHead(writer, major.unsigned, value);
    return;
  }
  const half = halfOf(value);
  if (half !== null) {
    writer.byte(simple.float16);
    writer.uint16(half);
  } else if (Math.fround(value) === value) {
    writer.byte(simple.float32);
    writer.float32(value);
  } else {
    writer.byte(simple.float64);
    writer.float64(value);
  }
}

function writeHead(writer: ByteWriter, kind: number, argument: number): void {
  const lead = kind << 5;
  if (argument < 24) writer.byte(lead | argument);
  else if (argument < 0x100) {
    writer.byte(lead | 24);
    writer.byte(argument);
  } else if (argument < 0x10000) {
    writer.byte(lead | 25);
    writer.uint16(argument);
  } else if (argument < 0x100000000) {
    writer.byte(lead | 26);
    writer.uint32(argument);
  } else {
    writer.byte(lead | 27);
    writer.uint32(Math.floor(argument / 0x100000000));
    writer.uint32(argument % 0x100000000);
  }
}

function refuse(path: Path, what: string): never {
  let place = 'value';
  for (const step of path) {
    if (typeof step === 'number') place += `[${step}]`;
    else place += identifier.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
  }
  throw new TypeError(
    `Cannot store ${place}: it is ${what}, wanted JSON-like data or a Uint8Array`,
  );
}

function readData(reader: ByteReader, depth: number): Value {
  const lead = reader.byte();
  switch (lead >> 5) {
    case major.unsigned:
      return readArgument(reader, lead);
    case major.negative: {
      const value = -1 - readArgument(reader, lead);
      if (!Number.isSafeInteger(value)) throw new DecodeError('number below -(2^53 - 1)');
      return value;
    }
    case major.text:
      return decodeText(reader.raw(readArgument(reader, lead)));
    case major.array:
      return readArray(reader, readCount(reader, lead, 1), depth + 1);
    case major.map:
      return readMap(reader, readCount(reader, lead, 2), depth + 1);
    default:
      return readSimple(reader, lead);
  }
}

function readArray(reader: ByteReader, count: number, depth: number): Value {
  if (depth > valueDepthMax) throw new DecodeError('nested too deep');
  const array: unknown[] = [];
  for (let index = 0; index < count; index += 1) array.push(readData(reader, depth));
  return Object.freeze(array);
}

function readMap(reader: ByteReader, count: number, depth: number): Value {
  if (depth > valueDepthMax) throw new DecodeError('nested too deep');
  const object: Record<string, unknown> = {};
  let before: Uint8Array | null = null;
  for (let index = 0; index < count; index += 1) {
    const lead = reader.byte();
    if (lead >> 5 !== major.text) throw new DecodeError('member whose name is no text');
    const bytes = reader.raw(readArgument(reader, lead));
    if (before !== null && compareBytes(before, bytes) >= 0) {
      throw new DecodeError('members out of order');
    }
    before = bytes;
    const name = decodeText(bytes);
    const value = readData(reader, depth);
    // An assignment to this name would set the prototype.
    if (name === '__proto__') {
      Object.defineProperty(object, name, { value, enumerable: true });
    } else {
      object[name] = value;
    }
  }
  return Object.freeze(object);
}

function readSimple(reader: ByteReader, lead: number): Value {
  switch (lead) {
    case simple.false:
      return false;
    case simple.true:
      return true;
    case simple.null:
      return null;
    case simple.float16:
      return finite(fromHalf(reader.uint16()));
    case simple.float32:
      return finite(reader.float32());
    case simple.float64:
      return finite(reader.float64());
    default:
      throw new DecodeError(`unknown lead byte ${lead}`);
  }
}

function readBytes(reader: ByteReader): Uint8Array {
  return reader.raw(readArgument(reader, reader.byte())).slice();
}

function readCount(reader: ByteReader, lead: number, itemBytesMin: number): number {
  const count = readArgument(reader, lead);
  if (count * itemBytesMin > reader.remaining) throw new DecodeError('count beyond the end');
  return count;
}

function readArgument(reader: ByteReader, lead: number): number {
  const short = lead & 0x1f;
  if (short < 24) return short;
  const [value, least] = readLongArgument(reader, short);
  if (value < least) throw new DecodeError('number longer than needed');
  return value;
}

function readLongArgument(reader: ByteReader, short: number): readonly [number, number] {
  switch (short) {
    case 24:
      return [reader.byte(), 24];
    case 25:
      return [reader.uint16(), 0x100];
    case 26:
      return [reader.uint32(), 0x10000];
    case 27: {
      const value = reader.uint32() * 0x100000000 + reader.uint32();
      if (!Number.isSafeInteger(value)) throw new DecodeError('number above 2^53 - 1');
      return [value, 0x100000000];
    }
    default:
      throw new DecodeError('indefinite length');
  }
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new DecodeError('number that is not finite');
  return value;
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

const identifier = /^[\p{L}_$][\p{L}\p{N}_$]*$/u;
