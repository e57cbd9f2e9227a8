/**
 * The gate: inputs in, `ready()` out. Nothing here waits, reads a clock or rolls dice that were not
 * handed in: equal inputs give equal outputs, always.
 */
import { releaseRequests, startElection, startPreVote, tickCandidate } from './candidate.ts';
import { isNodeId } from './codec/writer.ts';
import { contextBytesMax, entryDataBytesMax } from './codec/limits.ts';
import type { Config, InitialState } from './config.ts';
import { onSnapshotInstalled, releaseAck, releaseGrant, tickFollower } from './follower.ts';
import { checkInvariants } from './invariants.ts';
import {
  advanceCommit,
  appendMembership,
  appendOwn,
  flushLeader,
  hasCommittedInTerm,
  leaseOf,
  startTransfer,
  tickLeader,
} from './leader.ts';
import type { Lease } from './leader.ts';
import { Machine } from './machine.ts';
import { beginChange, isJoint, isVoter } from './membership.ts';
import type { MembershipTarget } from './membership.ts';
import type { Message } from './message.ts';
import type { PersistBatch, Ready, SoftState } from './ready.ts';
import { onSnapshotReport } from './replication.ts';
import { checkPriority, resolveConfig } from './settings.ts';
import { statusOf } from './status.ts';
import type { Status } from './status.ts';
import { stepMessage } from './step.ts';
import type { NodeId, SnapshotMeta } from './types.ts';

/**
 * One replica's consensus. The driver feeds inputs, then calls `ready()` until it returns null and
 * carries each one out. After a fatal `Ready` the machine is inert: every input is ignored.
 */
export class Raft {
  readonly #m: Machine;
  #softState: SoftState;
  #fatalSaid = false;

  /**
   * Starts from what the storage holds. A replica that is its cluster's only voter stands for
   * election at once (E14), unless it begins with a silence. Throws `TypeError` or `RangeError` for a configuration or a stored state
   * that contradicts itself, `DecodeError` for a stored membership that cannot be read.
   */
  constructor(config: Config, initial: InitialState) {
    this.#m = new Machine(resolveConfig(config), initial);
    this.#softState = { role: 'follower', term: this.#m.currentTerm, leader: null };
    const { voters, votersOutgoing } = this.#m.membership;
    const isOnlyVoter = voters.length === 1 && voters[0] === this.#m.nodeId;
    const mayStand = this.#m.promotable && !this.#m.isBound;
    if (isOnlyVoter && votersOutgoing.length === 0 && mayStand) {
      startElection(this.#m, false);
    }
    checkInvariants(this.#m);
  }

  /** One tick of the driver's clock has passed. */
  tick(): void {
    const m = this.#m;
    if (m.fatal !== null) return;
    m.nowTick++;
    if (m.leadership !== null) tickLeader(m, m.leadership);
    else if (m.role === 'follower') tickFollower(m);
    else tickCandidate(m);
    checkInvariants(m);
  }

  /**
   * Takes a message. Never throws for anything a peer can send: what does not belong here is
   * ignored, what a peer may not say comes out as `refused`. Only what a quorum of its own voters
   * stands behind comes out as `fatal`.
   */
  step(message: Message): void {
    if (this.#m.fatal !== null) return;
    stepMessage(this.#m, message);
    if (this.#m.fatal === null) checkInvariants(this.#m);
  }

  /**
   * Appends `data` as consecutive entries, all or none. They are committed once `Ready.committed`
   * holds these ids; entries with other ids at these places are somebody else's. The buffers belong
   * to the machine from here on. Throws `RangeError` for an empty list or an entry above
   * `entryDataBytesMax`.
   */
  propose(data: readonly Uint8Array[]): ProposeResult {
    const m = this.#m;
    let bytes = 0;
    for (const each of data) {
      if (each.length > entryDataBytesMax) {
        throw new RangeError(
          `Cannot propose ${each.length} bytes: wanted at most ${entryDataBytesMax} an entry`,
        );
      }
      bytes += each.length;
    }
    if (data.length === 0) throw new RangeError('Cannot propose: no entries, wanted at least one');
    const { leadership } = m;
    if (leadership === null || m.fatal !== null) return this.#refuse('not-leader');
    // Without a vote of its own a leader is on its way out and would not see these committed.
    if (leadership.transferTarget !== null || !isVoter(m.membership, m.nodeId)) {
      return this.#refuse('transferring');
    }
    // One oversized batch may pass when nothing else is under way, or it never could.
    const { uncommittedBytes } = leadership;
    if (uncommittedBytes > 0 && uncommittedBytes + bytes > m.settings.uncommittedBytesMax) {
      return this.#refuse('overloaded');
    }
    // Entries cost memory even without data.
    if (m.log.lastIndex - m.log.commitIndex + data.length > uncommittedCountMax) {
      return this.#refuse('overloaded');
    }
    const firstIndex = m.log.lastIndex + 1;
    for (const each of data) appendOwn(m, 'normal', each);
    checkInvariants(m);
    return { ok: true, term: m.currentTerm, firstIndex };
  }

  /**
   * Begins a change of membership; one at a time. A change of voters goes through a joint
   * membership that the leader of the moment ends once it is committed. `expectedIndex` is the
   * `membershipIndex` the caller decided on: if it moved, the change is `stale`.
   */
  proposeChange(change: MembershipChange): ChangeResult {
    const m = this.#m;
    const { leadership } = m;
    if (leadership === null || m.fatal !== null) return this.#refuse('not-leader');
    if (leadership.transferTarget !== null) return this.#refuse('transferring');
    if (!hasCommittedInTerm(m, leadership)) return this.#refuse('not-committed-in-term');
    const { index, membership } = m.memberships.current;
    if (index > m.log.commitIndex || isJoint(membership)) return this.#refuse('pending');
    if (change.expectedIndex !== index) return this.#refuse('stale');
    const ids = [...change.membership.voters, ...change.membership.learners];
    const next = ids.every(isNodeId) ? beginChange(membership, change.membership) : null;
    if (next === null || change.context.length > contextBytesMax) return this.#refuse('invalid');
    const entry = appendMembership(m, next, change.context);
    checkInvariants(m);
    return { ok: true, term: entry.term, index: entry.index };
  }

  /**
   * Asks for an index such that state applied up to it contains everything acknowledged before this
   * call. Any member may ask; the answer comes in `Ready.reads` under `requestId` (a safe integer,
   * unique among those that wait), with index null when it was refused.
   */
  readIndex(requestId: number): void {
    const m = this.#m;
    if (m.fatal !== null) return;
    const full = m.forwardedReads.count + (m.leadership?.reads.count ?? 0) >= pendingReadsMax;
    if (m.leader === null || full) m.reads.push({ requestId, index: null });
    else if (m.leadership !== null) m.leadership.reads.add({ from: null, requestId });
    else m.forwardedReads.add(requestId);
  }

  /**
   * The newest round of heartbeats of a leader that keeps leases, null elsewhere. A driver that looks
   * before each `tick()` and `ready()` knows that no later round was sent before that moment.
   */
  heartbeatRound(): { readonly term: number; readonly round: number } | null {
    const { leadership, settings, currentTerm: term, fatal } = this.#m;
    if (leadership === null || fatal !== null || !settings.leaseReads) return null;
    return { term, round: leadership.reads.lastRound };
  }

  /**
   * What a lease read at this leader may rest on (thesis §6.4.1, Z23): state applied up to
   * `readIndex` holds everything acknowledged before this call, if the heartbeats of `round` were
   * sent less than the shortest election timeout ago by any clock that may err. Null when no lease
   * holds: no leader, nothing committed in its term, no quorum heard, or a transfer has begun.
   */
  lease(): Lease | null {
    const { leadership, fatal } = this.#m;
    return leadership === null || fatal !== null ? null : leaseOf(this.#m, leadership);
  }

  /**
   * Hands leadership to the voter `to`: false when this is no leader, `to` no other voter, or
   * another transfer runs. Proposals are refused until it ends, at the latest after an election
   * timeout.
   */
  transferLeadership(to: NodeId): boolean {
    const m = this.#m;
    if (m.leadership === null || m.fatal !== null) return false;
    return startTransfer(m, m.leadership, to);
  }

  /**
   * A hint that the leader is gone: asks for pre-votes now. Ignored by leaders, by non-voters, while
   * a lease may rest on this member (Z23), and while a neighbour leads (Z61).
   */
  campaign(): void {
    const m = this.#m;
    if (m.fatal !== null || m.leadership !== null || !m.promotable || m.isBound) return;
    if (m.role === 'candidate' || m.isExempt) return;
    startPreVote(m);
    checkInvariants(m);
  }

  /**
   * What `silentTicks` waited for has come: this run votes from now on. Ignored where an earlier run
   * may have promised a leader as much (Z23).
   */
  endSilence(): void {
    const m = this.#m;
    if (m.fatal !== null || m.settings.leaseReads || !m.isBound) return;
    m.voteFromTick = m.nowTick;
    // The timer was to run out after the silence; it begins now.
    m.electionElapsedTicks = Math.max(0, m.electionElapsedTicks);
    checkInvariants(m);
  }

  /**
   * A hint that the way to `leader` is gone, such as a closed connection: this member listens to
   * candidates from now on, and becomes one after a short while, drawn anew, so that several who
   * noticed at once do not split their votes. Heartbeats stay the truth: one from that leader makes
   * the hint undone. Ignored unless this member follows `leader`, and while a lease may rest on it
   * (Z23).
   */
  leaderLost(leader: NodeId): void {
    const m = this.#m;
    if (m.fatal !== null || m.role !== 'follower' || m.leader !== leader || m.isBound) return;
    m.hastenElection();
    checkInvariants(m);
  }

  /**
   * What the driver sees of another replica of its host, in memory: the term that `nodeId` leads just
   * now, or null. To be told before every other input whose judgement may rest on it, and at once when
   * it ends: a follower of this neighbour then has no leader, and stands for election after a short
   * while. While it leads nobody here stands against it, and its followers elect nobody else (Z61).
   */
  neighbour(nodeId: NodeId, term: number | null): void {
    const m = this.#m;
    if (m.fatal !== null || nodeId === m.nodeId) return;
    m.neighbours.set(nodeId, term);
    if (m.leader !== nodeId || term === m.currentTerm) return;
    m.setLeader(null);
    if (!m.isBound) m.hastenElection();
    checkInvariants(m);
  }

  /** `nodeId` is no neighbour any more: it led nothing at the end, and only messages tell of it now. */
  neighbourGone(nodeId: NodeId): void {
    this.neighbour(nodeId, null);
    this.#m.neighbours.delete(nodeId);
  }

  /** The term in which this replica leads; null: none. What neighbours look at (Z61). */
  get leads(): number | null {
    const { leadership, currentTerm, fatal } = this.#m;
    return leadership === null || fatal !== null ? null : currentTerm;
  }

  /**
   * From the next attempt on: see `Config.priority`. A leader stays one; its driver may hand over.
   * Throws `RangeError` for what is no priority.
   */
  setPriority(priority: number): void {
    checkPriority(priority, 'go on');
    const m = this.#m;
    if (m.fatal !== null || m.priority === priority) return;
    m.priority = priority;
    m.redrawElectionTimeout();
  }

  /** All batches up to `batchNumber` are durable (Z22). Throws `RangeError` for one not given out. */
  persisted(batchNumber: number): void {
    const m = this.#m;
    if (m.fatal !== null) return;
    if (batchNumber > m.batchNumber) {
      throw new RangeError(
        `Cannot confirm batch ${batchNumber}: the newest is ${m.batchNumber}, wanted at most that`,
      );
    }
    if (batchNumber <= m.persistedNumber) return;
    m.persistedNumber = batchNumber;
    m.log.persisted(batchNumber);
    releaseGrant(m);
    releaseAck(m);
    releaseRequests(m);
    advanceCommit(m);
    checkInvariants(m);
  }

  /** Everything up to `index` was applied. Older news is ignored. Throws `RangeError` beyond what was given out. */
  applied(index: number): void {
    const { log, fatal } = this.#m;
    if (fatal !== null) return;
    if (index > log.handedIndex) {
      throw new RangeError(
        `Cannot mark ${index} applied: entries up to ${log.handedIndex} were given out`,
      );
    }
    log.applied(index);
  }

  /** `Ready.installSnapshot` was carried out. Throws `RangeError` for any other snapshot. */
  snapshotInstalled(meta: SnapshotMeta): void {
    const m = this.#m;
    if (m.fatal !== null) return;
    const wanted = m.installing;
    if (wanted === null || !wanted.handed || wanted.meta.index !== meta.index) {
      throw new RangeError(
        `Cannot install snapshot ${meta.index}: wanted ${wanted?.handed === true ? wanted.meta.index : 'none'}`,
      );
    }
    onSnapshotInstalled(m, wanted.meta);
    checkInvariants(m);
  }

  /**
   * A local snapshot `meta` (see `snapshotMetaAt`) is durable: drops the entries through
   * `throughIndex`, which may lie below `meta.index` to keep a trailing window for slow followers.
   * A snapshot older than the newest is ignored. Throws `RangeError` beyond lastApplied, or for a
   * `throughIndex` beyond the snapshot (S5).
   */
  compact(meta: SnapshotMeta, throughIndex: number): void {
    const m = this.#m;
    if (m.fatal !== null || meta.index < (m.log.snapshot?.index ?? 0)) return;
    if (meta.index > m.log.lastApplied || throughIndex > meta.index) {
      throw new RangeError(
        `Cannot compact through ${throughIndex} with a snapshot at ${meta.index}: ` +
          `applied up to ${m.log.lastApplied}`,
      );
    }
    m.log.compact(meta, throughIndex);
    m.memberships.compactTo(meta.index);
    checkInvariants(m);
  }

  /** What the log holds from the entry at `from` on weighs, in bytes, 128 of them for each entry. */
  tailBytes(from: number): number {
    return this.#m.log.tailBytes(from);
  }

  /**
   * The smallest index that can be given to `compact` as `throughIndex` so that the entries kept
   * through `index` weigh at most `bytesMax`; counted as in `tailBytes`.
   */
  indexBehind(index: number, bytesMax: number): number {
    return this.#m.log.indexBehind(index, bytesMax);
  }

  /** What a snapshot of the state applied up to `index` stands for; null outside (snapshot, lastApplied]. */
  snapshotMetaAt(index: number): SnapshotMeta | null {
    const { log, memberships } = this.#m;
    const term = log.termAt(index);
    if (term === null || index > log.lastApplied || index <= (log.snapshot?.index ?? 0))
      return null;
    const { membership, index: membershipIndex } = memberships.at(index);
    return { term, index, membership, membershipIndex };
  }

  /** The stream of a snapshot to `to` ended; `ok` when the peer was handed all of it. */
  reportSnapshot(to: NodeId, ok: boolean): void {
    const progress = this.#m.leadership?.progress.get(to);
    if (progress !== undefined && this.#m.fatal === null) onSnapshotReport(progress, ok);
  }

  /** The link to `to` is down: what was in flight may be lost. */
  reportUnreachable(to: NodeId): void {
    const progress = this.#m.leadership?.progress.get(to);
    if (this.#m.fatal !== null || progress?.state !== 'replicate') return;
    progress.becomeProbe(progress.matchIndex + 1);
  }

  /** A new run of `peer` was seen (Z1): nothing known of the earlier one counts. */
  resetProgress(peer: NodeId): void {
    const { leadership, log, nowTick, fatal } = this.#m;
    if (fatal !== null || leadership === null || !leadership.progress.has(peer)) return;
    leadership.restart(peer, log.lastIndex + 1, nowTick);
  }

  /** What there is to do, or null. See `Ready`; batches may be in flight several at a time. */
  ready(): Ready | null {
    const m = this.#m;
    if (this.#fatalSaid) return null;
    if (m.fatal !== null) {
      this.#fatalSaid = true;
      return { ...nothing, refused: m.refused, fatal: m.fatal };
    }
    if (m.leadership !== null) flushLeader(m, m.leadership);
    else if (m.leader !== null) this.#askLeader(m.leader);
    const persist = this.#takeBatch();
    const committed = m.installing === null ? m.log.takeCommitted(m.settings.applyBytesMax) : [];
    const installSnapshot = persist === null ? this.#takeInstall() : null;
    const softState = this.#takeSoftState();
    const { messages, reads, snapshotsTo: sendSnapshot, truncated, refused } = m;
    const idle =
      persist === null &&
      installSnapshot === null &&
      softState === null &&
      messages.length + committed.length + reads.length + sendSnapshot.length === 0 &&
      truncated.length + refused.length === 0;
    if (idle) return null;
    m.messages = [];
    m.reads = [];
    m.snapshotsTo = [];
    m.truncated = [];
    m.refused = [];
    checkInvariants(m);
    return {
      persist,
      messages,
      committed,
      installSnapshot,
      sendSnapshot,
      reads,
      softState,
      truncated,
      refused,
      fatal: null,
    };
  }

  /**
   * Who leads the present term, or led it when it was last heard; null where nobody is known. Its
   * bulk data are worth taking, also while this member is not sure that it still leads (Z62).
   */
  termLeader(): NodeId | null {
    return this.#m.termLeader;
  }

  status(): Status {
    return statusOf(this.#m);
  }

  #askLeader(to: NodeId): void {
    const m = this.#m;
    const requestId = m.forwardedReads.ask(m.nowTick + m.settings.electionTimeoutTicksMax);
    if (requestId === null) return;
    m.send({ type: 'ReadIndex', from: m.nodeId, to, term: m.currentTerm, requestId });
  }

  // The commit index alone is not worth a write: it rides along.
  #takeBatch(): PersistBatch | null {
    const m = this.#m;
    if (!m.hardStateDirty && m.log.unstableFrom > m.log.lastIndex) return null;
    const number = ++m.batchNumber;
    const entries = m.log.takeUnstable(number);
    if (m.hardStateDirty) {
      m.hardStateDirty = false;
      m.hardStateBatch = number;
    }
    const { currentTerm, votedFor } = m;
    return {
      number,
      hardState: { currentTerm, votedFor, commitIndex: m.log.commitIndex },
      entries,
    };
  }

  // Alone, after every batch that was given out before it: so its place in the order is plain.
  #takeInstall(): SnapshotMeta | null {
    const { installing } = this.#m;
    if (installing === null || installing.handed) return null;
    installing.handed = true;
    return installing.meta;
  }

  #takeSoftState(): SoftState | null {
    const { role, currentTerm: term, leader } = this.#m;
    const said = this.#softState;
    if (said.role === role && said.term === term && said.leader === leader) return null;
    this.#softState = { role, term, leader };
    return this.#softState;
  }

  #refuse<Reason extends string>(reason: Reason): Refusal<Reason> {
    return { ok: false, reason, leader: this.#m.fatal === null ? this.#m.leader : null };
  }
}

export type MembershipChange = {
  readonly membership: MembershipTarget;
  /** `Status.membershipIndex` as the caller saw it: compare-and-set. */
  readonly expectedIndex: number;
  /** The proposer's own, kept in the entry; at most `contextBytesMax` bytes. */
  readonly context: Uint8Array;
};

export type Refusal<Reason extends string> = {
  readonly ok: false;
  readonly reason: Reason;
  /** Who leads, as far as known. */
  readonly leader: NodeId | null;
};

export type ProposeResult =
  | { readonly ok: true; readonly term: number; readonly firstIndex: number }
  | Refusal<'not-leader' | 'overloaded' | 'transferring'>;

export type ChangeResult =
  | { readonly ok: true; readonly term: number; readonly index: number }
  | Refusal<
      'not-leader' | 'pending' | 'not-committed-in-term' | 'stale' | 'transferring' | 'invalid'
    >;

/** Entries that may be proposed and not yet committed, however small; more are refused. */
const uncommittedCountMax = 262_144;
/** Reads that may wait at once; more are refused. */
const pendingReadsMax = 65_536;

const nothing: Ready = {
  persist: null,
  messages: [],
  committed: [],
  installSnapshot: null,
  sendSnapshot: [],
  reads: [],
  softState: null,
  truncated: [],
  refused: [],
  fatal: null,
};
