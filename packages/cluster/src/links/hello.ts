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
import { givenUpCountMax } from '@quorate/contracts';
import type { Announcement, HostId } from '@quorate/contracts';
import { earlierCountMax, heardCountMax } from './link-memory.ts';
import type { HeardRun, LinkProof } from './link-memory.ts';
import {
  openingFrom,
  pastFrom,
  proofFrom,
  refusedFrom,
  runIdFrom,
  witnessesFrom,
} from './witness-records.ts';
import type { Opening, RefusedBranch, Witness, WitnessedRun } from './witness-records.ts';

/** What a replica says of the room that it has (T20). */
export type RoomFacts = {
  /** Its disk is full. */
  readonly full: boolean;
  /** It leads, and takes no commands but those that free room. */
  readonly refuses: boolean;
};

/** One replica as its host presents it. */
export type RunFacts = WitnessedRun & {
  /** Null while it is fresh: a member of nothing yet (Z12). */
  readonly clusterId: string | null;
  readonly label: string;
} & Partial<RoomFacts>;

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
  /** Branches that this host does not hear any more, and nobody should (Z38). */
  readonly refused: readonly RefusedBranch[];
  /** What each of `runs`, in their order, has of this moment: never less than it said before (Z72). */
  readonly present: readonly Opening[];
  readonly link: LinkProof;
  /** Runs of the receiver's host, as this one remembers them. */
  readonly heard: readonly HeardRun[];
};

export function encodeHello(hello: Hello): Uint8Array {
  return encodeCbor({ version: 3, ...hello });
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
    refused: refusedFrom(map['refused']),
    present: asArray(map['present'], 'present', 64).map(openingFrom),
    link: linkFrom(map['link']),
    heard: asArray(map['heard'], 'heard', heardCountMax).map(heardFrom),
  };
}

function linkFrom(value: unknown): LinkProof {
  const map = asMap(value, 'link');
  return {
    random: asText(map['random'], 'random', 32),
    earlier: asArray(map['earlier'], 'earlier', earlierCountMax).map((random) =>
      asText(random, 'random', 32),
    ),
  };
}

function heardFrom(value: unknown): HeardRun {
  const map = asMap(value, 'heard run');
  return {
    nodeId: asId(map['nodeId'], 'nodeId'),
    nonce: asText(map['nonce'], 'nonce', 32),
    random: asText(map['random'], 'random', 32),
    forgot: asBoolean(map['forgot'], 'forgot'),
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
    ...runIdFrom(map),
    past: pastFrom(map['past']),
    givenUp: asArray(map['givenUp'], 'givenUp', givenUpCountMax).map(runIdFrom),
    clusterId: asNullable(map['clusterId'], (id) => asId(id, 'clusterId')),
    generation: asInteger(map['generation'], 'generation'),
    label: asText(map['label'], 'label', 64),
    durable: asBoolean(map['durable'], 'durable'),
    full: map['full'] === true,
    refuses: map['refuses'] === true,
    opening: openingFrom(map['opening']),
    proof: proofFrom(map['proof']),
  };
}
