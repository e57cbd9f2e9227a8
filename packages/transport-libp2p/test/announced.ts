/** Hosts that are announced on a topic, as members are: a relay leads nobody else's way to them. */
import type { Libp2pHost } from '../src/host/host.ts';
import { testCipher } from './test-cipher.ts';

/** Resolves once its relays, if one answers now, have it on their lists. */
export async function announced(host: Libp2pHost): Promise<Libp2pHost> {
  const rendezvous = host.rendezvous(testCipher('announced', 'for a test'));
  rendezvous.announce({ host: host.peerId, addresses: [] });
  // Asked after it, answered after it.
  await rendezvous.list(AbortSignal.timeout(10_000)).catch(() => {});
  return host;
}
