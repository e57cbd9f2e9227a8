/**
 * The state that all roles share, and the few transitions that more than one of them makes. The
 * roles act on it in `follower.ts`, `candidate.ts` and `leader.ts`; `raft.ts` is its gate.
 */
import { decodeMembershipEntry } from './codec/membership.ts';
import { termLimit } from './codec/limits.ts';
import { ForwardedReads } from './forwarded-reads.ts';
import type { Leadership } from './leadership.ts';
import { Log } from './log.ts';
import { MembershipHistory, emptyMembership, isVoter } from './membership.ts';
import type { Message } from './message.ts';
import { Neighbours } from './neighbours.ts';
import { Prng } from './prng.ts';
import type { Fatal, ReadState, RefusedMessage } from './ready.ts';
import type { Settings } from './settings.ts';
import { checkInitialState, priorityMax } from './settings.ts';
import type { InitialState } from './config.ts';
import type { Entry, EntryId, Membership, NodeId, Role, SnapshotMeta } from './types.ts';

export class Machine {
  readonly nodeId: NodeId;
  readonly settings: Settings;
  readonly prng: Prng;
  readonly log: Log;
  readonly memberships: MembershipHistory;
  readonly forwardedReads: ForwardedReads;
  readonly neighbours: Neighbours = new Neighbours();

  role: Role = 'follower';
  currentTerm: number;
  votedFor: NodeId | null;
  leader: NodeId | null = null;
  /** Who leads the present term, or led it when last heard. */
  termLeader: NodeId | null = null;
  doubt: Doubt | null = null;

  /** Ticks since the start. */
  nowTick = 0;
  /** Ticks since the leader was heard, a vote was granted or an attempt began. */
  electionElapsedTicks = 0;
  /** Drawn anew at each attempt. */
  electionTimeoutTicks = 0;
  /** How much this member is wished for as a leader: see `Config.priority`. */
  priority: number;
  /** Until this tick the member is bound: see `isBound`. */
  voteFromTick: number;

  /** Batches given out, and durable ones. */
  batchNumber = 0;
  persistedNumber = 0;
  /** Term or vote changed and are in no batch yet; else the batch that holds them. */
  hardStateDirty = false;
  hardStateBatch = 0;

  /** Who was asked in this attempt, pre-vote or vote: nobody else answers it (Z47). */
  asked: Set<NodeId> = new Set();
  /** Answers to this attempt. */
  votes: Map<NodeId, boolean> = new Map();
  /** A candidate's requests, and its own vote, wait for its term to be durable (E1). */
  requestsOwed = false;
  /** Whether they come on the leader's word. */
  transferCampaign = false;

  /** A grant that waits for the vote to be durable. */
  grantOwedTo: NodeId | null = null;
  /** The log equals the current leader's up to here. */
  verifiedIndex = 0;
  /** An acknowledgement that waits for entries or term to be durable. */
  ackOwed = false;
  /** The snapshot that the driver is about to put in the log's place, and whether it knows. */
  installing: { readonly meta: SnapshotMeta; handed: boolean } | null = null;

  /** Not null exactly while `role` is `leader`. */
  leadership: Leadership | null = null;
  /** What this run appended as a leader and has not seen committed, by term. */
  ledRanges: LedRange[] = [];

  messages: Message[] = [];
  reads: ReadState[] = [];
  snapshotsTo: NodeId[] = [];
  truncated: EntryId[] = [];
  refused: RefusedMessage[] = [];
  fatal: Fatal | null = null;

  constructor(settings: Settings, initial: InitialState) {
    const checked = checkInitialState(initial);
    this.nodeId = settings.nodeId;
    this.settings = settings;
    this.priority = settings.priority;
    this.prng = new Prng(settings.seed);
    this.log = new Log(checked.log);
    this.currentTerm = initial.hardState.currentTerm;
    this.votedFor = initial.hardState.votedFor;
    this.memberships = new MembershipHistory(
      initial.snapshot === null
        ? { index: 0, membership: emptyMembership }
        : { index: initial.snapshot.membershipIndex, membership: initial.snapshot.membership },
    );
    for (const entry of checked.log.entries) {
      if (entry.type === 'membership' && entry.index > checked.snapshotIndex) {
        const { membership } = decodeMembershipEntry(entry.data);
        this.memberships.push({ index: entry.index, membership });
      }
    }
    this.forwardedReads = new ForwardedReads(this.prng);
    this.redrawElectionTimeout();
    this.voteFromTick = settings.silentTicks;
    // The timer runs out after the silence, not at its end: several who restart must not stand at once.
    this.electionElapsedTicks = Math.min(
      0,
      settings.electionTimeoutTicksMin - settings.silentTicks,
    );
  }

  get membership(): Membership {
    return this.memberships.current.membership;
  }

  /**
   * Who votes in the newest membership of its log stands for election (E6); and, while that one is
   * not known to be committed, who voted in the one before: its log may be the only one that can
   * win, even if it counts no vote of its own (thesis §4.2.2).
   */
  get promotable(): boolean {
    if (this.installing !== null || this.currentTerm >= termLimit) return false;
    if (isVoter(this.membership, this.nodeId)) return true;
    const { current, previous } = this.memberships;
    return current.index > this.log.commitIndex && isVoter(previous.membership, this.nodeId);
  }

  /** Whether term and vote, as they are now, survive a crash. */
  get hardStateDurable(): boolean {
    return !this.hardStateDirty && this.hardStateBatch <= this.persistedNumber;
  }

  /**
   * A leader was heard within the shortest election timeout: votes are refused (thesis §4.2.3). One
   * of this host is fresh exactly while it leads (Z61).
   */
  get leaderIsFresh(): boolean {
    if (this.leader === null) return false;
    const { electionTimeoutTicksMin } = this.settings;
    return (
      this.neighbours.leads(this.leader, this.currentTerm) ??
      this.electionElapsedTicks < electionTimeoutTicksMin
    );
  }

  /** A neighbour leads this term, or one that is still to be heard of here: nobody stands (Z61). */
  get isExempt(): boolean {
    return this.neighbours.someLeadsFrom(this.currentTerm);
  }

  /**
   * This member promised its leader, or an earlier run of it did, to elect nobody else for now: that
   * leader may be answering reads on the strength of it (Z23). Unlike freshness the promise outlives
   * the term it was given in; only a leader's own word, `TimeoutNow`, is above it.
   */
  get isBound(): boolean {
    return this.nowTick < this.voteFromTick;
  }

  /** A leader was heard, and may rest a lease on the answer. */
  bind(): void {
    const { leaseReads, electionTimeoutTicksMin } = this.settings;
    if (!leaseReads) return;
    this.voteFromTick = Math.max(this.voteFromTick, this.nowTick + electionTimeoutTicksMin);
  }

  send(message: Message): void {
    this.messages.push(message);
  }

  /** The own log is contradicted: say so, and do nothing ever again. */
  fail(reason: string, message: Message): void {
    this.fatal ??= { reason, message };
  }

  /** Follows in `term`, which is not below the current one. */
  becomeFollower(term: number, leader: NodeId | null): void {
    if (term > this.currentTerm) {
      this.currentTerm = term;
      this.termLeader = null;
      this.votedFor = null;
      this.hardStateDirty = true;
      this.grantOwedTo = null;
      // The same leader in a later term remembers nothing of what it was asked in the earlier one.
      this.setLeader(null);
    }
    this.#leaveRole();
    this.role = 'follower';
    this.setLeader(leader);
    this.restartElectionTimer();
  }

  /** A pre-candidate asks around; nothing of it is remembered (thesis §9.6). */
  becomePreCandidate(): void {
    this.#leaveRole();
    this.role = 'preCandidate';
    this.setLeader(null);
    this.restartElectionTimer();
    this.votes.set(this.nodeId, true);
  }

  /** §5.2: increments its term and votes for itself, both durable before anybody hears of it. */
  becomeCandidate(transfer: boolean): void {
    this.#leaveRole();
    this.role = 'candidate';
    this.currentTerm++;
    this.termLeader = null;
    this.votedFor = this.nodeId;
    this.hardStateDirty = true;
    this.grantOwedTo = null;
    this.setLeader(null);
    this.restartElectionTimer();
    this.requestsOwed = true;
    this.transferCampaign = transfer;
  }

  becomeLeader(leadership: Leadership): void {
    this.#leaveRole();
    this.role = 'leader';
    this.setLeader(this.nodeId);
    this.restartElectionTimer();
    this.leadership = leadership;
  }

  /**
   * Whatever was owed to another leader, or to the same one in an earlier term, is forgotten: an
   * acknowledgement says that the log equals *that* leader's (§5.3), so it must not leave once
   * another may have replaced what it spoke of.
   */
  setLeader(leader: NodeId | null): void {
    if (leader === this.leader) return;
    this.leader = leader;
    this.termLeader = leader ?? this.termLeader;
    this.verifiedIndex = 0;
    this.ackOwed = false;
    this.forwardedReads.refuseAll(this.reads);
  }

  restartElectionTimer(): void {
    this.electionElapsedTicks = 0;
    this.redrawElectionTimeout();
  }

  /** Nobody leads, as far as is known: listens to candidates, and stands after a short while. */
  hastenElection(): void {
    const { electionTimeoutTicksMin: min } = this.settings;
    this.electionElapsedTicks = Math.max(this.electionElapsedTicks, min);
    // Drawn anew, so that several who noticed at once do not split their votes.
    const brief = 1 + Math.ceil(min / 4);
    const patience = this.prng.between(1, 1 + brief) + this.courtesyOf(brief);
    const { electionElapsedTicks, electionTimeoutTicks } = this;
    this.electionTimeoutTicks = Math.min(electionTimeoutTicks, electionElapsedTicks + patience);
  }

  redrawElectionTimeout(): void {
    const { electionTimeoutTicksMin, electionTimeoutTicksMax } = this.settings;
    const drawn = this.prng.between(electionTimeoutTicksMin, electionTimeoutTicksMax);
    this.electionTimeoutTicks = drawn + this.courtesyOf(electionTimeoutTicksMin);
  }

  /** What this member waits beyond `ticks`, so that others whom everybody would rather see go first. */
  courtesyOf(ticks: number): number {
    return Math.ceil((ticks * (priorityMax - this.priority)) / priorityMax);
  }

  /** Appends an entry that can be read, and takes its membership into force at once (§6). */
  append(entry: Entry): void {
    if (entry.type === 'membership') {
      const { membership } = decodeMembershipEntry(entry.data);
      this.memberships.push({ index: entry.index, membership });
    }
    this.log.append(entry);
  }

  /**
   * Removes an uncommitted suffix beyond `verifiedIndex`, and says which of this run's own entries
   * went with it.
   */
  truncateFrom(index: number): void {
    this.#reportLost(index);
    this.log.truncateFrom(index);
    this.memberships.truncateFrom(index);
  }

  commitTo(index: number): void {
    this.log.commitTo(index);
    while ((this.ledRanges[0]?.lastIndex ?? Infinity) <= this.log.commitIndex) {
      this.ledRanges.shift();
    }
  }

  /** The driver replaced the log by `meta`. */
  restore(meta: SnapshotMeta): void {
    // Beyond the snapshot nothing can be committed, for then the logs would have agreed at its
    // index; nor can an entry at or below it whose term is later than the snapshot's.
    for (let index = this.log.commitIndex + 1; index <= this.log.lastIndex; index++) {
      const lost = index > meta.index || (this.log.termAt(index) as number) > meta.term;
      if (lost) {
        this.#reportLost(index);
        break;
      }
    }
    this.log.restore(meta);
    this.ledRanges = [];
    this.memberships.reset({ index: meta.membershipIndex, membership: meta.membership });
    this.verifiedIndex = meta.index;
  }

  // The last index of a range shrinks; an empty range goes with the next commit.
  #reportLost(from: number): void {
    for (const range of this.ledRanges) {
      for (let index = Math.max(from, range.fromIndex); index <= range.lastIndex; index++) {
        this.truncated.push({ term: range.term, index });
      }
      range.lastIndex = Math.min(range.lastIndex, from - 1);
    }
  }

  #leaveRole(): void {
    if (this.leadership !== null) {
      for (const { from, requestId } of this.leadership.reads.takeAll()) {
        if (from === null) this.reads.push({ requestId, index: null });
        else this.#refuseRead(from, requestId);
      }
      this.leadership = null;
    }
    this.votes.clear();
    this.asked.clear();
    this.requestsOwed = false;
  }

  #refuseRead(to: NodeId, requestId: number): void {
    const { nodeId: from, currentTerm: term } = this;
    this.send({ type: 'ReadIndexResponse', from, to, term, requestId, index: null });
  }
}

/** The leader of `term` contradicts what is final here: in that term it is followed no more. */
export type Doubt = {
  readonly term: number;
  readonly leader: NodeId;
  readonly reason: string;
  readonly message: Message;
  /** Voters who said that they elected it. */
  readonly electors: Set<NodeId>;
};

/** Entries of one of this run's leaderships that are in the log: [fromIndex, lastIndex]. */
export type LedRange = { readonly term: number; readonly fromIndex: number; lastIndex: number };
