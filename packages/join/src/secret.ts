import { systemRandom } from '@quorate/contracts';
import { generateSecret } from '@quorate/crypto/secret-text';

/** A fresh secret for a namespace, as text: what `quorate secret generate` prints. */
export function createSecret(): string {
  return generateSecret(systemRandom);
}
