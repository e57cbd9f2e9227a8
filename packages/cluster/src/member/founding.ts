/** What a member writes that founds a cluster: its genesis, durable before there is a core. */
import type { LoadedLog } from '@quorate/contracts';
import type { FormationResult } from '../formation/formation.ts';
import { persistFounding } from '../replica/turn.ts';
import type { RoomWait } from '../replica/turn.ts';
import { featureLevel } from '../state/policy.ts';
import type { Genesis, MemberFacts, Policy } from '../state/policy.ts';
import { foundingOf } from './opening.ts';
import type { Opened } from './opening.ts';

export type FoundingOptions = {
  readonly opened: Opened;
  readonly namespace: string;
  /** The group that keeps the claim, or `isolated`. */
  readonly register: string;
  readonly policy: Policy;
  readonly facts: MemberFacts;
  readonly waiting: RoomWait;
};

/** Founds the cluster that `result` names. Errors: those of `LogStorage.persist`. */
export async function found(
  { clusterId, generation }: Extract<FormationResult, { type: 'found' }>,
  options: FoundingOptions,
): Promise<{ readonly genesis: Genesis; readonly loaded: LoadedLog }> {
  const { opened, namespace, register, policy, facts, waiting } = options;
  const { run, storage, state } = opened;
  const genesis: Genesis = {
    clusterId,
    generation,
    namespace,
    founder: run.nodeId,
    register,
    featureLevel,
    policy,
  };
  const founding = foundingOf(genesis, facts);
  await persistFounding(storage, founding, waiting);
  state.apply(founding.entry);
  const { hardState, entry } = founding;
  return { genesis, loaded: { hardState, snapshot: null, entries: [entry] } };
}
