/** What a register holds, asked from any machine that has the secret, without a member. */
import { systemClock, systemRandom } from '@quorate/contracts';
import { registerCare } from '@quorate/cluster/register';
import type { RegisterView } from '@quorate/cluster/register';
import { createCipher } from '@quorate/crypto';
import { nodeAes } from '@quorate/crypto/node';
import type { JoinOptions } from '../options.ts';

/**
 * Resolves with what the first relay's register holds of the namespace, and who is announced there.
 * Rejects with `UNREACHABLE` where no relay answers within `timeoutMs`.
 */
export async function lookAtRegister(
  options: Pick<JoinOptions, 'namespace' | 'relays' | 'secret'> & { readonly timeoutMs: number },
): Promise<RegisterView> {
  const { namespace, relays = [], secret = 'public', timeoutMs } = options;
  const { createLibp2pHost } = await import('@quorate/transport-libp2p');
  const cipher = createCipher({
    namespace,
    secrets: secret,
    random: systemRandom,
    accelerate: nodeAes,
  });
  const host = await createLibp2pHost({ relays: relays.map(String), reserve: false });
  const rendezvous = host.rendezvous(cipher);
  try {
    const care = registerCare({ register: host.register(cipher), rendezvous, clock: systemClock });
    return await care.show(AbortSignal.timeout(timeoutMs));
  } finally {
    await rendezvous.close();
    await host.close();
  }
}
