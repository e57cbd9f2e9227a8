/** One that was forgotten while it was away is not told of anything: it asks to be let in again. */
import type { NodeId } from '@quorate/core';
import { isQuorateError } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import type { RunFacts } from '../links/hello.ts';
import { encodeJoinRequest } from '../membership/join-request.ts';
import type { MemberFacts } from '../state/policy.ts';

export type KnockOptions = {
  readonly clock: Clock;
  /** The runs of this cluster that can be asked now. */
  readonly doors: () => readonly RunFacts[];
  readonly self: () => { readonly nodeId: NodeId; readonly facts: MemberFacts };
  readonly ask: (to: NodeId, body: Uint8Array) => Promise<Uint8Array>;
  /** It was removed on purpose, and nobody will let it in. */
  readonly removed: () => void;
};

export class Knock {
  readonly #options: KnockOptions;
  #leaderlessSince = 0;
  #isAsking = false;
  #count = 0;

  constructor(options: KnockOptions) {
    this.#options = options;
  }

  /** From now on it waits for a leader. */
  begin(): void {
    this.#leaderlessSince = this.#options.clock.now();
  }

  /** Looked at now and then: asks once no leader was heard for `patienceMs`. */
  look(hasLeader: boolean, patienceMs: number): void {
    const { clock, doors, self, ask, removed } = this.#options;
    if (hasLeader) this.begin();
    if (this.#isAsking || clock.now() - this.#leaderlessSince < patienceMs) return;
    const runs = doors();
    // Another door each time: whoever is asked may be as forgotten as this one.
    const run = runs[this.#count % runs.length];
    if (run === undefined) return;
    this.#count += 1;
    this.#isAsking = true;
    this.begin();
    const { nodeId, facts } = self();
    ask(run.nodeId, encodeJoinRequest(nodeId, facts))
      .catch((error: unknown) => {
        if (!isQuorateError(error)) throw error;
        // Nobody can let us in now, and the next look asks again; or nobody ever will.
        if (error.code === 'REMOVED') removed();
      })
      .finally(() => {
        this.#isAsking = false;
      });
  }
}
