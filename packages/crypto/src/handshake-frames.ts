import { QuorateError } from '@quorate/contracts';
import { concatBytes, uintBytes } from './bytes.ts';
import { nameTagBytes, topicBytesCount } from './namespace.ts';
import { ringSecretsMax } from './secret.ts';

/**
 * The four frames of a handshake. This file is the only reader of what strangers send before they
 * have proved anything: every length is checked, everything else is `BAD_REQUEST`.
 *
 *     hello    1 | protocolMin (2) | protocolMax (2) | topic (32) | nameTag (16) | random (32) | …
 *     proofs   2 | count (1) | count × proof (32)
 *     proof    3 | index (1) | proof (32)
 *     refusal  4 | reason (1): 1 = bad secret
 *
 * A hello may be longer, up to 1 KiB: later releases add to it, and what follows is skipped here,
 * yet covered by the transcript.
 */
export type HandshakeFrame = Hello | Proofs | Proof | Refusal;

export type Hello = {
  readonly type: 'hello';
  readonly protocolMin: number;
  readonly protocolMax: number;
  readonly topic: Uint8Array;
  readonly nameTag: Uint8Array;
  readonly random: Uint8Array;
};

/** The initiator's: one for each secret of its ring, primary first. */
export type Proofs = { readonly type: 'proofs'; readonly proofs: readonly Uint8Array[] };

/** The responder's, for the secret behind `proofs[index]`. */
export type Proof = { readonly type: 'proof'; readonly index: number; readonly proof: Uint8Array };

/** Somebody of the same namespace holds another secret. */
export type Refusal = { readonly type: 'refusal' };

export function encodeHandshakeFrame(frame: HandshakeFrame): Uint8Array {
  switch (frame.type) {
    case 'hello':
      return concatBytes(
        Uint8Array.of(helloCode),
        uintBytes(frame.protocolMin, 2),
        uintBytes(frame.protocolMax, 2),
        frame.topic,
        frame.nameTag,
        frame.random,
      );
    case 'proofs':
      return concatBytes(Uint8Array.of(proofsCode, frame.proofs.length), ...frame.proofs);
    case 'proof':
      return concatBytes(Uint8Array.of(proofCode, frame.index), frame.proof);
    case 'refusal':
      return Uint8Array.of(refusalCode, badSecretReason);
  }
}

/** Throws `BAD_REQUEST` for anything but one whole frame. The result shares no memory with it. */
export function decodeHandshakeFrame(frame: Uint8Array): HandshakeFrame {
  const bytes = frame.length;
  switch (frame[0] ?? 0) {
    case helloCode:
      if (bytes >= helloBytes && bytes <= helloBytesMax) return decodeHello(frame);
      break;
    case proofsCode: {
      const count = frame[1] ?? 0;
      if (count < 1 || count > ringSecretsMax || bytes !== 2 + count * proofBytes) break;
      const proofs = Array.from({ length: count }, (_, index) =>
        frame.slice(2 + index * proofBytes, 2 + (index + 1) * proofBytes),
      );
      return { type: 'proofs', proofs };
    }
    case proofCode:
      if (bytes !== 2 + proofBytes) break;
      return { type: 'proof', index: frame[1] ?? 0, proof: frame.slice(2) };
    case refusalCode:
      if (bytes === 2 && frame[1] === badSecretReason) return { type: 'refusal' };
      break;
  }
  throw new QuorateError(
    'BAD_REQUEST',
    `Cannot read a handshake frame of ${bytes} bytes and type ${frame[0] ?? 'none'}: wanted hello, proofs, proof or refusal`,
  );
}

export const randomBytesCount = 32;
export const proofBytes = 32;

function decodeHello(frame: Uint8Array): Hello {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  const topicAt = 5;
  const nameTagAt = topicAt + topicBytesCount;
  const randomAt = nameTagAt + nameTagBytes;
  return {
    type: 'hello',
    protocolMin: view.getUint16(1),
    protocolMax: view.getUint16(3),
    topic: frame.slice(topicAt, nameTagAt),
    nameTag: frame.slice(nameTagAt, randomAt),
    random: frame.slice(randomAt, randomAt + randomBytesCount),
  };
}

const helloCode = 1;
const proofsCode = 2;
const proofCode = 3;
const refusalCode = 4;
const badSecretReason = 1;
const helloBytes: number = 5 + topicBytesCount + nameTagBytes + randomBytesCount;
const helloBytesMax = 1_024;
