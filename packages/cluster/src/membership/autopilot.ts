/**
 * The leader's care for the membership: takes in who asks, moves seats as `planMembership` says,
 * keeps sessions honest. Runs at the leader only; everything it decides goes through the log.
 */
import type { NodeId, Raft, Status } from '@quorate/core';
import type { Clock, Mark } from '@quorate/contracts';
import { encodeBody } from '../state/envelope.ts';
import { onAbort, QuorateError } from '@quorate/contracts';
import { planMembership } from './membership-plan.ts';
import type { Plan, Seat } from './membership-plan.ts';
import type { MemberFacts, Policy } from '../state/policy.ts';
import { encodeMembershipContext } from '../state/replicated-state.ts';
import type { ReplicatedState } from '../state/replicated-state.ts';

export type AutopilotOptions = {
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly raft: Raft;
  readonly state: ReplicatedState;
  readonly policy: Policy;
  readonly schedule: () => void;
  /** Whether the host that runs it is linked, or is this one. */
  readonly isLinked: (nodeId: NodeId) => boolean;
  /** Why a run of this replica is refused, if one is. */
  readonly refusalOf: (nodeId: NodeId) => Mark['code'] | null;
  /** Proposes a body of the cluster's own, stamped. */
  readonly proposeOwn: (body: Uint8Array) => void;
};

type Progress = Status['progress'][number];

type Waiter = { readonly resolve: () => void; readonly reject: (error: QuorateError) => void };

export class Autopilot {
  readonly #options: AutopilotOptions;
  /** Wishes under way; the newest one of a member is the one that counts. */
  readonly #joining = new Map<NodeId, { readonly facts: MemberFacts }>();
  readonly #leaving = new Map<NodeId, object>();
  /** Until when a member's wish to give up its vote holds; a wish that cannot be met lapses. */
  readonly #vacating = new Map<NodeId, number>();
  /** Since when this leader has heard each member without a break. */
  readonly #heardSince = new Map<NodeId, number>();
  /** When this leader last heard of each session, by its own clock. */
  readonly #sessionSeenAt = new Map<number, number>();
  /** Who alone may take a vote just now, because it said that it can (T14); null: whoever is heard. */
  standIns: ReadonlySet<NodeId> | null = null;
  readonly #waiters = new Set<{ readonly done: () => boolean; readonly waiter: Waiter }>();
  /**
   * Since when this member has been without a link to each learner; never, while there is one. It
   * knows that before it leads, so that leaders who follow each other do not each begin anew to wait
   * for who is gone (T10).
   */
  readonly #unlinkedSince = new Map<NodeId, number>();
  #commitIndexBefore = 0;
  #sessionsAt = Number.NEGATIVE_INFINITY;
  #sessionsLookedAt = Number.NEGATIVE_INFINITY;
  /** Since when this leader could have heard of a session without a break. */
  #waitingSince = Number.NEGATIVE_INFINITY;
  #leadingSince = Number.NEGATIVE_INFINITY;

  constructor(options: AutopilotOptions) {
    this.#options = options;
    this.#followLearners();
  }

  linked(nodeId: NodeId): void {
    if (this.#unlinkedSince.has(nodeId)) this.#unlinkedSince.set(nodeId, never);
  }

  unlinked(nodeId: NodeId): void {
    if (this.#unlinkedSince.has(nodeId)) this.#unlinkedSince.set(nodeId, this.#options.clock.now());
  }

  /** Wishes of the former term are asked again by those who have them. */
  leadershipChanged(leads: boolean): void {
    this.#leadingSince = this.#options.clock.now();
    this.#sessionsAt = this.#leadingSince;
    this.#sessionsLookedAt = this.#leadingSince;
    this.#waitingSince = this.#leadingSince;
    this.#commitIndexBefore = Number.POSITIVE_INFINITY;
    if (leads) return;
    this.#joining.clear();
    this.#leaving.clear();
    this.#vacating.clear();
    this.#heardSince.clear();
    this.#sessionSeenAt.clear();
    const error = new QuorateError(
      'NO_LEADER',
      'Cannot change the membership: this member does not lead now',
    );
    for (const entry of [...this.#waiters]) {
      this.#waiters.delete(entry);
      entry.waiter.reject(error);
    }
  }

  /**
   * Takes a replica in as a learner; resolves once that is committed. Rejects with `REMOVED` for one
   * that has left: it returns as somebody new, or not at all.
   */
  join(nodeId: NodeId, facts: MemberFacts, signal: AbortSignal): Promise<void> {
    if (this.#options.state.hasLeft(nodeId)) {
      const message = 'Cannot join: this replica has left the cluster';
      return Promise.reject(new QuorateError('REMOVED', message));
    }
    this.#leaving.delete(nodeId);
    const isMember = (): boolean => this.#isMember(nodeId);
    if (isMember()) return Promise.resolve();
    const wish = { facts };
    this.#joining.set(nodeId, wish);
    return this.#waitFor(isMember, signal).finally(() => {
      if (this.#joining.get(nodeId) === wish) this.#joining.delete(nodeId);
    });
  }

  /** Removes a member, moving its seat first (Z18); resolves once that is committed. */
  leave(nodeId: NodeId, signal: AbortSignal): Promise<void> {
    const isGone = (): boolean => !this.#isMember(nodeId);
    if (isGone()) return Promise.resolve();
    const wish = {};
    this.#leaving.set(nodeId, wish);
    return this.#waitFor(isGone, signal).finally(() => {
      if (this.#leaving.get(nodeId) === wish) this.#leaving.delete(nodeId);
    });
  }

  /** Moves a member's vote to somebody else, if anybody can take it; resolves when it did. */
  vacate(nodeId: NodeId, signal: AbortSignal): Promise<void> {
    const { clock, state } = this.#options;
    const hasNoVote = (): boolean =>
      !state.membership.voters.includes(nodeId) &&
      !state.membership.votersOutgoing.includes(nodeId);
    if (hasNoVote()) return Promise.resolve();
    const until = clock.now() + this.#options.policy.electionTimeoutMsMax;
    this.#vacating.set(nodeId, until);
    return this.#waitFor(hasNoVote, signal).finally(() => {
      if (this.#vacating.get(nodeId) === until) this.#vacating.delete(nodeId);
    });
  }

  sessionSeen(session: number): void {
    this.#sessionSeenAt.set(session, this.#options.clock.now());
  }

  /** Some membership was applied. */
  applied(): void {
    this.#followLearners();
    for (const entry of [...this.#waiters]) {
      if (!entry.done()) continue;
      this.#waiters.delete(entry);
      entry.waiter.resolve();
    }
  }

  /** Called regularly while this replica leads. */
  tick(): void {
    const status = this.#options.raft.status();
    if (status.role !== 'leader' || status.transferTarget !== null) return;
    this.#careForMembers(status);
    this.#careForSessions();
    this.#commitIndexBefore = status.commitIndex;
  }

  /** Those of `ids` that vote, or would be given a vote now if only they were up to date. */
  wanted(ids: readonly NodeId[]): ReadonlySet<NodeId> {
    const status = this.#options.raft.status();
    const seats = this.#seats(status).map((seat) =>
      ids.includes(seat.nodeId) ? { ...seat, caughtUp: true } : seat,
    );
    const { voters, votersOutgoing } = status.membership;
    const votersNext = this.#plan(seats)?.voters ?? voters;
    const all = [...voters, ...votersOutgoing, ...votersNext];
    return new Set(ids.filter((id) => all.includes(id)));
  }

  #plan(seats: readonly Seat[]): Plan | null {
    const { policy, nodeId } = this.#options;
    return planMembership({
      seats,
      leader: nodeId,
      maxVoters: policy.maxVoters,
      voting: policy.voting,
      replaceAfterMs: policy.replaceAfterMs,
      forgetAfterMs: policy.forgetAfterMs,
      forgetMemoryAfterMs: policy.forgetMemoryAfterMs,
      joining: [...this.#joining.keys()],
    });
  }

  #careForMembers(status: Status): void {
    if (status.pendingChange || this.#options.state.membershipIndex !== status.membershipIndex) {
      return;
    }
    const { raft, state } = this.#options;
    const seats = this.#seats(status);
    const plan = this.#plan(seats);
    if (plan === null || this.#stepAside(plan, seats)) return;
    const members = new Map<NodeId, MemberFacts>();
    for (const [id, { facts }] of this.#joining) {
      if (!state.members.has(id) && plan.learners.includes(id)) members.set(id, facts);
    }
    const kept = [...plan.voters, ...plan.learners];
    const left = [...this.#leaving.keys()].filter((id) => this.#isMember(id) && !kept.includes(id));
    const isPlain = members.size === 0 && left.length === 0;
    const result = raft.proposeChange({
      membership: plan,
      expectedIndex: status.membershipIndex,
      context: isPlain ? noContext : encodeMembershipContext({ genesis: null, members, left }),
    });
    if (result.ok) this.#options.schedule();
  }

  #followLearners(): void {
    const { clock, state, isLinked } = this.#options;
    const { learners } = state.membership;
    for (const id of this.#unlinkedSince.keys()) {
      if (!learners.includes(id)) this.#unlinkedSince.delete(id);
    }
    for (const id of learners) {
      if (this.#unlinkedSince.has(id)) continue;
      this.#unlinkedSince.set(id, isLinked(id) ? never : clock.now());
    }
  }

  /** A leader that is to lose its vote lets another voter lead first, where there is one. */
  #stepAside(plan: Plan, seats: readonly Seat[]): boolean {
    const { nodeId, raft } = this.#options;
    if (plan.voters.includes(nodeId)) return false;
    const successor = seats.find(
      (seat) =>
        seat.voter && seat.nodeId !== nodeId && plan.voters.includes(seat.nodeId) && seat.heard,
    );
    if (successor === undefined) return false;
    raft.transferLeadership(successor.nodeId);
    this.#options.schedule();
    return true;
  }

  #seats(status: Status): Seat[] {
    const { nodeId, state, policy, clock } = this.#options;
    const now = clock.now();
    const progress = new Map(status.progress.map((one) => [one.peer, one]));
    const seat = (id: NodeId, voter: boolean): Seat => {
      const one = progress.get(id);
      const self = id === nodeId;
      // A new leader has heard nobody yet: its count starts with its term.
      const silentMs = Math.min(
        (one?.ticksSinceHeard ?? 0) * policy.tickMs,
        now - this.#leadingSince,
      );
      const facts = state.members.get(id);
      return {
        nodeId: id,
        voter,
        durable: facts?.durable ?? false,
        runtime: facts?.runtime ?? 'node',
        domain: facts?.domain ?? '',
        mayVote: facts?.mayVote ?? true,
        silentMs: self ? 0 : voter ? silentMs : Math.max(silentMs, this.#goneMs(id, one, now)),
        uptimeMs: now - this.#upSince(id, self || one?.recentActive === true, now),
        heard: self || one?.recentActive === true,
        caughtUp:
          self ||
          (one?.recentActive === true &&
            one.matchIndex >= this.#commitIndexBefore &&
            this.standIns?.has(id) !== false),
        leaving: this.#leaving.has(id),
        refused: this.#isRefused(id, now),
        vacating: (this.#vacating.get(id) ?? Number.NEGATIVE_INFINITY) > now,
      };
    };
    return [
      ...status.membership.voters.map((id) => seat(id, true)),
      ...status.membership.learners.map((id) => seat(id, false)),
    ];
  }

  /**
   * Z55: nothing but a refused run is left of it. What was put back has no original that could return;
   * the original of a copy may, so that one is first given the time in which a voter is replaced. It
   * has not left: should it return after all, it asks to be let in again, and is.
   */
  #isRefused(nodeId: NodeId, now: number): boolean {
    const { refusalOf, isLinked, policy } = this.#options;
    const code = refusalOf(nodeId);
    if (code === null || isLinked(nodeId)) return false;
    // A leader of this moment gives everybody an election timeout to be heard first.
    if (now - this.#leadingSince < policy.electionTimeoutMsMax) return false;
    const goneMs = now - (this.#unlinkedSince.get(nodeId) ?? never);
    return code === 'REPLICA_ROLLED_BACK' || goneMs >= policy.replaceAfterMs;
  }

  /**
   * For how long a learner has been out of reach of this member, leading or not; 0 while it may yet
   * be heard. A leader of this moment gives everybody an election timeout to be heard first.
   */
  #goneMs(nodeId: NodeId, progress: Progress | undefined, now: number): number {
    const isEarly = now - this.#leadingSince < this.#options.policy.electionTimeoutMsMax;
    if (isEarly || progress?.recentActive === true) return 0;
    return Math.max(0, now - (this.#unlinkedSince.get(nodeId) ?? never));
  }

  /** Since when it was heard without a break; now, while it is not. */
  #upSince(nodeId: NodeId, heard: boolean, now: number): number {
    if (!heard) this.#heardSince.delete(nodeId);
    else if (!this.#heardSince.has(nodeId)) this.#heardSince.set(nodeId, now);
    return this.#heardSince.get(nodeId) ?? now;
  }

  /** Z27: the log alone renews and ends sessions, so a new leader ends none too early. */
  #careForSessions(): void {
    const { clock, policy, state } = this.#options;
    const now = clock.now();
    // Who slept has heard nobody: that was no waiting.
    if (now - this.#sessionsLookedAt >= policy.sessionLifetimeMs / 3) this.#waitingSince = now;
    this.#sessionsLookedAt = now;
    if (now - this.#sessionsAt < policy.sessionLifetimeMs / 3) return;
    const listedAt = this.#sessionsAt;
    this.#sessionsAt = now;
    const seenAt = (id: number): number => this.#sessionSeenAt.get(id) ?? Number.NEGATIVE_INFINITY;
    const seen = state.sessions
      .unseenSince(state.time - policy.sessionLifetimeMs / 3)
      .filter((id) => seenAt(id) >= listedAt);
    // A leader ends only what it has itself waited for, a whole lifetime long. Replicated time alone
    // would not do: it stands still while nobody writes, and then leaps.
    const deadline = now - policy.sessionLifetimeMs;
    const expired =
      this.#waitingSince > deadline
        ? []
        : state.sessions
            .unseenSince(state.time - policy.sessionLifetimeMs)
            .filter((id) => seenAt(id) <= deadline);
    for (const [id, at] of this.#sessionSeenAt) {
      if (at <= deadline) this.#sessionSeenAt.delete(id);
    }
    if (seen.length + expired.length === 0) return;
    this.#options.proposeOwn(encodeBody({ type: 'sessions', seen, expired }));
  }

  #isMember(nodeId: NodeId): boolean {
    const { voters, votersOutgoing, learners } = this.#options.state.membership;
    return voters.includes(nodeId) || votersOutgoing.includes(nodeId) || learners.includes(nodeId);
  }

  #waitFor(done: () => boolean, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const forget = onAbort(signal, () => {
        if (!this.#waiters.delete(entry)) return;
        reject(
          new QuorateError('MEMBERSHIP_REFUSED', 'The membership could not be changed in time'),
        );
      });
      const waiter: Waiter = {
        resolve: () => {
          forget();
          resolve();
        },
        reject: (error) => {
          forget();
          reject(error);
        },
      };
      const entry = { done, waiter };
      this.#waiters.add(entry);
      this.tick();
    });
  }
}

const never = Number.POSITIVE_INFINITY;
const noContext = new Uint8Array(0);
