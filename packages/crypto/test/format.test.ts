/**
 * A second implementation of FORMAT.md, by Node's own cryptography and from the page alone, against
 * which the first one must hold its bytes.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import type { Handshake, LinkCipher } from '@quorate/contracts';
import { createCipher, verifyRecord } from '@quorate/crypto';
import { describe, expect, test } from 'vitest';

const namespace = 'alpha';
const secret = Uint8Array.from(randomBytes(32));
const random = (count: number): Uint8Array => Uint8Array.from(randomBytes(count));
const cipher = createCipher({ namespace, secrets: secret, random });
const hosts = { ours: 'host-ö', theirs: 'host-b' };

describe('FORMAT.md', () => {
  test('names: topic, nameTag, public secret', () => {
    expect(cipher.topic).toBe(topicOf(secret).toString('hex'));
    expect(cipher.nameTag).toBe(nameTag().toString('hex'));
    const open = createCipher({ namespace, secrets: 'public', random });
    const publicSecret = sha256(Buffer.from(`quorate/1 public secret\0${namespace}`));
    expect(open.topic).toBe(topicOf(publicSecret).toString('hex'));
  });

  test('handshake and frames, this side as the responder', () => {
    const peer = new Peer(true);
    const { link } = runHandshake(peer, false);
    checkFrames(peer, link);
  });

  test('handshake and frames, this side as the initiator', () => {
    const peer = new Peer(false);
    const { link } = runHandshake(peer, true);
    checkFrames(peer, link);
  });

  test('frames after a change of keys carry on under the next stream number (Z33)', () => {
    const peer = new Peer(true, { framesPerKeyMax: 3 });
    const { link } = runHandshake(peer, false, 3);
    checkFrames(peer, link);
  });

  test('a hello of a later release: more bytes and protocols, and it is still this one', () => {
    const peer = new Peer(true, { protocolMax: 9, more: Buffer.from('something new') });
    const { link } = runHandshake(peer, false);
    checkFrames(peer, link);
  });

  test('a hello without a protocol in common is BAD_REQUEST', () => {
    for (const [protocolMin, protocolMax] of [
      [2, 9],
      [0, 0],
      [9, 1],
    ] as const) {
      const handshake = ourHandshake(false);
      const { hello } = new Peer(true, { protocolMin, protocolMax });
      expect(() => handshake.receive(hello)).toThrow(
        expect.objectContaining({ code: 'BAD_REQUEST' }),
      );
    }
  });

  test('a hello of 1 KiB is read, a longer one is not', () => {
    const longest = new Peer(true, { more: Buffer.alloc(1_024 - 85) });
    expect(ourHandshake(false).receive(longest.hello).done).toBeNull();
    const longer = new Peer(true, { more: Buffer.alloc(1_025 - 85) });
    expect(() => ourHandshake(false).receive(longer.hello)).toThrow(
      expect.objectContaining({ code: 'BAD_REQUEST' }),
    );
  });

  test('records: read what this side sealed, sealed what this side reads', () => {
    const value = Buffer.from('a value');
    const record = cipher.sealRecord('register', 5, value);
    const context = recordContext(2, 5);
    const body = record.subarray(0, -64);
    expect(record[0]).toBe(1);
    expect(record.length).toBe(value.length + 93);
    expect(
      verify(null, concat(context, body), createPublicKey(keyPair(secret)), record.subarray(-64)),
    ).toBe(true);
    const key = derive(secret, 'record');
    expect(gcmOpen(key, body.subarray(1, 13), context, body.subarray(13))).toEqual(value);

    const nonce = randomBytes(12);
    const announced = recordContext(1, 6);
    const made = concat(Buffer.of(1), nonce, gcmSeal(key, nonce, announced, value));
    const signed = concat(made, sign(null, concat(announced, made), keyPair(secret)));
    expect(cipher.openRecord('announce', 6, signed)).toEqual(Uint8Array.from(value));
    expect(verifyRecord(cipher.topic, 'announce', 6, signed)).toBe(true);

    // Sealed by a holder of the secret, signed by somebody else, and the other way round.
    const stranger = keyPair(randomBytes(32));
    const foreign = concat(made, sign(null, concat(announced, made), stranger));
    expect(verifyRecord(cipher.topic, 'announce', 6, foreign)).toBe(false);
    expect(() => cipher.openRecord('announce', 6, foreign)).toThrow(
      expect.objectContaining({ code: 'BAD_SECRET' }),
    );
    const unsealed = concat(Buffer.of(1), nonce, value, Buffer.alloc(16));
    const hollow = concat(unsealed, sign(null, concat(announced, unsealed), keyPair(secret)));
    expect(() => cipher.openRecord('announce', 6, hollow)).toThrow(
      expect.objectContaining({ code: 'BAD_SECRET' }),
    );
  });
});

/** The other side, as the page describes it. */
class Peer {
  readonly initiator: boolean;
  readonly framesPerKeyMax: number;
  readonly random: Buffer = randomBytes(32);
  readonly hello: Buffer;
  #transcript: Buffer = Buffer.alloc(0);
  #salt: Buffer = Buffer.alloc(0);
  readonly #counts = new Map<string, number>();

  constructor(
    initiator: boolean,
    options: {
      protocolMin?: number;
      protocolMax?: number;
      more?: Buffer;
      framesPerKeyMax?: number;
    } = {},
  ) {
    this.initiator = initiator;
    this.framesPerKeyMax = options.framesPerKeyMax ?? 2 ** 32;
    this.hello = concat(
      Buffer.of(1),
      uint(options.protocolMin ?? 1, 2),
      uint(options.protocolMax ?? 1, 2),
      topicOf(secret),
      nameTag(),
      this.random,
      options.more ?? Buffer.alloc(0),
    );
  }

  meet(hello: Uint8Array): void {
    expect(hello.length).toBe(85);
    expect(Buffer.from(hello.subarray(0, 53))).toEqual(
      concat(Buffer.of(1), uint(1, 2), uint(1, 2), topicOf(secret), nameTag()),
    );
    const theirs = Buffer.from(hello);
    const [initiatorHello, responderHello] = this.initiator
      ? [this.hello, theirs]
      : [theirs, this.hello];
    this.#transcript = sha256(
      concat(
        Buffer.from('quorate/1 handshake\0'),
        uint(1, 2),
        this.hostNames(),
        sha256(initiatorHello),
        sha256(responderHello),
      ),
    );
    this.#salt = concat(initiatorHello.subarray(53, 85), responderHello.subarray(53, 85));
  }

  proof(role: 'initiator' | 'responder'): Buffer {
    const hmac = createHmac('sha256', derive(secret, 'handshake proof'));
    return hmac.update(`quorate/1 ${role}\0`).update(this.#transcript).digest();
  }

  seal(channel: number, plaintext: Uint8Array): Buffer {
    const { key, nonce, aad } = this.#next(this.initiator ? 1 : 2, channel);
    return gcmSeal(key, nonce, aad, plaintext);
  }

  open(channel: number, frame: Uint8Array): Buffer {
    const { key, nonce, aad } = this.#next(this.initiator ? 2 : 1, channel);
    return gcmOpen(key, nonce, aad, frame);
  }

  private hostNames(): Buffer {
    const initiatorHost = Buffer.from(this.initiator ? hosts.theirs : hosts.ours);
    const responderHost = Buffer.from(this.initiator ? hosts.ours : hosts.theirs);
    return concat(
      uint(initiatorHost.length, 2),
      initiatorHost,
      uint(responderHost.length, 2),
      responderHost,
    );
  }

  #next(direction: number, channel: number): { key: Buffer; nonce: Buffer; aad: Buffer } {
    const place = Buffer.of(direction, channel);
    const count = this.#counts.get(place.toString('hex')) ?? 0;
    this.#counts.set(place.toString('hex'), count + 1);
    const streamNumber = Math.floor(count / this.framesPerKeyMax);
    const info = concat(
      Buffer.from('quorate/1 link key\0'),
      uint(1, 2),
      topicOf(secret),
      place,
      uint(streamNumber, 4),
      this.#transcript,
    );
    return {
      key: Buffer.from(hkdfSync('sha256', secret, this.#salt, info, 32)),
      nonce: concat(uint(streamNumber, 4), uint(0, 4), uint(count % this.framesPerKeyMax, 4)),
      aad: sha256(
        concat(Buffer.from('quorate/1 link frame\0'), uint(1, 2), place, this.hostNames()),
      ),
    };
  }
}

function ourHandshake(initiator: boolean, framesPerKeyMax = 2 ** 32): Handshake {
  return createCipher({ namespace, secrets: secret, random, framesPerKeyMax }).handshake({
    initiator,
    local: hosts.ours,
    remote: hosts.theirs,
  });
}

function runHandshake(
  peer: Peer,
  initiator: boolean,
  framesPerKeyMax = 2 ** 32,
): { link: LinkCipher } {
  const handshake = ourHandshake(initiator, framesPerKeyMax);
  peer.meet(handshake.first());
  const afterHello = handshake.receive(peer.hello);
  expect(afterHello.done).toBeNull();
  if (initiator) {
    expect(afterHello.reply).toEqual(Uint8Array.of(2, 1, ...peer.proof('initiator')));
    const step = handshake.receive(Uint8Array.of(3, 0, ...peer.proof('responder')));
    expect(step.reply).toBeNull();
    return { link: step.done! };
  }
  expect(afterHello.reply).toBeNull();
  // Two proofs: one of a secret that this side does not know.
  const proofs = Uint8Array.of(2, 2, ...randomBytes(32), ...peer.proof('initiator'));
  const step = handshake.receive(proofs);
  expect(step.reply).toEqual(Uint8Array.of(3, 1, ...peer.proof('responder')));
  return { link: step.done! };
}

function checkFrames(peer: Peer, link: LinkCipher): void {
  const codes = { raft: 1, bulk: 2, rpc: 3 } as const;
  for (const channel of ['raft', 'bulk', 'rpc'] as const) {
    for (let count = 0; count < 8; count++) {
      const plaintext = random(count * 17);
      expect(link.open(channel, peer.seal(codes[channel], plaintext))).toEqual(plaintext);
      expect(Uint8Array.from(peer.open(codes[channel], link.seal(channel, plaintext)))).toEqual(
        plaintext,
      );
    }
  }
}

function derive(from: Uint8Array, label: string): Buffer {
  const info = Buffer.from(`quorate/1 ${label}\0${namespace}`);
  return Buffer.from(hkdfSync('sha256', from, Buffer.alloc(0), info, 32));
}

function keyPair(from: Uint8Array): ReturnType<typeof createPrivateKey> {
  // A PKCS #8 head for ed25519, then the seed.
  const head = Buffer.from('302e020100300506032b657004220420', 'hex');
  const seed = derive(from, 'namespace key pair');
  return createPrivateKey({ key: concat(head, seed), format: 'der', type: 'pkcs8' });
}

function topicOf(from: Uint8Array): Buffer {
  const spki = createPublicKey(keyPair(from)).export({ format: 'der', type: 'spki' });
  return spki.subarray(-32);
}

function nameTag(): Buffer {
  return sha256(Buffer.from(`quorate/1 name tag\0${namespace}`)).subarray(0, 16);
}

function recordContext(purpose: number, version: number): Buffer {
  return concat(
    Buffer.from('quorate/1 record\0'),
    Buffer.of(1, purpose),
    uint(version, 8),
    topicOf(secret),
  );
}

function gcmSeal(key: Buffer, nonce: Buffer, aad: Buffer, plaintext: Uint8Array): Buffer {
  const gcm = createCipheriv('aes-256-gcm', key, nonce);
  gcm.setAAD(aad);
  return concat(gcm.update(plaintext), gcm.final(), gcm.getAuthTag());
}

function gcmOpen(key: Buffer, nonce: Uint8Array, aad: Buffer, sealed: Uint8Array): Buffer {
  const gcm = createDecipheriv('aes-256-gcm', key, nonce);
  gcm.setAAD(aad);
  gcm.setAuthTag(sealed.subarray(-16));
  return concat(gcm.update(sealed.subarray(0, -16)), gcm.final());
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function uint(value: number, count: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes.subarray(8 - count);
}

function concat(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts);
}
