/** What a person or a program sees of a member: one immutable snapshot per change. */
import type { NodeId, Role } from '@quorate/core';
import type { ErrorCode, LinkKind } from '@quorate/contracts';
import type { Runtime } from '../state/policy.ts';

/**
 * `starting` opens the disk; `discovering` asks the register; `joining` waits to be taken in, to
 * catch up, or for the copies that the policy expects; `electing` knows the members but no leader; `ready`; `read-only`: fewer than a majority
 * of the voters reachable; `outdated`, `stopped` and `server` are final.
 */
export type Phase =
  | 'starting'
  | 'discovering'
  | 'joining'
  | 'electing'
  | 'ready'
  | 'read-only'
  | 'outdated'
  | 'stopped'
  | 'server';

export type MemberInfo = {
  readonly nodeId: NodeId;
  readonly label: string;
  readonly kind: 'voter' | 'learner';
  /** Heard from within two election timeouts, as this member sees it; itself always. */
  readonly reachable: boolean;
  readonly leader: boolean;
  readonly self: boolean;
  readonly durable: boolean;
  /** Where it runs. */
  readonly runtime: Runtime;
  /** How this member is linked to it; null: no link. */
  readonly link: LinkKind | null;
  /** As of the last change of anything else: its digits alone are none. */
  readonly roundTripMs: number | null;
  /** Known at the leader only; null elsewhere. */
  readonly matchIndex: number | null;
};

export type MissingMember = {
  readonly nodeId: NodeId;
  readonly label: string;
  /** When it was last heard, in Unix milliseconds by this machine's clock; null if never by this run. */
  readonly lastSeenAt: number | null;
};

/** Two branches of one replica's history are about: a backup that was put back, or a copy (Z48). */
export type ForkInfo = {
  readonly nodeId: NodeId;
  readonly label: string;
  /** The hosts of both: of the one that is heard here, and of the other one. */
  readonly hosts: readonly [string, string];
  readonly message: string;
};

export type RaftStatus = {
  readonly role: Role | 'learner' | 'none';
  readonly term: number;
  readonly leader: NodeId | null;
  readonly commitIndex: number;
  readonly appliedIndex: number;
  readonly firstIndex: number;
  readonly lastIndex: number;
  readonly snapshotIndex: number;
  readonly epoch: number;
  readonly time: number;
  readonly clock: string;
  readonly counters: Readonly<Record<string, number>>;
};

export type ClusterStatus = {
  readonly namespace: string;
  readonly clusterId: string | null;
  readonly generation: number;
  readonly nodeId: NodeId | null;
  readonly label: string;
  readonly phase: Phase;
  /**
   * A write now would be taken, if need be after an election; false until this member has joined, and
   * while full disks leave no majority: then only deletions are (`STORAGE_FULL`).
   */
  readonly canWrite: boolean;
  /**
   * What is not as it should be, also where writes go on: `STORAGE_FULL` and `STORAGE_SLOW` may be of
   * this member's own disk alone.
   */
  readonly reason: ErrorCode | null;
  /** One sentence for a person. */
  readonly message: string;
  /** Voters that cannot be reached. */
  readonly missing: readonly MissingMember[];
  readonly durability: 'disk' | 'best-effort' | 'memory';
  /** Replicas known to hold everything committed; where another member leads, the voters in reach. */
  readonly copies: number;
  readonly pendingWrites: number;
  /** What the register says in place of naming this cluster, in words; null while it names it (Z41). */
  readonly registerLost: string | null;
  readonly members: readonly MemberInfo[];
  /** Copies and backups of replicas that somebody opened, as far as this member has seen. */
  readonly forks: readonly ForkInfo[];
  /**
   * The cluster that this member belonged to until the register named a later generation (Z52): its
   * data are an archive, and this member came in as a new one. Left out where that did not happen.
   */
  readonly archived?: { readonly clusterId: string; readonly generation: number };
  readonly raft: RaftStatus;
};
