/**
 * Revisions belong to a generation of their cluster (Z50): revision = (counter − 1) · 2^40 + n. A first
 * generation counts from 1, and one that was restored, whose counter is higher, above whatever its
 * predecessors gave out: no number of theirs is ever equal to one of its own.
 */
export const revisionsPerGeneration: number = 2 ** 40;

/** The highest counter whose revisions are safe integers. */
export const generationMax: number = 2 ** 13 - 1;

/** The counter of the generation that `revision` belongs to. */
export function generationOf(revision: number): number {
  return Math.floor(revision / revisionsPerGeneration) + 1;
}

/** The same place, n, in another generation. */
export function inGeneration(revision: number, generation: number): number {
  return (generation - 1) * revisionsPerGeneration + (revision % revisionsPerGeneration);
}
