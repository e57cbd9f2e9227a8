/**
 * Branches of a replica's history (Z48). Whoever opens a store draws a nonce, so a store that was
 * copied or put back parts from the original at its next opening: two nonces for one epoch. The lists
 * of nonces that runs carry say which of them comes from which, as far back as they reach.
 */
import type { Run, RunId } from '@quorate/contracts';

/** A run, and the nonces of those before it. */
export type History = Pick<Run, 'epoch' | 'nonce' | 'past'>;

/**
 * How a run stands to a known one: the `same`; opened `later` on its branch or `earlier`, a late word
 * of it; on another branch, a `fork`; or `apart`, where the lists do not reach each other.
 */
export type Relation = 'same' | 'later' | 'earlier' | 'fork' | 'apart';

export function relationOf(known: History, run: History): Relation {
  const epoch = Math.min(known.epoch, run.epoch);
  const [ours, theirs] = [nonceAt(known, epoch), nonceAt(run, epoch)];
  if (ours === null || theirs === null) return 'apart';
  if (ours !== theirs) return 'fork';
  if (known.epoch === run.epoch) return 'same';
  return run.epoch > known.epoch ? 'later' : 'earlier';
}

/** Is `id` this run, or one before it on its branch, as far as is known? */
export function comesFrom(run: History, id: RunId): boolean {
  return nonceAt(run, id.epoch) === id.nonce;
}

/** Where the branch of `run` begins that `known` does not come from; `run` itself if it is not known. */
export function forkOf(known: History, run: History): RunId {
  let root: RunId = { epoch: run.epoch, nonce: run.nonce };
  for (let epoch = run.epoch; epoch > 0; epoch -= 1) {
    const nonce = nonceAt(run, epoch);
    if (nonce === null || nonce === nonceAt(known, epoch)) break;
    root = { epoch, nonce };
  }
  return root;
}

function nonceAt({ epoch, nonce, past }: History, at: number): string | null {
  return (at === epoch ? nonce : past[epoch - 1 - at]) ?? null;
}
