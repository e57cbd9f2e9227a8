/**
 * What a cluster's log says by itself: one state, fed with committed entries in order and with
 * nothing else. Snapshots of members are compared with it byte by byte, and what the log does to
 * sessions is looked at where nobody can have been told otherwise.
 */
import { ReplicatedState, decodeEntry } from '@quorate/cluster';
import type { Entry, NodeId, SnapshotMeta } from '@quorate/core';
import { KvStateMachine } from '@quorate/kv';
import type { HistoryLimits } from '@quorate/kv';
import { SafetyViolation } from './violation.ts';

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
  /** When the log last heard of a session, in replicated time. */
  readonly #seenAt = new Map<number, number>();
  #time = 0;

  constructor(options: LogModelOptions) {
    this.#options = options;
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
      this.#state.apply(entry);
      if (entry.type === 'normal') this.#watchSessions(entry);
    }
  }

  /** A member stored a snapshot: it is what the log says, where this model is not past it. */
  snapshotSaved(id: NodeId, meta: SnapshotMeta, bytes: Uint8Array): void {
    if (meta.index < this.#state.appliedIndex) return;
    this.advance(meta.index);
    if (this.#state.appliedIndex !== meta.index) return;
    let at = 0;
    for (const chunk of this.#state.snapshot()) {
      for (const byte of chunk) {
        if (byte === bytes[at++]) continue;
        throw new SafetyViolation(
          'faithful-snapshot',
          `${id} stored another state at ${meta.index} than its log makes: byte ${at - 1} differs`,
        );
      }
    }
    if (at === bytes.length) return;
    throw new SafetyViolation(
      'faithful-snapshot',
      `${id} stored ${bytes.length} bytes at ${meta.index}, its log makes ${at}`,
    );
  }

  /** Z27: nobody's session ends while its commands keep coming. */
  #watchSessions(entry: Entry): void {
    const { time, body } = decodeEntry(entry.data);
    this.#time = Math.max(this.#time, time);
    if (body.type === 'openSession') this.#seenAt.set(entry.index, this.#time);
    else if (body.type === 'command' || body.type === 'resolve') {
      if (!this.#state.activated) {
        const text = `entry ${entry.index} is a command, in a cluster that is not active (Z10)`;
        throw new SafetyViolation('identity', text);
      }
      if (this.#seenAt.has(body.session)) this.#seenAt.set(body.session, this.#time);
    } else if (body.type === 'sessions') {
      for (const session of body.seen) this.#seenAt.set(session, this.#time);
      for (const session of body.expired) this.#expired(session, entry.index);
    }
  }

  #expired(session: number, index: number): void {
    const { sessionLifetimeMs } = this.#options;
    const unseenMs = this.#time - (this.#seenAt.get(session) ?? 0);
    this.#seenAt.delete(session);
    // A command may have been on its way when somebody decided: only what is beyond that counts.
    if (sessionLifetimeMs < 30_000 || unseenMs >= sessionLifetimeMs / 2) return;
    throw new SafetyViolation(
      'sessions',
      `entry ${index} ends session ${session}, seen ${unseenMs} ms before, of ${sessionLifetimeMs} (Z27)`,
    );
  }
}
