/** Elections (§5.2) with a pre-vote before each (thesis §9.6). */
import { startLeading } from './leader.ts';
import type { Machine } from './machine.ts';
import { isVoter, membersOf } from './membership.ts';
import type { PreVoteResponse, RequestVoteResponse } from './message.ts';
import { isQuorum, voteResult } from './quorum.ts';

/** Asks around whether an election could be won; starts it at once if nobody needs to be asked. */
export function startPreVote(m: Machine): void {
  m.becomePreCandidate();
  if (voteResult(m.membership, m.votes) === 'won') return startElection(m, false);
  for (const to of votersToAsk(m)) {
    const { nodeId: from, currentTerm } = m;
    const { lastEntry } = m.log;
    m.asked.add(to);
    m.send({ type: 'PreVote', from, to, term: currentTerm + 1, lastEntry });
  }
}

/** `transfer`: on the leader's word, so that voters need not wait out its silence. */
export function startElection(m: Machine, transfer: boolean): void {
  m.becomeCandidate(transfer);
}

/** Called whenever term and vote may have become durable: only now the requests leave (E1). */
export function releaseRequests(m: Machine): void {
  if (!m.requestsOwed || !m.hardStateDurable) return;
  m.requestsOwed = false;
  m.votes.set(m.nodeId, true);
  const { nodeId: from, currentTerm: term, transferCampaign: transfer } = m;
  for (const to of votersToAsk(m)) {
    m.asked.add(to);
    m.send({ type: 'RequestVote', from, to, term, lastEntry: m.log.lastEntry, transfer });
  }
  conclude(m);
}

export function tickCandidate(m: Machine): void {
  m.electionElapsedTicks++;
  if (m.isExempt) return m.becomeFollower(m.currentTerm, null);
  if (m.electionElapsedTicks < m.electionTimeoutTicks) return;
  if (m.promotable) startPreVote(m);
  else m.becomeFollower(m.currentTerm, null);
}

/** A pre-vote grant names the term asked about; a refusal the answerer's own (E5). */
export function onPreVoteResponse(m: Machine, message: PreVoteResponse): void {
  if (m.role !== 'preCandidate') return;
  confirmDoubt(m, message);
  if (m.fatal !== null) return;
  if (message.granted && message.term !== m.currentTerm + 1) return;
  m.votes.set(message.from, message.granted);
  const result = voteResult(m.membership, m.votes);
  if (result === 'won') startElection(m, false);
  else if (result === 'lost') m.becomeFollower(m.currentTerm, null);
}

/** A voter says for whom it voted. If a quorum elected the leader in doubt, that was unjust (L5). */
function confirmDoubt(m: Machine, message: PreVoteResponse): void {
  const { doubt, membership } = m;
  if (doubt?.term !== message.term || message.votedFor !== doubt.leader) return;
  doubt.electors.add(message.from);
  if (!isVoter(membership, doubt.leader)) return;
  if (isQuorum(membership, (id) => doubt.electors.has(id))) m.fail(doubt.reason, doubt.message);
}

/** Counted once per voter: a repeated grant changes nothing (E5). */
export function onRequestVoteResponse(m: Machine, message: RequestVoteResponse): void {
  // Nobody answers what was not asked yet.
  if (m.role !== 'candidate' || m.requestsOwed) return;
  m.votes.set(message.from, message.granted);
  conclude(m);
}

function conclude(m: Machine): void {
  const result = voteResult(m.membership, m.votes);
  if (result === 'won') startLeading(m);
  else if (result === 'lost') m.becomeFollower(m.currentTerm, null);
}

function votersToAsk(m: Machine): string[] {
  const { voters, votersOutgoing } = m.membership;
  const asked = { voters, votersOutgoing, learners: [], learnersNext: [] };
  return membersOf(asked).filter((id) => id !== m.nodeId);
}
