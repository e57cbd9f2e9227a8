import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hexToBytes } from '@noble/hashes/utils.js';
import { nobleAes } from './aes.ts';
import { nodeAes } from './node-aes.ts';

const key32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const nonce12 = fc.uint8Array({ minLength: 12, maxLength: 12 });

describe('nodeAes', () => {
  test('gives the bytes of nobleAes, and each opens what the other sealed', () => {
    const plaintexts = fc.uint8Array({ maxLength: 5_000 });
    const aads = fc.uint8Array({ maxLength: 100 });
    fc.assert(
      fc.property(key32, nonce12, aads, plaintexts, (key, nonce, aad, plaintext) => {
        const portable = nobleAes(key);
        const accelerated = nodeAes(key);
        const sealed = portable.seal(nonce, aad, plaintext);
        expect(accelerated.seal(nonce, aad, plaintext)).toEqual(sealed);
        expect(accelerated.open(nonce, aad, sealed)).toEqual(plaintext);
        expect(portable.open(nonce, aad, sealed)).toEqual(plaintext);
      }),
    );
  });
});

for (const [name, aesGcm] of [
  ['nobleAes', nobleAes],
  ['nodeAes', nodeAes],
] as const) {
  describe(name, () => {
    test('gives the bytes of a published test vector (GCM specification, test case 16)', () => {
      const key = 'feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308';
      const plaintext =
        'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
        '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39';
      const aad = 'feedfacedeadbeeffeedfacedeadbeefabaddad2';
      const sealed =
        '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
        '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
        '76fc6ece0f4e1768cddf8853bb2d551b';
      const made = aesGcm(hexToBytes(key)).seal(
        hexToBytes('cafebabefacedbaddecaf888'),
        hexToBytes(aad),
        hexToBytes(plaintext),
      );
      expect(made).toEqual(hexToBytes(sealed));
    });

    test('opens nothing that differs in key, nonce, additional data, any byte or length', () => {
      const aes = aesGcm(new Uint8Array(32).fill(1));
      const nonce = new Uint8Array(12);
      const aad = Uint8Array.of(1, 2, 3);
      const sealed = aes.seal(nonce, aad, Uint8Array.of(4, 5, 6));
      expect(aes.open(nonce, aad, sealed)).toEqual(Uint8Array.of(4, 5, 6));
      expect(aesGcm(new Uint8Array(32).fill(2)).open(nonce, aad, sealed)).toBeNull();
      expect(aes.open(new Uint8Array(12).fill(1), aad, sealed)).toBeNull();
      expect(aes.open(nonce, Uint8Array.of(1, 2), sealed)).toBeNull();
      for (let length = 0; length < sealed.length; length++) {
        expect(aes.open(nonce, aad, sealed.subarray(0, length))).toBeNull();
      }
      for (let at = 0; at < sealed.length; at++) {
        const changed = sealed.map((byte, index) => (index === at ? byte ^ 1 : byte));
        expect(aes.open(nonce, aad, changed)).toBeNull();
      }
    });
  });
}
