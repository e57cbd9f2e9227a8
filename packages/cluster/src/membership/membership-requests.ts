/**
 * Who wants to come, go, or give up a vote asks any member; the member asks the leader, one hop and
 * no more; the leader answers once the change is committed.
 */
import type { NodeId } from '@quorate/core';
import type { Activation } from './activation.ts';
import type { Autopilot } from './autopilot.ts';
import { ByteReader, ByteWriter, isQuorateError, QuorateError } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import { decodeJoinRequest, encodeJoinAnswer } from './join-request.ts';
import { memberFactsFromCbor } from '../state/policy.ts';
import type { ReplicatedState } from '../state/replicated-state.ts';
import type { RequestOptions } from '../links/rpc.ts';

export type MembershipWish = 'join' | 'leave' | 'vacate';

export type MembershipRequestsOptions = {
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly state: ReplicatedState;
  readonly autopilot: Autopilot;
  readonly activation: Activation;
  readonly leader: () => NodeId | null;
  /** What ended this replica, if anything did. */
  readonly stopped: () => QuorateError | null;
  readonly request: (
    to: NodeId,
    method: string,
    body: Uint8Array,
    options: RequestOptions,
  ) => Promise<Uint8Array>;
};

export class MembershipRequests {
  readonly #options: MembershipRequestsOptions;

  constructor(options: MembershipRequestsOptions) {
    this.#options = options;
  }

  /**
   * Answers another's wish. `mayForward`: it was asked of any member, so the leader is asked in its
   * name. Errors: `NO_LEADER`, `MEMBERSHIP_REFUSED`, `REMOVED`, `BAD_REQUEST`.
   */
  async answer(
    wish: MembershipWish,
    body: Uint8Array,
    signal: AbortSignal,
    mayForward: boolean,
  ): Promise<Uint8Array> {
    const { nodeId, state, activation, leader } = this.#options;
    const to = leader();
    if (to !== nodeId) {
      if (to === null || !mayForward) {
        throw new QuorateError('NO_LEADER', `Cannot ${wish}: this member does not lead`);
      }
      return this.#askThere(to, wish, body, signal);
    }
    const genesis = state.genesis;
    if (genesis === null || !(await activation.whenActive(signal))) {
      throw new QuorateError('NO_LEADER', `Cannot ${wish}: the cluster is not active yet`);
    }
    await this.#carryOut(wish, body, signal);
    return wish === 'join' ? encodeJoinAnswer(genesis) : noBytes;
  }

  /** This member's own wish about `nodeId`, asked of whoever leads until `signal` is aborted. */
  async ask(wish: 'leave' | 'vacate', nodeId: NodeId, signal: AbortSignal): Promise<void> {
    const { clock, leader, stopped } = this.#options;
    const body = new ByteWriter(16).hex(nodeId).finish();
    for (;;) {
      const to = leader();
      try {
        if (to === this.#options.nodeId) return void (await this.answer(wish, body, signal, false));
        if (to !== null) return void (await this.#askThere(to, wish, body, signal));
      } catch (error) {
        if (!isQuorateError(error) || signal.aborted || error.code === 'BAD_REQUEST') throw error;
      }
      if (signal.aborted || stopped() !== null) {
        throw stopped() ?? new QuorateError('NO_LEADER', `Cannot ${wish}: no leader in time`);
      }
      await new Promise<void>((resolve) => clock.setTimeout(resolve, retryMs));
    }
  }

  /** Gives this member's vote to one of `standIns`, whoever leads. */
  async handVoteTo(standIns: ReadonlySet<NodeId>, signal: AbortSignal): Promise<void> {
    const { autopilot, nodeId } = this.#options;
    autopilot.standIns = standIns;
    try {
      await this.ask('vacate', nodeId, signal);
    } finally {
      autopilot.standIns = null;
    }
  }

  #askThere(
    to: NodeId,
    wish: MembershipWish,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<Uint8Array> {
    return this.#options.request(to, `${wish}-here`, body, { timeoutMs: requestTimeoutMs, signal });
  }

  async #carryOut(wish: MembershipWish, body: Uint8Array, signal: AbortSignal): Promise<void> {
    const { autopilot } = this.#options;
    if (wish === 'join') {
      const { nodeId, facts } = decodeJoinRequest(body);
      await autopilot.join(nodeId, memberFactsFromCbor(facts), signal);
      return;
    }
    const nodeId = new ByteReader(body).hex(16);
    await (wish === 'leave' ? autopilot.leave(nodeId, signal) : autopilot.vacate(nodeId, signal));
  }
}

const noBytes = new Uint8Array(0);
const requestTimeoutMs = 10_000;
const retryMs = 100;
