import type { Cipher, Handshake, HostId, RandomBytes, RecordPurpose } from '@quorate/contracts';
import { assert } from '@quorate/contracts';
import type { AesGcm } from './aes.ts';
import { nobleAes, tagBytes } from './aes.ts';
import { randomBytesCount } from './handshake-frames.ts';
import { SecretHandshake } from './handshake.ts';
import type { LinkOptions } from './link.ts';
import type { NamespaceKeys } from './namespace.ts';
import { checkNamespace, nameTagOf, namespaceKeys } from './namespace.ts';
import { openRecord, sealRecord } from './record.ts';
import type { SecretSource } from './secret.ts';
import { readRing } from './secret.ts';

export type CipherOptions = {
  readonly namespace: string;
  readonly secrets: SecretSource;
  /** Must be fit for keys: `crypto.getRandomValues` or its like outside of tests. */
  readonly random: RandomBytes;
  /** A faster AES-256-GCM than the portable one, such as `nodeAes`. */
  readonly accelerate?: AesGcm;
  /** Frames under one key before the next one is made: 1 to 2^32, the default. */
  readonly framesPerKeyMax?: number;
  /** Longest sealed frame. Default 16 MiB, far above any transport's. */
  readonly frameBytesMax?: number;
};

/** The contract's cipher, and the topics of its whole ring. */
export interface NamespaceCipher extends Cipher {
  /** Of each secret of the ring, oldest first: the last one is `topic` (Z15). */
  readonly topics: readonly string[];
}

/**
 * The gate of one namespace. Costs about a millisecond per secret, for the key pair; the secrets'
 * bytes are copied.
 *
 * Throws a TypeError for a namespace or a secret that cannot be one, a RangeError for a ring of
 * none or more than 8 secrets and for limits out of bounds.
 */
export function createCipher(options: CipherOptions): NamespaceCipher {
  checkNamespace(options.namespace);
  const { framesPerKeyMax = 2 ** 32, frameBytesMax = 16 * 1024 * 1024 } = options;
  checkLimit('framesPerKeyMax', framesPerKeyMax, 1, 2 ** 32);
  checkLimit('frameBytesMax', frameBytesMax, tagBytes + 1, 2 ** 30);
  const aesGcm = options.accelerate ?? nobleAes;
  const ring = readRing(options.secrets, options.namespace).map((secret) =>
    namespaceKeys(options.namespace, secret, aesGcm),
  );
  return new RingCipher(ring, nameTagOf(options.namespace), options.random, {
    aesGcm,
    framesPerKeyMax,
    frameBytesMax,
  });
}

class RingCipher implements NamespaceCipher {
  readonly topic: string;
  readonly topics: readonly string[];
  readonly nameTag: string;
  readonly overheadBytes: number = tagBytes;
  readonly #ring: readonly NamespaceKeys[];
  readonly #primary: NamespaceKeys;
  readonly #random: RandomBytes;
  readonly #link: LinkOptions;

  constructor(
    ring: readonly NamespaceKeys[],
    nameTag: string,
    random: RandomBytes,
    link: LinkOptions,
  ) {
    const primary = ring[0];
    assert(primary !== undefined, 'a ring has a primary secret');
    this.#ring = ring;
    this.#primary = primary;
    this.topic = primary.topic;
    this.topics = ring.map((keys) => keys.topic).reverse();
    this.nameTag = nameTag;
    this.#random = random;
    this.#link = link;
  }

  handshake(options: { initiator: boolean; local: HostId; remote: HostId }): Handshake {
    return new SecretHandshake({
      initiator: options.initiator,
      local: options.local,
      remote: options.remote,
      ring: this.#ring,
      nameTag: this.nameTag,
      random: this.#fresh(randomBytesCount),
      link: this.#link,
    });
  }

  sealRecord(purpose: RecordPurpose, version: number, value: Uint8Array): Uint8Array {
    return sealRecord(this.#primary, (count) => this.#fresh(count), purpose, version, value);
  }

  openRecord(purpose: RecordPurpose, version: number, record: Uint8Array): Uint8Array {
    return openRecord(this.#ring, purpose, version, record);
  }

  #fresh(count: number): Uint8Array {
    const bytes = this.#random(count);
    assert(bytes.length === count, 'random(count) returns count bytes');
    return bytes.slice();
  }
}

function checkLimit(name: string, value: number, min: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`Cannot use ${name} ${value}: wanted an integer from ${min} to ${max}`);
  }
}
