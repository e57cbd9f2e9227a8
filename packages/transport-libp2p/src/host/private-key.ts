/** The key pair that makes a host the same host. */
import { generateKeyPair, privateKeyFromProtobuf, privateKeyToProtobuf } from '@libp2p/crypto/keys';
import type { PrivateKey } from '@libp2p/interface';

/** The bytes of a new key pair (Ed25519, libp2p's protobuf form). Whoever has them is this host. */
export async function generatePrivateKey(): Promise<Uint8Array> {
  return privateKeyToProtobuf(await generateKeyPair('Ed25519'));
}

/** Throws TypeError for bytes that are no key. */
export async function readPrivateKey(bytes: Uint8Array | undefined): Promise<PrivateKey> {
  if (bytes === undefined) return generateKeyPair('Ed25519');
  try {
    return privateKeyFromProtobuf(bytes);
  } catch (cause) {
    throw new TypeError('Cannot read the private key, wanted the bytes of generatePrivateKey()', {
      cause,
    });
  }
}
