/**
 * A life of a replica as a list of steps, what must be stored after each of them by a naive model,
 * and a way to run it on a file system that may stop at any moment.
 */
import type { Entry, HardState, PersistBatch, SnapshotMeta } from '@quorate/core';
import { FileStorage } from '../src/index.ts';
import type { FaultyFileSystem } from './faulty-file-system.ts';

export type Step =
  | { readonly type: 'persist'; readonly batches: readonly Omit<PersistBatch, 'number'>[] }
  | { readonly type: 'snapshot'; readonly meta: SnapshotMeta; readonly bytes: Uint8Array }
  | { readonly type: 'compact'; readonly throughIndex: number }
  | { readonly type: 'reopen' };

/** What a replica holds. Entries below the snapshot do not count: they may be kept or not. */
export type Held = {
  readonly hardState: HardState;
  readonly snapshot: { readonly meta: SnapshotMeta; readonly bytes: Uint8Array } | null;
  readonly entries: readonly Entry[];
};

/** How far a run came: `issued` changes were asked for, the first `acknowledged` are promised. */
export type Progress = {
  epoch: number;
  acknowledged: number;
  issued: number;
  error: unknown;
};

export const directory = '/disk/data';
export const nodeId = '0123456789abcdef0123456789abcdef';

export const emptyHeld: Held = {
  hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
  snapshot: null,
  entries: [],
};

export function entries(term: number, from: number, to: number, dataBytes: number = 30): Entry[] {
  return Array.from({ length: to - from }, (_, offset) => {
    const index = from + offset;
    const data = Uint8Array.from(
      { length: dataBytes },
      (_byte, at) => (index * 13 + term + at) & 0xff,
    );
    return { term, index, type: 'normal', data };
  });
}

export function persist(...runs: readonly (readonly Entry[])[]): Step {
  return {
    type: 'persist',
    batches: runs.map((run) => ({
      entries: run,
      hardState: {
        currentTerm: run.at(-1)?.term ?? 1,
        votedFor: nodeId,
        commitIndex: (run[0]?.index ?? 1) - 1,
      },
    })),
  };
}

export function snapshot(term: number, index: number, dataBytes: number = 1500): Step {
  const membership = { voters: [nodeId], votersOutgoing: [], learners: [], learnersNext: [] };
  const bytes = Uint8Array.from({ length: dataBytes }, (_, at) => (index * 7 + at * 3) & 0xff);
  return { type: 'snapshot', meta: { term, index, membership, membershipIndex: 1 }, bytes };
}

/** Every kind of change, in segments so small that they roll all the time. */
export const eventfulLife: readonly Step[] = [
  persist(entries(1, 1, 4)),
  persist(entries(1, 4, 8), entries(1, 8, 9), [], entries(1, 9, 12)),
  persist(entries(2, 6, 10), entries(3, 9, 11, 700)),
  { type: 'reopen' },
  persist(entries(3, 11, 30, 50)),
  snapshot(3, 20),
  { type: 'compact', throughIndex: 18 },
  persist(entries(4, 25, 27), entries(4, 27, 28, 1400)),
  snapshot(6, 100),
  persist([], entries(7, 101, 120)),
  { type: 'compact', throughIndex: 100 },
  { type: 'reopen' },
  persist(entries(7, 120, 122), entries(8, 110, 112)),
  snapshot(7, 109, 3000),
  snapshot(8, 111, 10),
  { type: 'compact', throughIndex: 111 },
  persist(entries(9, 112, 114)),
];

/** The states after 0, 1, 2… changes; each batch and each snapshot is one. */
export function statesOf(steps: readonly Step[]): Held[] {
  const states: Held[] = [emptyHeld];
  for (const step of steps) {
    const last = states.at(-1) ?? emptyHeld;
    if (step.type === 'snapshot') states.push(withSnapshot(last, step.meta, step.bytes));
    if (step.type !== 'persist') continue;
    for (const batch of step.batches) states.push(withBatch(states.at(-1) ?? emptyHeld, batch));
  }
  return states;
}

/** Runs the steps from an empty disk; resolves early when one rejects. */
export async function live(
  fileSystem: FaultyFileSystem,
  steps: readonly Step[],
  progress: Progress,
  options: { readonly whenFull?: () => void } = {},
): Promise<void> {
  let storage: FileStorage | null = null;
  const attempt = async (work: () => Promise<unknown>): Promise<void> => {
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        const full = error instanceof Error && 'code' in error && error.code === 'STORAGE_FULL';
        if (!full || options.whenFull === undefined) throw error;
        options.whenFull();
      }
    }
  };
  const open = async (): Promise<void> => {
    await attempt(async () => {
      await storage?.close();
      const opened = newStorage(fileSystem);
      storage = opened;
      const run = await opened.open({ create: true, newNodeId: nodeId, nonce: nextNonce() });
      progress.epoch = run.epoch;
      await opened.load();
    });
  };
  try {
    await open();
    let number = 0;
    for (const step of steps) {
      const current = storage as FileStorage | null;
      if (current === null) throw new Error('open() came first');
      if (step.type === 'reopen') {
        await open();
        number = 0;
      } else if (step.type === 'compact') {
        await current.compact(step.throughIndex);
      } else if (step.type === 'snapshot') {
        progress.issued += 1;
        await attempt(() => current.saveSnapshot(step.meta, [step.bytes]));
        progress.acknowledged += 1;
      } else {
        const first = number;
        number += step.batches.length;
        progress.issued += step.batches.length;
        let done = 0;
        await attempt(async () => {
          const pending = step.batches.slice(done).map((batch, offset) => {
            const persisted = current.persist({ ...batch, number: first + done + offset + 1 });
            return persisted.then(() => {
              progress.acknowledged += 1;
            });
          });
          const before = progress.acknowledged;
          const outcomes = await Promise.allSettled(pending);
          done += progress.acknowledged - before;
          const refused = outcomes.find((outcome) => outcome.status === 'rejected');
          if (refused !== undefined) throw refused.reason;
        });
      }
    }
    await (storage as FileStorage | null)?.close();
  } catch (error) {
    progress.error = error;
    await (storage as FileStorage | null)?.close();
  }
}

/** Opens what is on the disk, as the next process would, and reads all of it. */
export async function inspect(
  fileSystem: FaultyFileSystem,
): Promise<{ readonly epoch: number; readonly nodeId: string; readonly held: Held }> {
  const storage = newStorage(fileSystem);
  const options = { create: true, newNodeId: nodeId, nonce: nextNonce() };
  const run = await storage.open(options);
  try {
    const log = await storage.load();
    const stored = await storage.readSnapshot();
    const parts: number[] = [];
    if (stored !== null)
      for await (const chunk of stored.chunks) for (const byte of chunk) parts.push(byte);
    const snapshotIndex = log.snapshot?.index ?? 0;
    return {
      epoch: run.epoch,
      nodeId: run.nodeId,
      held: {
        hardState: log.hardState,
        snapshot: stored === null ? null : { meta: stored.meta, bytes: Uint8Array.from(parts) },
        entries: log.entries.filter((entry) => entry.index > snapshotIndex),
      },
    };
  } finally {
    await storage.close();
  }
}

export function newProgress(): Progress {
  return { epoch: 0, acknowledged: 0, issued: 0, error: null };
}

export function newStorage(fileSystem: FaultyFileSystem): FileStorage {
  const sizes = { segmentBytes: 1024, reserveBytes: 8_192 };
  return new FileStorage({ directory, fileSystem, ...sizes, monotonicNow: () => 0 });
}

export function nextNonce(): string {
  nonces += 1;
  return nonces.toString(16).padStart(16, '0');
}

function withBatch(held: Held, batch: Omit<PersistBatch, 'number'>): Held {
  const first = batch.entries[0]?.index ?? Infinity;
  const kept = held.entries.filter((entry) => entry.index < first);
  const commitIndex = Math.max(batch.hardState.commitIndex, held.snapshot?.meta.index ?? 0);
  const hardState = { ...batch.hardState, commitIndex };
  return { ...held, hardState, entries: [...kept, ...batch.entries] };
}

function withSnapshot(held: Held, meta: SnapshotMeta, bytes: Uint8Array): Held {
  const keeps = held.entries.some((one) => one.index === meta.index && one.term === meta.term);
  const commitIndex = Math.max(held.hardState.commitIndex, meta.index);
  return {
    hardState: { ...held.hardState, commitIndex },
    snapshot: { meta, bytes },
    entries: keeps ? held.entries.filter((entry) => entry.index > meta.index) : [],
  };
}

let nonces = 0;
