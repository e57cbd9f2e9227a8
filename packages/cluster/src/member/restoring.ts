/**
 * What a backup holds of the cluster, beside its state machine's part, and how a new cluster begins
 * with it (Z43, Z52): a store whose log starts with a snapshot, at index 1 of term 1, of which the new
 * replica is the only voter. Sessions, members and seats of before are not in it.
 */
import { plainMembership } from '@quorate/core';
import type { Chunks, LogStorage, RandomBytes } from '@quorate/contracts';
import { asInteger, asMap, hexFromBytes } from '@quorate/contracts';
import type { CborMap } from '@quorate/contracts';
import { genesisFromCbor, genesisToCbor } from '../state/policy.ts';
import type { Genesis, MemberFacts } from '../state/policy.ts';
import type { ReplicatedState } from '../state/replicated-state.ts';
import { snapshotHead } from '../state/replicated-state.ts';
import { SessionTable } from '../state/sessions.ts';
import { persistRestored } from '../replica/turn.ts';

/** The cluster at one index of its log. */
export type ClusterFacts = {
  readonly genesis: Genesis;
  readonly index: number;
  readonly term: number;
  /** Replicated time (Z24), which the restored cluster's goes on from. */
  readonly time: number;
};

/** What a member hands out for a backup; `facts` is what `factsFromCbor` reads. */
export type Captured<T> = { readonly facts: CborMap; readonly state: T };

/** The facts of `state` as they are now; null where nothing was applied to it. */
export function factsOf(state: ReplicatedState): CborMap | null {
  const { genesis, appliedIndex: index, appliedTerm: term, time } = state;
  return genesis === null ? null : { genesis: genesisToCbor(genesis), index, term, time };
}

/** Throws `OUTDATED` for a feature level that this release does not know, `BAD_REQUEST`. */
export function factsFromCbor(map: CborMap): ClusterFacts {
  return {
    genesis: genesisFromCbor(asMap(map['genesis'], 'genesis')),
    index: asInteger(map['index'], 'index'),
    term: asInteger(map['term'], 'term'),
    time: asInteger(map['time'], 'time'),
  };
}

export type Restored = {
  /** Of the cluster that the backup was taken from. */
  readonly facts: ClusterFacts;
  readonly clusterId: string;
  /** Above every counter that was ever given under this name (Z50). */
  readonly generation: number;
  /** Where the name was taken (Z9): a register's group, or `isolated`. */
  readonly register: string;
  /** The new cluster's only replica. */
  readonly founder: {
    readonly nodeId: string;
    /** Default: it has none (Z39). */
    readonly key?: string;
    readonly facts: MemberFacts;
  };
  /** The state machine's part of a snapshot. */
  readonly machine: Chunks;
};

/**
 * Writes the beginning of a restored cluster into an empty store and closes it; a member opened on it
 * leads alone. It counts as active, for its name is taken before it runs.
 */
export async function writeRestored(
  storage: LogStorage,
  restored: Restored,
  { random, topics }: { readonly random: RandomBytes; readonly topics: readonly string[] },
): Promise<void> {
  const { facts, clusterId, generation, register, founder, machine } = restored;
  const genesis: Genesis = {
    ...facts.genesis,
    clusterId,
    generation,
    register,
    founder: founder.nodeId,
    restoredFrom: facts.genesis.clusterId,
  };
  const head = snapshotHead({
    genesis,
    time: facts.time,
    activated: true,
    // As many copies as the policy asks for are asked for anew (Z14): the old ones are lost.
    formed: false,
    register: null,
    members: new Map([[founder.nodeId, founder.facts]]),
    left: [],
    // Z52: all sessions of before have ended.
    sessions: new SessionTable(),
  });
  const membership = plainMembership({ voters: [founder.nodeId], learners: [] });
  try {
    const nonce = hexFromBytes(random(8));
    const { nodeId: newNodeId, key: newKey = null } = founder;
    await storage.open({ create: true, newNodeId, newKey, nonce, topics });
    await storage.load();
    const meta = { term: 1, index: 1, membership, membershipIndex: 1 };
    await persistRestored(storage, meta, joined(head, machine));
  } finally {
    await storage.close();
  }
}

async function* joined(head: Uint8Array, machine: Chunks): AsyncIterable<Uint8Array> {
  yield head;
  yield* machine;
}
