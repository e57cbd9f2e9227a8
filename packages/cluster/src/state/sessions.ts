/**
 * The session table: replicated state that makes every command take effect once (Ongaro's thesis
 * §6.3, SAFETY Z25–Z28). A session's commands are applied in the order of their sequence numbers;
 * a retry is answered from the table; an unknown session is never a silent re-run.
 */
import {
  asArray,
  asBytes,
  asInteger,
  asMap,
  asNullable,
  asText,
  type CborMap,
  hashBytes,
} from '@quorate/contracts';
import type { CommandBody, ResolveBody } from './envelope.ts';

/** What applying one command entry came to; a pure function of the log. */
export type CommandOutcome =
  | { readonly type: 'result'; readonly result: Uint8Array; readonly repeated: boolean }
  /** A `resolve` came first: it was not and will never be applied. */
  | { readonly type: 'dead' }
  /** An earlier sequence number is missing; nothing happened, send again from there. */
  | { readonly type: 'gap'; readonly nextSeq: number }
  /** The result was acknowledged before and is forgotten. */
  | { readonly type: 'forgotten' }
  /** The client keeps too many results unacknowledged; nothing happened. */
  | { readonly type: 'overloaded' }
  /** The same number with another command. */
  | { readonly type: 'conflict' }
  | { readonly type: 'expired' };

type Kept = { readonly hash: number; readonly result: Uint8Array | null };

type Session = {
  readonly nonce: string;
  nextSeq: number;
  /** Replicated time at which it was last seen. */
  seenAt: number;
  keptBytes: number;
  readonly kept: Map<number, Kept>;
};

export class SessionTable {
  readonly #sessions = new Map<number, Session>();

  get size(): number {
    return this.#sessions.size;
  }

  has(id: number): boolean {
    return this.#sessions.has(id);
  }

  /** False: there are as many as there may be, and it was not opened. */
  open(id: number, nonce: string, time: number): boolean {
    if (this.#sessions.size >= sessionCountMax) return false;
    this.#sessions.set(id, { nonce, nextSeq: 1, seenAt: time, keptBytes: 0, kept: new Map() });
    return true;
  }

  /** Finds the session that a run opened with `nonce`, if it is still there. */
  idOf(nonce: string): number | undefined {
    for (const [id, session] of this.#sessions) if (session.nonce === nonce) return id;
    return undefined;
  }

  /** Applies one command exactly once; `run` is called only when it is its turn. */
  command(body: CommandBody, time: number, run: () => Uint8Array): CommandOutcome {
    const session = this.#sessions.get(body.session);
    if (session === undefined) return { type: 'expired' };
    session.seenAt = time;
    forget(session, body.firstUnacked);
    if (body.seq < session.nextSeq) return repeated(session, body.seq, hashBytes(body.command));
    if (body.seq > session.nextSeq) return { type: 'gap', nextSeq: session.nextSeq };
    if (session.kept.size >= keptCountMax || session.keptBytes >= keptBytesMax) {
      return { type: 'overloaded' };
    }
    const result = run();
    keep(session, body.seq, { hash: hashBytes(body.command), result });
    return { type: 'result', result, repeated: false };
  }

  /** Kills a sequence number that was not applied, or tells what it came to. */
  resolve(body: ResolveBody, time: number): CommandOutcome {
    const session = this.#sessions.get(body.session);
    if (session === undefined) return { type: 'expired' };
    session.seenAt = time;
    forget(session, body.firstUnacked);
    if (body.seq < session.nextSeq) return repeated(session, body.seq, null);
    if (body.seq > session.nextSeq) return { type: 'gap', nextSeq: session.nextSeq };
    keep(session, body.seq, { hash: 0, result: null });
    return { type: 'dead' };
  }

  /** What is known of a number without an entry: after a snapshot took the entries' place. */
  lookup(id: number, seq: number): CommandOutcome | undefined {
    const session = this.#sessions.get(id);
    if (session === undefined) return { type: 'expired' };
    return seq < session.nextSeq ? repeated(session, seq, null) : undefined;
  }

  nextSeqOf(id: number): number | undefined {
    return this.#sessions.get(id)?.nextSeq;
  }

  /** Z27: only an entry renews or ends a session, whoever leads. */
  renewAndExpire(seen: readonly number[], expired: readonly number[], time: number): void {
    for (const id of seen) {
      const session = this.#sessions.get(id);
      if (session !== undefined) session.seenAt = time;
    }
    for (const id of expired) this.#sessions.delete(id);
  }

  /** Sessions not seen since `time`, for the leader to propose their expiry. */
  unseenSince(time: number): number[] {
    const ids: number[] = [];
    for (const [id, session] of this.#sessions) if (session.seenAt < time) ids.push(id);
    return ids;
  }

  toCbor(): unknown {
    return [...this.#sessions].map(([id, session]) => ({
      id,
      nonce: session.nonce,
      nextSeq: session.nextSeq,
      seenAt: session.seenAt,
      kept: [...session.kept].map(([seq, { hash, result }]) => [seq, hash, result]),
    }));
  }

  /** Reads what `toCbor` gave. Throws `BAD_REQUEST` for anything else. */
  static fromCbor(value: unknown): SessionTable {
    const table = new SessionTable();
    for (const item of asArray(value, 'sessions', Number.MAX_SAFE_INTEGER)) {
      const map: CborMap = asMap(item, 'session');
      const session: Session = {
        nonce: asText(map['nonce'], 'nonce', 16),
        nextSeq: asInteger(map['nextSeq'], 'nextSeq'),
        seenAt: asInteger(map['seenAt'], 'seenAt'),
        keptBytes: 0,
        kept: new Map(),
      };
      // Numbers that were killed are kept beyond keptCountMax too.
      for (const row of asArray(map['kept'], 'kept', Number.MAX_SAFE_INTEGER)) {
        const [seq, hash, result] = asArray(row, 'kept result', 3);
        setKept(session, asInteger(seq, 'seq'), {
          hash: asInteger(hash, 'hash'),
          result: asNullable(result, (bytes) => asBytes(bytes, 'result')),
        });
      }
      table.#sessions.set(asInteger(map['id'], 'id'), session);
    }
    return table;
  }
}

function repeated(session: Session, seq: number, hash: number | null): CommandOutcome {
  const kept = session.kept.get(seq);
  if (kept === undefined) return { type: 'forgotten' };
  if (kept.result === null) return { type: 'dead' };
  if (hash !== null && kept.hash !== hash) return { type: 'conflict' };
  return { type: 'result', result: kept.result, repeated: true };
}

function keep(session: Session, seq: number, kept: Kept): void {
  setKept(session, seq, kept);
  session.nextSeq = seq + 1;
}

function setKept(session: Session, seq: number, kept: Kept): void {
  session.kept.set(seq, kept);
  session.keptBytes += kept.result?.length ?? 0;
}

function forget(session: Session, firstUnacked: number): void {
  // Insertion order is sequence order, so the first survivor ends the walk.
  for (const [seq, { result }] of session.kept) {
    if (seq >= firstUnacked) return;
    session.kept.delete(seq);
    session.keptBytes -= result?.length ?? 0;
  }
}

/**
 * Each run of a member has one, for a lifetime after it was last seen: far above any honest number.
 * Who opens more does not displace others, which would lose the fate of their writes.
 */
const sessionCountMax = 16_384;
/** Results kept per session until acknowledged (Z26). */
const keptCountMax = 16_384;
const keptBytesMax = 16 * 1024 * 1024;
