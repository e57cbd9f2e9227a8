import type { DeriveOptions } from '@quorate/crypto';

/** `deriveSecret` of a page: what it takes is loaded when it is called, for few pages ever do. */
export async function deriveSecret(
  passphrase: string,
  namespace: string,
  options: DeriveOptions = {},
): Promise<Uint8Array> {
  const crypto = await import('@quorate/crypto');
  return crypto.deriveSecret(passphrase, namespace, options);
}
