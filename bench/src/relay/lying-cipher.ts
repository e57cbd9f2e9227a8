/** What a liar seals with: records of the right length, none of which is signed. */
import type { Cipher } from '@quorate/contracts';
import { systemRandom } from '@quorate/contracts';
import { createCipher } from '@quorate/crypto';

export function lyingCipher(namespace: string): Cipher {
  const cipher = createCipher({ namespace, secrets: 'public', random: systemRandom });
  return {
    topic: cipher.topic,
    nameTag: cipher.nameTag,
    overheadBytes: cipher.overheadBytes,
    handshake: cipher.handshake.bind(cipher),
    openRecord: cipher.openRecord.bind(cipher),
    sealRecord: () => systemRandom(recordBytes),
  };
}

export const recordBytes = 600;
