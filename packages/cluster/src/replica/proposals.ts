/**
 * A member's own writes on their way through the log: one session, numbered commands, sent to
 * whoever leads, sent again after every doubt until the log itself tells what became of them
 * (SAFETY Z25–Z28). The table makes repetition harmless, so the rules here are simple:
 *
 * - A number is given when a command first leaves; from then on its fate is the log's.
 * - Numbers are applied in order; whatever breaks the order (a lost batch, a new leader) is mended
 *   by sending again from the first number whose outcome is not known.
 * - A caller who gave up leaves its number behind as a *doubt*: sent again, it goes as `resolve`,
 *   which ends in "applied" or in "never".
 */
import { hexFromBytes, onAbort, QuorateError } from '@quorate/contracts';
import type { Applied, Clock, ProposeOptions, RandomBytes, Settled } from '@quorate/contracts';
import { encodeBody } from '../state/envelope.ts';
import { overloaded } from '../state/limits.ts';
import type { MemberLimits } from '../state/limits.ts';
import type { AppliedEntry } from '../state/replicated-state.ts';
import type { CommandOutcome, SessionTable } from '../state/sessions.ts';

/** Where bodies go: the replica's own core when it leads, else the leader over rpc. */
export interface ProposalRoute {
  /**
   * `taken`: they are on their way, in this order. `wait`: no leader can be reached now.
   * `overloaded`: try again a little later. `onResult` tells what the leader learnt, if it does;
   * `onLost` that (some of) them may not have reached a log, so they must be sent again.
   */
  send(
    bodies: readonly Uint8Array[],
    onResult: (position: number, outcome: CommandOutcome) => void,
    onLost: () => void,
  ): 'taken' | 'wait' | 'overloaded';
}

export type ProposalsOptions = {
  readonly clock: Clock;
  readonly random: RandomBytes;
  readonly timeoutMs: number;
  readonly limits: MemberLimits;
  /** Without any outcome for so long, everything unsettled is sent again. */
  readonly stallMs: number;
  readonly route: ProposalRoute;
  readonly sessions: () => SessionTable;
  readonly schedule: () => void;
  /** Why a command is not taken now (T20); null: it is. */
  readonly refusal: (command: Uint8Array) => QuorateError | null;
  /** Says why a command that never left is given up at its deadline. */
  readonly excuse: () => QuorateError;
};

type Slot = {
  readonly command: Uint8Array;
  seq: number;
  /** The caller gave up: what is sent from now on kills the number. */
  doubt: boolean;
  /** Why it was withdrawn while its caller waits still, who is told so if it comes to nothing. */
  withdrawn: QuorateError | null;
  /** What the leader said, in case this replica does not apply it in time. */
  told: Uint8Array | null;
  settled: Settled | null;
  readonly onSettled: ((settled: Settled) => void)[];
  /** See `ProposeOptions.applied`. */
  readonly applied: (() => void) | undefined;
  resolve: (applied: Applied) => void;
  reject: (error: QuorateError) => void;
};

export class Proposals {
  readonly #options: ProposalsOptions;
  /** Not yet sent, in call order. */
  readonly #queued = new Set<Slot>();
  /** Sent and without a known outcome, in sequence order. */
  readonly #sent = new Map<number, Slot>();
  #session: number | null = null;
  #openingNonce: string | null = null;
  #openingSentAt = Number.NEGATIVE_INFINITY;
  #nextSeq = 1;
  #pendingBytes = 0;
  /** Of those that were sent. */
  #sentBytes = 0;
  /** How often in a row everything was sent again for want of any outcome. */
  #stallCount = 0;
  /** Send again from this number on; null: everything unsettled is under way. */
  #againFrom: number | null = null;
  /** A repetition is under way: gaps that were in the log before it mean nothing new. */
  #repeating = false;
  #progressAt = 0;
  #pauseUntil = 0;
  #closed: QuorateError | null = null;

  constructor(options: ProposalsOptions) {
    this.#options = options;
    this.#progressAt = options.clock.now();
  }

  get pendingCount(): number {
    return this.#queued.size + this.#sent.size;
  }

  /** The open session that must be kept alive, if any. */
  get session(): number | null {
    return this.#session;
  }

  propose(command: Uint8Array, options: ProposeOptions): Promise<Applied> {
    if (this.#closed !== null) return Promise.reject(this.#closed);
    if (options.signal?.aborted === true) {
      return Promise.reject(new QuorateError('ABORTED', 'Stopped before the command was sent'));
    }
    const refusal = this.#options.refusal(command);
    if (refusal !== null) return Promise.reject(refusal);
    if (command.length > commandBytesMax) {
      // Longer ones would fit no message: refused here, before a log or a link chokes on them.
      return Promise.reject(
        new QuorateError(
          'LIMIT_EXCEEDED',
          `Cannot take a command of ${command.length} bytes: wanted at most ${commandBytesMax}`,
        ),
      );
    }
    const { limits } = this.#options;
    if (this.pendingCount >= limits.pendingWrites) {
      return Promise.reject(overloaded('pendingWrites', limits));
    }
    if (this.#pendingBytes + command.length > limits.pendingWriteBytes) {
      return Promise.reject(overloaded('pendingWriteBytes', limits));
    }
    return new Promise((resolve, reject) => this.#enqueue(command, options, resolve, reject));
  }

  /** Sends what waits. Part of `collect`. */
  collect(): void {
    const now = this.#options.clock.now();
    if (this.#closed !== null || now < this.#pauseUntil) return;
    this.#checkSession();
    if (this.#sent.size > 0 && now - this.#progressAt > this.#stallMs) {
      this.#stallCount += 1;
      this.#sendAgain();
    }
    if (this.#queued.size === 0 && this.#againFrom === null) return;
    if (this.#session === null) {
      this.#openSession(now);
      return;
    }
    const slots = this.#againFrom === null ? this.#nextQueued() : this.#nextAgain(this.#againFrom);
    if (slots.length > 0) this.#send(slots, now);
  }

  /** Tells what an applied entry means for this member's own commands. */
  applied({ event }: AppliedEntry): void {
    if (event.type === 'sessionOpened') {
      if (event.nonce !== this.#openingNonce) return;
      this.#openingNonce = null;
      this.#session = event.session;
      this.#nextSeq = 1;
      this.#progressAt = this.#options.clock.now();
      this.#options.schedule();
    } else if (event.type === 'outcome' && event.session === this.#session) {
      this.#learn(event.seq, event.outcome, true);
    }
  }

  /** A snapshot took the place of entries: the session table tells what they came to. */
  restored(): void {
    const table = this.#options.sessions();
    if (this.#session === null) {
      if (this.#openingNonce === null) return;
      const session = table.idOf(this.#openingNonce);
      if (session === undefined) return;
      this.#session = session;
      this.#openingNonce = null;
      this.#nextSeq = 1;
      this.#options.schedule();
      return;
    }
    for (const seq of [...this.#sent.keys()]) {
      const outcome = table.lookup(this.#session, seq);
      if (outcome !== undefined) this.#learn(seq, outcome, true);
    }
  }

  /** Another leader, or none any more: what was under way may be lost, so it goes again. */
  leaderChanged(): void {
    this.#stallCount = 0;
    this.#pauseUntil = 0;
    this.#openingSentAt = Number.NEGATIVE_INFINITY;
    this.#sendAgain();
  }

  /** Everything that never left is rejected with `error`; the rest is in doubt for good. */
  close(error: QuorateError): void {
    if (this.#closed !== null) return;
    this.#closed = error;
    for (const slot of this.#queued) slot.reject(error);
    this.#queued.clear();
    this.#loseSession();
  }

  /** Rejects what never left, such as when the quorum is gone. */
  rejectQueued(error: QuorateError): void {
    for (const slot of this.#queued) slot.reject(error);
    this.#queued.clear();
    this.#recount();
  }

  /**
   * Some commands are refused from now on: what never left is rejected, and what did is withdrawn, so
   * that the log says at once which of it has come to something.
   */
  refuse(): void {
    for (const slot of this.#queued) {
      const refusal = this.#options.refusal(slot.command);
      if (refusal === null) continue;
      this.#queued.delete(slot);
      slot.reject(refusal);
    }
    this.#recount();
    let isAny = false;
    for (const slot of this.#sent.values()) {
      const refusal = this.#options.refusal(slot.command);
      if (refusal === null || slot.doubt || slot.told !== null) continue;
      slot.doubt = true;
      slot.withdrawn = refusal;
      isAny = true;
    }
    if (isAny) this.#sendAgain();
  }

  #enqueue(
    command: Uint8Array,
    options: ProposeOptions,
    resolve: (applied: Applied) => void,
    reject: (error: QuorateError) => void,
  ): void {
    const timeoutMs = options.timeoutMs ?? this.#options.timeoutMs;
    const cleanUp = (): void => {
      cancelTimer();
      forget();
    };
    const slot: Slot = {
      command,
      seq: 0,
      doubt: false,
      withdrawn: null,
      told: null,
      settled: null,
      onSettled: [],
      applied: options.applied,
      resolve: (applied) => {
        cleanUp();
        resolve(applied);
      },
      reject: (error) => {
        cleanUp();
        reject(error);
      },
    };
    const forget = onAbort(options.signal, () =>
      this.#giveUp(slot, new QuorateError('ABORTED', 'Stopped before the command was sent')),
    );
    const cancelTimer = this.#options.clock.setTimeout(
      () => this.#giveUp(slot, this.#options.excuse()),
      timeoutMs,
    );
    this.#queued.add(slot);
    this.#pendingBytes += command.length;
    this.#options.schedule();
  }

  #giveUp(slot: Slot, error: QuorateError): void {
    if (this.#queued.delete(slot)) {
      this.#pendingBytes -= slot.command.length;
      slot.reject(error);
      return;
    }
    if (slot.told !== null) {
      // Z28: a known result is never turned into a doubt.
      slot.resolve({ result: slot.told, appliedHere: false });
      return;
    }
    slot.doubt = true;
    slot.reject(this.#doubtOf(slot));
  }

  #doubtOf(slot: Slot): QuorateError {
    return new QuorateError(
      'COMMIT_UNKNOWN',
      'The command was sent and its fate is not known: it may have been applied',
      {
        settle: () => {
          if (slot.settled !== null) return Promise.resolve(slot.settled);
          if (this.#closed !== null) return Promise.resolve({ outcome: 'unknown' });
          this.#sendAgain();
          return new Promise((resolve) => slot.onSettled.push(resolve));
        },
      },
    );
  }

  #sendAgain(): void {
    const first = this.#sent.keys().next().value;
    if (first === undefined) return;
    this.#againFrom = first;
    this.#repeating = false;
    this.#progressAt = this.#options.clock.now();
    this.#options.schedule();
  }

  #nextAgain(from: number): Slot[] {
    const slots: Slot[] = [];
    let bytes = 0;
    for (const slot of this.#sent.values()) {
      if (slot.seq < from) continue;
      if (bytes > sendBytesMax) break;
      bytes += slot.command.length;
      slots.push(slot);
    }
    if (slots.length === 0) this.#againFrom = null;
    return slots;
  }

  #nextQueued(): Slot[] {
    const slots: Slot[] = [];
    let bytes = 0;
    for (const slot of this.#queued) {
      if (this.#sent.size + slots.length >= sentCountMax || bytes > sendBytesMax) break;
      bytes += slot.command.length;
      // What is under way may have to be sent again, over a network that is full already.
      const isFirst = this.#sent.size + slots.length === 0;
      if (!isFirst && this.#sentBytes + bytes > sentBytesMax) break;
      slot.seq = this.#nextSeq + slots.length;
      slots.push(slot);
    }
    return slots;
  }

  #openSession(now: number): void {
    if (now - this.#openingSentAt < this.#options.stallMs) return;
    const nonce = hexFromBytes(this.#options.random(8));
    const sent = this.#options.route.send(
      [encodeBody({ type: 'openSession', nonce })],
      () => undefined,
      () => {
        this.#openingSentAt = Number.NEGATIVE_INFINITY;
        this.#pause();
      },
    );
    if (sent === 'taken') {
      this.#openingNonce = nonce;
      this.#openingSentAt = now;
      this.#options.clock.setTimeout(() => this.#options.schedule(), this.#options.stallMs + 1);
    } else if (sent === 'overloaded') this.#pause();
  }

  #send(slots: readonly Slot[], now: number): void {
    const session = this.#session;
    if (session === null) return;
    const firstUnacked = this.#sent.keys().next().value ?? this.#nextSeq;
    const bodies = slots.map((slot) =>
      encodeBody(
        slot.doubt
          ? { type: 'resolve', session, seq: slot.seq, firstUnacked }
          : { type: 'command', session, seq: slot.seq, firstUnacked, command: slot.command },
      ),
    );
    const sent = this.#options.route.send(
      bodies,
      (position, outcome) => {
        const slot = slots[position];
        if (slot !== undefined && this.#session === session) this.#learn(slot.seq, outcome, false);
      },
      () => {
        this.#sendAgain();
        this.#pause();
      },
    );
    if (sent !== 'taken') {
      if (sent === 'overloaded') this.#pause();
      return;
    }
    if (this.#sent.size === 0) this.#progressAt = now;
    if (this.#againFrom !== null) {
      const next = (slots.at(-1)?.seq ?? 0) + 1;
      this.#againFrom = this.#sent.has(next) ? next : null;
      this.#repeating = true;
    }
    for (const slot of slots) {
      if (!this.#queued.delete(slot)) continue;
      this.#sent.set(slot.seq, slot);
      this.#sentBytes += slot.command.length;
      this.#nextSeq = slot.seq + 1;
    }
    this.#options.clock.setTimeout(() => this.#options.schedule(), this.#stallMs + 1);
    if (this.#queued.size > 0 || this.#againFrom !== null) this.#options.schedule();
  }

  #learn(seq: number, outcome: CommandOutcome, here: boolean): void {
    const slot = this.#sent.get(seq);
    if (slot === undefined) return;
    switch (outcome.type) {
      case 'result':
        if (here) this.#settle(slot, { outcome: 'applied', result: outcome.result });
        else slot.told = outcome.result;
        if (!here) return;
        slot.applied?.();
        slot.resolve({ result: outcome.result, appliedHere: true });
        return;
      case 'dead':
        if (!here) return;
        slot.reject(
          slot.withdrawn ??
            new QuorateError('ABORTED', 'The command was withdrawn before it was applied'),
        );
        this.#settle(slot, { outcome: 'not-applied' });
        return;
      case 'gap':
        if (here && !this.#repeating) this.#sendAgain();
        return;
      case 'overloaded':
        if (!here) return;
        this.#sendAgain();
        this.#pause();
        return;
      case 'conflict':
        if (!here) return;
        slot.reject(
          new QuorateError('SESSION_CONFLICT', `Number ${seq} was used for another command`),
        );
        this.#settle(slot, { outcome: 'unknown' });
        return;
      case 'forgotten':
      case 'expired':
        if (here) this.#loseSession();
        return;
    }
  }

  #settle(slot: Slot, settled: Settled): void {
    this.#sent.delete(slot.seq);
    this.#sentBytes -= slot.command.length;
    this.#stallCount = 0;
    this.#pendingBytes -= slot.command.length;
    this.#repeating = false;
    this.#progressAt = this.#options.clock.now();
    slot.settled = settled;
    for (const tell of slot.onSettled.splice(0)) tell(settled);
    if (this.#queued.size > 0) this.#options.schedule();
  }

  #checkSession(): void {
    if (this.#session === null) return;
    if (!this.#options.sessions().has(this.#session)) this.#loseSession();
  }

  /** Z25: in-flight calls become doubts, later calls open a new session by themselves. */
  #loseSession(): void {
    for (const slot of [...this.#sent.values()]) {
      if (slot.told === null) {
        slot.reject(
          new QuorateError(
            'COMMIT_UNKNOWN',
            'The command was sent and its fate can no longer be learnt: it may have been applied',
          ),
        );
      } else slot.resolve({ result: slot.told, appliedHere: false });
      slot.settled = { outcome: 'unknown' };
      for (const tell of slot.onSettled.splice(0)) tell(slot.settled);
    }
    this.#sent.clear();
    this.#againFrom = null;
    this.#repeating = false;
    this.#session = null;
    this.#openingNonce = null;
    this.#openingSentAt = Number.NEGATIVE_INFINITY;
    this.#recount();
    this.#options.schedule();
  }

  #recount(): void {
    this.#sentBytes = 0;
    for (const slot of this.#sent.values()) this.#sentBytes += slot.command.length;
    this.#pendingBytes = this.#sentBytes;
    for (const slot of this.#queued) this.#pendingBytes += slot.command.length;
  }

  /** A leader that is merely busy is not helped by more of the same: each time twice as long. */
  get #stallMs(): number {
    return this.#options.stallMs * 2 ** Math.min(this.#stallCount, stallDoublingsMax);
  }

  #pause(): void {
    this.#pauseUntil = this.#options.clock.now() + pauseMs;
    this.#options.clock.setTimeout(() => this.#options.schedule(), pauseMs);
  }
}

/** One command; well below what a body between two hosts may hold. */
const commandBytesMax = 4 * 1024 * 1024;
/** Numbers in flight: well below what the session table keeps. */
const sentCountMax = 8_192;
/** Bytes in flight: the rest waits here, where it costs nobody else anything. */
const sentBytesMax = 4 * 1024 * 1024;
const stallDoublingsMax = 3;
/** Bytes of one send; more goes with the next turn. */
const sendBytesMax = 1024 * 1024;
const pauseMs = 25;
