/** The claim that a member of a registered cluster looks after (Z10, Z12). */
import type { NodeId } from '@quorate/core';
import type { Clock, LogStorage, Register } from '@quorate/contracts';
import { ClaimKeeper } from '../formation/claim.ts';
import type { Claim, LostCode } from '../formation/claim.ts';
import type { RegisterCare } from '../formation/register-care.ts';
import type { Genesis } from '../state/policy.ts';
import type { ReplicatedState } from '../state/replicated-state.ts';
import { isStillThere } from './opening.ts';

export type KeepClaimOptions = {
  readonly register: Register | null;
  readonly clock: Clock;
  readonly genesis: Genesis;
  readonly self: NodeId;
  readonly care: RegisterCare | null;
  readonly state: ReplicatedState;
  readonly storage: LogStorage;
  readonly lost: (what: string | null, code?: LostCode) => void;
  readonly pinnedElsewhere: () => void;
  readonly superseded: (by: Claim) => void;
  readonly refused: (count: number) => void;
  readonly notice: (words: string | undefined) => void;
};

/** Null where no register knows this cluster. */
export function keepClaim(options: KeepClaimOptions): ClaimKeeper | null {
  const { register, clock, genesis, state, storage, notice, refused, ...events } = options;
  if (register === null || genesis.register === 'isolated') return null;
  return new ClaimKeeper(
    {
      register,
      clock,
      clusterId: genesis.clusterId,
      generation: genesis.generation,
      founder: genesis.founder,
      group: () => state.register ?? genesis.register,
      activated: () => state.activated,
      mayRestore: () => isStillThere(storage),
      ...events,
      refused: (count) => {
        refused(count);
        notice(register.notice ?? undefined);
      },
    },
    state.activated,
  );
}
