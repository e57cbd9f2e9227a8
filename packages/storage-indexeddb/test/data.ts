import type { LoadedLog, LogStorage, Run } from '@quorate/contracts';
import type { Entry, PersistBatch, SnapshotMeta } from '@quorate/core';

export const nodeIdA = '0123456789abcdef0123456789abcdef';
export const nodeIdB = 'ffeeddccbbaa99887766554433221100';

export function openOptions(nonce: number = 1): {
  create: boolean;
  newNodeId: string;
  nonce: string;
} {
  return { create: true, newNodeId: nodeIdA, nonce: nonce.toString(16).padStart(16, '0') };
}

export async function opened<T extends LogStorage>(
  storage: T,
  nonce: number = 1,
): Promise<{ storage: T; run: Run; log: LoadedLog }> {
  const run = await storage.open(openOptions(nonce));
  return { storage, run, log: await storage.load() };
}

/** Entries `[from, to)` of `term`, one batch. */
export function batchOf(number: number, term: number, from: number, to: number): PersistBatch {
  const entries: Entry[] = [];
  for (let index = from; index < to; index += 1) {
    entries.push({ term, index, type: 'normal', data: Uint8Array.of(index & 0xff, term & 0xff) });
  }
  return { number, entries, hardState: { currentTerm: term, votedFor: nodeIdB, commitIndex: 0 } };
}

export function metaOf(term: number, index: number): SnapshotMeta {
  const membership = { voters: [nodeIdA], votersOutgoing: [], learners: [], learnersNext: [] };
  return { term, index, membership, membershipIndex: 1 };
}

export function indexesOf(log: LoadedLog): number[] {
  return log.entries.map((entry) => entry.index);
}

/** Fails unless `promise` rejects with an error of this code. */
export async function rejectsWith(promise: Promise<unknown>, code: string): Promise<void> {
  const outcome = await promise.then(
    () => 'resolved',
    (error: unknown) => (error instanceof Error && 'code' in error ? error.code : String(error)),
  );
  if (outcome !== code) throw new Error(`Wanted a rejection with ${code}, got ${String(outcome)}`);
}
