import { gcm } from '@noble/ciphers/aes.js';

/**
 * AES-256-GCM under one key. Ciphers are a parameter, so that Node may bring a faster one of the
 * same bytes; in browsers, and wherever nothing else is given, it is noble's.
 */
export type AesGcm = (key: Uint8Array) => AesGcmKey;

/** Who calls it sees to it that no nonce (12 bytes) is used twice under one key. */
export interface AesGcmKey {
  /** Returns ciphertext and tag (16 bytes) in a fresh array. */
  seal(nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array;
  /** Returns the plaintext in a fresh array, or null when anything at all differs. */
  open(nonce: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array | null;
}

/** The portable one: synchronous, in plain JavaScript, needs no secure context. */
export const nobleAes: AesGcm = (key) => ({
  seal: (nonce, aad, plaintext) => gcm(key, nonce, aad).encrypt(plaintext),
  open: (nonce, aad, sealed) => {
    if (sealed.length < tagBytes) return null;
    try {
      return gcm(key, nonce, aad).decrypt(sealed);
    } catch {
      // Lengths are right by construction: what is left to fail is the tag.
      return null;
    }
  },
});

export const keyBytes = 32;
export const nonceBytes = 12;
export const tagBytes = 16;
