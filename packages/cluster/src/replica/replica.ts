/**
 * One running replica: the consensus core, its disk, its state, and the parts that turn members'
 * calls into log entries and back. `turn.ts` moves it; this file connects.
 */
import { isVoter, Raft } from '@quorate/core';
import type {
  Entry,
  EntryId,
  InitialState,
  Message,
  NodeId,
  RefusedMessage,
  SnapshotMeta,
  SoftState,
  Status,
} from '@quorate/core';
import { Activation, durableCopies } from '../membership/activation.ts';
import { Autopilot } from '../membership/autopilot.ts';
import { asFatal, isQuorateError, QuorateError } from '@quorate/contracts';
import type {
  Applied,
  BarrierOptions,
  Clock,
  Consensus,
  LogStorage,
  ProposeOptions,
  RandomBytes,
} from '@quorate/contracts';
import { decodeBody, stamp } from '../state/envelope.ts';
import { Forwarding } from './forwarding.ts';
import type { RunFacts } from '../links/hello.ts';
import { Lease } from './lease.ts';
import { MembershipRequests } from '../membership/membership-requests.ts';
import type { CallLimits } from '../state/limits.ts';
import type { Policy } from '../state/policy.ts';
import { Neighbourhood } from './neighbours.ts';
import type { Neighbours } from './neighbours.ts';
import { Proposals } from './proposals.ts';
import { Reads } from './reads.ts';
import { Room } from './room.ts';
import { SessionRenewal } from './session-renewal.ts';
import type { ReplicatedState } from '../state/replicated-state.ts';
import { ReplicatedTime } from './replicated-time.ts';
import type { RequestOptions, RpcRequest } from '../links/rpc.ts';
import { SnapshotTransfer } from './snapshot-transfer.ts';
import { Silence, silentTicksFor } from './silence.ts';
import { Snapshotter } from './snapshotter.ts';
import { encodeStanding, findStandIns } from './stand-ins.ts';
import { Tail } from './tail.ts';
import { Turn } from './turn.ts';
import type { Outbox } from './turn.ts';
import type { Witnesses } from '../links/witnesses.ts';

export type ReplicaOptions = {
  readonly nodeId: NodeId;
  readonly epoch: number;
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly storage: LogStorage;
  /** Restored, and applied up to `initial.appliedIndex`. */
  readonly state: ReplicatedState;
  readonly initial: InitialState;
  readonly policy: Policy;
  /** Names cluster and generation. */
  readonly cluster: string;
  readonly neighbours: Neighbours | null;
  readonly priority: () => number;
  readonly calls: CallLimits;
  readonly network: ReplicaNetwork;
  readonly events: ReplicaEvents;
};

/** The way to other replicas. */
export type ReplicaNetwork = Outbox & {
  sendBulk(from: NodeId, to: NodeId, body: Uint8Array): boolean;
  request(
    to: NodeId,
    method: string,
    body: Uint8Array,
    options: RequestOptions,
  ): Promise<Uint8Array>;
  isLinked(nodeId: NodeId): boolean;
  /** Closes the link over which a peer said what it must not say; see `Host.refuse`. */
  refuse(nodeId: NodeId, reason: string, forgot: boolean): void;
  /** What a run that is linked, or is here, says of itself. */
  factsOf(nodeId: NodeId): RunFacts | null;
  readonly witnesses: Witnesses;
};

export type ReplicaEvents = {
  /** Leadership, as this replica sees it, changed. */
  softState(state: SoftState): void;
  membershipChanged(): void;
  /** Something was applied or acknowledged: numbers in the status moved. */
  progressed(): void;
  /**
   * The leader needs the cluster to be active before it takes commands (Z10). Asked again and
   * again until an `activated` entry is applied; resolves true when the register says so.
   */
  activate(): Promise<boolean>;
  /** What `room` says is another. */
  roomChanged(): void;
  /** Somebody said what it may not say; nothing of it counted. */
  refused(): void;
  /** The replica stopped by itself. */
  failed(error: QuorateError): void;
};

export class Replica implements Consensus {
  readonly nodeId: NodeId;
  readonly #options: ReplicaOptions;
  readonly #raft: Raft;
  readonly #state: ReplicatedState;
  readonly #turn: Turn;
  readonly room: Room;
  readonly #neighbourhood: Neighbourhood;
  readonly #renewal: SessionRenewal;
  readonly #proposals: Proposals;
  readonly #reads: Reads;
  /** Null where the policy has no leases. */
  readonly #lease: Lease | null;
  readonly #forwarding: Forwarding;
  readonly #transfer: SnapshotTransfer;
  readonly #autopilot: Autopilot;
  readonly #activation: Activation;
  readonly #membership: MembershipRequests;
  readonly #snapshotter: Snapshotter;
  readonly #tail: Tail;
  readonly #time: ReplicatedTime;
  /** Null for a replica's first run. */
  readonly #silence: Silence | null;
  #softState: SoftState;
  #tickedAt: number;
  #cancelTick: () => void = () => undefined;
  #autopilotAt = 0;
  #stopped: QuorateError | null = null;

  constructor(options: ReplicaOptions) {
    const { policy, clock, nodeId, state } = options;
    this.nodeId = nodeId;
    this.#options = options;
    this.#state = state;
    const seed = new DataView(options.random(4).buffer).getUint32(0);
    const { tickMs, leaseReads } = policy;
    const electionTimeoutTicksMin = Math.ceil(policy.electionTimeoutMsMin / tickMs);
    const electionTimeoutTicksMax = Math.ceil(policy.electionTimeoutMsMax / tickMs);
    this.#raft = new Raft(
      {
        nodeId,
        seed,
        heartbeatTicks: Math.max(1, Math.round(policy.heartbeatMs / tickMs)),
        electionTimeoutTicksMin,
        electionTimeoutTicksMax,
        leaseReads,
        silentTicks: silentTicksFor(options.epoch, leaseReads, electionTimeoutTicksMax),
      },
      options.initial,
    );
    this.#lease = leaseReads
      ? new Lease({ raft: this.#raft, clock, electionTimeoutTicksMin, tickMs })
      : null;
    const status = this.#raft.status();
    this.#softState = { role: status.role, term: status.term, leader: status.leader };
    this.#tickedAt = clock.now();
    this.#time = new ReplicatedTime(clock, state.time);
    this.#time.note(options.initial.entries);
    const schedule = (): void => this.#turn.schedule();
    this.#neighbourhood = new Neighbourhood({
      nodeId,
      cluster: options.cluster,
      raft: this.#raft,
      neighbours: options.neighbours,
      learnt: () => {
        schedule();
        options.events.progressed();
      },
    });
    this.room = new Room({
      nodeId,
      leader: () => this.#softState.leader,
      membership: () => state.membership,
      factsOf: (id) => options.network.factsOf(id),
      stalledMs: () => this.#turn.diskStalledMs,
      stallMsMax: policy.electionTimeoutMsMax,
      frees: (command) => state.frees(command),
      changed: () => {
        if (this.room.refuses) this.#proposals.refuse();
        if (this.room.full) this.#snapshotter.makeRoom();
        options.events.roomChanged();
      },
    });
    this.#forwarding = new Forwarding({
      nodeId,
      leader: () => this.#softState.leader,
      isLinked: (id) => options.network.isLinked(id),
      request: (to, method, body, asked) => options.network.request(to, method, body, asked),
      propose: (bodies) => this.#tail.offer(bodies, () => this.#proposeAsLeader(bodies)),
      refusal: this.room.refusal,
      timeoutMs: 2 * policy.electionTimeoutMsMax,
    });
    this.#proposals = new Proposals({
      clock,
      random: options.random,
      timeoutMs: options.calls.writeTimeoutMs,
      limits: options.calls,
      stallMs: policy.electionTimeoutMsMax,
      route: this.#forwarding,
      sessions: () => state.sessions,
      schedule,
      refusal: this.room.refusal,
      excuse: () => this.#excuse('write'),
    });
    this.#reads = new Reads({
      clock,
      raft: this.#raft,
      timeoutMs: options.calls.readTimeoutMs,
      limits: options.calls,
      retryMs: policy.electionTimeoutMsMin / 2,
      schedule,
      appliedIndex: () => state.appliedIndex,
      leaseIndex: () => this.#lease?.readIndex() ?? null,
      excuse: () => this.#excuse('read'),
    });
    const firstStreamId = new DataView(options.random(4).buffer).getUint32(0) * 1_000;
    this.#transfer = new SnapshotTransfer(
      {
        nodeId,
        clock,
        storage: options.storage,
        sendBulk: (to, body) => options.network.sendBulk(nodeId, to, body),
        currentTerm: () => this.#softState.term,
        leads: (from) => this.#raft.termLeader() === from,
        decode: (bytes, meta) => state.decode(bytes, meta),
        report: (to, ok) => this.#tail.reported(to, ok),
        received: (message) => this.#receivedSnapshot(message),
        stray: () => options.events.refused(),
        refused: (from, error) => this.#refusedSnapshot(from, error),
        failed: (error) => this.#failed(asStorageError(error)),
      },
      firstStreamId,
    );
    this.#autopilot = new Autopilot({
      nodeId,
      clock,
      raft: this.#raft,
      state,
      policy,
      schedule,
      isLinked: (id) => options.network.isLinked(id),
      refusalOf: (id) => options.network.witnesses.refusalOf(id, state.genesis?.generation ?? 0),
      proposeOwn: (body) => {
        this.#proposeAsLeader([body]);
        schedule();
      },
    });
    this.#activation = new Activation({
      clock,
      state,
      leads: () => this.#softState.role === 'leader',
      durableCopies: () => durableCopies(this.#raft.status(), state.members),
      register: () => options.events.activate(),
      propose: (body) => this.#proposeStamped([body]).ok,
    });
    this.#membership = new MembershipRequests({
      nodeId,
      clock,
      state,
      autopilot: this.#autopilot,
      activation: this.#activation,
      leader: () => this.#softState.leader,
      stopped: () => this.#stopped,
      request: (to, method, body, asked) => options.network.request(to, method, body, asked),
    });
    this.#tail = new Tail({
      raft: this.#raft,
      clock,
      policy,
      transfer: this.#transfer,
      wanted: (ids) => this.#autopilot.wanted(ids),
      schedule,
    });
    this.#snapshotter = new Snapshotter({
      raft: this.#raft,
      storage: options.storage,
      state,
      policy,
      tail: this.#tail,
      isFull: () => this.room.full,
      failed: (error) => this.#failed(asStorageError(error)),
    });
    this.#renewal = new SessionRenewal({
      nodeId,
      policy: options.policy,
      request: (...asked) => options.network.request(...asked),
      session: () => this.#proposals.session,
      leader: () => this.#softState.leader,
      leads: () => this.#softState.role === 'leader',
      seen: (session) => this.#autopilot.sessionSeen(session),
      confirm: (signal) =>
        this.readBarrier({ timeoutMs: options.policy.electionTimeoutMsMax, signal }),
    });
    this.#turn = new Turn(this.#raft, options.storage, clock, options.network, {
      collect: () => {
        // What a disk confirmed may have begun or ended a leadership.
        this.#neighbourhood.show();
        this.#lease?.observe();
        this.#proposals.collect();
        // Z10: until it is active this may be the cluster that loses, so a read waits like a write.
        if (this.#state.activated) this.#reads.collect();
        else if (this.#reads.pendingCount > 0) this.#activation.begin();
      },
      appended: (entries) => this.#time.note(entries),
      committed: (entries) => this.#apply(entries),
      reads: (reads) => this.#reads.answered(reads),
      softState: (next) => this.#onSoftState(next),
      truncated: (ids: readonly EntryId[]) => this.#forwarding.truncated(ids),
      sendSnapshot: (to) => this.#tail.sendSnapshot(to),
      received: (meta) => this.#transfer.take(meta),
      installed: (meta) => this.#installed(meta),
      refused: (messages) => this.#refused(messages),
      full: (isFull) => this.room.diskSays(isFull),
      failed: (error) => this.#failed(error),
    });
    this.#silence =
      options.epoch > 1
        ? new Silence({
            nodeId,
            raft: this.#raft,
            clock,
            timeoutMs: policy.electionTimeoutMsMax,
            isLinked: (id) => options.network.isLinked(id),
            ended: schedule,
          })
        : null;
    if (this.#softState.role === 'leader') this.#autopilot.leadershipChanged(true);
    this.#scheduleTick();
    this.#turn.schedule();
  }

  get softState(): SoftState {
    return this.#softState;
  }

  get pendingWrites(): number {
    return this.#proposals.pendingCount;
  }

  status(): Status {
    return this.#raft.status();
  }

  /** Is the silence of its start over, and a majority of those who vote within reach (Z48)? */
  get isIncumbent(): boolean {
    if (this.#stopped !== null || this.#silence?.isOver === false) return false;
    const { voters, votersOutgoing } = this.#raft.status().membership;
    const isHeard = (ids: readonly NodeId[]): boolean =>
      2 * ids.filter((id) => this.#options.network.isLinked(id)).length > ids.length;
    return isHeard(voters) && (votersOutgoing.length === 0 || isHeard(votersOutgoing));
  }

  async propose(command: Uint8Array, options: ProposeOptions = {}): Promise<Applied> {
    return this.#proposals.propose(command, options);
  }

  async readBarrier(options: BarrierOptions = {}): Promise<void> {
    if (this.#stopped !== null) throw this.#stopped;
    return this.#reads.barrier(options);
  }

  /** A message from a run of this cluster. */
  receive(message: Message): void {
    if (this.#stopped !== null) return;
    if (message.type === 'InstallSnapshot') {
      // The core hears of a snapshot when all of it is here, and was read (`SnapshotTransfer`).
      this.#refuse(message.from, 'Cannot install a snapshot: its bytes are not here');
      return;
    }
    this.#step(message);
    this.#turn.schedule();
  }

  #refused(messages: readonly RefusedMessage[]): void {
    for (const { kind, reason, message } of messages) {
      // An honest peer may be late or far behind; the rest is said by none.
      if (kind === 'unasked' || kind === 'far-term') this.#options.events.refused();
      else this.#refuse(message.from, reason, kind === 'forgotten');
    }
  }

  #refuse(from: NodeId, reason: string, forgot: boolean = false): void {
    // Z72: what it acknowledged it has no more, so nothing of that counts.
    if (forgot) this.#raft.resetProgress(from);
    this.#options.events.refused();
    this.#options.network.refuse(from, reason, forgot);
  }

  #step(message: Message): void {
    this.#options.network.witnesses.heard(message);
    if (this.#silence?.withholds(message) === true) return;
    // A lease counts from here in this member's ticks: none of those still owed may shorten it (Z23).
    if (this.#lease !== null) this.#advance();
    this.#neighbourhood.look();
    this.#raft.step(message);
    this.#neighbourhood.show();
  }

  receiveBulk(from: NodeId, body: Uint8Array): void {
    if (this.#stopped === null) this.#transfer.receive(from, body);
  }

  /**
   * Whether a replica is a member that comes back to the host that ran it last: voters, and learners
   * that no page runs, for each load of a page is another host. Null before there is a membership.
   */
  returns(nodeId: NodeId): boolean | null {
    const { voters, votersOutgoing, learners } = this.#raft.status().membership;
    if (voters.length === 0) return null;
    if (voters.includes(nodeId) || votersOutgoing.includes(nodeId)) return true;
    const runtime = this.#state.members.get(nodeId)?.runtime;
    return learners.includes(nodeId) && runtime === 'node';
  }

  linked(facts: RunFacts, newRun: boolean): void {
    // Z1: nothing known of an earlier run counts for this one.
    if (newRun) this.#raft.resetProgress(facts.nodeId);
    this.#silence?.met(facts.nodeId);
    this.#autopilot.linked(facts.nodeId);
    if (facts.nodeId === this.#softState.leader) this.#proposals.leaderChanged();
    this.#turn.schedule();
  }

  unlinked(nodeId: NodeId): void {
    this.#raft.reportUnreachable(nodeId);
    this.#transfer.unlinked(nodeId);
    this.#autopilot.unlinked(nodeId);
    if (nodeId === this.#softState.leader) this.#mournLater(nodeId);
    this.#turn.schedule();
  }

  /** A closed link to the leader hints at its death, unless another takes its place at once. */
  #mournLater(leader: NodeId): void {
    const { clock, policy, network } = this.#options;
    clock.setTimeout(() => {
      if (this.#stopped !== null || network.isLinked(leader)) return;
      this.#raft.leaderLost(leader);
      this.#turn.schedule();
    }, policy.heartbeatMs);
  }

  /** Answers another member's request. Errors: by method; `BAD_REQUEST` for an unknown one. */
  async answer(request: RpcRequest, signal: AbortSignal): Promise<Uint8Array> {
    if (this.#stopped !== null) throw this.#stopped;
    switch (request.method) {
      case 'propose':
        return this.#forwarding.serve(request.body, signal);
      case 'join':
      case 'leave':
      case 'vacate':
        return this.#membership.answer(request.method, request.body, signal, true);
      // The same, asked by a member that was asked: one hop and no more.
      case 'join-here':
        return this.#membership.answer('join', request.body, signal, false);
      case 'leave-here':
        return this.#membership.answer('leave', request.body, signal, false);
      case 'vacate-here':
        return this.#membership.answer('vacate', request.body, signal, false);
      case 'standing':
        return encodeStanding(this.#options.network.factsOf(this.nodeId), this.#raft);
      case 'renew':
        return this.#renewal.answer(request.body, signal);
      case 'move-register':
        if (this.#softState.role !== 'leader') {
          throw new QuorateError('NO_LEADER', 'Cannot move: this member does not lead');
        }
        await this.proposeMove(request.body);
        return new Uint8Array(0);
      default:
        throw new QuorateError('BAD_REQUEST', `Cannot answer ${request.method}: unknown method`);
    }
  }

  /** Proposes `registerMoved` as leader, or has the leader do it; whether it is committed shows. */
  async proposeMove(body: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { leader } = this.#softState;
    if (leader === null) throw this.#excuse('write');
    if (leader !== this.nodeId) {
      const options = { timeoutMs: 5_000, ...(signal === undefined ? {} : { signal }) };
      await this.#options.network.request(leader, 'move-register', body, options);
    } else if (decodeBody(body).type === 'registerMoved') this.#proposeAsLeader([body]);
  }

  /** Has `nodeId` removed from the membership (Z18); resolves when that is committed. */
  async leave(nodeId: NodeId, signal: AbortSignal): Promise<void> {
    await this.#membership.ask('leave', nodeId, signal);
  }

  /**
   * Prepares a stop (Z18): moves this replica's vote if the others would have no quorum without it,
   * hands leadership over. Best effort within `signal`.
   */
  async handOver(signal: AbortSignal): Promise<void> {
    const { voters } = this.#raft.status().membership;
    const isVoter = voters.includes(this.nodeId);
    if (!isVoter || this.#stopped !== null) return;
    const others = voters.filter((id) => id !== this.nodeId && this.#options.network.isLinked(id));
    if (others.length <= voters.length / 2) {
      const raft = this.#raft;
      const standIns = await findStandIns({ ...this.#options, raft, signal });
      if (standIns.size > 0) {
        await this.#membership.handVoteTo(standIns, signal);
        return;
      }
    }
    if (!this.yieldLeadership()) return;
    while (!signal.aborted && this.#softState.role === 'leader' && this.#stopped === null) {
      await new Promise<void>((resolve) =>
        this.#options.clock.setTimeout(resolve, this.#options.policy.tickMs),
      );
    }
  }

  /**
   * Asks the most advanced voter within reach to lead, of those that `may`. False when this one does
   * not lead, or nobody can take over.
   */
  yieldLeadership(may: (nodeId: NodeId) => boolean = () => true): boolean {
    if (this.#stopped !== null) return false;
    const { role, membership, progress } = this.#raft.status();
    if (role !== 'leader') return false;
    const successor = progress
      .filter(({ peer }) => membership.voters.includes(peer) && may(peer))
      .filter(({ peer, recentActive }) => recentActive && this.#options.network.isLinked(peer))
      .sort((a, b) => b.matchIndex - a.matchIndex)[0];
    if (successor === undefined || !this.#raft.transferLeadership(successor.peer)) return false;
    this.#turn.schedule();
    return true;
  }

  /** The last word of a page that is being left: who should lead instead. Posted at once (Z6). */
  resign(may: (nodeId: NodeId) => boolean): void {
    if (this.yieldLeadership(may)) this.#turn.runNow();
  }

  /** A hint that nobody leads, such as all the locks of a profile: asks for votes now (DESIGN §13). */
  campaign(): void {
    if (this.#stopped !== null || this.#softState.leader !== null) return;
    this.#neighbourhood.look();
    if (this.#silence === null) this.#raft.campaign();
    else this.#silence.campaign();
    this.#turn.schedule();
  }

  /** Stops at once; nothing is flushed, for what is not durable was not acknowledged. */
  stop(error: QuorateError): void {
    if (this.#stopped !== null) return;
    this.#stopped = error;
    this.#cancelTick();
    this.#neighbourhood.leave();
    this.#turn.stop();
    this.#transfer.close();
    this.#snapshotter.stop();
    this.#activation.stop();
    this.#silence?.stop();
    this.#autopilot.leadershipChanged(false);
    this.#proposals.close(error);
    this.#reads.rejectAll(error);
  }

  /** Rejects what waits for a quorum that is gone (DESIGN §1, `read-only`). */
  rejectWaiting(error: QuorateError): void {
    this.#proposals.rejectQueued(error);
    this.#reads.rejectAll(error);
  }

  #proposeAsLeader(bodies: readonly Uint8Array[]): ReturnType<Raft['propose']> | 'wait' {
    // Z14: until there are as many copies as were asked for.
    if (this.#state.activated && !this.#state.formed) return 'wait';
    if (!this.#state.activated) {
      this.#activation.begin();
      return 'wait';
    }
    return this.#proposeStamped(bodies);
  }

  #proposeStamped(bodies: readonly Uint8Array[]): ReturnType<Raft['propose']> {
    const time = this.#time.stamp();
    const result = this.#raft.propose(bodies.map((body) => stamp(time, body)));
    if (result.ok) this.#turn.schedule();
    return result;
  }

  #apply(entries: readonly Entry[]): void {
    const { membershipIndex, activated, formed } = this.#state;
    for (const entry of entries) {
      const applied = this.#state.apply(entry);
      this.#forwarding.applied(applied);
      this.#proposals.applied(applied);
    }
    this.#state.flush();
    this.#raft.applied(this.#state.appliedIndex);
    this.#reads.applied();
    if (this.#state.membershipIndex !== membershipIndex) {
      this.#autopilot.applied();
      this.#options.events.membershipChanged();
    }
    // What waited for the activation may go now.
    if (this.#state.activated !== activated || this.#state.formed !== formed) this.#turn.schedule();
    this.#options.events.progressed();
    this.#snapshotter.applied(entries);
  }

  #receivedSnapshot(message: Message): void {
    if (this.#stopped !== null) return;
    this.#step(message);
    if (!this.#raft.status().installing) this.#transfer.release();
    this.#turn.schedule();
  }

  #refusedSnapshot(from: NodeId, error: QuorateError): void {
    if (error.code === 'OUTDATED' && this.#mayOutdate(from)) this.#failed(error);
    else this.#refuse(from, error.message);
  }

  /** Whose word it is that this release is too old: a voter's, or anybody's who knows of none. */
  #mayOutdate(nodeId: NodeId): boolean {
    const { membership } = this.#raft.status();
    return membership.voters.length === 0 || isVoter(membership, nodeId);
  }

  #installed(meta: SnapshotMeta): void {
    const restore = this.#transfer.release();
    restore();
    this.#snapshotter.restored();
    this.#time.restored(this.#state.time);
    this.#forwarding.restored(meta.index);
    this.#proposals.restored();
    this.#state.flush();
    // What was confirmed at an index that the snapshot holds waits for nothing more.
    this.#reads.applied();
    this.#autopilot.applied();
    this.#options.events.membershipChanged();
    this.#options.events.progressed();
  }

  #onSoftState(next: SoftState): void {
    const before = this.#softState;
    this.#softState = next;
    if (next.role === 'leader' && before.role !== 'leader') this.#time.lead();
    if ((next.role === 'leader') !== (before.role === 'leader')) {
      this.#activation.leadershipChanged();
      this.#autopilot.leadershipChanged(next.role === 'leader');
    }
    if (next.leader !== before.leader || next.term !== before.term) {
      this.#proposals.leaderChanged();
      this.#reads.leaderChanged();
      if (next.leader !== null) this.#turn.schedule();
    }
    this.#options.events.softState(next);
  }

  #scheduleTick(): void {
    const { clock, policy } = this.#options;
    this.#cancelTick = clock.setTimeout(() => {
      if (this.#stopped !== null) return;
      try {
        this.#tick();
      } catch (error) {
        this.#failed(asFatal(error));
      }
      if (this.#stopped === null) this.#scheduleTick();
    }, policy.tickMs);
  }

  #tick(): void {
    this.#advance();
    this.#silence?.look();
    this.#tail.look();
    this.room.look();
    const { clock, policy, network } = this.#options;
    if (this.#softState.role === 'leader') network.witnesses.acknowledged(this.#raft.status());
    const now = clock.now();
    if (now - this.#autopilotAt >= policy.electionTimeoutMsMin / 4) {
      this.#autopilotAt = now;
      if (this.#softState.role === 'leader') {
        if (this.#raft.status().membership.voters.length > 0) this.#autopilot.tick();
        const asked = this.#proposals.pendingCount + this.#reads.pendingCount > 0;
        if (!this.#state.activated && asked) this.#activation.begin();
        this.#activation.lookForCopies();
        // A leader that cannot write holds up whoever waits for it: one with a working disk leads better.
        if (this.room.isUnfit) this.yieldLeadership(this.room.has);
      }
    }
    this.#renewal.look(now);
    this.#turn.schedule();
  }

  /** Tells the core of the time that has passed. */
  #advance(): void {
    const { clock, policy } = this.#options;
    const now = clock.now();
    const passed = Math.floor((now - this.#tickedAt) / policy.tickMs);
    this.#tickedAt += passed * policy.tickMs;
    // Z44: while this one stood still it heard nobody, and the disk as little: that is no silence of
    // theirs. A leader asked nobody either, and asks now; a follower lets its leader ask.
    const { tickMs, electionTimeoutMsMin, heartbeatMs } = policy;
    const lateMs = electionTimeoutMsMin / 2;
    const countedMs = this.#softState.role === 'leader' ? heartbeatMs : lateMs;
    const isLate = passed * tickMs > lateMs;
    const ticks = isLate ? Math.max(1, Math.floor(countedMs / tickMs)) : passed;
    this.#turn.passed(ticks * policy.tickMs);
    this.#lease?.observe();
    this.#raft.setPriority(this.#options.priority());
    this.#neighbourhood.look();
    for (let i = 0; i < ticks; i++) this.#raft.tick();
    this.#neighbourhood.show();
  }

  #excuse(kind: 'write' | 'read'): QuorateError {
    if (this.#softState.leader === null) {
      return new QuorateError('NO_LEADER', `Cannot ${kind}: no leader was found in time`);
    }
    if (kind === 'write' && !this.#state.formed) {
      const { expect } = this.#options.policy;
      return new QuorateError('TIMEOUT', `Cannot write: waiting for ${expect} durable copies`);
    }
    return new QuorateError('TIMEOUT', `Cannot ${kind}: the leader did not answer in time`);
  }

  #failed(error: QuorateError): void {
    if (this.#stopped !== null) return;
    this.stop(error);
    this.#options.events.failed(error);
  }
}

function asStorageError(error: unknown): QuorateError {
  if (isQuorateError(error)) return error;
  return new QuorateError('STORAGE_FAILED', 'The store failed', { cause: error });
}
