/**
 * Majorities, plain and joint (§6): in a joint membership a decision needs a majority of the
 * incoming and a majority of the outgoing voters. Learners count nowhere.
 */
import type { Membership, NodeId } from './types.ts';

/** The largest index that a quorum has reached; 0 when nobody votes. */
export function quorumIndex(membership: Membership, indexOf: (id: NodeId) => number): number {
  if (membership.voters.length === 0) return 0;
  const incoming = majorityIndex(membership.voters, indexOf);
  if (membership.votersOutgoing.length === 0) return incoming;
  return Math.min(incoming, majorityIndex(membership.votersOutgoing, indexOf));
}

/** Whether those for whom `holds` is true form a quorum; false when nobody votes. */
export function isQuorum(membership: Membership, holds: (id: NodeId) => boolean): boolean {
  return quorumIndex(membership, (id) => (holds(id) ? 1 : 0)) === 1;
}

export type VoteResult = 'won' | 'lost' | 'pending';

/** The outcome of an election; `votes` may hold answers of people who do not vote. */
export function voteResult(
  membership: Membership,
  votes: ReadonlyMap<NodeId, boolean>,
): VoteResult {
  if (isQuorum(membership, (id) => votes.get(id) === true)) return 'won';
  return isQuorum(membership, (id) => votes.get(id) !== false) ? 'pending' : 'lost';
}

function majorityIndex(voters: readonly NodeId[], indexOf: (id: NodeId) => number): number {
  const indexes: number[] = [];
  for (const voter of voters) {
    const index = indexOf(voter);
    // Insertion sort, descending: there are a handful of voters.
    let at = indexes.length;
    while (at > 0 && (indexes[at - 1] as number) < index) at--;
    indexes.splice(at, 0, index);
  }
  // The majority's last member: position 0 of 1, 1 of 2, 1 of 3, 2 of 4, 2 of 5.
  return indexes[Math.floor(voters.length / 2)] as number;
}
