/**
 * What must be so before a user's write is taken: the cluster is active (Z10), and as many copies exist
 * as were asked for (Z14).
 *
 * Z10: before anything is acknowledged to anybody, the register must call the cluster active and the
 * log must say so. Whoever leads sees to it, once somebody wants something.
 */
import type { NodeId, Status } from '@quorate/core';
import type { Clock } from '@quorate/contracts';
import { encodeBody } from '../state/envelope.ts';
import type { ReplicatedState } from '../state/replicated-state.ts';

export type ActivationOptions = {
  readonly clock: Clock;
  readonly state: ReplicatedState;
  readonly leads: () => boolean;
  /** Resolves true once the register says so; false when it cannot be reached now. */
  readonly register: () => Promise<boolean>;
  /** Durable replicas that hold all that is committed, the leader's own among them. */
  readonly durableCopies: () => number;
  /** Proposes as leader; false when this one does not lead any more. */
  readonly propose: (body: Uint8Array) => boolean;
};

export class Activation {
  readonly #options: ActivationOptions;
  #busy = false;
  /** This leadership's entry is on its way. */
  #formedSaid = false;
  #stopped = false;

  constructor(options: ActivationOptions) {
    this.#options = options;
  }

  /** Sets out, unless it is under way, done, or another's to do. */
  begin(): void {
    const { leads, register, state } = this.#options;
    if (this.#busy || this.#stopped || state.activated || !leads()) return;
    this.#busy = true;
    register().then(
      (active) => {
        // Once is enough per term: a leader's own entry is lost only together with its leadership.
        this.#busy = active && this.#propose();
      },
      () => {
        this.#busy = false;
      },
    );
  }

  /** Resolves true once it is done, false when `signal` is aborted first. */
  async whenActive(signal: AbortSignal): Promise<boolean> {
    const { clock, state } = this.#options;
    while (!state.activated && !signal.aborted && !this.#stopped) {
      this.begin();
      await new Promise<void>((resolve) => clock.setTimeout(resolve, pollMs));
    }
    return state.activated;
  }

  /** Z14: says in the log that there are as many copies as the policy expects, once there are. */
  lookForCopies(): void {
    const { state, propose, leads, durableCopies } = this.#options;
    if (state.formed || this.#formedSaid || this.#stopped || !leads()) return;
    if (durableCopies() < (state.genesis?.policy.expect ?? 1)) return;
    if (state.activated) this.#formedSaid = propose(encodeBody({ type: 'formed' }));
    else this.begin();
  }

  /** What a former term had under way may be lost. */
  leadershipChanged(): void {
    this.#busy = false;
    this.#formedSaid = false;
  }

  stop(): void {
    this.#stopped = true;
  }

  #propose(): boolean {
    const { state, propose } = this.#options;
    if (this.#stopped || state.activated) return false;
    return propose(encodeBody({ type: 'activated' }));
  }
}

/** Durable replicas that hold all that is committed, as their leader knows it. */
export function durableCopies(
  { nodeId, progress, commitIndex, durableIndex }: Status,
  members: ReplicatedState['members'],
): number {
  const holders = new Set<NodeId>(durableIndex >= commitIndex ? [nodeId] : []);
  for (const one of progress) if (one.matchIndex >= commitIndex) holders.add(one.peer);
  return [...holders].filter((id) => members.get(id)?.durable === true).length;
}

const pollMs = 10;
