/**
 * Takes a snapshot of the applied state every so many entries or bytes, and lets the log forget what
 * lies behind a trailing window. The state is captured at once and streams to the disk while entries
 * go on being applied. A large state is not written anew for a handful of small entries.
 */
import type { Entry, Raft, SnapshotMeta } from '@quorate/core';
import type { LogStorage } from '@quorate/contracts';
import { isQuorateError } from '@quorate/contracts';
import type { Policy } from '../state/policy.ts';
import type { ReplicatedState } from '../state/replicated-state.ts';
import type { Tail } from './tail.ts';

export type SnapshotterOptions = {
  readonly raft: Raft;
  readonly storage: LogStorage;
  readonly state: ReplicatedState;
  readonly policy: Policy;
  readonly tail: Pick<Tail, 'through'>;
  /** Is the disk full? */
  readonly isFull: () => boolean;
  /** Writing failed for good. */
  readonly failed: (error: unknown) => void;
};

export class Snapshotter {
  readonly #options: SnapshotterOptions;
  #entryCount = 0;
  #bytes = 0;
  /** What the last snapshot weighed. */
  #snapshotBytes = 0;
  #busy = false;
  /** On a full disk: so many entries are worth another try. */
  #entriesWorth = 1;
  #stopped = false;

  constructor(options: SnapshotterOptions) {
    this.#options = options;
  }

  /** These were applied: time for a snapshot? */
  applied(entries: readonly Entry[]): void {
    const { policy } = this.#options;
    this.#entryCount += entries.length;
    for (const entry of entries) this.#bytes += entry.data.length;
    const many = this.#entryCount >= policy.snapshotEntries;
    const worthIt =
      this.#bytes >= this.#snapshotBytes / writeAmplificationMax ||
      this.#entryCount >= deferralMax * policy.snapshotEntries;
    // Deletions made the state smaller, and what it was may go from the disk (T20).
    const isShort = this.#options.isFull() && this.#entryCount >= this.#entriesWorth;
    const due = (many && worthIt) || this.#bytes >= policy.snapshotBytes || isShort;
    if (due && !this.#busy) this.#take();
  }

  /** The disk became full: what of the log only others might need is worth less than room. */
  makeRoom(): void {
    const { snapshot } = this.#options.raft.status();
    this.#entriesWorth = 1;
    if (snapshot !== null)
      this.#forget(snapshot).catch((error: unknown) => this.#unlessFull(error));
  }

  /** The state came from a snapshot: counting begins anew. */
  restored(): void {
    this.#entryCount = 0;
    this.#bytes = 0;
  }

  stop(): void {
    this.#stopped = true;
  }

  #take(): void {
    const { raft, state } = this.#options;
    const meta = raft.snapshotMetaAt(state.appliedIndex);
    if (meta === null) return;
    const chunks = this.#weighed(state.snapshot());
    this.#busy = true;
    this.restored();
    this.#save(meta, chunks).then(
      () => {
        this.#busy = false;
      },
      (error: unknown) => {
        this.#busy = false;
        this.#entriesWorth *= 2;
        this.#unlessFull(error);
      },
    );
  }

  /** A snapshot is a convenience until the log must shrink: try again with the next one. */
  #unlessFull(error: unknown): void {
    if (!isQuorateError(error, 'STORAGE_FULL')) this.#options.failed(error);
  }

  *#weighed(chunks: Iterable<Uint8Array>): Iterable<Uint8Array> {
    let bytes = 0;
    for (const chunk of chunks) {
      bytes += chunk.length;
      yield chunk;
    }
    this.#snapshotBytes = bytes;
  }

  async #save(meta: SnapshotMeta, chunks: Iterable<Uint8Array>): Promise<void> {
    await this.#options.storage.saveSnapshot(meta, chunks);
    // Meanwhile a newer snapshot may have been installed; the core ignores an older one.
    if (!this.#stopped) await this.#forget(meta);
  }

  /** Lets the log go that lies behind a snapshot. */
  async #forget(meta: SnapshotMeta): Promise<void> {
    const { raft, storage, tail, isFull } = this.#options;
    const through = tail.through(meta.index, isFull());
    raft.compact(meta, through);
    await storage.compact(through);
  }
}

/** Bytes of snapshots written for each byte of the log, at most … */
const writeAmplificationMax = 16;
/** … unless so many times the usual number of entries have gathered, which a restart has to read. */
const deferralMax = 8;
