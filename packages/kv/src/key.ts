/** Keys: what they may be and how they are ordered. */
import { QuorateError } from '@quorate/contracts';
import { encodeText } from './bytes.ts';
import { keyBytesMax } from './limits.ts';

/**
 * Orders as the UTF-8 bytes do. UTF-16 units do so too, but for surrogates: they stand for code
 * points above U+FFFF, yet are smaller than U+E000 to U+FFFF.
 */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let position = 0; position < length; position += 1) {
    const left = a.charCodeAt(position);
    const right = b.charCodeAt(position);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** Not below any valid key that begins with `prefix`: no key has as many characters. */
export function prefixCeiling(prefix: string): string {
  return prefix + ceiling;
}

export function isWellFormed(text: string): boolean {
  return !loneSurrogate.test(text);
}

/**
 * Checks a key at the boundary: `TypeError` for anything but a non-empty string that UTF-8 can
 * carry, `LIMIT_EXCEEDED` past `keyBytesMax`.
 */
export function checkKey(key: unknown, action: string): asserts key is string {
  if (typeof key !== 'string' || key.length === 0) {
    throw new TypeError(`Cannot ${action}: the key is ${describe(key)}, wanted a non-empty string`);
  }
  checkText(key, action, 'key');
}

/** Like a key, but may be empty: prefixes and the ends of ranges. */
export function checkKeyPart(part: unknown, name: string, action: string): asserts part is string {
  if (typeof part !== 'string') {
    throw new TypeError(`Cannot ${action}: ${name} is ${describe(part)}, wanted a string`);
  }
  checkText(part, action, name);
}

function checkText(text: string, action: string, name: string): void {
  if (!isWellFormed(text)) {
    throw new TypeError(`Cannot ${action}: the ${name} holds half a surrogate pair, wanted text`);
  }
  if (text.length * 3 <= keyBytesMax) return;
  const bytes = encodeText(text).length;
  if (bytes <= keyBytesMax) return;
  throw new QuorateError(
    'LIMIT_EXCEEDED',
    `Cannot ${action}: the ${name} has ${bytes} bytes, wanted at most ${keyBytesMax}`,
    { details: { limit: 'keyBytesMax', max: keyBytesMax, actual: bytes } },
  );
}

function describe(value: unknown): string {
  if (value === null) return 'null';
  if (value === '') return 'empty';
  return Array.isArray(value) ? 'an array' : typeof value;
}

function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

const loneSurrogate = /[\ud800-\udfff]/u;
const ceiling = '\u{10FFFF}'.repeat(Math.floor(keyBytesMax / 4) + 1);
