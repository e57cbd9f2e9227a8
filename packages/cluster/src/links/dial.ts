/** Dialling an address of somebody unknown: tried until it answers once, for then its host is known. */
import type { Clock, HostId, Transport } from '@quorate/contracts';
import { isQuorateError, sleep, withDeadline } from '@quorate/contracts';

/** Null when `signal` was aborted before. */
export async function dialUntilAnswered(
  { clock, transport }: { readonly clock: Clock; readonly transport: Transport },
  address: string,
  signal: AbortSignal,
): Promise<HostId | null> {
  while (!signal.aborted) {
    try {
      return await withDeadline(clock, dialTimeoutMs, signal, (deadline) =>
        transport.dial(address, deadline),
      );
    } catch (error) {
      if (!isQuorateError(error)) throw error;
      await sleep(clock, dialRetryMs, signal);
    }
  }
  return null;
}

const dialTimeoutMs = 5_000;
const dialRetryMs = 1_000;
