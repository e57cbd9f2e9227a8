/**
 * Who should vote, as a pure function of what the leader sees. It moves seats one joint change at a
 * time and never proposes what SAFETY Z16, Z18 and Z19 forbid.
 */
import type { NodeId } from '@quorate/core';
import type { Runtime, Voting } from '../state/policy.ts';

/** One member as the leader sees it. */
export type Seat = {
  readonly nodeId: NodeId;
  readonly voter: boolean;
  readonly durable: boolean;
  readonly runtime: Runtime;
  /** What it shares its fate with (Z16), the widest first: `zone a/host b`. Empty: with nobody. */
  readonly domain: string;
  /** False: it never wants a vote. */
  readonly mayVote: boolean;
  /** Milliseconds since it was last heard, or since this term began; 0 for the leader itself. */
  readonly silentMs: number;
  /** For how long this leader has heard it without a break. */
  readonly uptimeMs: number;
  /** It spoke to this leader within an election timeout (Z19): more than the benefit of a doubt. */
  readonly heard: boolean;
  /** Durable up to the commit index of a moment ago (Z19). */
  readonly caughtUp: boolean;
  /** It asked to be removed. */
  readonly leaving: boolean;
  /** What was last seen of it is a run that nobody hears any more (Z55). */
  readonly refused: boolean;
  /** It is about to stop and asks that its vote moves to another member first (Z18). */
  readonly vacating: boolean;
};

export type PlanOptions = {
  readonly seats: readonly Seat[];
  readonly leader: NodeId;
  readonly maxVoters: number;
  readonly voting: Voting;
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
  const { seats } = options;
  const present = seats.filter((seat) => seat.voter);
  const staying = present.filter((seat) => !mustGo(seat, options));
  const next = staying.map((seat) => seat.nodeId);
  const candidates = seats.filter((seat) => mayVote(seat, options));
  while (next.length < present.length && candidates.length > 0) {
    next.push(takeBest(candidates, next, options));
  }
  // Seats nobody can take: one who asked to leave goes all the same, a silent one keeps its seat,
  // unless it yields to members that may vote in its place (Z16).
  const someoneVotes = seats.some((seat) => next.includes(seat.nodeId));
  const vacant = present.filter((seat) => !staying.includes(seat) && !seat.leaving);
  for (const seat of vacant.filter((one) => !someoneVotes || !yields(one, options))) {
    if (next.length < present.length) next.push(seat.nodeId);
  }
  while (next.length + 2 <= options.maxVoters && candidates.length >= 2 && next.length % 2 === 1) {
    next.push(takeBest(candidates, next, options));
    next.push(takeBest(candidates, next, options));
  }
  return spread(shrinkToOdd(next, options), candidates, options);
}

function mustGo(seat: Seat, options: PlanOptions): boolean {
  if (seat.leaving || seat.vacating || !seat.mayVote) return true;
  return seat.silentMs >= options.replaceAfterMs || yields(seat, options);
}

/** It votes only as long as nobody better can: memory before disks, pages before anchors (Z16). */
function yields(seat: Seat, options: PlanOptions): boolean {
  const { seats, voting } = options;
  const canVote = (one: Seat): boolean =>
    one.durable && one.caughtUp && one.mayVote && !one.leaving;
  if (!seat.durable) return seats.some(canVote);
  if (voting === 'everyone' || seat.runtime === 'node') return false;
  return seats.some((one) => isEstablished(one, options) && one.heard && canVote(one));
}

function mayVote(seat: Seat, options: PlanOptions): boolean {
  if (seat.voter || seat.leaving || seat.vacating || !seat.mayVote) return false;
  if (!seat.caughtUp || !seat.heard) return false;
  const { seats, voting } = options;
  const votersExist = seats.some((one) => one.voter);
  if (!seat.durable) return !votersExist || !seats.some((one) => one.durable);
  if (voting === 'everyone') return true;
  if (seat.runtime === 'node') return isEstablished(seat, options);
  // A page votes among pages; where anchors vote, or are to, it only listens.
  if (voting === 'anchors') return !votersExist;
  return !seats.some((one) => isEstablished(one, options));
}

/** An anchor whose vote counts: one that votes, or that has earned it among pages by its uptime. */
function isEstablished(seat: Seat, { seats, voting }: PlanOptions): boolean {
  if (seat.runtime !== 'node' || !seat.durable || !seat.mayVote || seat.leaving) return false;
  if (seat.voter || voting === 'anchors') return true;
  const pagesVote = seats.some((one) => one.voter && one.runtime === 'page' && one.durable);
  return !pagesVote || seat.uptimeMs >= earnedAfterMs;
}

/**
 * Z16: where there are three zones or more, none holds a majority, and then the same of three hosts or
 * profiles. Moves seats to candidates elsewhere, as far as there are any; the leader keeps its seat.
 */
function spread(voters: NodeId[], candidates: readonly Seat[], options: PlanOptions): NodeId[] {
  const everybody = [...voters, ...candidates.map((seat) => seat.nodeId)];
  const levels = widths.filter(
    (width) => new Set(everybody.map((id) => domainOf(id, width, options))).size >= 3,
  );
  let next = voters;
  if (next.length < 3) return next;
  for (;;) {
    const better = lessCrowded(next, candidates, levels, options);
    if (better === null) return next;
    next = better;
  }
}

/** One seat moved so that fewer are too many in one place; null where that cannot be had. */
function lessCrowded(
  voters: readonly NodeId[],
  candidates: readonly Seat[],
  levels: readonly Width[],
  options: PlanOptions,
): NodeId[] | null {
  const before = surplus(voters, levels, options);
  const free = candidates.filter((seat) => !voters.includes(seat.nodeId));
  const crowded = (id: NodeId): boolean =>
    levels.some((width) => load(id, voters, width, options) > voters.length / 2);
  for (const going of voters.filter((id) => id !== options.leader && crowded(id))) {
    for (const coming of rank(free, voters, options)) {
      const next = voters.map((id) => (id === going ? coming.nodeId : id)).sort(compare);
      if (surplus(next, levels, options) < before) return next;
    }
  }
  return null;
}

/** Seats beyond half of them in one place; one too many in a zone is worse than all in one host. */
function surplus(
  voters: readonly NodeId[],
  levels: readonly Width[],
  options: PlanOptions,
): number {
  const half = Math.floor(voters.length / 2);
  return levels.reduce((sum, width) => {
    const most = Math.max(...voters.map((id) => load(id, voters, width, options)));
    return sum + Math.max(0, most - half) * (width === 'zone' ? voters.length : 1);
  }, 0);
}

/** The best candidate leaves the list. */
function takeBest(candidates: Seat[], next: readonly NodeId[], options: PlanOptions): NodeId {
  const [best] = rank(candidates, next, options);
  if (best === undefined) throw new RangeError('Cannot take a seat: none is left');
  candidates.splice(candidates.indexOf(best), 1);
  return best.nodeId;
}

/** Disks before memory, zones and hosts with few seats before others, then who is here longest. */
function rank(seats: readonly Seat[], next: readonly NodeId[], options: PlanOptions): Seat[] {
  const weight = (seat: Seat, width: Width): number => load(seat.nodeId, next, width, options);
  return [...seats].sort(
    (a, b) =>
      Number(b.durable) - Number(a.durable) ||
      weight(a, 'zone') - weight(b, 'zone') ||
      weight(a, 'whole') - weight(b, 'whole') ||
      b.uptimeMs - a.uptimeMs ||
      compare(a.nodeId, b.nodeId),
  );
}

/** How many of `voters` share the failure domain of `nodeId`, as wide as a zone or the whole of it. */
function load(
  nodeId: NodeId,
  voters: readonly NodeId[],
  width: Width,
  options: PlanOptions,
): number {
  const domain = domainOf(nodeId, width, options);
  return voters.filter((id) => domainOf(id, width, options) === domain).length;
}

/** Who names no zone is one of its own. */
function domainOf(nodeId: NodeId, width: Width, { seats }: PlanOptions): string {
  const domain = seats.find((seat) => seat.nodeId === nodeId)?.domain ?? '';
  if (domain === '') return nodeId;
  return width === 'zone' ? (domain.split('/')[0] ?? domain) : domain;
}

function planLearners(options: PlanOptions, voters: readonly NodeId[]): NodeId[] {
  const learners: NodeId[] = [];
  for (const seat of options.seats) {
    if (voters.includes(seat.nodeId) || seat.leaving) continue;
    const forgetAfterMs = seat.durable ? options.forgetAfterMs : options.forgetMemoryAfterMs;
    // A voter that just lost its seat stays as a learner for its own grace period.
    if (!seat.voter && (seat.refused || seat.silentMs >= forgetAfterMs)) continue;
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

function sameSet(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((nodeId) => b.includes(nodeId));
}

function compare(a: NodeId, b: NodeId): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

type Width = 'zone' | 'whole';
const widths: readonly Width[] = ['zone', 'whole'];

/** An anchor among voting pages earns its vote in this time, so that trying one captures nothing. */
const earnedAfterMs = 60_000;
