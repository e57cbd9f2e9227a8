/**
 * What a cluster's log says by itself: one state, fed with committed entries in order and with
 * nothing else. Snapshots of members are compared with it byte by byte, and what the log does to
 * sessions is looked at where nobody can have been told otherwise.
 */
import { ReplicatedState, decodeEntry } from '@quorate/cluster/inside';
import type { AppliedEntry } from '@quorate/cluster/inside';
import type { Entry, NodeId, SnapshotMeta } from '@quorate/core';
import { KvStateMachine } from '@quorate/kv';
import type { HistoryLimits } from '@quorate/kv';
import { SessionModel } from './session-model.ts';
import { violated } from './violation.ts';

export type LogModelOptions = {
  /** The term of the committed entry at an index, while one is known. */
  readonly committedTerm: (index: number) => number | undefined;
  readonly history: HistoryLimits;
  readonly sessionLifetimeMs: number;
};

export class LogModel {
  readonly #options: LogModelOptions;
  readonly #state: ReplicatedState;
  /** Written and not yet applied here: by index, one for each term. */
  readonly #entries = new Map<number, Map<number, Entry>>();
  readonly #sessions: SessionModel;
  #newest: { readonly appliedIndex: number; readonly bytes: Buffer } | null = null;

  constructor(options: LogModelOptions) {
    this.#options = options;
    this.#sessions = new SessionModel(options.sessionLifetimeMs);
    this.#state = new ReplicatedState(new KvStateMachine({ history: options.history }));
  }

  written(entries: readonly Entry[]): void {
    for (const entry of entries) {
      if (entry.index <= this.#state.appliedIndex) continue;
      const there = this.#entries.get(entry.index);
      if (there === undefined) this.#entries.set(entry.index, new Map([[entry.term, entry]]));
      else there.set(entry.term, entry);
    }
  }

  /** Applies what is known to be committed, up to `through`. */
  advance(through: number = Number.POSITIVE_INFINITY): void {
    while (this.#state.appliedIndex < through) {
      const index = this.#state.appliedIndex + 1;
      const term = this.#options.committedTerm(index);
      const entry = term === undefined ? undefined : this.#entries.get(index)?.get(term);
      if (entry === undefined) return;
      this.#entries.delete(index);
      const { event } = this.#state.apply(entry);
      if (entry.type === 'normal') this.#checkBody(entry, event);
    }
  }

  /** A member stored a snapshot: it is what the log says, where this model is not past it. */
  snapshotSaved(id: NodeId, meta: SnapshotMeta, bytes: Uint8Array): void {
    if (meta.index < this.#state.appliedIndex) return;
    this.advance(meta.index);
    if (this.#state.appliedIndex !== meta.index) return;
    const own = this.#snapshot();
    if (own.equals(bytes)) return;
    const differs = own.findIndex((byte, at) => byte !== bytes[at]);
    violated(
      'faithful-snapshot',
      differs < 0 || differs >= bytes.length
        ? `${id} stored ${bytes.length} bytes at ${meta.index}, its log makes ${own.length}`
        : `${id} stored another state at ${meta.index} than its log makes: byte ${differs} differs`,
    );
  }

  /** What its own state is as a snapshot; members often store one at the same index. */
  #snapshot(): Buffer {
    const { appliedIndex } = this.#state;
    if (this.#newest?.appliedIndex !== appliedIndex) {
      this.#newest = { appliedIndex, bytes: Buffer.concat([...this.#state.snapshot()]) };
    }
    return this.#newest.bytes;
  }

  /** Z10, Z14: nothing is taken before the register calls the cluster active and copies are there. */
  #checkBody({ index, data }: Entry, event: AppliedEntry['event']): void {
    const { time, body } = decodeEntry(data);
    if (!this.#state.activated && (body.type === 'command' || body.type === 'resolve')) {
      const text = `entry ${index} is a command, in a cluster that is not active (Z10)`;
      violated('founding', text);
    }
    if (!this.#state.formed && (body.type === 'command' || body.type === 'resolve')) {
      const text = `entry ${index} is a command, and the log does not say that there are copies (Z14)`;
      violated('copies', text);
    }
    this.#sessions.applied(index, time, body, event);
  }
}
