/** What a fresh replica asks of a member, and what it is told: the bytes of `join`. */
import type { NodeId } from '@quorate/core';
import { asBytes, asMap, decodeCborMap, encodeCbor } from '@quorate/contracts';
import { genesisFromCbor, genesisToCbor } from '../state/policy.ts';
import type { Genesis, MemberFacts } from '../state/policy.ts';

export function encodeJoinRequest(nodeId: NodeId, facts: MemberFacts): Uint8Array {
  return encodeCbor({ nodeId, facts: { ...facts } });
}

export function decodeJoinRequest(body: Uint8Array): { nodeId: string; facts: unknown } {
  const map = decodeCborMap(body);
  return { nodeId: String(map['nodeId']), facts: map['facts'] };
}

export function encodeJoinAnswer(genesis: Genesis): Uint8Array {
  return encodeCbor(genesisToCbor(genesis));
}

/** Errors: `OUTDATED`, of a feature level that this code does not know. */
export function decodeJoinAnswer(answer: Uint8Array): Genesis {
  return genesisFromCbor(asMap(decodeCborMap(asBytes(answer, 'answer')), 'genesis'));
}
