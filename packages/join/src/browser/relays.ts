/** What a page with relays needs beside all others, its network first: loaded by those pages alone. */
import type { Cipher } from '@quorate/contracts';
import type { MemberNetwork } from '@quorate/cluster';
import { registerCare } from '@quorate/cluster/register';
import { SignedRuns } from '@quorate/cluster/signed';
import { runSigner } from '@quorate/crypto';
import { createLibp2pHost, generatePrivateKey } from '@quorate/transport-libp2p/browser';
import type { Libp2pHostOptions } from '@quorate/transport-libp2p/browser';
import type { Environment } from './environment.ts';
import { hostKey } from './host-key.ts';
import { knownRelays } from './known-relays.ts';

export const signedRuns: SignedRuns = new SignedRuns(runSigner);

export async function networkOverRelays(
  options: Libp2pHostOptions,
  cipher: Cipher,
  { clock, random, locks }: Environment,
): Promise<MemberNetwork> {
  const key = await hostKey({ locks, random, draw: generatePrivateKey });
  const { privateKey } = key;
  const host = await createLibp2pHost({
    ...options,
    ...knownRelays(),
    privateKey,
    clock,
    random,
  }).catch(async (error: unknown) => {
    await key.release();
    throw error;
  });
  const [register, rendezvous] = [host.register(cipher), host.rendezvous(cipher)];
  return {
    transport: host.transport(cipher.topic),
    cipher,
    register,
    rendezvous,
    care: registerCare({ register, rendezvous, clock }),
    close: async () => {
      await host.close();
      await key.release();
    },
  };
}
