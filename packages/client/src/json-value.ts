/**
 * How values travel as JSON. JSON-like data stand for themselves; bytes become
 * `{"$bytes": "<base64>"}`. An object of the application's that has exactly one member, named
 * `$bytes` with any number of extra `$` in front, gets one `$` more, so that no object is ever
 * mistaken for bytes and each value has exactly one form.
 */

export type JsonValue =
  null | boolean | number | string | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/**
 * The JSON form of `value`. Throws `TypeError` naming the path where something is neither JSON-like
 * data nor a `Uint8Array` (NaN, infinities, bigint, functions, undefined members, class instances),
 * or where nesting is deeper than 256.
 */
export function toJsonValue(value: unknown, path = 'value'): JsonValue {
  return encode(value, path, 0);
}

/**
 * The value a JSON form stands for. Throws `TypeError` where it is no such form: `$bytes` without
 * base64 text, nesting deeper than 256, undefined.
 */
export function fromJsonValue(json: unknown, path = 'value'): unknown {
  return decode(json, path, 0);
}

function encode(value: unknown, path: string, depth: number): JsonValue {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) refuse(path, String(value), 'a finite number');
    return value;
  }
  if (typeof value !== 'object') refuse(path, typeof value, 'JSON-like data or bytes');
  if (depth >= depthMax) refuse(path, 'deeper nesting', `at most ${depthMax} levels`);
  if (value instanceof Uint8Array) return { $bytes: bytesToBase64(value) };
  if (Array.isArray(value)) {
    return Array.from(value, (item, at) => encode(item, `${path}[${at}]`, depth + 1));
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    refuse(path, 'an instance of a class', 'a plain object');
  }
  const members = Object.entries(value).map(
    ([name, member]) => [name, encode(member, `${path}.${name}`, depth + 1)] as const,
  );
  const only = members.length === 1 ? members[0] : undefined;
  if (only !== undefined && escapable.test(only[0])) return { [`$${only[0]}`]: only[1] };
  return Object.fromEntries(members);
}

function decode(json: unknown, path: string, depth: number): unknown {
  if (json === undefined) refuse(path, 'nothing', 'a value');
  if (json === null || typeof json !== 'object') return json;
  if (depth >= depthMax) refuse(path, 'deeper nesting', `at most ${depthMax} levels`);
  if (Array.isArray(json)) {
    return json.map((item: unknown, at) => decode(item, `${path}[${at}]`, depth + 1));
  }
  const members = Object.entries(json);
  const only = members.length === 1 ? members[0] : undefined;
  if (only !== undefined && escapable.test(only[0])) {
    if (only[0] === '$bytes') return base64ToBytes(only[1], path);
    return { [only[0].slice(1)]: decode(only[1], `${path}.${only[0]}`, depth + 1) };
  }
  return Object.fromEntries(
    members.map(([name, member]) => [name, decode(member, `${path}.${name}`, depth + 1)]),
  );
}

/** Standard base64 with padding. */
function bytesToBase64(bytes: Uint8Array): string {
  let text = '';
  // Spread arguments in slices: engines limit the number of arguments of one call.
  for (let start = 0; start < bytes.length; start += 8192) {
    text += String.fromCharCode(...bytes.subarray(start, start + 8192));
  }
  return btoa(text);
}

function base64ToBytes(base64: unknown, path: string): Uint8Array {
  if (typeof base64 !== 'string') refuse(path, typeof base64, 'base64 text under $bytes');
  let text: string;
  try {
    text = atob(base64);
  } catch {
    return refuse(path, 'other text', 'base64 text under $bytes');
  }
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

function refuse(path: string, found: string, wanted: string): never {
  throw new TypeError(`Cannot take ${path}: found ${found}, wanted ${wanted}`);
}

const escapable = /^\$+bytes$/;

/** Levels of nesting: far beyond real data, far below what exhausts a stack. */
const depthMax = 256;
