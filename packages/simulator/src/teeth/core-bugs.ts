/** Deliberate bugs of the consensus core. */
import type { Bug } from './bug.ts';

export const coreBugs: readonly Bug[] = [
  {
    id: 'grant-before-durable',
    what: 'a vote is granted before it is on disk',
    breaks: 'E1, Z22',
    suite: 'core',
    edits: [
      {
        file: 'core/src/follower.ts',
        find: 'if (m.grantOwedTo === null || !m.hardStateDurable) return;',
        replace: 'if (m.grantOwedTo === null) return;',
      },
    ],
  },
  {
    id: 'campaign-before-durable',
    what: 'a candidate asks for votes before its own is on disk',
    breaks: 'E1',
    suite: 'core',
    edits: [
      {
        file: 'core/src/candidate.ts',
        find: 'm.becomeCandidate(transfer);',
        replace:
          'm.becomeCandidate(transfer);\n  m.hardStateDirty = false;\n  releaseRequests(m);\n  m.hardStateDirty = true;',
      },
    ],
  },
  {
    id: 'forget-vote-at-restart',
    what: 'a restarted replica does not know whom it voted for',
    breaks: 'figure 2',
    suite: 'core',
    edits: [
      {
        file: 'core/src/machine.ts',
        find: 'this.votedFor = initial.hardState.votedFor;',
        replace: 'this.votedFor = null;',
      },
    ],
  },
  {
    id: 'two-votes-in-a-term',
    what: 'a second candidate of the same term gets a vote too',
    breaks: '§5.2',
    suite: 'core',
    edits: [
      {
        file: 'core/src/follower.ts',
        find: 'return m.votedFor === candidate || (m.votedFor === null && m.leader === null);',
        replace: 'return m.leader === null || m.votedFor === candidate;',
      },
      {
        file: 'core/src/follower.ts',
        find: 'if (m.votedFor === null) {\n      m.votedFor = message.from;',
        replace: 'if (m.votedFor !== message.from) {\n      m.votedFor = message.from;',
      },
    ],
  },
  {
    id: 'vote-for-an-old-log',
    what: 'a candidate whose log lacks committed entries gets a vote',
    breaks: '§5.4.1',
    suite: 'core',
    edits: [
      {
        file: 'core/src/follower.ts',
        find: 'const own = m.log.lastEntry;',
        replace: 'const own = { term: 0, index: 0 };',
      },
    ],
  },
  {
    id: 'compare-logs-by-length',
    what: 'the longer log wins, whatever its last term',
    breaks: 'E4',
    suite: 'core',
    edits: [
      {
        file: 'core/src/follower.ts',
        find: 'return last.term > own.term || (last.term === own.term && last.index >= own.index);',
        replace: 'return last.index >= own.index;',
      },
    ],
  },
  {
    id: 'count-a-learner',
    what: 'a learner counts towards the majority',
    breaks: 'E6',
    suite: 'core',
    edits: [
      {
        file: 'core/src/quorum.ts',
        find: 'const incoming = majorityIndex(membership.voters, indexOf);',
        replace:
          'const incoming = majorityIndex([...membership.voters, ...membership.learners], indexOf);',
      },
    ],
  },
  {
    id: 'one-half-of-a-joint-quorum',
    what: 'a joint membership decides with its incoming voters alone',
    breaks: '§6',
    suite: 'core',
    edits: [
      {
        file: 'core/src/quorum.ts',
        find: 'if (membership.votersOutgoing.length === 0) return incoming;',
        replace: 'return incoming;',
      },
    ],
  },
  {
    id: 'membership-when-committed',
    what: 'a truncated membership stays in force',
    breaks: 'M3',
    suite: 'core',
    edits: [
      {
        file: 'core/src/machine.ts',
        find: 'this.memberships.truncateFrom(index);',
        replace: '',
      },
    ],
  },
  {
    id: 'commit-an-old-term',
    what: 'an entry of an earlier term is committed by counting its copies',
    breaks: '§5.4.2, figure 8',
    suite: 'core',
    edits: [
      {
        file: 'core/src/leader.ts',
        find: 'if (index <= log.commitIndex || log.termAt(index) !== m.currentTerm) return;',
        replace: 'if (index <= log.commitIndex) return;',
      },
    ],
  },
  {
    id: 'acknowledge-before-sync',
    what: 'entries are acknowledged before they are on disk',
    breaks: 'L7, Z22',
    suite: 'core',
    edits: [
      {
        file: 'core/src/follower.ts',
        find: 'if (m.log.durableIndex < index || !m.hardStateDurable) m.ackOwed = true;\n  else sendAck(m, m.leader, Math.min(agreedIndex(m), m.log.durableIndex));',
        replace: 'sendAck(m, m.leader, index);',
      },
    ],
  },
  {
    id: 'leader-counts-its-memory',
    what: 'a leader counts its own copy before it is on disk',
    breaks: 'L6, L7',
    suite: 'core',
    edits: [
      {
        file: 'core/src/leader.ts',
        find: 'id === m.nodeId ? log.durableIndex : (leadership.progress.get(id)?.matchIndex ?? 0),',
        replace:
          'id === m.nodeId ? log.lastIndex : (leadership.progress.get(id)?.matchIndex ?? 0),',
      },
    ],
  },
  {
    id: 'acknowledge-a-truncated-write',
    what: 'a write under way makes entries durable that were replaced meanwhile',
    breaks: 'Z22',
    suite: 'core',
    edits: [
      {
        file: 'core/src/log.ts',
        find: 'for (const write of this.#writes) write.lastIndex = Math.min(write.lastIndex, index - 1);',
        replace: '',
      },
    ],
  },
  {
    id: 'acknowledge-to-the-next-leader',
    what: 'what one leader verified is acknowledged to another',
    breaks: '§5.3',
    suite: 'core',
    edits: [
      {
        file: 'core/src/machine.ts',
        find: 'this.verifiedIndex = 0;\n    this.ackOwed = false;',
        replace: '',
      },
    ],
  },
  {
    id: 'truncate-at-a-duplicate',
    what: 'a repeated append cuts off what came after it',
    breaks: 'L4',
    suite: 'core',
    edits: [
      {
        file: 'core/src/follower.ts',
        find: 'if (term !== entry.term) {\n      if (entry.index <= Math.max(log.commitIndex, m.verifiedIndex)) {',
        replace:
          'if (entry.index > log.commitIndex) {\n      if (entry.index <= log.commitIndex) {',
      },
    ],
  },
  {
    id: 'append-without-looking-back',
    what: 'entries are appended after a previous entry of another term',
    breaks: '§5.3',
    suite: 'core',
    edits: [
      {
        file: 'core/src/follower.ts',
        find: 'if (log.termAt(prev.index) !== prev.term) {',
        replace: 'if (log.termAt(prev.index) === null) {',
      },
    ],
  },
  {
    id: 'commit-what-was-not-verified',
    what: 'the leader’s commit index covers leftovers of another leader',
    breaks: 'L3',
    suite: 'core',
    edits: [
      {
        file: 'core/src/follower.ts',
        find: 'm.commitTo(Math.min(message.leaderCommit, lastIndex));',
        replace: 'm.commitTo(Math.min(message.leaderCommit, log.lastIndex));',
      },
    ],
  },
  {
    id: 'commit-by-heartbeat',
    what: 'a heartbeat commits what the follower did not acknowledge',
    breaks: 'L3',
    suite: 'core',
    edits: [
      {
        file: 'core/src/leader.ts',
        find: 'const leaderCommit = Math.min(progress.matchIndex, m.log.commitIndex);',
        replace: 'const leaderCommit = m.log.commitIndex;',
      },
      {
        file: 'core/src/follower.ts',
        find: 'm.commitTo(message.leaderCommit);\n  }\n  const',
        replace: '}\n  m.commitTo(Math.min(message.leaderCommit, m.log.lastIndex));\n  const',
      },
      {
        file: 'core/src/follower.ts',
        find: 'if (message.leaderCommit > m.log.lastIndex) {',
        replace: 'if (message.leaderCommit < 0) {',
      },
    ],
  },
  {
    id: 'apply-before-durable',
    what: 'committed entries are applied before they are on this disk',
    breaks: 'Z22',
    suite: 'core',
    edits: [
      {
        file: 'core/src/log.ts',
        find: 'const end = Math.min(this.#commitIndex, this.#durableIndex) + 1;',
        replace: 'const end = this.#commitIndex + 1;',
      },
    ],
  },
  {
    id: 'read-without-a-quorum',
    what: 'a leader reads without asking whether it still leads',
    breaks: 'R6',
    suite: 'core',
    edits: [
      {
        file: 'core/src/leader.ts',
        find: 'for (const { index, requests } of leadership.reads.takeConfirmed(confirmed)) {',
        replace:
          'void confirmed;\n  for (const { index, requests } of leadership.reads.takeConfirmed(leadership.reads.lastRound)) {',
      },
    ],
  },
  {
    id: 'read-before-the-own-no-op',
    what: 'a new leader reads at a commit index that may be old',
    breaks: 'R1',
    suite: 'core',
    edits: [
      {
        file: 'core/src/leader.ts',
        find: 'if (leadership.reads.hasFresh && hasCommittedInTerm(m, leadership)) {',
        replace: 'if (leadership.reads.hasFresh) {',
      },
    ],
  },
  {
    id: 'lease-after-a-transfer',
    what: 'a leader that handed over goes on reading by its lease',
    breaks: 'Z23',
    suite: 'core',
    edits: [
      {
        file: 'core/src/leader.ts',
        find: 'if (!m.settings.leaseReads || leaseEnded || transferTarget !== null) return null;',
        replace:
          'void leaseEnded;\n  void transferTarget;\n  if (!m.settings.leaseReads) return null;',
      },
    ],
  },
  {
    id: 'lease-without-a-promise',
    what: 'voters elect somebody else while a lease rests on them',
    breaks: 'Z23',
    suite: 'core',
    edits: [
      {
        file: 'core/src/machine.ts',
        find: 'return this.nowTick < this.voteFromTick;',
        replace: 'return false;',
      },
      {
        file: 'core/src/machine.ts',
        find: 'this.electionElapsedTicks < electionTimeoutTicksMin',
        replace: 'this.electionElapsedTicks < Math.min(0, electionTimeoutTicksMin)',
      },
    ],
  },
  {
    id: 'lease-by-one-clock',
    what: 'a leader that slept trusts the clock that slept too',
    breaks: 'Z23',
    suite: 'core',
    edits: [
      {
        file: 'cluster/src/replica/lease.ts',
        find: 'Math.max(now.monotonicMs - at.monotonicMs, now.wallMs - at.wallMs)',
        replace: 'now.monotonicMs - at.monotonicMs',
      },
    ],
  },
  {
    id: 'snapshot-takes-the-log-back',
    what: 'an old snapshot replaces a log that is further',
    breaks: 'S2',
    suite: 'core',
    edits: [
      {
        file: 'core/src/follower.ts',
        find: 'if (meta.index <= m.log.commitIndex) {\n    const known',
        replace: 'if (meta.index < 0) {\n    const known',
      },
      {
        file: 'core/src/follower.ts',
        find: 'if (m.log.termAt(meta.index) === meta.term) {\n    // All',
        replace: 'if (meta.index < 0) {\n    // All',
      },
    ],
  },
  {
    id: 'adopt-the-term-of-an-answer',
    what: 'an answer of somebody who was not asked takes its hearer to its term',
    breaks: 'Z47, T8',
    suite: 'core',
    edits: [
      {
        file: 'core/src/step.ts',
        find: 'if (isAnswer(message) && !wasAsked(m, message)) return;',
        replace: 'if (isAnswer(message) && !wasAsked(m, message) && m.leadership !== null) return;',
      },
    ],
  },
  {
    id: 'filter-requests-by-membership',
    what: 'requests of a replica that is no member, as far as is known here, are not heard',
    breaks: 'Z47, E6',
    suite: 'core',
    edits: [
      {
        file: 'core/src/step.ts',
        find: 'if (isAnswer(message) && !wasAsked(m, message)) return;',
        replace:
          'if (isAnswer(message) && !wasAsked(m, message)) return;\n  if (!isAnswer(message) && m.log.lastIndex > 0 && !m.membership.voters.includes(message.from) && !m.membership.votersOutgoing.includes(message.from)) return;',
      },
    ],
  },
  {
    id: 'term-without-bound',
    what: 'one word takes whoever hears it to any term',
    breaks: 'Z40, T8',
    suite: 'core',
    edits: [
      {
        file: 'core/src/refusals.ts',
        find: 'return Math.min(term, m.currentTerm + termStepMax, Math.max(m.currentTerm, termLimit));',
        replace: 'return Math.min(term, Math.max(m.currentTerm + termStepMax, termLimit));',
      },
    ],
  },
  {
    id: 'count-a-made-up-acknowledgement',
    what: 'an acknowledgement counts beyond the end of the log',
    breaks: 'T8',
    suite: 'core',
    edits: [
      {
        file: 'core/src/replication.ts',
        find: 'if (matchIndex > m.log.lastIndex) {',
        replace: 'if (matchIndex < 0) {',
      },
    ],
  },
  {
    id: 'follow-whoever-claims-to-lead',
    what: 'a follower that knows who leads follows another one in the same term',
    breaks: 'E11, T8',
    suite: 'core',
    edits: [
      {
        file: 'core/src/step.ts',
        find: 'if (m.leader !== null && m.leader !== message.from) {',
        replace: "if (m.role === 'leader' && m.leader !== message.from) {",
      },
    ],
  },
  {
    id: 'stop-at-a-lie',
    what: 'one leader’s word against what is committed stops its hearer, whoever elected it',
    breaks: 'L5, T8',
    suite: 'core',
    edits: [
      {
        file: 'core/src/follower.ts',
        find: "refuse(m, 'contradiction', reason, message);\n  const { currentTerm: term, votedFor } = m;",
        replace: 'm.fail(reason, message);\n  const { currentTerm: term, votedFor } = m;',
      },
    ],
  },
  {
    id: 'check-quorum-by-any-message',
    what: 'a leader takes whatever comes for an answer, requests for votes too',
    breaks: 'E10, T12',
    suite: 'core',
    edits: [
      {
        file: 'core/src/step.ts',
        find: 'const { leadership } = m;',
        replace:
          'const { leadership } = m;\n  leadership?.progress.get(message.from)?.hear(m.nowTick);',
      },
    ],
  },
];
