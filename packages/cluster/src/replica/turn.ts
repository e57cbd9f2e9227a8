/**
 * One turn of a replica: gather what came in, ask the core what is to be done, do it. This file is
 * the only one that persists batches and hands Raft messages to the host.
 *
 * The turn never waits for the disk: batches are made durable one after the other, what gathers
 * meanwhile is joined into the next one (one sync), and `persisted` is told as each comes back. The
 * core releases what promises durability only then (Z22), so heartbeats never queue behind a sync.
 */
import type {
  Entry,
  HardState,
  Message,
  NodeId,
  PersistBatch,
  Raft,
  ReadState,
  RefusedMessage,
  SnapshotMeta,
  SoftState,
} from '@quorate/core';
import type { Chunks, Clock, LogStorage } from '@quorate/contracts';
import { asFatal, isQuorateError, QuorateError, sleep } from '@quorate/contracts';

export type TurnEvents = {
  /** Before the core is asked: hand it proposals and reads that gathered. */
  collect(): void;
  /** Apply these, in order. */
  committed(entries: readonly Entry[]): void;
  /** Entries appended to this replica's log, on their way to the disk. */
  appended(entries: readonly Entry[]): void;
  reads(reads: readonly ReadState[]): void;
  softState(state: SoftState): void;
  truncated(ids: readonly { readonly term: number; readonly index: number }[]): void;
  sendSnapshot(to: NodeId): void;
  /** The bytes of a snapshot whose `InstallSnapshot` was stepped. */
  received(meta: SnapshotMeta): Uint8Array;
  /** It is stored: replace the state by it. */
  installed(meta: SnapshotMeta): void;
  /** Peers said what they may not say (Z40, Z47). */
  refused(messages: readonly RefusedMessage[]): void;
  /** The disk is full (true), or takes writes again (false). */
  full(isFull: boolean): void;
  /** Nothing can go on: the replica stops. */
  failed(error: QuorateError): void;
};

/** Where messages leave: queued one by one, sent together at the end of a turn. */
export type Outbox = {
  post(messages: readonly Message[]): void;
  flush(): void;
};

type DiskWork =
  | { readonly type: 'persist'; batch: PersistBatch }
  | { readonly type: 'install'; readonly meta: SnapshotMeta };

export class Turn {
  readonly #raft: Raft;
  readonly #storage: LogStorage;
  readonly #clock: Clock;
  readonly #outbox: Outbox;
  readonly #events: TurnEvents;
  readonly #diskQueue: DiskWork[] = [];
  #diskBusy = false;
  /** Since the work in flight was first tried; null: nothing is in flight. */
  #diskStalledMs: number | null = null;
  #isFull = false;
  /** What is kept for a full disk was given back, or was never there. */
  #isReserveGone = true;
  #isTaking = false;
  #takeAgainMs = fullRetryMsMin / 2;
  #retryMs = fullRetryMsMin;
  #scheduled = false;
  #stopped = false;

  constructor(raft: Raft, storage: LogStorage, clock: Clock, outbox: Outbox, events: TurnEvents) {
    this.#raft = raft;
    this.#storage = storage;
    this.#clock = clock;
    this.#outbox = outbox;
    this.#events = events;
    this.#takeReserveIn(reserveAfterMs);
  }

  /** For how many milliseconds the disk has owed an answer; 0 when it owes none. */
  get diskStalledMs(): number {
    return this.#diskStalledMs ?? 0;
  }

  /** So much time has passed in which an answer of the disk would have been heard (Z44). */
  passed(ms: number): void {
    if (this.#diskStalledMs !== null) this.#diskStalledMs += ms;
  }

  /** Asks for a turn at the end of this turn of the event loop. Idempotent. */
  schedule(): void {
    if (this.#scheduled || this.#stopped) return;
    this.#scheduled = true;
    this.#clock.defer(() => this.#run());
  }

  /** Runs a turn now: for the last words of a replica that has no later (Z6). */
  runNow(): void {
    this.#run();
  }

  /** After this nothing is persisted, sent or applied any more. */
  stop(): void {
    this.#stopped = true;
    this.#diskQueue.length = 0;
  }

  #run(): void {
    this.#scheduled = false;
    if (this.#stopped) return;
    try {
      this.#events.collect();
      let entryCount = 0;
      for (let ready = this.#raft.ready(); ready !== null; ready = this.#raft.ready()) {
        if (ready.persist !== null) {
          if (ready.persist.entries.length > 0) this.#events.appended(ready.persist.entries);
          this.#enqueue({ type: 'persist', batch: ready.persist });
        }
        if (ready.installSnapshot !== null) {
          this.#enqueue({ type: 'install', meta: ready.installSnapshot });
        }
        if (ready.truncated.length > 0) this.#events.truncated(ready.truncated);
        if (ready.softState !== null) this.#events.softState(ready.softState);
        if (ready.messages.length > 0) this.#outbox.post(ready.messages);
        for (const peer of ready.sendSnapshot) this.#events.sendSnapshot(peer);
        if (ready.refused.length > 0) this.#events.refused(ready.refused);
        if (ready.fatal !== null) {
          this.#fail(new QuorateError('CONSENSUS_FATAL', ready.fatal.reason));
          return;
        }
        if (ready.committed.length > 0) this.#events.committed(ready.committed);
        if (ready.reads.length > 0) this.#events.reads(ready.reads);
        if (this.#stopped) return;
        entryCount += ready.committed.length;
        if (entryCount > entriesPerTurnMax) {
          // A long catch-up must not keep heartbeats and clients waiting.
          this.schedule();
          break;
        }
      }
      this.#outbox.flush();
    } catch (error) {
      this.#fail(asFatal(error));
    }
  }

  #enqueue(work: DiskWork): void {
    const last = this.#diskQueue.at(-1);
    const joinable = this.#diskQueue.length > 1 || !this.#diskBusy;
    if (work.type === 'persist' && last?.type === 'persist' && joinable) {
      last.batch = joinBatches(last.batch, work.batch);
    } else {
      this.#diskQueue.push(work);
    }
    void this.#workDisk();
  }

  /** Works off the queue; its first item is the one in flight. */
  async #workDisk(): Promise<void> {
    if (this.#diskBusy) return;
    this.#diskBusy = true;
    try {
      for (let work = this.#diskQueue[0]; work !== undefined; work = this.#diskQueue[0]) {
        this.#diskStalledMs ??= 0;
        if (!(await this.#tryDisk(work))) continue;
        this.#diskStalledMs = null;
        // Meanwhile the node may have been stopped; the core is not told of anything then.
        if (this.#stopped) return;
        this.#diskQueue.shift();
        this.schedule();
      }
    } catch (error) {
      if (!this.#stopped) this.#fail(asFatal(error));
    } finally {
      this.#diskBusy = false;
    }
  }

  /** True once the work is durable; false when the disk was full and it is worth another try. */
  async #tryDisk(work: DiskWork): Promise<boolean> {
    const storage = this.#storage;
    try {
      if (work.type === 'persist') {
        await storage.persist(work.batch);
        if (!this.#stopped) this.#raft.persisted(work.batch.number);
      } else {
        const bytes = this.#events.received(work.meta);
        await storage.saveSnapshot(work.meta, [bytes]);
        if (!this.#stopped) {
          this.#events.installed(work.meta);
          this.#raft.snapshotInstalled(work.meta);
        }
      }
    } catch (error) {
      if (this.#stopped || !isQuorateError(error, 'STORAGE_FULL')) throw error;
      await this.#makeRoom();
      if (this.#stopped) throw error;
      return false;
    }
    this.#retryMs = fullRetryMsMin;
    // Where room is kept it may have been that: who has room takes it again.
    if (this.#storage.takeReserve === undefined) this.#tellFull(false);
    return true;
  }

  /** The disk is full: what is kept for that goes first, then it is waited. */
  async #makeRoom(): Promise<void> {
    this.#tellFull(true);
    if (!this.#isReserveGone) {
      this.#isReserveGone = true;
      await this.#storage.releaseReserve?.();
      this.#takeReserveIn(fullRetryMsMin);
      return;
    }
    await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, this.#retryMs));
    this.#retryMs = Math.min(2 * this.#retryMs, fullRetryMsMax);
  }

  /** Takes what is kept for a full disk; while it does not fit the disk is one (T20). */
  #takeReserveIn(delayMs: number): void {
    if (this.#storage.takeReserve === undefined || this.#isTaking || this.#stopped) return;
    this.#isTaking = true;
    this.#clock.setTimeout(() => {
      this.#takeReserve().catch((error: unknown) => this.#fail(asFatal(error)));
    }, delayMs);
  }

  async #takeReserve(): Promise<void> {
    if (this.#stopped) return;
    const isTaken = (await this.#storage.takeReserve?.()) ?? true;
    if (this.#stopped) return;
    this.#isTaking = false;
    this.#isReserveGone = !isTaken;
    this.#tellFull(!isTaken);
    this.#takeAgainMs = isTaken
      ? fullRetryMsMin / 2
      : Math.min(2 * this.#takeAgainMs, takeAgainMsMax);
    if (!isTaken) this.#takeReserveIn(this.#takeAgainMs);
  }

  #tellFull(isFull: boolean): void {
    if (this.#isFull === isFull) return;
    this.#isFull = isFull;
    this.#events.full(isFull);
  }

  #fail(error: QuorateError): void {
    if (this.#stopped) return;
    this.stop();
    this.#events.failed(error);
  }
}

/** How a full disk is waited for where there is no replica yet (D5). */
export type RoomWait = {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly full: (isFull: boolean) => void;
};

/** Does `work` again until it finds room; `signal` ends that with `STORAGE_FULL`. */
export async function untilRoom<T>(waiting: RoomWait, work: () => Promise<T>): Promise<T> {
  const { clock, signal, full } = waiting;
  for (let retryMs = fullRetryMsMin; ; retryMs = Math.min(2 * retryMs, fullRetryMsMax)) {
    try {
      const result = await work();
      full(false);
      return result;
    } catch (error) {
      if (!isQuorateError(error, 'STORAGE_FULL')) throw error;
      full(true);
      await sleep(clock, retryMs, signal);
      if (signal.aborted) throw error;
    }
  }
}

/** Writes what a founder starts from: batch 0, before there is a core that could number batches. */
export async function persistFounding(
  storage: LogStorage,
  founding: { readonly hardState: HardState; readonly entry: Entry },
  waiting: RoomWait,
): Promise<void> {
  const { hardState, entry } = founding;
  await untilRoom(waiting, () => storage.persist({ number: 0, hardState, entries: [entry] }));
}

/**
 * Makes durable what a restored cluster begins with: the term that its snapshot is of, and the snapshot
 * in the place of all entries before it. Nothing runs on the store yet.
 */
export async function persistRestored(
  storage: LogStorage,
  meta: SnapshotMeta,
  chunks: Chunks,
): Promise<void> {
  const hardState: HardState = { currentTerm: meta.term, votedFor: null, commitIndex: 0 };
  await storage.persist({ number: 0, hardState, entries: [] });
  await storage.saveSnapshot(meta, chunks);
}

/** One batch that has the effect of `first` and then `second`, made durable at once. */
export function joinBatches(first: PersistBatch, second: PersistBatch): PersistBatch {
  const from = second.entries[0]?.index;
  const kept =
    from === undefined ? first.entries : first.entries.filter((entry) => entry.index < from);
  return {
    number: second.number,
    hardState: second.hardState,
    entries: kept.length === 0 ? second.entries : [...kept, ...second.entries],
  };
}

const entriesPerTurnMax = 4_096;
const fullRetryMsMin = 250;
const fullRetryMsMax = 2_000;
/** Each look costs a page a write that is given up. */
const takeAgainMsMax = 5_000;
/** Who begins has more urgent things to write. */
const reserveAfterMs = 1_000;
