import { equalBytes, hashBytes, hexFromBytes } from '../bytes/bytes.ts';
import type { RunSigner } from '../run-signer.ts';

/**
 * Signs without any cryptography, for simulations and for tests within one process: what it signed it
 * knows, and nobody who has not the key can make one up. All who are to believe it share one.
 */
export function createPlainSigner(): RunSigner {
  const keys = new Map<string, string>();
  const proofOf = (key: string, statement: Uint8Array): Uint8Array =>
    utf8(String(hashBytes(utf8(`${key} ${hashBytes(statement)}`))));
  return {
    create: (random) => {
      const nodeId = hexFromBytes(random(16));
      const key = hexFromBytes(random(32));
      keys.set(nodeId, key);
      return { nodeId, key };
    },
    sign: proofOf,
    verify: (nodeId, statement, proof) => {
      const key = keys.get(nodeId);
      return key !== undefined && equalBytes(proofOf(key, statement), proof);
    },
  };
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
