import { ed25519 } from '@noble/curves/ed25519.js';
import { expand, extract } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import type { AesGcm, AesGcmKey } from './aes.ts';
import { keyBytes } from './aes.ts';
import { concatBytes, utf8 } from './bytes.ts';

/**
 * What one secret gives in one namespace (Z32). Every key has an HKDF label of its own, which ends
 * in the namespace: a secret used for two namespaces gives unrelated keys.
 */
export type NamespaceKeys = {
  /** The secret itself: input of the keys of each link. */
  readonly secret: Uint8Array;
  /** Public half of the namespace's key pair, ed25519. */
  readonly topicBytes: Uint8Array;
  /** The same as 64 lowercase hex digits. */
  readonly topic: string;
  /** Private half: the seed of RFC 8032. */
  readonly signingSeed: Uint8Array;
  /** Proves the secret in a handshake. */
  readonly proofKey: Uint8Array;
  /** Seals records. */
  readonly recordKey: AesGcmKey;
  /** Makes the nonces of records. */
  readonly recordNonceKey: Uint8Array;
};

export function namespaceKeys(
  namespace: string,
  secret: Uint8Array,
  aesGcm: AesGcm,
): NamespaceKeys {
  const root = extract(sha256, secret);
  const derive = (label: string): Uint8Array =>
    expand(sha256, root, utf8(`quorate/1 ${label}\0${namespace}`), keyBytes);
  const signingSeed = derive('namespace key pair');
  const topicBytes = ed25519.getPublicKey(signingSeed);
  return {
    secret,
    topicBytes,
    topic: bytesToHex(topicBytes),
    signingSeed,
    proofKey: derive('handshake proof'),
    recordKey: aesGcm(derive('record')),
    recordNonceKey: derive('record nonce'),
  };
}

/** 32 lowercase hex digits that depend on the name alone. */
export function nameTagOf(namespace: string): string {
  return bytesToHex(sha256(utf8(`quorate/1 name tag\0${namespace}`)).subarray(0, nameTagBytes));
}

/** The secret of a namespace that was made public: anybody who knows the name can derive it. */
export function publicSecret(namespace: string): Uint8Array {
  return sha256(concatBytes(utf8('quorate/1 public secret\0'), utf8(namespace)));
}

/** Throws a TypeError unless `namespace` is 1 to 64 of `a-z`, `0-9`, `.`, `_`, `-`. */
export function checkNamespace(namespace: string): void {
  if (typeof namespace !== 'string' || !namespacePattern.test(namespace)) {
    throw new TypeError(
      `Cannot use the namespace ${JSON.stringify(namespace)}: wanted 1 to 64 of a-z 0-9 . _ -`,
    );
  }
}

export const topicBytesCount = 32;
export const nameTagBytes = 16;
const namespacePattern = /^[a-z0-9._-]{1,64}$/;
