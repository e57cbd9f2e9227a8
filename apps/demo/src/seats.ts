/**
 * Who sits at the ring. Members of the cluster are replicas; people see tabs and processes. Several
 * replicas in one tab are one seat: they carry its label, those beside the first with a number.
 */
import type { MemberInfo } from 'quorate';

export type Seat = {
  readonly key: string;
  readonly name: string;
  readonly kind: 'tab' | 'node';
  readonly role: 'leader' | 'follower' | 'learner';
  /** Replicas in it that vote. */
  readonly votes: number;
  readonly self: boolean;
  readonly reachable: boolean;
  readonly link: MemberInfo['link'];
  readonly roundTripMs: number | null;
  /** Index of the last entry that is known to be on its disk; null: not known here. */
  readonly position: number | null;
};

export type SeatsOptions = {
  /** Positions in the log by NodeId, as others tell them. */
  readonly positions: ReadonlyMap<string, number>;
  /** True where each member is a seat of its own. */
  readonly apart: boolean;
};

/** Sorted: members in Node.js, then tabs, each by name. */
export function seatsOf(members: readonly MemberInfo[], options: SeatsOptions): readonly Seat[] {
  const groups = new Map<string, MemberInfo[]>();
  for (const member of members) {
    const key = options.apart ? member.nodeId : tabOf(member.label);
    groups.set(key, [...(groups.get(key) ?? []), member]);
  }
  return [...groups]
    .map(([key, group]) => seatOf(key, group, options))
    .sort((a, b) => compare(a.kind, b.kind) || compare(a.name, b.name) || compare(a.key, b.key));
}

/** The tab that a label belongs to. */
export function tabOf(label: string): string {
  return label.replace(/ \(\d+\)$/, '');
}

export function leaderOf(seats: readonly Seat[]): Seat | null {
  return seats.find(({ role }) => role === 'leader') ?? null;
}

function seatOf(key: string, group: readonly MemberInfo[], options: SeatsOptions): Seat {
  const linked = group.find(({ link }) => link !== null);
  const voters = group.filter(({ kind }) => kind === 'voter');
  const positions = group
    .map(({ nodeId, matchIndex }) => matchIndex ?? options.positions.get(nodeId) ?? null)
    .filter((index) => index !== null);
  return {
    key,
    name: tabOf(group[0]?.label ?? key),
    kind: group.some(({ runtime }) => runtime === 'node') ? 'node' : 'tab',
    role: roleOf(group),
    votes: voters.length,
    self: group.some(({ self }) => self),
    reachable: group.some(({ reachable }) => reachable),
    link: linked?.link ?? null,
    roundTripMs: linked?.roundTripMs ?? null,
    position: positions.length === 0 ? null : Math.max(...positions),
  };
}

function roleOf(group: readonly MemberInfo[]): Seat['role'] {
  if (group.some(({ leader }) => leader)) return 'leader';
  return group.some(({ kind }) => kind === 'voter') ? 'follower' : 'learner';
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
