/** A secret as people keep it. Apart from what it is used for: a page makes one without ciphers. */
import { equalBytes } from '@noble/ciphers/utils.js';
import { sha256 } from '@noble/hashes/sha2.js';
import type { RandomBytes } from '@quorate/contracts';
import { concatBytes, fromBase64Url, toBase64Url, utf8 } from './bytes.ts';

/**
 * A fresh secret as text: `qs1_` and 48 characters that hold 32 bytes of `random` and a checksum of
 * 4, so that a typo is told from a wrong secret.
 */
export function generateSecret(random: RandomBytes): string {
  const secret = random(secretBytes);
  checkSecretBytes(secret);
  return textPrefix + toBase64Url(concatBytes(secret, checksum(secret)));
}

/**
 * The 32 bytes of a secret's text; white space around it (a file's last line feed) is no part of
 * it. Throws a TypeError, which never repeats the text, for anything else.
 */
export function parseSecret(text: string): Uint8Array {
  const trimmed = text.trim();
  if (!trimmed.startsWith(textPrefix)) {
    throw new TypeError(
      `Cannot read the secret: it does not begin with ${textPrefix}, wanted the text that ` +
        '`quorate secret generate` prints, or a passphrase given to deriveSecret()',
    );
  }
  const digits = trimmed.slice(textPrefix.length);
  if (digits.length !== textDigits) {
    throw new TypeError(
      `Cannot read the secret: ${digits.length} characters after ${textPrefix}, wanted ${textDigits}`,
    );
  }
  const bytes = fromBase64Url(digits);
  if (bytes === null) {
    throw new TypeError('Cannot read the secret: wanted only letters, digits, - and _');
  }
  const secret = bytes.slice(0, secretBytes);
  if (!equalBytes(bytes.subarray(secretBytes), checksum(secret))) {
    throw new TypeError(
      'Cannot read the secret: its checksum does not fit, wanted it without typo',
    );
  }
  checkSecretBytes(secret);
  return secret;
}

/** Throws a TypeError unless these can be the bytes of a secret. */
export function checkSecretBytes(secret: Uint8Array): void {
  if (!(secret instanceof Uint8Array) || secret.length !== secretBytes) {
    throw new TypeError(
      `Cannot use the secret: wanted ${secretBytes} bytes, or the text that \`quorate secret generate\` prints`,
    );
  }
  // A buffer that nobody filled is the usual way to a secret that is none.
  if (secret.every((byte) => byte === secret[0])) {
    throw new TypeError('Cannot use the secret: all its bytes are equal, wanted random ones');
  }
}

function checksum(secret: Uint8Array): Uint8Array {
  return sha256(concatBytes(utf8('quorate/1 secret checksum\0'), secret)).subarray(
    0,
    checksumBytes,
  );
}

const textPrefix = 'qs1_';
const secretBytes = 32;
const checksumBytes = 4;
const textDigits = 48;
