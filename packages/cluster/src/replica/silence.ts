/**
 * The silence of a restarted run (Z3): it neither grants nor seeks a vote until every other voter's
 * hello arrived, for one of them may know that this replica was rolled back; or until one maximal
 * election timeout passed, for one of them may be gone for good.
 *
 * Withheld is not refused: a network may be late, so candidates are answered afterwards.
 */
import type { Message, NodeId, Raft } from '@quorate/core';
import type { Clock } from '@quorate/contracts';
import { silentTicksOf } from './lease.ts';

export type SilenceOptions = {
  readonly nodeId: NodeId;
  readonly raft: Raft;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly isLinked: (nodeId: NodeId) => boolean;
  /** It is over: the core may vote from now on, and is to be asked what it wants. */
  readonly ended: () => void;
};

/** For how long a run does not vote at all, in ticks: not the first run of a replica, which promised nothing. */
export function silentTicksFor(
  epoch: number,
  leaseReads: boolean,
  electionTimeoutTicksMax: number,
): number {
  if (epoch === 1) return 0;
  // An earlier run may have promised a leader to elect nobody else.
  if (leaseReads) return silentTicksOf(electionTimeoutTicksMax);
  // At most; the silence of Z3 ends it.
  return electionTimeoutTicksMax;
}

export class Silence {
  readonly #options: SilenceOptions;
  readonly #met = new Set<NodeId>();
  /** The newest request of each candidate. */
  readonly #withheld = new Map<NodeId, Message>();
  #cancel: (() => void) | null;
  #campaignDue = false;

  constructor(options: SilenceOptions) {
    this.#options = options;
    this.#cancel = options.clock.setTimeout(() => this.#end(), options.timeoutMs);
    this.look();
  }

  get isOver(): boolean {
    return this.#cancel === null;
  }

  /** The hello of `nodeId` arrived, and neither side objected. */
  met(nodeId: NodeId): void {
    this.#met.add(nodeId);
    this.look();
  }

  /** Ends if nobody is missing. Links and membership may have changed since the last look. */
  look(): void {
    if (this.isOver) return;
    const { raft, nodeId, isLinked } = this.#options;
    const { voters, votersOutgoing } = raft.status().membership;
    // Without any membership nobody knows whom to wait for.
    if (voters.length === 0) return;
    const all = [...voters, ...votersOutgoing];
    if (all.every((id) => id === nodeId || this.#met.has(id) || isLinked(id))) this.#end();
  }

  /** True for what asks for a vote: the core hears of it later, or never. */
  withholds(message: Message): boolean {
    if (this.isOver) return false;
    switch (message.type) {
      case 'PreVote':
      case 'RequestVote':
        this.#withheld.set(message.from, message);
        return true;
      case 'TimeoutNow':
        // Heard late it would unseat a leader that stayed; whoever sent it does not count on it.
        return true;
      default:
        return false;
    }
  }

  /** A wish to stand for election: granted now, or when it is over and nobody else stands. */
  campaign(): void {
    if (this.isOver) this.#options.raft.campaign();
    else this.#campaignDue = true;
  }

  stop(): void {
    this.#cancel?.();
    this.#cancel = null;
    this.#withheld.clear();
    this.#campaignDue = false;
  }

  #votesAlone(): boolean {
    const { raft, nodeId } = this.#options;
    const { voters, votersOutgoing } = raft.status().membership;
    return voters.length === 1 && voters[0] === nodeId && votersOutgoing.length === 0;
  }

  #end(): void {
    const { raft, ended } = this.#options;
    const withheld = [...this.#withheld.values()];
    // Whoever has nobody to ask need not wait for a timer (E14).
    const campaigns = (this.#campaignDue && withheld.length === 0) || this.#votesAlone();
    this.stop();
    raft.endSilence();
    for (const message of withheld) raft.step(message);
    if (campaigns && raft.status().leader === null) raft.campaign();
    ended();
  }
}
