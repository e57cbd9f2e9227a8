/**
 * What the machine wants done. The driver loop is: feed inputs, call `ready()` until it returns
 * null, carry each one out.
 *
 * A message that promises durability (a vote, an append acknowledgement, a candidate's own request)
 * never appears in `messages` before `persisted()` confirmed the batch it rests on: the core holds
 * it back itself, so a driver cannot send it too early.
 */
import type { Message } from './message.ts';
import type { Entry, EntryId, HardState, NodeId, Role, SnapshotMeta } from './types.ts';

/**
 * One atomic write (Z22). Batches are numbered 1, 2, 3… and are made durable in this order.
 * `entries` are consecutive; the first may lie at or below the last stored index, and then the
 * stored suffix from it on is replaced.
 */
export type PersistBatch = {
  readonly number: number;
  readonly hardState: HardState;
  readonly entries: readonly Entry[];
};

/** The answer to one `readIndex()`; `index` null when it was refused or leadership was lost. */
export type ReadState = { readonly requestId: number; readonly index: number | null };

/** What changed about this member's view of leadership. */
export type SoftState = {
  readonly role: Role;
  readonly term: number;
  readonly leader: NodeId | null;
};

/** This log is contradicted by a leader whom a quorum of its own voters elected: stop the node. */
export type Fatal = { readonly reason: string; readonly message: Message | null };

/**
 * Why a message was not heard. `unasked`: an answer of somebody who was not asked. `far-term`: its
 * term lies further than one word may take this member. An honest peer may say either, far behind
 * or long gone. `contradiction`: it contradicts this member's own quorum, or its own word.
 * `forgotten`: its sender's log lacks what the same run acknowledged (Z72). No honest run says
 * these: its link is to be closed.
 */
export type RefusalKind = 'unasked' | 'far-term' | 'contradiction' | 'forgotten';

/** What a peer said and may not say. Nothing of it counts here. */
export type RefusedMessage = {
  readonly kind: RefusalKind;
  readonly reason: string;
  readonly message: Message;
};

export type Ready = {
  /** Make durable, then call `persisted(number)`. Nothing else of this object waits for it. */
  readonly persist: PersistBatch | null;
  /** Send at once, in order. */
  readonly messages: readonly Message[];
  /** Committed, and durable here: apply in order, then call `applied(index)`. */
  readonly committed: readonly Entry[];
  /**
   * Replace log and state by this snapshot, whose bytes the driver holds (it stepped the
   * `InstallSnapshot`); then call `snapshotInstalled(meta)`. Until then nothing is committed and
   * no append is acknowledged. Ordered after every batch of earlier `Ready`s.
   */
  readonly installSnapshot: SnapshotMeta | null;
  /**
   * Peers that need a snapshot: stream the newest one that is at least as new as the log's start, followed by the
   * `InstallSnapshot` message; then call `reportSnapshot(to, ok)`.
   */
  readonly sendSnapshot: readonly NodeId[];
  readonly reads: readonly ReadState[];
  /** Null when unchanged since the last `Ready`. */
  readonly softState: SoftState | null;
  /**
   * Ids of entries that this replica proposed as leader and that were truncated from its log by a
   * newer leader: they are not committed at these ids, and never will be.
   */
  readonly truncated: readonly EntryId[];
  /** To be counted; by their kind, the link to the sender closes too. */
  readonly refused: readonly RefusedMessage[];
  /** Not null: the last thing this machine says. */
  readonly fatal: Fatal | null;
};
