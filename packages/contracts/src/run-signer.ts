import type { NodeId } from '@quorate/core';
import type { RandomBytes } from './clock.ts';

/**
 * Signs runs of replicas whose identity is a key pair (Z39): who holds a replica's key, and nobody
 * else, says that a run is one of its.
 */
export interface RunSigner {
  /** A new replica. Its id follows from its public key; `key` is the secret half, as hex digits. */
  create(random: RandomBytes): { readonly nodeId: NodeId; readonly key: string };
  /** A proof of `statement` by the replica with this key, at most 128 bytes. */
  sign(key: string, statement: Uint8Array): Uint8Array;
  /** Is `proof` one of `statement` by the replica of this id? Never throws. */
  verify(nodeId: NodeId, statement: Uint8Array, proof: Uint8Array): boolean;
}
