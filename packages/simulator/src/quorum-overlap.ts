/** Whether two memberships can decide without each other: the one thing no change may allow. */
import type { Membership, NodeId } from '@quorate/core';

/**
 * Whether every set of replicas that is a quorum of `a` shares one with every set that is a quorum of
 * `b`. By trying all: memberships have few voters, and nothing clever is to be trusted here.
 */
export function quorumsOverlap(a: Membership, b: Membership): boolean {
  const voters = [...new Set([...votersOf(a), ...votersOf(b)])];
  for (let set = 0; set < 2 ** voters.length; set++) {
    const inside = new Set(voters.filter((_, position) => (set >> position) & 1));
    const outside = new Set(voters.filter((id) => !inside.has(id)));
    if (isQuorum(a, inside) && isQuorum(b, outside)) return false;
  }
  return true;
}

function votersOf({ voters, votersOutgoing }: Membership): NodeId[] {
  return [...voters, ...votersOutgoing];
}

function isQuorum({ voters, votersOutgoing }: Membership, set: ReadonlySet<NodeId>): boolean {
  return (
    isMajority(voters, set) && (votersOutgoing.length === 0 || isMajority(votersOutgoing, set))
  );
}

function isMajority(voters: readonly NodeId[], set: ReadonlySet<NodeId>): boolean {
  return voters.filter((id) => set.has(id)).length * 2 > voters.length;
}
