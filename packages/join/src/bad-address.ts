import { QuorateError } from '@quorate/contracts';

/** What only the network's own parser finds wrong with an address is the caller's mistake, too. */
export async function orBadAddress<T>(starting: Promise<T>): Promise<T> {
  try {
    return await starting;
  } catch (cause) {
    const isOurs =
      cause instanceof TypeError && /^Cannot (read|use) (address|relay)/.test(cause.message);
    if (!isOurs) throw cause;
    throw new QuorateError('BAD_REQUEST', cause.message, { cause });
  }
}
