/**
 * Takes one message: compares terms (figure 2, "rules for all servers"), then hands it to the role.
 */
import { onPreVoteResponse, onRequestVoteResponse } from './candidate.ts';
import {
  onAppendEntries,
  onHeartbeat,
  onInstallSnapshot,
  onPreVote,
  onReadIndexResponse,
  onRequestVote,
  onTimeoutNow,
  refusePreVote,
} from './follower.ts';
import { onAppendEntriesResponse, onHeartbeatResponse, onReadIndex } from './leader.ts';
import type { Machine } from './machine.ts';
import type { Message } from './message.ts';
import { doubtOf, entersTerm, refuse, wasAsked } from './refusals.ts';

export function stepMessage(m: Machine, message: Message): void {
  if (message.from === m.nodeId || message.to !== m.nodeId) return;
  if (isAnswer(message) && !wasAsked(m, message)) return;
  if (message.term < m.currentTerm) return onStale(m, message);
  if (message.term > m.currentTerm && !admitsLaterTerm(m, message)) return;
  if (isFromLeader(message) && !admitsLeader(m, message)) return;
  const { leadership } = m;
  switch (message.type) {
    case 'PreVote':
      return onPreVote(m, message);
    case 'PreVoteResponse':
      return onPreVoteResponse(m, message);
    case 'RequestVote':
      return onRequestVote(m, message);
    case 'RequestVoteResponse':
      return onRequestVoteResponse(m, message);
    case 'AppendEntries':
      return onAppendEntries(m, message);
    case 'AppendEntriesResponse':
      return leadership === null ? undefined : onAppendEntriesResponse(m, leadership, message);
    case 'Heartbeat':
      return onHeartbeat(m, message);
    case 'HeartbeatResponse':
      return leadership === null ? undefined : onHeartbeatResponse(m, leadership, message);
    case 'InstallSnapshot':
      return onInstallSnapshot(m, message);
    case 'TimeoutNow':
      return onTimeoutNow(m);
    case 'ReadIndex':
      return leadership === null ? refuseRead(m, message) : onReadIndex(leadership, message);
    case 'ReadIndexResponse':
      return onReadIndexResponse(m, message);
  }
}

/**
 * An earlier term: its sender is told the current one where it waits for an answer. With pre-vote
 * nobody raises its term to be heard, so without this a node stuck in a later term would never be
 * freed (E8).
 */
function onStale(m: Machine, message: Message): void {
  const { nodeId: from, currentTerm: term } = m;
  const to = message.from;
  switch (message.type) {
    case 'PreVote':
      return refusePreVote(m, to);
    case 'RequestVote':
      return m.send({ type: 'RequestVoteResponse', from, to, term, granted: false });
    case 'AppendEntries':
    case 'InstallSnapshot':
      return m.send({
        type: 'AppendEntriesResponse',
        from,
        to,
        term,
        matchIndex: 0,
        rejected: null,
      });
    case 'Heartbeat':
      return m.send({ type: 'HeartbeatResponse', from, to, term, readRound: 0 });
    case 'ReadIndex':
      return refuseRead(m, message);
    default:
      // An answer to something that is over.
      return;
  }
}

/** Enters a later term where the message proves that there is one. False: ignore the message. */
function admitsLaterTerm(m: Machine, message: Message): boolean {
  switch (message.type) {
    case 'PreVote':
      return true;
    case 'PreVoteResponse':
      // A grant names the term that was asked about, which nobody has entered.
      return message.granted || entersTerm(m, message, false);
    case 'RequestVote':
      // A leader was just heard: whoever does not hear it must not depose it (thesis §4.2.3).
      if ((m.leaderIsFresh || m.isBound) && !message.transfer) return false;
      return entersTerm(m, message, false);
    default:
      return entersTerm(m, message, isFromLeader(message) && !isOver(m, message));
  }
}

/** The sender leads the current term. False: it cannot, and is refused. */
function admitsLeader(m: Machine, message: Message): boolean {
  if (isOver(m, message)) return false;
  if (m.leader !== null && m.leader !== message.from) {
    // Election safety (figure 3): at most one leader per term (E11). Whoever says otherwise lies.
    const reason = `Cannot follow ${message.from}: ${m.leader} leads term ${m.currentTerm}`;
    refuse(m, 'contradiction', reason, message);
    return false;
  }
  const doubt = doubtOf(m, message.from);
  if (doubt !== null) {
    refuse(m, 'contradiction', doubt.reason, message);
    return false;
  }
  if (m.role !== 'follower') m.becomeFollower(message.term, message.from);
  m.setLeader(message.from);
  m.electionElapsedTicks = 0;
  m.bind();
  return true;
}

/** A late word of a neighbour: it is seen not to lead that term, and once over it never does again (Z61). */
function isOver(m: Machine, { from, term }: Message): boolean {
  return m.neighbours.leads(from, term) === false;
}

/** What answers a question, and counts only where one was asked. */
function isAnswer(message: Message): boolean {
  return message.type.endsWith('Response');
}

function isFromLeader(message: Message): boolean {
  return (
    message.type === 'AppendEntries' ||
    message.type === 'Heartbeat' ||
    message.type === 'InstallSnapshot' ||
    message.type === 'TimeoutNow'
  );
}

function refuseRead(m: Machine, message: Extract<Message, { type: 'ReadIndex' }>): void {
  const { nodeId: from, currentTerm: term } = m;
  const { from: to, requestId } = message;
  m.send({ type: 'ReadIndexResponse', from, to, term, requestId, index: null });
}
