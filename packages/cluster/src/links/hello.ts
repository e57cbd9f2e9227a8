/**
 * What a host says of itself on a link, once both sides have proved the secret: the runs it hosts
 * (Z1) and where it and its acquaintances can be reached. Unknown fields are skipped (Z21).
 */
import type { NodeId } from '@quorate/core';
import {
  asArray,
  asBoolean,
  asId,
  asInteger,
  asMap,
  asNullable,
  asText,
  decodeCborMap,
  encodeCbor,
} from '@quorate/contracts';
import type { Announcement, HostId, Run } from '@quorate/contracts';
import { openingFrom, witnessesFrom } from './witnesses.ts';
import type { Opening, Witness } from './witnesses.ts';

/** One replica as its host presents it. */
export type RunFacts = Run & {
  /** Null while it is fresh: a member of nothing yet (Z12). */
  readonly clusterId: string | null;
  readonly generation: number;
  readonly label: string;
  readonly durable: boolean;
  readonly opening: Opening;
};

export type Hello = {
  readonly host: HostId;
  readonly addresses: readonly string[];
  readonly runs: readonly RunFacts[];
  /** Whom this host believes to lead, a hint. */
  readonly leader: NodeId | null;
  /** Other hosts of the namespace it knows, hints. */
  readonly acquaintances: readonly Announcement[];
  /** What this host knows of replicas, so that one of them can tell that it was rolled back (Z3). */
  readonly witnesses: readonly Witness[];
};

export function encodeHello(hello: Hello): Uint8Array {
  return encodeCbor({ version: 1, ...hello });
}

export function decodeHello(bytes: Uint8Array): Hello {
  const map = decodeCborMap(bytes);
  return {
    host: asText(map['host'], 'host', 128),
    addresses: addressesFrom(map['addresses']),
    runs: asArray(map['runs'], 'runs', 64).map(runFrom),
    leader: asNullable(map['leader'], (id) => asId(id, 'leader')),
    acquaintances: announcementsFrom(map['acquaintances']),
    witnesses: witnessesFrom(map['witnesses']),
  };
}

export function announcementsFrom(value: unknown): Announcement[] {
  return asArray(value, 'acquaintances', 256).map((item) => {
    const map = asMap(item, 'acquaintance');
    return {
      host: asText(map['host'], 'host', 128),
      addresses: addressesFrom(map['addresses']),
    };
  });
}

function addressesFrom(value: unknown): string[] {
  return asArray(value, 'addresses', 32).map((address) => asText(address, 'address', 512));
}

function runFrom(value: unknown): RunFacts {
  const map = asMap(value, 'run');
  return {
    nodeId: asId(map['nodeId'], 'nodeId'),
    epoch: asInteger(map['epoch'], 'epoch'),
    nonce: asText(map['nonce'], 'nonce', 32),
    clusterId: asNullable(map['clusterId'], (id) => asId(id, 'clusterId')),
    generation: asInteger(map['generation'], 'generation'),
    label: asText(map['label'], 'label', 64),
    durable: asBoolean(map['durable'], 'durable'),
    opening: openingFrom(map['opening']),
  };
}
