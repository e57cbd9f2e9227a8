/** Records that are signed, not sealed: what the relay sees of the real cipher, and no more. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex, concatBytes, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js';
import { QuorateError } from '@quorate/contracts';
import type { Cipher, RecordPurpose, VerifyRecord } from '@quorate/contracts';

const signedPart = (purpose: RecordPurpose, version: number, value: Uint8Array): Uint8Array =>
  concatBytes(utf8ToBytes(`${purpose} ${version} `), value);

export const verifyRecord: VerifyRecord = (topic, purpose, version, record) => {
  try {
    const value = record.subarray(64);
    const key = hexToBytes(topic);
    return ed25519.verify(record.subarray(0, 64), signedPart(purpose, version, value), key);
  } catch {
    return false;
  }
};

export function testCipher(namespace: string, secret: string): Cipher {
  const key = sha256(utf8ToBytes(`${namespace}/${secret}`));
  const topic = bytesToHex(ed25519.getPublicKey(key));
  return {
    topic,
    nameTag: bytesToHex(sha256(utf8ToBytes(namespace))).slice(0, 32),
    overheadBytes: 0,
    handshake: () => {
      throw new Error('No link of these tests is sealed');
    },
    sealRecord: (purpose, version, value) =>
      concatBytes(ed25519.sign(signedPart(purpose, version, value), key), value),
    openRecord: (purpose, version, record) => {
      if (!verifyRecord(topic, purpose, version, record)) {
        throw new QuorateError('BAD_SECRET', 'Cannot open a record: not signed by this namespace');
      }
      return record.slice(64);
    },
  };
}
