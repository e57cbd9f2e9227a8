/** `--limit NAME=NUMBER`: a relay's numbers, by the names of its options. */
import { takeLimits } from '@quorate/transport-libp2p/relay';
import { UsageError } from './flags.ts';

/** As `startRelay` takes them. Throws `UsageError`. */
export function limitsOf(given: readonly string[]): Readonly<Record<string, number>> {
  const limits: Record<string, number> = {};
  for (const text of given) {
    const [, name, number] = /^([A-Za-z]+)=(\d+)$/.exec(text) ?? [];
    if (name === undefined) {
      throw new UsageError(
        `Cannot use --limit ${JSON.stringify(text)}: wanted NAME=NUMBER, such as workPerPeer=800`,
      );
    }
    limits[name] = Number(number);
  }
  try {
    takeLimits(limits);
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) {
      throw new UsageError(error.message);
    }
    throw error;
  }
  return limits;
}
