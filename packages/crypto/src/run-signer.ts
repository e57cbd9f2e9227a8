import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, hexToBytes } from '@noble/hashes/utils.js';
import type { RunSigner } from '@quorate/contracts';
import { concatBytes, utf8 } from './bytes.ts';

/**
 * Replicas whose identity is an ed25519 key pair (Z39). A NodeId is the head of the hash of the public
 * key, so nobody can claim one without that key; a proof is the public key and a signature.
 */
export const runSigner: RunSigner = {
  create: (random) => {
    const seed = random(seedBytes);
    return { nodeId: nodeIdOf(ed25519.getPublicKey(seed)), key: bytesToHex(seed) };
  },
  sign: (key, statement) => {
    const seed = hexToBytes(key);
    return concatBytes(ed25519.getPublicKey(seed), ed25519.sign(signed(statement), seed));
  },
  verify: (nodeId, statement, proof) => {
    if (proof.length !== publicKeyBytes + signatureBytes) return false;
    const publicKey = proof.subarray(0, publicKeyBytes);
    if (nodeIdOf(publicKey) !== nodeId) return false;
    const signature = proof.subarray(publicKeyBytes);
    try {
      return ed25519.verify(signature, signed(statement), publicKey, { zip215: false });
    } catch {
      // No point on the curve, or no number below its order: nobody's signature.
      return false;
    }
  },
};

function nodeIdOf(publicKey: Uint8Array): string {
  return bytesToHex(sha256(concatBytes(utf8('quorate/1 replica\0'), publicKey)).subarray(0, 16));
}

function signed(statement: Uint8Array): Uint8Array {
  return concatBytes(utf8('quorate/1 run\0'), statement);
}

const seedBytes = 32;
const publicKeyBytes = 32;
const signatureBytes = 64;
