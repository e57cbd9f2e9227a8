/** The records that witnesses keep and say, and their way through hellos and caches. */
import type { NodeId } from '@quorate/core';
import {
  asArray,
  asBytes,
  asId,
  asInteger,
  asMap,
  asNullable,
  asText,
  isRefusalCode,
  pastCountMax,
  QuorateError,
} from '@quorate/contracts';
import type { HostId, Mark, Run, RunId } from '@quorate/contracts';
import type { History } from './branch.ts';

/** What a run found on its disk when it began: with less than it once promised it must not go on. */
export type Opening = {
  readonly term: number;
  /** For whom it had voted in that term. */
  readonly votedFor: NodeId | null;
  /** Where its log, or the snapshot below it, ended. */
  readonly lastIndex: number;
};

/** A run as it presents itself. */
export type WitnessedRun = Run & {
  readonly generation: number;
  readonly durable: boolean;
  readonly opening: Opening;
  /** What its replica's key says of it and its host (Z39); null where there are no keys. */
  readonly proof: Uint8Array | null;
};

/** What somebody knows of one replica. */
export type Witness = History & {
  readonly nodeId: NodeId;
  /** Of the cluster that it was met in: with a new one all that was sworn ends (Z54). */
  readonly generation: number;
  /** Where the run lived. */
  readonly host: HostId;
  /** The highest term that was durable there. */
  readonly term: number;
  /** Its last vote for the member that remembers it. */
  readonly grant: { readonly term: number; readonly to: NodeId } | null;
  /** It acknowledged the log of a leader up to here, and that much is committed. */
  readonly heldIndex: number;
  /** The run's own, of the host above (Z39). */
  readonly proof: Uint8Array | null;
};

/** A branch of a replica's history that is not heard any more (Z38, Z48). */
export type RefusedBranch = {
  readonly nodeId: NodeId;
  readonly generation: number;
  readonly code: Mark['code'];
  /** The first run that is known to be of it, and the last one that was refused. */
  readonly root: RunId;
  readonly tip: RunId;
  readonly host: HostId;
  /** The run before the tip, and the tip's own proof of that and of its host (Z39). */
  readonly before: string | null;
  readonly proof: Uint8Array | null;
  /** The run that was known when it was refused, and where it lived. */
  readonly instead: RunId | null;
  readonly insteadHost: HostId | null;
};

export function openingFrom(value: unknown): Opening {
  const map = asMap(value, 'opening');
  return {
    term: asInteger(map['term'], 'term'),
    votedFor: asNullable(map['votedFor'], (id) => asId(id, 'votedFor')),
    lastIndex: asInteger(map['lastIndex'], 'lastIndex'),
  };
}

export function witnessesFrom(value: unknown): Witness[] {
  return asArray(value, 'witnesses', witnessesSaidMax).map((item) => {
    const map = asMap(item, 'witness');
    return {
      nodeId: asId(map['nodeId'], 'nodeId'),
      ...runIdFrom(map),
      past: pastFrom(map['past']),
      generation: asInteger(map['generation'], 'generation'),
      host: asText(map['host'], 'host', 128),
      term: asInteger(map['term'], 'term'),
      grant: asNullable(map['grant'], (grant) => {
        const fields = asMap(grant, 'grant');
        return { term: asInteger(fields['term'], 'term'), to: asId(fields['to'], 'to') };
      }),
      heldIndex: asInteger(map['heldIndex'], 'heldIndex'),
      proof: proofFrom(map['proof']),
    };
  });
}

export function refusedFrom(value: unknown): RefusedBranch[] {
  return asArray(value, 'refused', refusedCountMax).map((item) => {
    const map = asMap(item, 'refused branch');
    return {
      nodeId: asId(map['nodeId'], 'nodeId'),
      generation: asInteger(map['generation'], 'generation'),
      code: codeFrom(map['code']),
      root: runIdFrom(map['root']),
      tip: runIdFrom(map['tip']),
      before: asNullable(map['before'], (nonce) => asText(nonce, 'before', 32)),
      proof: proofFrom(map['proof']),
      host: asText(map['host'], 'host', 128),
      instead: asNullable(map['instead'], runIdFrom),
      insteadHost: asNullable(map['insteadHost'], (host) => asText(host, 'insteadHost', 128)),
    };
  });
}

export function runIdFrom(value: unknown): RunId {
  const map = asMap(value, 'run');
  return { epoch: asInteger(map['epoch'], 'epoch'), nonce: asText(map['nonce'], 'nonce', 32) };
}

export function proofFrom(value: unknown): Uint8Array | null {
  return asNullable(value, (item) => {
    const proof = asBytes(item, 'proof');
    if (proof.length <= proofBytesMax) return proof;
    throw new QuorateError('BAD_REQUEST', `Cannot read a proof of ${proof.length} bytes`);
  });
}

export function pastFrom(value: unknown): string[] {
  return asArray(value, 'past', pastCountMax).map((nonce) => asText(nonce, 'nonce', 32));
}

function codeFrom(value: unknown): Mark['code'] {
  if (isRefusalCode(value)) return value;
  throw new QuorateError('BAD_REQUEST', `Cannot read a refusal of kind ${String(value)}`);
}

/** Voters stand first and are few: a hello of any member of a cluster stays within this. */
const witnessesSaidMax = 1_024;
export const refusedCountMax = 1_024;

/** Of any scheme; see `RunSigner`. */
const proofBytesMax = 128;
