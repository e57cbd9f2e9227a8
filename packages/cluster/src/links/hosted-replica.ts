/** What a host needs of a replica that it runs. */
import type { Message, NodeId } from '@quorate/core';
import type { ActiveCluster, HostId, QuorateError, RunId } from '@quorate/contracts';
import type { RunFacts } from './hello.ts';
import type { RpcRequest } from './rpc.ts';
import type { Opening } from './witness-records.ts';

/** Somebody knows a branch of a replica's history that its run does not come from (Z48). */
export type Fork = {
  readonly nodeId: NodeId;
  /** Where the run is that goes on, or the only one that was seen, and where the other one is. */
  readonly host: HostId;
  readonly otherHost: HostId;
  /** What was found, for a person. */
  readonly message: string;
};

/** What others hold against a run that is hosted here. */
export type Charge = {
  readonly error: QuorateError;
  /** The host that says so. */
  readonly by: HostId;
  /** Of one that votes, or did, by the accused's own log: only that may end it (Z54). */
  readonly byVoter: boolean;
  /** Runs of the replica that the other side knows in this one's place. */
  readonly others: readonly RunId[];
  /** Where they live, as far as is known. */
  readonly otherHost: HostId;
};

export interface HostedReplica {
  readonly nodeId: NodeId;
  facts(): RunFacts;
  /** What it has of this moment: at least what it ever said it had. */
  present(): Opening;
  leader(): NodeId | null;
  /**
   * Whether a replica is a member that comes back to the host that ran it last: null while this one
   * is a member of nothing and cannot know.
   */
  returns(nodeId: NodeId): boolean | null;
  /** The cluster that this replica is a member of, once that acknowledges; null: none (Z41). */
  cluster(): ActiveCluster | null;
  /** A message, and the run that says it. */
  receive(message: Message, sender: RunFacts): void;
  receiveBulk(from: NodeId, body: Uint8Array): void;
  /** A peer's run is linked, or is not any more. `newRun`: its epoch or nonce was not seen before. */
  linked(facts: RunFacts, newRun: boolean): void;
  unlinked(nodeId: NodeId): void;
  /** Does this replica's log know of `nodeId` as a voter, now or earlier? */
  knowsVoter(nodeId: NodeId): boolean;
  /** Does it go on whatever is said of it: is its silence over, and a majority linked (Z48)? */
  isIncumbent(): boolean;
  /** A peer knows more of this replica than its disk does: this run must end, or say so (Z3, Z38). */
  disowned(charge: Charge): void;
  /** Others remember of this very run what it does not: it was put back with its memory (Z72). */
  reverted(error: QuorateError): void;
  /** Two branches of a replica are about, this one's or another's. */
  forkSeen(fork: Fork): void;
  answer(request: RpcRequest, signal: AbortSignal): Promise<Uint8Array>;
}
