/**
 * What a cluster's founder decides for everybody: part of entry 1, replicated, the same on every
 * member.
 */
import {
  asBoolean,
  asInteger,
  asMap,
  asText,
  type CborMap,
  QuorateError,
} from '@quorate/contracts';
import { checkValue, flag, integer, takeOptions, word } from '@quorate/contracts/options';
import type { Kinds } from '@quorate/contracts/options';

/** See `Policy.voting`. */
export type Voting = 'auto' | 'anchors' | 'everyone';

export type Policy = {
  /**
   * Who votes. An anchor is a Node member with a disk. `auto`: once there is one, anchors only, so that
   * a sleeping laptop cannot stop the cluster; pages as long as there is none. An anchor that joins
   * voting pages earns its vote by a minute's uptime. `anchors`: pages never, but for a founder until
   * the first anchor is in. `everyone`: both alike. Default `auto`.
   */
  readonly voting: Voting;
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
  /** … as far as they weigh no more than so many bytes. Default 16 MiB. */
  readonly trailingBytes: number;
  /**
   * Bytes of entries kept beyond that for a follower that is being brought up to date by a snapshot.
   * Writes slow to the pace of one that votes or is about to; another one starts again later.
   * Default 64 MiB.
   */
  readonly catchUpBytes: number;
  /**
   * Reads that ask for `lease` may be answered by a leader without a round trip (Z23). It costs
   * speed elsewhere: hints that a leader died are not taken, and a member that restarted does not vote
   * for an election timeout. Default false.
   */
  readonly leaseReads: boolean;
  /**
   * Writes wait until so many durable replicas, voting or not, hold all that is committed (Z14). Once
   * that many did, it is never asked again. Default 1: the founder's own copy will do.
   */
  readonly expect: number;
};

export const defaultPolicy: Policy = {
  voting: 'auto',
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
  trailingBytes: 16 * 1024 * 1024,
  catchUpBytes: 64 * 1024 * 1024,
  leaseReads: false,
  expect: 1,
};

const votings: readonly Voting[] = ['auto', 'anchors', 'everyone'];

const kinds: Kinds = {
  ...Object.fromEntries(Object.keys(defaultPolicy).map((name) => [name, integer(1)])),
  trailingEntries: integer(0),
  trailingBytes: integer(0),
  leaseReads: flag,
  voting: word(...votings),
  maxVoters: word(1, 3, 5),
};

/** Completes and checks a founder's wishes. Throws `TypeError` or `RangeError` naming the field. */
export function createPolicy(wishes?: Partial<Policy>): Policy {
  const given: Partial<Policy> = takeOptions(wishes, kinds, action, 'policy.');
  const policy: Policy = { ...defaultPolicy, ...given };
  const { electionTimeoutMsMin, heartbeatMs } = policy;
  const mustReach = (name: keyof Policy, least: number): void =>
    checkValue(policy[name], integer(least), action, `policy.${name}`);
  mustReach('electionTimeoutMsMax', electionTimeoutMsMin + 1);
  // At least two heartbeats.
  mustReach('electionTimeoutMsMin', 2 * heartbeatMs);
  return policy;
}

const action = 'found a cluster';

function isVoting(value: unknown): value is Voting {
  return votings.includes(value as Voting);
}

/** What every member must know of its cluster before anything else: the context of entry 1. */
export type Genesis = {
  readonly clusterId: string;
  /** 1 for a founded cluster; above the lost one's for one that was restored in its place (Z50). */
  readonly generation: number;
  readonly namespace: string;
  readonly founder: string;
  /** Where its claim was decided (Z9): a register's group, or `isolated`. */
  readonly register: string;
  /** What entries and snapshots may contain (Z21). */
  readonly featureLevel: number;
  /** The cluster whose backup this one was restored from (Z52); absent where it was founded. */
  readonly restoredFrom?: string;
  readonly policy: Policy;
};

/** The newest feature level that this release writes and understands. */
export const featureLevel = 2;

/** A policy of level 1 asked for nothing but the founder's own copy. */
const expectOfLevel1 = 1;

/** What each member does by itself, so that it needs no feature level of its own. */
const laterNames: ReadonlySet<string> = new Set(['trailingBytes', 'catchUpBytes']);

export function genesisToCbor(genesis: Genesis): CborMap {
  return { ...genesis, policy: { ...genesis.policy } };
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
  const { leaseReads: _, voting: __, expect: ___, ...numbers } = defaultPolicy;
  for (const name of Object.keys(numbers)) {
    // Founders of earlier releases did not say; who reads no more than those ignores them.
    if (stored[name] === undefined && laterNames.has(name)) continue;
    wishes[name] = asInteger(stored[name], name);
  }
  wishes['expect'] = level === 1 ? expectOfLevel1 : asInteger(stored['expect'], 'expect');
  const leaseReads = asBoolean(stored['leaseReads'], 'leaseReads');
  return {
    clusterId: asText(map['clusterId'], 'clusterId', 32),
    generation: asInteger(map['generation'], 'generation'),
    namespace: asText(map['namespace'], 'namespace', 64),
    founder: asText(map['founder'], 'founder', 64),
    register: asText(map['register'], 'register', 256),
    featureLevel: level,
    ...(map['restoredFrom'] === undefined
      ? {}
      : { restoredFrom: asText(map['restoredFrom'], 'restoredFrom', 32) }),
    policy: createPolicy({ ...wishes, leaseReads, voting: asVoting(stored['voting']) }),
  };
}

/** What the cluster remembers of each member, so that one that is away can still be named. */
export type MemberFacts = {
  readonly label: string;
  readonly durable: boolean;
  /** Where it runs: a page may be gone at any time. */
  readonly runtime: Runtime;
  /** What it shares its fate with (Z16): a browser profile, a machine. Empty: with nobody. */
  readonly domain: string;
  /** False: it never wants a vote. */
  readonly mayVote: boolean;
};

export type Runtime = 'node' | 'page';

export function memberFactsFromCbor(value: unknown): MemberFacts {
  const map = asMap(value, 'member');
  return {
    label: asText(map['label'], 'label', 64),
    durable: asBoolean(map['durable'], 'durable'),
    runtime: asRuntime(map['runtime']),
    domain: asText(map['domain'], 'domain', 128),
    mayVote: asBoolean(map['mayVote'], 'mayVote'),
  };
}

function asVoting(value: unknown): Voting {
  if (isVoting(value)) return value;
  throw new QuorateError('BAD_REQUEST', `Cannot read policy.voting ${String(value)}`);
}

function asRuntime(value: unknown): Runtime {
  if (value === 'node' || value === 'page') return value;
  throw new QuorateError('BAD_REQUEST', `Cannot read a member of runtime ${String(value)}`);
}
