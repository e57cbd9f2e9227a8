import { describe, expect, test } from 'vitest';
import type { AesGcm } from './aes.ts';
import { nobleAes } from './aes.ts';
import type { LinkAgreement, LinkOptions } from './link.ts';
import { SealedLink } from './link.ts';

const agreement: LinkAgreement = {
  protocol: 1,
  secret: new Uint8Array(32).fill(1),
  topicBytes: new Uint8Array(32).fill(2),
  initiatorHost: 'a',
  responderHost: 'b',
  initiatorRandom: new Uint8Array(32).fill(3),
  responderRandom: new Uint8Array(32).fill(4),
  transcript: new Uint8Array(32).fill(5),
};
const defaults: LinkOptions = {
  aesGcm: nobleAes,
  framesPerKeyMax: 2 ** 32,
  frameBytesMax: 1_000_000,
};

describe('SealedLink', () => {
  test('changes keys after framesPerKeyMax frames, and never uses a key and nonce twice (Z33)', () => {
    const used: string[] = [];
    const keys = new Set<string>();
    const watching: AesGcm = (key) => {
      keys.add(key.join());
      const aes = nobleAes(key);
      return {
        open: (nonce, aad, sealed) => aes.open(nonce, aad, sealed),
        seal: (nonce, aad, plaintext) => {
          used.push(`${key.join()} ${nonce.join()}`);
          return aes.seal(nonce, aad, plaintext);
        },
      };
    };
    const options = { ...defaults, aesGcm: watching, framesPerKeyMax: 4 };
    const initiator = new SealedLink(agreement, true, options);
    const responder = new SealedLink(agreement, false, options);
    for (let count = 0; count < 13; count++) {
      const plaintext = Uint8Array.of(count);
      expect(responder.open('raft', initiator.seal('raft', plaintext))).toEqual(plaintext);
      expect(initiator.open('raft', responder.seal('raft', plaintext))).toEqual(plaintext);
    }
    expect(new Set(used).size).toBe(26);
    // Four keys each way: frames 0–3, 4–7, 8–11, 12.
    expect(keys.size).toBe(8);
  });

  test('opens no frame of an earlier key again at the same place under the next one (Z33)', () => {
    const options = { ...defaults, framesPerKeyMax: 2 };
    const initiator = new SealedLink(agreement, true, options);
    const responder = new SealedLink(agreement, false, options);
    const frames = [1, 2, 3].map((count) => initiator.seal('raft', Uint8Array.of(count)));
    responder.open('raft', frames[0]!);
    responder.open('raft', frames[1]!);
    expect(() => responder.open('raft', frames[0]!)).toThrow(
      expect.objectContaining({ code: 'BAD_SECRET' }),
    );
  });

  test('refuses frames above frameBytesMax before a cipher sees them', () => {
    let calls = 0;
    const counting: AesGcm = (key) => {
      const aes = nobleAes(key);
      return {
        open: (nonce, aad, sealed) => {
          calls++;
          return aes.open(nonce, aad, sealed);
        },
        seal: (nonce, aad, plaintext) => {
          calls++;
          return aes.seal(nonce, aad, plaintext);
        },
      };
    };
    const link = new SealedLink(agreement, true, {
      ...defaults,
      aesGcm: counting,
      frameBytesMax: 100,
    });
    expect(() => link.seal('raft', new Uint8Array(85))).toThrow(RangeError);
    expect(() => link.open('raft', new Uint8Array(101))).toThrow(
      expect.objectContaining({ code: 'BAD_SECRET' }),
    );
    expect(() => link.open('bulk', new Uint8Array(15))).toThrow(
      expect.objectContaining({ code: 'BAD_SECRET' }),
    );
    expect(calls).toBe(0);
    expect(link.seal('raft', new Uint8Array(84))).toHaveLength(100);
  });

  test('gives every part of the agreement a say in the keys (Z33)', () => {
    const frames = new Set<string>();
    const variants: readonly LinkAgreement[] = [
      agreement,
      { ...agreement, protocol: 2 },
      { ...agreement, secret: new Uint8Array(32).fill(9) },
      { ...agreement, topicBytes: new Uint8Array(32).fill(9) },
      { ...agreement, initiatorHost: 'c' },
      { ...agreement, responderHost: 'c' },
      { ...agreement, initiatorHost: 'ab', responderHost: '' },
      { ...agreement, initiatorRandom: new Uint8Array(32).fill(9) },
      { ...agreement, responderRandom: new Uint8Array(32).fill(9) },
      { ...agreement, transcript: new Uint8Array(32).fill(9) },
    ];
    for (const variant of variants) {
      for (const initiator of [true, false]) {
        const link = new SealedLink(variant, initiator, defaults);
        for (const channel of ['raft', 'bulk', 'rpc'] as const) {
          frames.add(link.seal(channel, new Uint8Array(16)).join());
        }
      }
    }
    expect(frames.size).toBe(variants.length * 6);
  });
});
