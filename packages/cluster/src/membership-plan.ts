/**
 * Who should vote, as a pure function of what the leader sees. It moves seats one joint change at a
 * time and never proposes what SAFETY Z16, Z18 and Z19 forbid.
 */
import type { NodeId } from '@quorate/core';

/** One member as the leader sees it. */
export type Seat = {
  readonly nodeId: NodeId;
  readonly voter: boolean;
  readonly durable: boolean;
  /** Milliseconds since it was last heard, or since this term began; 0 for the leader itself. */
  readonly silentMs: number;
  /** It spoke to this leader within an election timeout (Z19): more than the benefit of a doubt. */
  readonly heard: boolean;
  /** Durable up to the commit index of a moment ago (Z19). */
  readonly caughtUp: boolean;
  /** It asked to be removed. */
  readonly leaving: boolean;
  /** It is about to stop and asks that its vote moves to another member first (Z18). */
  readonly vacating: boolean;
};

export type PlanOptions = {
  readonly seats: readonly Seat[];
  readonly leader: NodeId;
  readonly maxVoters: number;
  readonly replaceAfterMs: number;
  readonly forgetAfterMs: number;
  readonly forgetMemoryAfterMs: number;
  /** Fresh replicas that asked to be taken in. */
  readonly joining: readonly NodeId[];
};

export type Plan = { readonly voters: readonly NodeId[]; readonly learners: readonly NodeId[] };

/** The membership to propose now, or null when nothing should or may change. */
export function planMembership(options: PlanOptions): Plan | null {
  const voters = planVoters(options);
  const learners = planLearners(options, voters);
  const before = options.seats;
  const votersBefore = before.filter((seat) => seat.voter).map((seat) => seat.nodeId);
  const learnersBefore = before.filter((seat) => !seat.voter).map((seat) => seat.nodeId);
  if (sameSet(voters, votersBefore)) {
    return sameSet(learners, learnersBefore) ? null : { voters: votersBefore, learners };
  }
  if (!votersMayChange(options, voters)) {
    // The seats must stay as they are; those who only listen may still come and go.
    const stay = planLearners(options, votersBefore);
    return sameSet(stay, learnersBefore) ? null : { voters: votersBefore, learners: stay };
  }
  return { voters, learners };
}

function planVoters(options: PlanOptions): NodeId[] {
  const seats = options.seats;
  const present = seats.filter((seat) => seat.voter);
  const staying = present.filter((seat) => !mustGo(seat, options, present));
  const candidates = seats
    .filter((seat) => mayVote(seat, options, present))
    .sort((a, b) => Number(b.durable) - Number(a.durable) || compare(a.nodeId, b.nodeId));
  const next = staying.map((seat) => seat.nodeId);
  while (next.length < present.length && candidates.length > 0) {
    next.push(take(candidates).nodeId);
  }
  // Seats nobody can take: one who asked to leave goes all the same, a silent one keeps its seat,
  // unless it is memory that yielded to a disk (Z16).
  const disksVote = seats.some((seat) => seat.durable && next.includes(seat.nodeId));
  const vacant = present.filter((seat) => !staying.includes(seat));
  for (const seat of vacant.filter((one) => !one.leaving && (one.durable || !disksVote))) {
    if (next.length < present.length) next.push(seat.nodeId);
  }
  while (next.length + 2 <= options.maxVoters && candidates.length >= 2 && next.length % 2 === 1) {
    next.push(take(candidates).nodeId, take(candidates).nodeId);
  }
  return shrinkToOdd(next, options);
}

function mustGo(seat: Seat, options: PlanOptions, present: readonly Seat[]): boolean {
  if (seat.leaving || seat.vacating) return true;
  if (seat.silentMs >= options.replaceAfterMs) return true;
  // Z16: memory votes only where nobody has a disk.
  return !seat.durable && options.seats.some((one) => one.durable && one.caughtUp && !one.leaving)
    ? present.length > 0
    : false;
}

function mayVote(seat: Seat, options: PlanOptions, present: readonly Seat[]): boolean {
  if (seat.voter || seat.leaving || seat.vacating || !seat.caughtUp) return false;
  if (!seat.heard) return false;
  return seat.durable || !options.seats.some((one) => one.durable) || present.length === 0;
}

function planLearners(options: PlanOptions, voters: readonly NodeId[]): NodeId[] {
  const learners: NodeId[] = [];
  for (const seat of options.seats) {
    if (voters.includes(seat.nodeId) || seat.leaving) continue;
    const forgetAfterMs = seat.durable ? options.forgetAfterMs : options.forgetMemoryAfterMs;
    // A voter that just lost its seat stays as a learner for its own grace period.
    if (!seat.voter && seat.silentMs >= forgetAfterMs) continue;
    learners.push(seat.nodeId);
  }
  for (const nodeId of options.joining) {
    if (!options.seats.some((seat) => seat.nodeId === nodeId)) learners.push(nodeId);
  }
  return learners.sort(compare);
}

/** Z18: steady states have 1, 3 or 5 voters; the leader and those it hears keep their seats. */
function shrinkToOdd(voters: readonly NodeId[], options: PlanOptions): NodeId[] {
  const ranked = [...voters].sort((a, b) => {
    if (a === options.leader || b === options.leader) return a === options.leader ? -1 : 1;
    const [heardA, heardB] = [isHeard(a, options), isHeard(b, options)];
    if (heardA !== heardB) return heardA ? -1 : 1;
    return silence(a, options) - silence(b, options) || compare(a, b);
  });
  const count = ranked.length % 2 === 1 ? ranked.length : ranked.length - 1;
  return ranked.slice(0, Math.max(count, 0)).sort(compare);
}

/** Z19, all of it that a proposer can know. */
function votersMayChange(options: PlanOptions, next: readonly NodeId[]): boolean {
  const before = options.seats.filter((seat) => seat.voter);
  const heard = (nodeId: NodeId): boolean => isHeard(nodeId, options);
  const majorityHeard = (ids: readonly NodeId[]): boolean =>
    ids.filter(heard).length > ids.length / 2;
  if (next.length === 0 || next.length % 2 === 0) return false;
  if (!majorityHeard(before.map((seat) => seat.nodeId)) || !majorityHeard(next)) return false;
  const leaving = before.filter((seat) => !next.includes(seat.nodeId));
  const lost = leaving.filter((seat) => !heard(seat.nodeId)).length;
  return lost <= (before.length - 1) / 2;
}

function isHeard(nodeId: NodeId, options: PlanOptions): boolean {
  return options.seats.find((seat) => seat.nodeId === nodeId)?.heard ?? false;
}

function silence(nodeId: NodeId, options: PlanOptions): number {
  return options.seats.find((seat) => seat.nodeId === nodeId)?.silentMs ?? Number.POSITIVE_INFINITY;
}

function take(seats: Seat[]): Seat {
  const seat = seats.shift();
  if (seat === undefined) throw new RangeError('Cannot take a seat: none is left');
  return seat;
}

function sameSet(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((nodeId) => b.includes(nodeId));
}

function compare(a: NodeId, b: NodeId): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
