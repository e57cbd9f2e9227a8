/**
 * What the log alone says of sessions: who opened one, what it has run so far, when it was last heard
 * of and which entry ended it. A member's own table is compared with it, entry by entry.
 */
import type { AppliedEntry, EntryBody } from '@quorate/cluster/inside';
import { violated } from './violation.ts';

type Known = {
  /** The number whose turn it is. */
  nextSeq: number;
  /** When the log last heard of it, in replicated time. */
  seenAt: number;
};

export class SessionModel {
  readonly #lifetimeMs: number;
  /** By the index of the entry that opened it. */
  readonly #sessions = new Map<number, Known>();
  #time = 0;

  constructor(lifetimeMs: number) {
    this.#lifetimeMs = lifetimeMs;
  }

  /** Entry `index` was applied, with `body` stamped `time`, and came to `event`. */
  applied(index: number, time: number, body: EntryBody, event: AppliedEntry['event']): void {
    this.#time = Math.max(this.#time, time);
    if (body.type === 'openSession') {
      this.#sessions.set(index, { nextSeq: 1, seenAt: this.#time });
    } else if (body.type === 'command' || body.type === 'resolve') {
      this.#called(index, body, event);
    } else if (body.type === 'sessions') {
      for (const session of body.seen) this.#seen(session);
      for (const session of body.expired) this.#expired(session, index);
    }
  }

  /** Z25, Z26: a command runs in a session that lives, and when its turn has come. */
  #called(
    index: number,
    { session, seq }: { readonly session: number; readonly seq: number },
    event: AppliedEntry['event'],
  ): void {
    const known = this.#sessions.get(session);
    if (event.type !== 'outcome') return;
    const { outcome } = event;
    if (known === undefined) {
      if (outcome.type === 'expired') return;
      const text = `entry ${index} is of session ${session}, which has ended, and comes to "${outcome.type}" (Z25)`;
      violated('sessions', text);
      return;
    }
    if (outcome.type === 'expired') {
      const text = `entry ${index} finds no session ${session}, which no entry has ended (Z27)`;
      violated('sessions', text);
    }
    known.seenAt = this.#time;
    const runs = outcome.type === 'result' && !outcome.repeated;
    if (runs && seq > known.nextSeq) {
      const text = `entry ${index} runs call ${seq} of session ${session} before call ${known.nextSeq} (Z26)`;
      violated('call-order', text);
    }
    if (runs && seq < known.nextSeq) {
      const text = `entry ${index} runs call ${seq} of session ${session} again (C1)`;
      violated('exactly-once', text);
    }
    if (runs || (outcome.type === 'dead' && seq === known.nextSeq)) known.nextSeq = seq + 1;
  }

  #seen(session: number): void {
    const known = this.#sessions.get(session);
    if (known !== undefined) known.seenAt = this.#time;
  }

  /** Z27: nobody's session ends while its commands keep coming. */
  #expired(session: number, index: number): void {
    const known = this.#sessions.get(session);
    if (known === undefined) return;
    this.#sessions.delete(session);
    const unseenMs = this.#time - known.seenAt;
    // A command may have been on its way when somebody decided: only what is beyond that counts.
    if (this.#lifetimeMs < 30_000 || unseenMs >= this.#lifetimeMs / 2) return;
    violated(
      'sessions',
      `entry ${index} ends session ${session}, seen ${unseenMs} ms before, of ${this.#lifetimeMs} (Z27)`,
    );
  }
}
