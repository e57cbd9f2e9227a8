import { randomBytes } from 'node:crypto';
import { isQuorateError } from '@quorate/contracts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createCipher } from './cipher.ts';
import { recordValueBytesMax, verifyRecord } from './record.ts';
import { generateSecret } from './secret-text.ts';

const random = (count: number): Uint8Array => Uint8Array.from(randomBytes(count));
const secrets = generateSecret(random);
const hosts = { local: 'a', remote: 'b' };

describe('createCipher()', () => {
  test('names the topics of its ring, the oldest first (Z15)', () => {
    const ring = [random(32), random(32), random(32)] as const;
    const topicOf = (secret: Uint8Array) =>
      createCipher({ namespace: 'alpha', secrets: secret, random }).topic;
    const cipher = createCipher({ namespace: 'alpha', secrets: ring, random });
    expect(cipher.topics).toEqual([topicOf(ring[2]), topicOf(ring[1]), topicOf(ring[0])]);
    expect(cipher.topics.at(-1)).toBe(cipher.topic);
  });

  test('takes the text of a secret and its bytes for the same, and public for no secret', () => {
    const topic = (source: string) =>
      createCipher({ namespace: 'alpha', secrets: source, random }).topic;
    expect(topic(secrets)).toBe(topic(` ${secrets}\n`));
    expect(topic('public')).not.toBe(topic(secrets));
    expect(topic('public')).toBe(topic('public'));
  });

  test('throws at once for options that cannot be', () => {
    for (const namespace of ['', 'Alpha', 'a b', 'a/b', 'a\n', 'ä', 'a'.repeat(65)]) {
      expect(() => createCipher({ namespace, secrets, random }), namespace).toThrow(TypeError);
    }
    expect(() => createCipher({ namespace: 'alpha', secrets: 'secret', random })).toThrow(
      TypeError,
    );
    expect(() => createCipher({ namespace: 'alpha', secrets: [], random })).toThrow(RangeError);
    for (const framesPerKeyMax of [0, -1, 1.5, 2 ** 32 + 1, NaN]) {
      expect(() => createCipher({ namespace: 'alpha', secrets, random, framesPerKeyMax })).toThrow(
        RangeError,
      );
    }
    for (const frameBytesMax of [16, 2 ** 31, Infinity]) {
      expect(() => createCipher({ namespace: 'alpha', secrets, random, frameBytesMax })).toThrow(
        RangeError,
      );
    }
  });

  test('stops where chance gives fewer bytes than asked for', () => {
    const cipher = createCipher({
      namespace: 'alpha',
      secrets,
      random: (count) => random(count - 1),
    });
    expect(() => cipher.handshake({ initiator: true, ...hosts })).toThrow(/random/);
    expect(() => cipher.sealRecord('register', 1, random(3))).toThrow(/random/);
  });
});

describe('handshake()', () => {
  const cipher = createCipher({ namespace: 'alpha', secrets, random });

  test('refuses names of hosts that no transport gives', () => {
    for (const local of ['', 'x'.repeat(129)]) {
      expect(() => cipher.handshake({ initiator: true, local, remote: 'b' })).toThrow(RangeError);
    }
  });

  test('refuses its own hello sent back', () => {
    const handshake = cipher.handshake({ initiator: true, ...hosts });
    expect(() => handshake.receive(handshake.first())).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    );
  });

  test('takes no frame after it is done, and leaves the link as it is', () => {
    const initiator = cipher.handshake({ initiator: true, local: 'a', remote: 'b' });
    const responder = cipher.handshake({ initiator: false, local: 'b', remote: 'a' });
    responder.receive(initiator.first());
    const proofs = initiator.receive(responder.first()).reply!;
    const accepted = responder.receive(proofs);
    for (const frame of [proofs, Uint8Array.of(4, 1)]) {
      expect(() => responder.receive(frame)).toThrow(
        expect.objectContaining({ code: 'BAD_REQUEST' }),
      );
    }
    const confirmed = initiator.receive(accepted.reply!);
    const frame = confirmed.done!.seal('raft', Uint8Array.of(1));
    expect(accepted.done!.open('raft', frame)).toEqual(Uint8Array.of(1));
  });

  test('refuses more proofs than a ring has secrets, before it reads them', () => {
    for (const [count, code] of [
      [8, 'BAD_SECRET'],
      [9, 'BAD_REQUEST'],
      [0, 'BAD_REQUEST'],
    ] as const) {
      const responder = cipher.handshake({ initiator: false, ...hosts });
      responder.receive(cipher.handshake({ initiator: true, local: 'b', remote: 'a' }).first());
      const proofs = Uint8Array.of(2, count, ...random(32 * count));
      expect(() => responder.receive(proofs)).toThrow(expect.objectContaining({ code }));
    }
  });

  test('receive() throws BAD_REQUEST or BAD_SECRET for any bytes at any moment, nothing else', () => {
    const junk = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .tuple(fc.integer({ min: 1, max: 4 }), fc.uint8Array({ maxLength: 270 }))
        .map(([type, rest]) => Uint8Array.of(type, ...rest)),
      fc.uint8Array({ minLength: 65, maxLength: 65 }).map((rest) => Uint8Array.of(2, 2, ...rest)),
      fc.uint8Array({ minLength: 33, maxLength: 33 }).map((rest) => Uint8Array.of(3, ...rest)),
    );
    fc.assert(
      fc.property(fc.boolean(), fc.boolean(), junk, (initiator, afterHello, frame) => {
        const handshake = cipher.handshake({ initiator, ...hosts });
        const other = cipher.handshake({ initiator: !initiator, local: 'b', remote: 'a' });
        if (afterHello) handshake.receive(other.first());
        try {
          expect(handshake.receive(frame).done).toBeNull();
        } catch (error) {
          if (!isQuorateError(error)) throw error;
          expect(['BAD_REQUEST', 'BAD_SECRET']).toContain(error.code);
        }
      }),
    );
  });
});

describe('sealRecord()', () => {
  const cipher = createCipher({ namespace: 'alpha', secrets, random });

  test('refuses versions and values out of bounds', () => {
    for (const version of [-1, 0.5, NaN, 2 ** 53]) {
      expect(() => cipher.sealRecord('register', version, random(3))).toThrow(RangeError);
    }
    expect(() => cipher.sealRecord('register', 1, random(recordValueBytesMax + 1))).toThrow(
      RangeError,
    );
    const largest = cipher.sealRecord('register', 1, random(recordValueBytesMax));
    expect(verifyRecord(cipher.topic, 'register', 1, largest)).toBe(true);
    expect(verifyRecord(cipher.topic, 'register', 1, Uint8Array.of(...largest, 0))).toBe(false);
  });

  test('uses no nonce for two values, though chance repeats itself (Z32)', () => {
    const stuck = createCipher({
      namespace: 'alpha',
      secrets,
      random: (count) => new Uint8Array(count).fill(7),
    });
    const nonceOf = (version: number, value: Uint8Array) =>
      stuck.sealRecord('register', version, value).subarray(1, 13).join();
    const nonces = new Set([
      nonceOf(1, Uint8Array.of(1)),
      nonceOf(1, Uint8Array.of(2)),
      nonceOf(2, Uint8Array.of(1)),
    ]);
    expect(nonces.size).toBe(3);
  });
});

describe('verifyRecord()', () => {
  test('is false, never an error, for anything a stranger may send (Z32)', () => {
    const { topic } = createCipher({ namespace: 'alpha', secrets, random });
    const records = fc.uint8Array({ maxLength: 200 }).map((rest) => Uint8Array.of(1, ...rest));
    fc.assert(
      fc.property(
        fc.oneof(fc.constant(topic), fc.string(), fc.constant('ff'.repeat(32))),
        fc.oneof(fc.constantFrom('announce' as const, 'register' as const)),
        fc.oneof(fc.double(), fc.nat()),
        records,
        (anyTopic, purpose, version, record) => {
          expect(verifyRecord(anyTopic, purpose, version, record)).toBe(false);
        },
      ),
    );
    expect(verifyRecord(topic, 'other' as 'announce', 1, new Uint8Array(200).fill(1))).toBe(false);
  });

  test('is false for a topic of small order, which would fit many messages', () => {
    // The identity: with it R = [S]B holds for any message unless small orders are refused.
    const identity = `01${'00'.repeat(31)}`;
    const record = new Uint8Array(93);
    record[0] = 1;
    record[29] = 1;
    expect(verifyRecord(identity, 'announce', 1, record)).toBe(false);
  });
});
