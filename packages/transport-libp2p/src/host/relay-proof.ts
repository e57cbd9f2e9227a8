/** What a greeting comes to: of which group a relay is, if it proves that to this host. */
import { readCertificate, whyUnproven } from '../wire/certificate.ts';
import type { Greeting } from '../wire/relay-messages.ts';
import type { RelayMemory } from './relay-memory.ts';

export type Standing = {
  /** That it says it is of; null for a relay that holds no register. */
  readonly group: string | null;
  /** Why that is not to be believed; null where it is proven. */
  readonly unproven: string | null;
};

/** `nowMs`: Unix time, by this machine's clock. */
export async function standingOf(
  { group, certificate }: Pick<Greeting, 'group' | 'certificate'>,
  { peer, address, memory }: { peer: string; address: string; memory: RelayMemory },
  nowMs: number,
): Promise<Standing> {
  if (group === null) return { group, unproven: null };
  const shown = certificate === null ? null : await readCertificate(certificate);
  const why = whyUnproven(shown, { group, peer, nowMs });
  if (why !== null || shown === null) return { group, unproven: why };
  const seen = memory.counterOf(group);
  if (shown.counter < seen) {
    const unproven = `its register was put back: it counts ${shown.counter}, and had come to ${seen}`;
    return { group, unproven };
  }
  if (certificate !== null) memory.met(address, group, shown.counter, certificate);
  return { group, unproven: null };
}
