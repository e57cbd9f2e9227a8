/** The network of a page with relays: loaded by those pages, and by no other. */
import type { Cipher } from '@quorate/contracts';
import type { MemberNetwork } from '@quorate/cluster';
import { registerCare } from '@quorate/cluster/register';
import { createLibp2pHost } from '@quorate/transport-libp2p/browser';
import type { Libp2pHostOptions } from '@quorate/transport-libp2p/browser';
import type { Environment } from './environment.ts';
import { knownRelays } from './known-relays.ts';

export async function networkOverRelays(
  options: Libp2pHostOptions,
  cipher: Cipher,
  { clock, random }: Environment,
): Promise<MemberNetwork> {
  const host = await createLibp2pHost({ ...options, ...knownRelays(), clock, random });
  const [register, rendezvous] = [host.register(cipher), host.rendezvous(cipher)];
  return {
    transport: host.transport(cipher.topic),
    cipher,
    register,
    rendezvous,
    care: registerCare({ register, rendezvous, clock }),
    close: () => host.close(),
  };
}
