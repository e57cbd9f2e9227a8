/**
 * Checked in production after every input. Cheap: a handful of comparisons, and one per peer while
 * leading. A broken one stops the machine, which turns a safety bug into a liveness bug.
 */
import { assert } from './assert.ts';
import type { Machine } from './machine.ts';

export function checkInvariants(m: Machine): void {
  const { log, leadership } = m;
  assert(log.prev.index <= log.lastApplied, 'prev.index <= lastApplied');
  assert((log.snapshot?.index ?? 0) <= log.lastApplied, 'snapshot.index <= lastApplied');
  assert(log.prev.index <= (log.snapshot?.index ?? 0), 'prev.index <= snapshot.index');
  assert(log.lastApplied <= log.handedIndex, 'lastApplied <= handedIndex');
  assert(log.handedIndex <= log.commitIndex, 'handedIndex <= commitIndex');
  assert(log.handedIndex <= log.durableIndex, 'handedIndex <= durableIndex');
  assert(log.commitIndex <= log.lastIndex, 'commitIndex <= lastIndex');
  assert(log.durableIndex < log.unstableFrom, 'durableIndex < unstableFrom');
  assert(log.unstableFrom <= log.lastIndex + 1, 'unstableFrom <= lastIndex + 1');
  assert(log.lastTerm <= m.currentTerm, 'lastEntry.term <= currentTerm');
  assert(m.memberships.current.index <= log.lastIndex, 'membershipIndex <= lastIndex');
  assert(m.persistedNumber <= m.batchNumber, 'persistedNumber <= batchNumber');
  assert(m.verifiedIndex <= log.lastIndex, 'verifiedIndex <= lastIndex');
  assert((m.role === 'leader') === (leadership !== null), 'a leader has a leadership');
  assert((m.role === 'leader') === (m.leader === m.nodeId), 'a leader knows that it leads');
  assert(!m.ackOwed || m.leader !== null, 'an acknowledgement is owed to a leader');
  if (m.role === 'candidate' || m.role === 'leader') {
    assert(m.votedFor === m.nodeId, 'who stands or leads voted for itself');
  }
  if (leadership === null) return;
  assert(leadership.uncommittedBytes >= 0, 'uncommittedBytes >= 0');
  assert(m.hardStateDurable, 'a leader leads in a durable term');
  for (const progress of leadership.progress.values()) {
    assert(progress.matchIndex < progress.nextIndex, 'matchIndex < nextIndex');
    assert(progress.matchIndex <= log.lastIndex, 'matchIndex <= lastIndex');
    assert(progress.nextIndex <= log.lastIndex + 1, 'nextIndex <= lastIndex + 1');
  }
}
