/**
 * Bytes put together and taken apart: numbers are big-endian, texts are UTF-8.
 */

/** Joins `parts` in a fresh array. */
export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let bytes = 0;
  for (const part of parts) bytes += part.length;
  const joined = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

/** `value` as `count` bytes; safe integers below 256^count only, callers see to that. */
export function uintBytes(value: number, count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  let rest = value;
  for (let at = count - 1; at >= 0; at--) {
    bytes[at] = rest % 256;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

/** Two bytes of length, then the text: texts one after another cannot be read in two ways. */
export function lengthPrefixed(text: string): Uint8Array {
  const bytes = utf8(text);
  return concatBytes(uintBytes(bytes.length, 2), bytes);
}

/** Base64url without padding (RFC 4648 §5). */
export function toBase64Url(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += 3) {
    const group = bytes.subarray(at, at + 3);
    const bits = ((group[0] ?? 0) << 16) | ((group[1] ?? 0) << 8) | (group[2] ?? 0);
    for (let digit = 0; digit <= group.length; digit++) {
      text += base64UrlDigits.charAt((bits >> (18 - 6 * digit)) & 63);
    }
  }
  return text;
}

/** Reads base64url whose length is a multiple of 4; null for anything else. */
export function fromBase64Url(text: string): Uint8Array | null {
  if (text.length % 4 !== 0) return null;
  const bytes = new Uint8Array((text.length / 4) * 3);
  for (let group = 0; group < text.length / 4; group++) {
    let bits = 0;
    for (let digit = 0; digit < 4; digit++) {
      const value = base64UrlDigits.indexOf(text.charAt(group * 4 + digit));
      if (value < 0) return null;
      bits = (bits << 6) | value;
    }
    bytes[group * 3] = bits >> 16;
    bytes[group * 3 + 1] = (bits >> 8) & 255;
    bytes[group * 3 + 2] = bits & 255;
  }
  return bytes;
}

const encoder = new TextEncoder();
const base64UrlDigits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
