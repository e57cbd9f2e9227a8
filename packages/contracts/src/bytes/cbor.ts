/**
 * Canonical CBOR for what is small and must stay extensible: hellos, rpc bodies, register values,
 * snapshot headers. Shapes are checked with the readers below, at the one place that decodes them.
 */
import { decodeItem, encodeItem } from './cbor-codec.ts';
import { QuorateError } from '../errors.ts';

export type CborMap = Readonly<Record<string, unknown>>;

export function encodeCbor(value: unknown): Uint8Array {
  return encodeItem(value);
}

export function decodeCborMap(bytes: Uint8Array): CborMap {
  return asMap(decodeItem(bytes), 'body');
}

export function asMap(value: unknown, name: string): CborMap {
  if (
    typeof value !== 'object' ||
    value === null ||
    Array.isArray(value) ||
    value instanceof Uint8Array
  ) {
    throw wrong(name, 'a map');
  }
  return value as CborMap;
}

export function asArray(value: unknown, name: string, countMax: number): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(name, 'a list');
  if (value.length > countMax) throw wrong(name, `at most ${countMax} items`);
  return value;
}

export function asText(value: unknown, name: string, lengthMax: number): string {
  if (typeof value !== 'string' || value.length > lengthMax) {
    throw wrong(name, `text of at most ${lengthMax} characters`);
  }
  return value;
}

export function asInteger(value: unknown, name: string): number {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw wrong(name, 'a non-negative safe integer');
  }
  return value;
}

export function asBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw wrong(name, 'true or false');
  return value;
}

export function asBytes(value: unknown, name: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw wrong(name, 'bytes');
  return value;
}

/** 32 lowercase hex digits: a NodeId or a cluster id. */
export function asId(value: unknown, name: string): string {
  if (typeof value !== 'string' || !/^[0-9a-f]{32}$/.test(value)) {
    throw wrong(name, '32 hex digits');
  }
  return value;
}

export function asNullable<T>(value: unknown, read: (value: unknown) => T): T | null {
  return value === null ? null : read(value);
}

function wrong(name: string, wanted: string): QuorateError {
  return new QuorateError('BAD_REQUEST', `Cannot read ${name}: wanted ${wanted}`);
}
