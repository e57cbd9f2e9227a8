/**
 * Whose word counts, and how far (Z40, Z47). Answers are filtered: only who was asked is heard.
 * Requests are judged as in plain Raft, for a filter on them would stop lawful candidates and
 * returning members; but no word of anybody takes a term far, and none but a quorum's ends this
 * replica.
 */
import { termLimit, termStepMax } from './codec/limits.ts';
import type { Doubt, Machine } from './machine.ts';
import { isMember } from './membership.ts';
import type { Message } from './message.ts';
import type { RefusalKind } from './ready.ts';
import type { NodeId } from './types.ts';

/** Tells the driver that `message` was not heard. */
export function refuse(m: Machine, kind: RefusalKind, reason: string, message: Message): void {
  if (m.refused.length < refusedCountMax) m.refused.push({ kind, reason, message });
}

/** The term that a message of `term` may take this member to. */
export function reachableTerm(m: Machine, term: number): number {
  return Math.min(term, m.currentTerm + termStepMax, Math.max(m.currentTerm, termLimit));
}

/**
 * Enters the later term of `message`, whose sender leads it where `leads`. False when that is too
 * far: one step was taken, so that honest members far behind converge, and the rest is not heard.
 */
export function entersTerm(m: Machine, message: Message, leads: boolean): boolean {
  const term = reachableTerm(m, message.term);
  if (term === message.term) {
    m.becomeFollower(term, leads ? message.from : null);
    return true;
  }
  const { currentTerm } = m;
  if (term > currentTerm) m.becomeFollower(term, null);
  refuse(
    m,
    'far-term',
    `Cannot follow term ${currentTerm} by ${message.term}: wanted at most ${term}`,
    message,
  );
  return false;
}

/** Z47: an answer counts, and so does its term, only from a replica that was asked. */
export function wasAsked(m: Machine, message: Message): boolean {
  const { from } = message;
  const { leadership, role } = m;
  if (leadership !== null) {
    // Present, outgoing and just departed members: whom a leader asks.
    if (leadership.progress.has(from)) return true;
  } else if (role === 'follower') {
    // Who leads may be of no membership known here; then its term is not believed.
    const asked = message.type === 'ReadIndexResponse' && from === m.leader;
    if (asked && (message.term === m.currentTerm || isMember(m.membership, from))) return true;
  } else if (m.asked.has(from)) return true;
  // A member's answer may be late; a stranger's was never asked for.
  const { current, previous } = m.memberships;
  if (!isMember(current.membership, from) && !isMember(previous.membership, from)) {
    refuse(m, 'unasked', `Cannot count an answer of ${from}: it was not asked`, message);
  }
  return false;
}

/** What this member holds against `from` in the present term; null: nothing. */
export function doubtOf(m: Machine, from: NodeId): Doubt | null {
  const { doubt } = m;
  return doubt?.term === m.currentTerm && doubt.leader === from ? doubt : null;
}

/** Refusals told in one `Ready`; a driver that is flooded need not hear of each. */
const refusedCountMax = 256;
