import { equalBytes } from '@noble/ciphers/utils.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import type { Handshake, HandshakeStep, HostId } from '@quorate/contracts';
import { QuorateError } from '@quorate/contracts';
import { concatBytes, lengthPrefixed, uintBytes, utf8 } from './bytes.ts';
import type { HandshakeFrame, Hello, Proof, Proofs } from './handshake-frames.ts';
import { decodeHandshakeFrame, encodeHandshakeFrame } from './handshake-frames.ts';
import type { LinkOptions } from './link.ts';
import { SealedLink } from './link.ts';
import type { NamespaceKeys } from './namespace.ts';

export type HandshakeOptions = {
  readonly initiator: boolean;
  readonly local: HostId;
  readonly remote: HostId;
  /** Primary first. */
  readonly ring: readonly NamespaceKeys[];
  readonly nameTag: string;
  /** 32 fresh bytes. */
  readonly random: Uint8Array;
  readonly link: LinkOptions;
};

/**
 * The membership gate of one link. Both sides say hello; the initiator proves each secret of its
 * ring; the responder picks one that it has too and proves it, or refuses. The initiator goes
 * first, so that nobody gets proofs, and with them a way to try passphrases, by dialling (Z34).
 *
 * A proof is an HMAC over the transcript: both hosts (which the transport has authenticated), both
 * hellos to the last byte, the protocol, and the prover's role. It fits no other link, no other
 * pair of hosts, and not the other direction.
 */
export class SecretHandshake implements Handshake {
  readonly #options: HandshakeOptions;
  readonly #hello: Uint8Array;
  #state: State = { type: 'hello' };

  constructor(options: HandshakeOptions) {
    checkHost(options.local);
    checkHost(options.remote);
    this.#options = options;
    this.#hello = encodeHandshakeFrame({
      type: 'hello',
      protocolMin,
      protocolMax,
      topic: primaryOf(options.ring).topicBytes,
      nameTag: hexToBytes(options.nameTag),
      random: options.random,
    });
  }

  first(): Uint8Array {
    return this.#hello.slice();
  }

  receive(frame: Uint8Array): HandshakeStep {
    if (this.#state.type === 'failed') throw this.#state.error;
    try {
      return this.#step(frame);
    } catch (error) {
      this.#state = { type: 'failed', error };
      throw error;
    }
  }

  #step(bytes: Uint8Array): HandshakeStep {
    const state = this.#state;
    const frame = decodeHandshakeFrame(bytes);
    if (frame.type === 'refusal' && state.type !== 'done') {
      throw new QuorateError(
        'BAD_SECRET',
        `Cannot open the link to ${this.#options.remote}: it holds no secret of this side`,
      );
    }
    switch (state.type) {
      case 'hello':
        if (frame.type === 'hello') return this.#onHello(frame, bytes);
        break;
      case 'proofs':
        if (frame.type === 'proofs') return this.#onProofs(frame, state.agreed);
        break;
      case 'proof':
        if (frame.type === 'proof') return this.#onProof(frame, state.agreed);
        break;
      case 'done':
      case 'failed':
        break;
    }
    throw unexpected(state, frame);
  }

  #onHello(hello: Hello, bytes: Uint8Array): HandshakeStep {
    const { initiator, local, remote, nameTag, random, ring } = this.#options;
    if (bytesToHex(hello.nameTag) !== nameTag) {
      throw badRequest(
        `host ${remote} is of another namespace: its name tag is ${bytesToHex(hello.nameTag)}, wanted ${nameTag}`,
      );
    }
    if (equalBytes(hello.random, random)) {
      throw badRequest(`host ${remote} sent back this side's own hello`);
    }
    const protocol = Math.min(protocolMax, hello.protocolMax);
    if (
      hello.protocolMin > hello.protocolMax ||
      protocol < Math.max(protocolMin, hello.protocolMin)
    ) {
      throw badRequest(
        `host ${remote} speaks protocols ${hello.protocolMin} to ${hello.protocolMax}, wanted one of ${protocolMin} to ${protocolMax}`,
      );
    }
    const initiatorHost = initiator ? local : remote;
    const responderHost = initiator ? remote : local;
    const transcript = sha256(
      concatBytes(
        utf8('quorate/1 handshake\0'),
        uintBytes(protocol, 2),
        lengthPrefixed(initiatorHost),
        lengthPrefixed(responderHost),
        sha256(initiator ? this.#hello : bytes),
        sha256(initiator ? bytes : this.#hello),
      ),
    );
    const agreed: Agreed = {
      protocol,
      initiatorHost,
      responderHost,
      initiatorRandom: initiator ? random : hello.random,
      responderRandom: initiator ? hello.random : random,
      transcript,
    };
    if (!initiator) {
      this.#state = { type: 'proofs', agreed };
      return { reply: null, done: null };
    }
    this.#state = { type: 'proof', agreed };
    const proofs = ring.map((keys) => proofOf(keys, 'initiator', transcript));
    return { reply: encodeHandshakeFrame({ type: 'proofs', proofs }), done: null };
  }

  #onProofs(frame: Proofs, agreed: Agreed): HandshakeStep {
    for (const keys of this.#options.ring) {
      const wanted = proofOf(keys, 'initiator', agreed.transcript);
      const index = frame.proofs.findIndex((proof) => equalBytes(proof, wanted));
      if (index < 0) continue;
      const proof = proofOf(keys, 'responder', agreed.transcript);
      return {
        reply: encodeHandshakeFrame({ type: 'proof', index, proof }),
        done: this.#finish(keys, agreed),
      };
    }
    throw new QuorateError(
      'BAD_SECRET',
      `Cannot accept the link of ${this.#options.remote}: it proved none of the ${this.#options.ring.length} secrets of this side`,
      { details: { reply: encodeHandshakeFrame({ type: 'refusal' }) } },
    );
  }

  #onProof(frame: Proof, agreed: Agreed): HandshakeStep {
    const keys = this.#options.ring[frame.index];
    if (
      keys === undefined ||
      !equalBytes(frame.proof, proofOf(keys, 'responder', agreed.transcript))
    ) {
      throw new QuorateError(
        'BAD_SECRET',
        `Cannot open the link to ${this.#options.remote}: it did not prove the secret that it chose`,
        { details: { reply: encodeHandshakeFrame({ type: 'refusal' }) } },
      );
    }
    return { reply: null, done: this.#finish(keys, agreed) };
  }

  #finish(keys: NamespaceKeys, agreed: Agreed): SealedLink {
    this.#state = { type: 'done' };
    const { secret, topicBytes } = keys;
    const { initiator, link } = this.#options;
    return new SealedLink({ ...agreed, secret, topicBytes }, initiator, link);
  }
}

/** The protocols that this release speaks. */
export const protocolMin = 1;
export const protocolMax = 1;

/** What the hellos settle. */
type Agreed = {
  readonly protocol: number;
  readonly initiatorHost: HostId;
  readonly responderHost: HostId;
  readonly initiatorRandom: Uint8Array;
  readonly responderRandom: Uint8Array;
  readonly transcript: Uint8Array;
};

/** Named by what is waited for. */
type State =
  | { readonly type: 'hello' }
  | { readonly type: 'proofs'; readonly agreed: Agreed }
  | { readonly type: 'proof'; readonly agreed: Agreed }
  | { readonly type: 'done' }
  | { readonly type: 'failed'; readonly error: unknown };

function proofOf(
  keys: NamespaceKeys,
  role: 'initiator' | 'responder',
  transcript: Uint8Array,
): Uint8Array {
  return hmac(sha256, keys.proofKey, concatBytes(utf8(`quorate/1 ${role}\0`), transcript));
}

function primaryOf(ring: readonly NamespaceKeys[]): NamespaceKeys {
  const primary = ring[0];
  if (primary === undefined) throw new RangeError('Cannot use an empty ring: wanted a secret');
  return primary;
}

function checkHost(host: HostId): void {
  if (host.length === 0 || host.length > hostCharactersMax) {
    throw new RangeError(
      `Cannot name a host with ${host.length} characters: wanted 1 to ${hostCharactersMax}`,
    );
  }
}

function unexpected(state: State, frame: HandshakeFrame): QuorateError {
  return badRequest(
    `it sent ${frame.type}, wanted ${state.type === 'done' ? 'no more' : state.type}`,
  );
}

function badRequest(reason: string): QuorateError {
  return new QuorateError('BAD_REQUEST', `Cannot go on with a handshake: ${reason}`);
}

const hostCharactersMax = 128;
