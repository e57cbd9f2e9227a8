/** Before a register is made: is there one already, at a relay that members are given beside this one (Z53)? */
import { QuorateError } from '@quorate/contracts';
import { createLibp2pHost } from '../node/create-host.ts';

/**
 * Rejects with `CONFLICT` while one of `peers` answers that it is of a group: members that reach the one
 * and not the other would found two clusters. Who does not answer within 5 s has no say.
 */
export async function refuseSecondGroup(peers: readonly string[]): Promise<void> {
  if (peers.length === 0) return;
  const host = await createLibp2pHost({ relays: peers, reserve: false });
  try {
    const groups = await host.relayGroups(AbortSignal.timeout(answerMs));
    const first = groups.find(({ group }) => group !== null);
    if (first === undefined) return;
    throw new QuorateError(
      'CONFLICT',
      `Cannot make a register: ${first.relay} is a relay of group ${first.group}, and two groups in one list of ` +
        'relays decide nothing; wanted this one started without init',
      { details: { group: first.group } },
    );
  } finally {
    await host.close();
  }
}

const answerMs = 5_000;
