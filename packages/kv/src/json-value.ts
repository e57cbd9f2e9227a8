/**
 * Values in JSON, as the gateway, its clients and the command line exchange them. JSON data stand
 * for themselves. Bytes are `{ "$bytes": "<base64>" }`. Data that look like that, an object whose
 * only member is `$bytes` behind any number of further `$`, get one more `$`:
 * `{ "$bytes": 1 }` travels as `{ "$$bytes": 1 }`. Bytes occur only as a whole value, so only the
 * outermost object is ever looked at.
 */
import { show } from './requests.ts';
import type { Value } from './types.ts';

export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** Undefined (a key that is absent, or a read of keys only) is not for this mapping. */
export function toJsonValue(value: Value): JsonValue {
  if (value instanceof Uint8Array) return { $bytes: toBase64(value) };
  const member = onlyMember(value);
  if (member !== null && escaped.test(member)) {
    return { [`$${member}`]: (value as Record<string, JsonValue>)[member] ?? null };
  }
  return value as JsonValue;
}

/** `TypeError` for a `$bytes` that is no base64 text. */
export function fromJsonValue(json: JsonValue): Value {
  const member = onlyMember(json);
  if (member === null || !escaped.test(member)) return json as Value;
  const inner = (json as Record<string, JsonValue>)[member];
  if (member !== '$bytes') return { [member.slice(1)]: inner };
  if (typeof inner !== 'string') {
    throw new TypeError(`Cannot read value: $bytes is ${show(inner)}, wanted base64 text`);
  }
  return fromBase64(inner);
}

function onlyMember(value: unknown): string | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const members = Object.keys(value);
  return members.length === 1 ? (members[0] ?? null) : null;
}

function toBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let start = 0; start < bytes.length; start += 0x2000) {
    binary += String.fromCharCode(...bytes.subarray(start, start + 0x2000));
  }
  return btoa(binary);
}

function fromBase64(text: string): Uint8Array {
  if (!base64.test(text) || text.length % 4 !== 0) {
    throw new TypeError('Cannot read value: $bytes is no base64 text');
  }
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

const escaped = /^\$+bytes$/;
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;
