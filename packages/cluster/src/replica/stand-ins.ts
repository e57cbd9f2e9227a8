/**
 * Who could take the vote of a member that stops, as they say themselves just now (T14): a link may be
 * dead and not look so, and a vote that is handed to nobody ends the cluster.
 */
import type { NodeId, Raft } from '@quorate/core';
import { ByteReader, ByteWriter, isQuorateError, QuorateError, sleep } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import type { RunFacts } from '../links/hello.ts';
import type { RequestOptions } from '../links/rpc.ts';
import type { Policy } from '../state/policy.ts';
import type { ReplicatedState } from '../state/replicated-state.ts';

export type StandInsOptions = {
  readonly clock: Clock;
  readonly network: {
    factsOf(nodeId: NodeId): RunFacts | null;
    request(
      to: NodeId,
      method: string,
      body: Uint8Array,
      options: RequestOptions,
    ): Promise<Uint8Array>;
  };
  readonly raft: Raft;
  readonly policy: Policy;
  readonly state: ReplicatedState;
  readonly signal: AbortSignal;
};

/** Durable learners that answer within an election timeout that they hold all that is committed. */
export async function findStandIns(options: StandInsOptions): Promise<ReadonlySet<NodeId>> {
  const { raft, state, policy, clock } = options;
  const { membership, commitIndex } = raft.status();
  const untilMs = clock.now() + policy.electionTimeoutMsMin;
  const found = new Set<NodeId>();
  const ask = async (nodeId: NodeId): Promise<void> => {
    if (state.members.get(nodeId)?.durable !== true) return;
    try {
      if (await stands(options, nodeId, commitIndex, untilMs)) found.add(nodeId);
    } catch (error) {
      if (!isQuorateError(error)) throw error;
    }
  };
  await Promise.all(membership.learners.map(ask));
  return found;
}

/** It may lag behind by what is under way, and is asked again. */
async function stands(
  { clock, network, policy, signal }: StandInsOptions,
  nodeId: NodeId,
  commitIndex: number,
  untilMs: number,
): Promise<boolean> {
  for (;;) {
    const known = network.factsOf(nodeId);
    const timeoutMs = untilMs - clock.now();
    if (known === null || timeoutMs <= 0 || signal.aborted) return false;
    const answer = await network.request(nodeId, 'standing', noBytes, { timeoutMs, signal });
    const reader = new ByteReader(answer);
    // The run that is linked, and so the disk that was heard of.
    if (reader.varint() !== known.epoch || reader.hex(8) !== known.nonce) return false;
    if (reader.varint() >= commitIndex) return true;
    await sleep(clock, policy.tickMs, signal);
  }
}

/** Which run this is, and how much of the log its disk holds. */
export function encodeStanding(run: RunFacts | null, raft: Raft): Uint8Array {
  if (run === null) throw new QuorateError('CLOSED', 'This member was closed');
  const { durableIndex } = raft.status();
  return new ByteWriter(24).varint(run.epoch).hex(run.nonce).varint(durableIndex).finish();
}

const noBytes = new Uint8Array(0);
