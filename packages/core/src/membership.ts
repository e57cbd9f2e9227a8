/**
 * Who counts (§6, thesis §4.3). A change of voters always passes through a joint membership, in
 * which both the old and the new voters must agree; a change of learners alone needs no joint step.
 */
import type { Membership, NodeId } from './types.ts';

/** What a change wants to end at. Order and duplicates do not matter. */
export type MembershipTarget = {
  readonly voters: readonly NodeId[];
  readonly learners: readonly NodeId[];
};

/** The membership of a replica that knows of nobody: it never campaigns. */
export const emptyMembership: Membership = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
};

/** A plain, not joint membership with sorted lists. */
export function plainMembership(target: MembershipTarget): Membership {
  return {
    voters: sortedUnique(target.voters),
    votersOutgoing: [],
    learners: sortedUnique(target.learners),
    learnersNext: [],
  };
}

export function isJoint(membership: Membership): boolean {
  return membership.votersOutgoing.length > 0;
}

/** Whether `nodeId` votes, in the incoming or in the outgoing half. */
export function isVoter(membership: Membership, nodeId: NodeId): boolean {
  return membership.voters.includes(nodeId) || membership.votersOutgoing.includes(nodeId);
}

export function isMember(membership: Membership, nodeId: NodeId): boolean {
  return isVoter(membership, nodeId) || membership.learners.includes(nodeId);
}

/** Everybody in the membership, sorted, each once. */
export function membersOf(membership: Membership): NodeId[] {
  return sortedUnique([
    ...membership.voters,
    ...membership.votersOutgoing,
    ...membership.learners,
    ...membership.learnersNext,
  ]);
}

/**
 * The first membership on the way from `current` to `target`: a joint one if the voters differ,
 * else `target` itself. Null when `target` is invalid or changes nothing, or `current` is joint.
 */
export function beginChange(current: Membership, target: MembershipTarget): Membership | null {
  if (isJoint(current)) return null;
  const goal = plainMembership(target);
  if (describeInvalid(goal) !== null || sameMembership(current, goal)) return null;
  if (sameList(current.voters, goal.voters)) return goal;
  // An outgoing voter stays a voter until the joint membership ends (M6).
  return {
    voters: goal.voters,
    votersOutgoing: current.voters,
    learners: goal.learners.filter((id) => !current.voters.includes(id)),
    learnersNext: goal.learners.filter((id) => current.voters.includes(id)),
  };
}

/** What a joint membership becomes once it is committed. */
export function leaveJoint(joint: Membership): Membership {
  return plainMembership({
    voters: joint.voters,
    learners: [...joint.learners, ...joint.learnersNext],
  });
}

export function sameMembership(a: Membership, b: Membership): boolean {
  return (
    sameList(a.voters, b.voters) &&
    sameList(a.votersOutgoing, b.votersOutgoing) &&
    sameList(a.learners, b.learners) &&
    sameList(a.learnersNext, b.learnersNext)
  );
}

/** Why nobody may have written `membership`, or null when it is well formed. */
export function describeInvalid(membership: Membership): string | null {
  const { voters, votersOutgoing, learners, learnersNext } = membership;
  if (voters.length === 0) return 'no voters';
  for (const list of [voters, votersOutgoing, learners, learnersNext]) {
    if (list.length > membersMax) return `more than ${membersMax} members in a list`;
    if (!isSortedUnique(list)) return 'a list is not sorted or has duplicates';
  }
  const votes = new Set([...voters, ...votersOutgoing]);
  if (learners.some((id) => votes.has(id))) return 'somebody is voter and learner';
  if (learnersNext.some((id) => !votersOutgoing.includes(id) || voters.includes(id))) {
    return 'a next learner is not only an outgoing voter';
  }
  return null;
}

/**
 * The memberships in the log, newest in force even while uncommitted (§6). Invariant: indexes
 * strictly ascend and the first one lies at or below the snapshot.
 */
export class MembershipHistory {
  #steps: MembershipStep[];

  constructor(base: MembershipStep) {
    this.#steps = [base];
  }

  get current(): MembershipStep {
    return this.#steps.at(-1) as MembershipStep;
  }

  /** The one before `current`; itself where there is none. */
  get previous(): MembershipStep {
    return this.#steps.at(-2) ?? this.current;
  }

  /** The one in force at `index`, which must not lie before the last snapshot. */
  at(index: number): MembershipStep {
    let found = this.#steps[0] as MembershipStep;
    for (const step of this.#steps) if (step.index <= index) found = step;
    return found;
  }

  push(step: MembershipStep): void {
    this.#steps.push(step);
  }

  /** Forgets those at or after `index`: the earlier one is in force again (M3). */
  truncateFrom(index: number): void {
    while (this.#steps.length > 1 && this.current.index >= index) this.#steps.pop();
  }

  /** Forgets those that a snapshot at `index` made unreachable. */
  compactTo(index: number): void {
    const base = this.at(index);
    this.#steps = this.#steps.filter((step) => step.index >= base.index);
  }

  reset(base: MembershipStep): void {
    this.#steps = [base];
  }
}

/** A membership and the index of the entry that made it. */
export type MembershipStep = { readonly index: number; readonly membership: Membership };

/** Members in one list of a membership. */
export const membersMax: number = 4096;

function sortedUnique(ids: readonly NodeId[]): NodeId[] {
  return [...new Set(ids)].sort(compareIds);
}

// By code unit, never by locale: members must agree on the order.
function compareIds(a: NodeId, b: NodeId): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isSortedUnique(ids: readonly NodeId[]): boolean {
  for (let i = 1; i < ids.length; i++) {
    if (compareIds(ids[i - 1] as NodeId, ids[i] as NodeId) >= 0) return false;
  }
  return true;
}

function sameList(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}
