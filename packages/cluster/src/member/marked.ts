/** Replicas that others refused, and what is written beside their logs (Z38). */
import { isQuorateError, QuorateError } from '@quorate/contracts';
import type { Mark } from '@quorate/contracts';
import type { Charge } from '../links/hosted-replica.ts';

/** What a charge leaves beside the log of the replica that it ends. */
export function markOf({ error, by, others }: Charge): Mark {
  const code = error.code === 'REPLICA_CLONED' ? 'REPLICA_CLONED' : 'REPLICA_ROLLED_BACK';
  return { code, message: `${error.message}, says ${by}`, others };
}

/** Opens the store, or, with `beginsAnew`, the first one after those that are marked (T1). */
export async function inFirstUnmarked(
  beginsAnew: boolean,
  open: (markedCount: number) => Promise<void>,
): Promise<void> {
  const markedCountMax = beginsAnew ? storesMax - 1 : 0;
  for (let markedCount = 0; ; markedCount++) {
    try {
      await open(markedCount);
      return;
    } catch (error) {
      if (!isRefusal(error) || markedCount >= markedCountMax) throw error;
    }
  }
}

/** What ended a member, or keeps it from opening: where a person has two copies, which one this is. */
export function located(error: QuorateError, place: string | undefined): QuorateError {
  if (place === undefined || !isRefusal(error)) return error;
  const { code, message, outcome, details } = error;
  const text = `${message}; this one lies in ${place}. ${copyAdvice}`;
  return new QuorateError(code, text, { cause: error, outcome, details });
}

function isRefusal(error: unknown): boolean {
  return isQuorateError(error, 'REPLICA_ROLLED_BACK') || isQuorateError(error, 'REPLICA_CLONED');
}

/** One store after another of them was marked: whatever does that is not mended by one more. */
const storesMax = 8;
const copyAdvice =
  'Run the other one and put this directory aside: an empty one joins as a new member. To keep this ' +
  'one, stop the other for good, and run quorate doctor --keep-this with it';
