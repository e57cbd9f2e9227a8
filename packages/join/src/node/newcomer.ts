/**
 * A newcomer with the wrong secret, or with none where one is needed, leaves nothing behind: the
 * register is asked before the first file of a namespace is made.
 */
import { readdir } from 'node:fs/promises';
import { isQuorateError } from '@quorate/contracts';
import type { Cipher } from '@quorate/contracts';
import { readClaim } from '@quorate/cluster/restoring';
import { orBadAddress } from '../bad-address.ts';

/**
 * Rejects with `BAD_SECRET` where the relays know the namespace under another secret. Whatever else
 * they say, or if they say nothing for a while, the member finds out, tells, and waits for.
 */
export async function askAsNewcomer(
  directory: string,
  relays: readonly string[],
  cipher: Cipher,
): Promise<void> {
  if (relays.length === 0 || !(await isNothing(directory))) return;
  const { createLibp2pHost } = await import('@quorate/transport-libp2p');
  // A host of its own that nobody gets to know: the member's is up only after its store is.
  const host = await orBadAddress(createLibp2pHost({ relays, reserve: false }));
  try {
    await readClaim(host.register(cipher), AbortSignal.timeout(askingMs));
  } catch (error) {
    if (!isQuorateError(error) || error.code === 'BAD_SECRET') throw error;
  } finally {
    await host.close();
  }
}

async function isNothing(directory: string): Promise<boolean> {
  try {
    return (await readdir(directory)).length === 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return true;
    throw error;
  }
}

const askingMs = 3_000;
