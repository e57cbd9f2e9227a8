import { randomBytes } from 'node:crypto';
import { cipherConformance } from '@quorate/contracts/conformance';
import { createCipher, verifyRecord } from '@quorate/crypto';
import { nodeAes } from '@quorate/crypto/node';
import { sha256 } from '@noble/hashes/sha2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';
import { describe, test } from 'vitest';

for (const [name, accelerate] of [
  ['portable', undefined],
  ['accelerated by Node', nodeAes],
] as const) {
  describe(`cipher, ${name}`, () => {
    cipherConformance({
      test,
      create: ({ namespace, secrets }) =>
        createCipher({
          namespace,
          secrets: secrets.map((secret) => sha256(utf8ToBytes(secret))),
          random: (count) => Uint8Array.from(randomBytes(count)),
          ...(accelerate === undefined ? {} : { accelerate }),
        }),
      verify: verifyRecord,
      ordered: true,
      authentic: true,
    });
  });
}
