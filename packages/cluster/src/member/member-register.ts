/** What a person asks of a member about the register of its namespace (Z41, Z58). */
import { QuorateError, withDeadline } from '@quorate/contracts';
import type { Clock } from '@quorate/contracts';
import type { RegisterCare, RestoredRegister } from '../formation/register-care.ts';
import type { Replica } from '../replica/replica.ts';
import type { Genesis } from '../state/policy.ts';
import type { ReplicatedState } from '../state/replicated-state.ts';

export type RegisterParts = {
  readonly clock: Clock;
  /** Null: without relays, or before the network is up. */
  readonly care: RegisterCare | null;
  readonly signal: AbortSignal;
};

/** Errors: `UNSUPPORTED` where this member has no relay, and those of `run`. */
export async function withRegister<T>(
  { clock, care, signal }: RegisterParts,
  run: (care: RegisterCare, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  if (care === null) {
    throw new QuorateError('UNSUPPORTED', 'Cannot ask a register: this member has no relay (yet)');
  }
  return withDeadline(clock, callMs, signal, (within) => run(care, within));
}

/**
 * Writes the member's cluster back into a register that has forgotten it (Z58): after a quorum read,
 * and where nothing else stands only. Errors: as `RegisterCare.restore`, `NO_LEADER`, `UNSUPPORTED`.
 */
export async function restoreRegister(
  parts: RegisterParts & {
    readonly replica: Replica | null;
    readonly genesis: Genesis | null;
    readonly state: ReplicatedState | null;
  },
): Promise<RestoredRegister> {
  const { replica, genesis, state } = parts;
  if (replica === null || genesis === null || state?.activated !== true) {
    throw new QuorateError(
      'NO_LEADER',
      'Cannot restore the register: this member knows of no cluster that acknowledges',
    );
  }
  const { clusterId, generation, founder } = genesis;
  const member = {
    ...{ clusterId, generation, founder },
    group: () => state.register ?? genesis.register,
    confirm: (signal: AbortSignal) => replica.readBarrier({ signal, timeoutMs: callMs }),
    propose: (body: Uint8Array, signal: AbortSignal) => replica.proposeMove(body, signal),
  };
  return withRegister(parts, (care, signal) => care.restore(member, signal));
}

const callMs = 30_000;
