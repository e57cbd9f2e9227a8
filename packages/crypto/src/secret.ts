import { equalBytes } from '@noble/ciphers/utils.js';
import { publicSecret } from './namespace.ts';
import { checkSecretBytes, parseSecret } from './secret-text.ts';

/**
 * 32 random bytes, or the text that `generateSecret` made, or `'public'`: a secret derived from the
 * namespace's name, by which anybody may join, read and write.
 */
export type Secret = Uint8Array | string;

/**
 * One secret, or a ring of 1 to 8, the primary first. What goes out is sealed with the primary; any
 * of the ring opens, so that secrets change without downtime: first everybody learns the new one as
 * the second, then as the first, then the old one goes.
 */
export type SecretSource = Secret | readonly Secret[];

/** The ring's secrets as bytes of our own, primary first. Throws where one comes twice: it was meant to be another. */
export function readRing(source: SecretSource, namespace: string): readonly Uint8Array[] {
  const given: readonly Secret[] = isList(source) ? source : [source];
  if (given.length === 0 || given.length > ringSecretsMax) {
    throw new RangeError(
      `Cannot use a ring of ${given.length} secrets: wanted 1 to ${ringSecretsMax}`,
    );
  }
  const ring: Uint8Array[] = [];
  for (const each of given) {
    const secret = readSecret(each, namespace);
    const first = ring.findIndex((known) => equalBytes(known, secret));
    if (first >= 0) throw repeatedSecret(ring.length, first);
    ring.push(secret);
  }
  return ring;
}

function repeatedSecret(at: number, first: number): TypeError {
  return new TypeError(
    `Cannot use the ring: secret ${at + 1} repeats secret ${first + 1}, wanted each once`,
  );
}

export const ringSecretsMax = 8;

function readSecret(secret: Secret, namespace: string): Uint8Array {
  if (secret === 'public') return publicSecret(namespace);
  if (typeof secret === 'string') return parseSecret(secret);
  checkSecretBytes(secret);
  return Uint8Array.from(secret);
}

function isList(source: SecretSource): source is readonly Secret[] {
  return Array.isArray(source);
}
