/**
 * What a cluster's founder decides for everybody: part of entry 1, replicated, the same on every
 * member.
 */
import { asBoolean, asInteger, asMap, asText, type CborMap } from './cbor.ts';
import { QuorateError } from './errors.ts';

export type Policy = {
  /** Voters wanted at most: 1, 3 or 5. Default 5. */
  readonly maxVoters: number;
  /** Milliseconds of one tick of the core. Default 50. */
  readonly tickMs: number;
  /** Default 100. */
  readonly heartbeatMs: number;
  /** An election timeout is drawn from [min, max) milliseconds. Default 1,000. */
  readonly electionTimeoutMsMin: number;
  /** Default 2,000. */
  readonly electionTimeoutMsMax: number;
  /** A voter unreachable for so long is replaced by a caught-up learner. Default 10,000. */
  readonly replaceAfterMs: number;
  /** A learner unreachable for so long is forgotten. Default 600,000. */
  readonly forgetAfterMs: number;
  /** The same for a learner in memory, which cannot come back. Default 30,000. */
  readonly forgetMemoryAfterMs: number;
  /** A session unseen for so long in replicated time expires. Default 60,000. */
  readonly sessionLifetimeMs: number;
  /** A snapshot is taken after so many applied entries. Default 10,000. */
  readonly snapshotEntries: number;
  /** … or so many bytes of them. Default 32 MiB. */
  readonly snapshotBytes: number;
  /** Entries kept behind a snapshot for slow followers. Default 5,000. */
  readonly trailingEntries: number;
  /**
   * Reads that ask for `lease` may be answered by a leader without a round trip (Z23). It costs
   * speed elsewhere: hints that a leader died are not taken, and a member that restarted does not vote
   * for an election timeout. Default false.
   */
  readonly leaseReads: boolean;
};

export const defaultPolicy: Policy = {
  maxVoters: 5,
  tickMs: 50,
  heartbeatMs: 100,
  electionTimeoutMsMin: 1_000,
  electionTimeoutMsMax: 2_000,
  replaceAfterMs: 10_000,
  forgetAfterMs: 600_000,
  forgetMemoryAfterMs: 30_000,
  sessionLifetimeMs: 60_000,
  snapshotEntries: 10_000,
  snapshotBytes: 32 * 1024 * 1024,
  trailingEntries: 5_000,
  leaseReads: false,
};

/** Completes and checks a founder's wishes. Throws `RangeError` naming the field. */
export function createPolicy(wishes: Partial<Policy> = {}): Policy {
  const policy: Policy = { ...defaultPolicy, ...wishes };
  const { leaseReads, ...numbers } = policy;
  if (typeof leaseReads !== 'boolean') {
    throw new RangeError(
      `Cannot use policy.leaseReads ${String(leaseReads)}: wanted true or false`,
    );
  }
  for (const [name, value] of Object.entries(numbers)) {
    const least = name === 'trailingEntries' ? 0 : 1;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new RangeError(
        `Cannot use policy.${name} ${value}: wanted an integer from ${least} on`,
      );
    }
  }
  if (![1, 3, 5].includes(policy.maxVoters)) {
    throw new RangeError(`Cannot use policy.maxVoters ${policy.maxVoters}: wanted 1, 3 or 5`);
  }
  if (policy.electionTimeoutMsMax <= policy.electionTimeoutMsMin) {
    throw new RangeError(
      `Cannot use policy.electionTimeoutMsMax ${policy.electionTimeoutMsMax}: wanted more than ${policy.electionTimeoutMsMin}`,
    );
  }
  if (policy.electionTimeoutMsMin < 2 * policy.heartbeatMs) {
    throw new RangeError(
      `Cannot use policy.electionTimeoutMsMin ${policy.electionTimeoutMsMin}: wanted at least two heartbeats`,
    );
  }
  return policy;
}

/** What every member must know of its cluster before anything else: the context of entry 1. */
export type Genesis = {
  readonly clusterId: string;
  /** 1 for a founded cluster; grows by one with each recovery. */
  readonly generation: number;
  readonly namespace: string;
  readonly founder: string;
  /** Where its claim was decided (Z9): a register's group, or `isolated`. */
  readonly register: string;
  /** What entries and snapshots may contain (Z21). */
  readonly featureLevel: number;
  readonly policy: Policy;
};

/**
 * The newest feature level that this release writes and understands. 1: the first. 2: `leaseReads`,
 * whose promises every member has to keep.
 */
export const featureLevel = 2;

/** The lowest level at which everybody understands `policy`, so that nobody is left out needlessly. */
export function featureLevelOf(policy: Policy): number {
  return policy.leaseReads ? 2 : 1;
}

export function genesisToCbor(genesis: Genesis): CborMap {
  const { leaseReads, ...numbers } = genesis.policy;
  return { ...genesis, policy: { ...numbers, ...(leaseReads ? { leaseReads } : {}) } };
}

/** Throws `OUTDATED` when the cluster speaks a level that this release does not know (Z21). */
export function genesisFromCbor(map: CborMap): Genesis {
  const level = asInteger(map['featureLevel'], 'featureLevel');
  if (level > featureLevel) {
    throw new QuorateError(
      'OUTDATED',
      `Cannot take part at feature level ${level}: this release knows levels up to ${featureLevel}`,
    );
  }
  const wishes: Record<string, number> = {};
  const stored = asMap(map['policy'], 'policy');
  const { leaseReads: _, ...numbers } = defaultPolicy;
  for (const name of Object.keys(numbers)) wishes[name] = asInteger(stored[name], name);
  const leases = stored['leaseReads'];
  const leaseReads = leases === undefined ? false : asBoolean(leases, 'leaseReads');
  return {
    clusterId: asText(map['clusterId'], 'clusterId', 32),
    generation: asInteger(map['generation'], 'generation'),
    namespace: asText(map['namespace'], 'namespace', 64),
    founder: asText(map['founder'], 'founder', 64),
    register: asText(map['register'], 'register', 256),
    featureLevel: level,
    policy: createPolicy({ ...wishes, leaseReads }),
  };
}

/** What the cluster remembers of each member, so that one that is away can still be named. */
export type MemberFacts = {
  readonly label: string;
  readonly durable: boolean;
};

export function memberFactsFromCbor(value: unknown): MemberFacts {
  const map = asMap(value, 'member');
  return {
    label: asText(map['label'], 'label', 64),
    durable: asBoolean(map['durable'], 'durable'),
  };
}
