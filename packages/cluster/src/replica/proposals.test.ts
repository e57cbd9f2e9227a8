import { describe, expect, test } from 'vitest';
import { memberLimits } from '../state/limits.ts';
import type { MemberLimits } from '../state/limits.ts';
import { ManualClock, seededBytes } from '../../test/manual-clock.ts';
import type { Applied } from '@quorate/contracts';
import { decodeBody } from '../state/envelope.ts';
import type { EntryBody } from '../state/envelope.ts';
import { isQuorateError, QuorateError } from '@quorate/contracts';
import { Proposals } from './proposals.ts';
import type { AppliedEntry } from '../state/replicated-state.ts';
import { SessionTable } from '../state/sessions.ts';
import type { CommandOutcome } from '../state/sessions.ts';

const timeoutMs = 1_000;
const stallMs = 200;

type Sent = {
  readonly bodies: readonly EntryBody[];
  readonly onResult: (position: number, outcome: CommandOutcome) => void;
  readonly onLost: () => void;
};

/** A member's proposals in front of a log that a test fills by hand. */
class Bench {
  readonly clock = new ManualClock();
  table = new SessionTable();
  /** What left this member and was not yet put into the log. */
  readonly sends: Sent[] = [];
  /** What the state machine ran, in order. */
  readonly ran: string[] = [];
  /** Only what begins with a minus is taken. */
  full = false;
  verdict: 'taken' | 'wait' | 'overloaded' = 'taken';
  readonly proposals: Proposals;
  #index = 1;
  #scheduled = false;

  constructor(limits: Partial<MemberLimits> = {}) {
    this.proposals = new Proposals({
      clock: this.clock,
      random: seededBytes(1),
      timeoutMs,
      limits: memberLimits(limits),
      stallMs,
      route: {
        send: (bodies, onResult, onLost) => {
          if (this.verdict !== 'taken') return this.verdict;
          this.sends.push({ bodies: bodies.map(decodeBody), onResult, onLost });
          return 'taken';
        },
      },
      sessions: () => this.table,
      schedule: () => {
        if (this.#scheduled) return;
        this.#scheduled = true;
        this.clock.defer(() => {
          this.#scheduled = false;
          this.proposals.collect();
        });
      },
      refusal: (command) => {
        const isTaken = !this.full || new TextDecoder().decode(command).startsWith('-');
        return isTaken ? null : new QuorateError('STORAGE_FULL', 'Cannot write: full');
      },
      excuse: () => new QuorateError('NO_LEADER', 'Cannot write: no leader was found in time'),
    });
  }

  propose(name: string, options: { timeoutMs?: number; signal?: AbortSignal } = {}): Call {
    return new Call(this.proposals.propose(new TextEncoder().encode(name), options));
  }

  /** Appends one body to the log and applies it, here too unless `here` is false. */
  apply(body: EntryBody, here = true): CommandOutcome | null {
    const index = ++this.#index;
    const tell = (event: AppliedEntry['event']): void => {
      if (here) this.proposals.applied({ index, term: 1, event });
    };
    if (body.type === 'openSession') {
      this.table.open(index, body.nonce, 0);
      tell({ type: 'sessionOpened', nonce: body.nonce, session: index });
      return null;
    }
    if (body.type !== 'command' && body.type !== 'resolve') throw new Error('no such body here');
    const outcome =
      body.type === 'resolve'
        ? this.table.resolve(body, 0)
        : this.table.command(body, 0, () => {
            const name = new TextDecoder().decode(body.command);
            this.ran.push(name);
            return new TextEncoder().encode(`done ${name}`);
          });
    tell({ type: 'outcome', session: body.session, seq: body.seq, outcome });
    return outcome;
  }

  /** Applies everything that left, in order. */
  applyAll(here = true): void {
    for (const sent of this.sends.splice(0)) for (const body of sent.bodies) this.apply(body, here);
  }

  /** Opens the session, so that what follows is commands only. */
  async open(): Promise<void> {
    const first = this.propose('first');
    await this.clock.settle();
    this.applyAll();
    await this.clock.settle();
    this.applyAll();
    await this.clock.settle();
    expect(first.applied).toMatchObject({ appliedHere: true });
  }

  /** Sends and applies until nothing waits. */
  async drain(): Promise<void> {
    for (let round = 0; round < 50 && this.proposals.pendingCount > 0; round++) {
      await this.clock.advance(stallMs + 50);
      this.applyAll();
    }
    await this.clock.settle();
  }
}

/** What a promise came to, and how often. */
class Call {
  applied: Applied | null = null;
  error: QuorateError | null = null;
  settledCount = 0;

  constructor(promise: Promise<Applied>) {
    promise.then(
      (applied) => {
        this.applied = applied;
        this.settledCount += 1;
      },
      (error: unknown) => {
        if (!isQuorateError(error)) throw error;
        this.error = error;
        this.settledCount += 1;
      },
    );
  }

  get text(): string | null {
    return this.applied === null ? null : new TextDecoder().decode(this.applied.result);
  }
}

describe('Proposals', () => {
  test('Z25 the first command waits for a session that the log opened', async () => {
    const bench = new Bench();
    const call = bench.propose('a');
    await bench.clock.settle();
    expect(bench.sends.map(({ bodies }) => bodies.map(({ type }) => type))).toEqual([
      ['openSession'],
    ]);
    bench.applyAll();
    await bench.clock.settle();
    bench.applyAll();
    await bench.clock.settle();
    expect(call.text).toBe('done a');
    expect(bench.ran).toEqual(['a']);
  });

  test('T20: what never left is refused at once, what left is settled by the log', async () => {
    const bench = new Bench();
    await bench.open();
    const applied = bench.propose('applied', { timeoutMs: 60_000 });
    const lost = bench.propose('lost', { timeoutMs: 60_000 });
    await bench.clock.settle();
    const [first, second] = bench.sends.splice(0).flatMap(({ bodies }) => bodies);
    expect(second).toMatchObject({ type: 'command' });
    // The log has the first of them; its leader refuses the second.
    if (first !== undefined) bench.apply(first, false);
    bench.verdict = 'wait';
    const queued = bench.propose('queued', { timeoutMs: 60_000 });
    const deletion = bench.propose('-deletion', { timeoutMs: 60_000 });
    await bench.clock.settle();
    bench.full = true;
    bench.proposals.refuse();
    const late = bench.propose('late');
    await bench.clock.settle();
    for (const call of [queued, late]) {
      expect(call.error).toMatchObject({ code: 'STORAGE_FULL', outcome: 'not-applied' });
    }
    expect([applied, lost, deletion].map(({ settledCount }) => settledCount)).toEqual([0, 0, 0]);
    bench.verdict = 'taken';
    bench.proposals.leaderChanged();
    await bench.drain();
    expect(applied.text).toBe('done applied');
    expect(lost.error).toMatchObject({ code: 'STORAGE_FULL', outcome: 'not-applied' });
    expect(deletion.text).toBe('done -deletion');
    expect(bench.ran).toEqual(['first', 'applied', '-deletion']);
    bench.full = false;
    const after = bench.propose('after');
    await bench.drain();
    expect(after.text).toBe('done after');
  });

  test('T20: a caller that gave up before is told later that its command never came to anything', async () => {
    const bench = new Bench();
    await bench.open();
    const call = bench.propose('x', { timeoutMs: 10 });
    await bench.clock.settle();
    bench.sends.splice(0);
    await bench.clock.advance(20);
    expect(call.error?.code).toBe('COMMIT_UNKNOWN');
    bench.full = true;
    bench.proposals.refuse();
    const settled = call.error?.settle();
    await bench.drain();
    expect(await settled).toEqual({ outcome: 'not-applied' });
    expect(bench.ran).toEqual(['first']);
  });

  test('a session whose opening is lost is asked for again', async () => {
    const bench = new Bench();
    const call = bench.propose('a', { timeoutMs: 60_000 });
    await bench.clock.settle();
    bench.sends.splice(0);
    await bench.clock.advance(stallMs + 1);
    bench.applyAll();
    await bench.drain();
    expect(call.text).toBe('done a');
    expect(bench.table.size).toBe(1);
  });

  test('C2 a thousand pending when the leader steps down: each settles once, in call order', async () => {
    const bench = new Bench();
    await bench.open();
    const names = Array.from({ length: 1_000 }, (_, i) => `c${i}`);
    const order: string[] = [];
    const calls = names.map((name) => {
      const promise = bench.proposals.propose(new TextEncoder().encode(name), {
        timeoutMs: 60_000,
      });
      void promise.then(() => order.push(name));
      return new Call(promise);
    });
    await bench.clock.settle();
    // A third reached the log, the rest is lost with the leader; another one takes over twice.
    const bodies = bench.sends.splice(0).flatMap((sent) => sent.bodies);
    for (const body of bodies.slice(0, 333)) bench.apply(body);
    bench.proposals.leaderChanged();
    await bench.clock.settle();
    const again = bench.sends.splice(0).flatMap((sent) => sent.bodies);
    bench.proposals.leaderChanged();
    // Both arrive: the entries sent to the former leader were not lost after all.
    for (const body of [...bodies.slice(333), ...again]) bench.apply(body);
    await bench.drain();
    expect(calls.map((call) => call.settledCount)).toEqual(names.map(() => 1));
    expect(calls.map((call) => call.text)).toEqual(names.map((name) => `done ${name}`));
    expect(bench.ran).toEqual(['first', ...names]);
    expect(order).toEqual(names);
  });

  test('call order is kept when a first batch is lost and a second arrives', async () => {
    const bench = new Bench();
    await bench.open();
    const first = bench.propose('a', { timeoutMs: 60_000 });
    await bench.clock.settle();
    const [lost] = bench.sends.splice(0);
    const second = bench.propose('b', { timeoutMs: 60_000 });
    await bench.clock.settle();
    bench.applyAll();
    lost?.onLost();
    await bench.drain();
    expect(bench.ran).toEqual(['first', 'a', 'b']);
    expect([first.text, second.text]).toEqual(['done a', 'done b']);
  });

  test('T16 no more than 4 MiB are in flight: the rest waits, and is not sent at its deadline', async () => {
    const bench = new Bench();
    await bench.open();
    const name = (number: number): string => `${number} `.padEnd(1_000_000, 'x');
    const calls = [1, 2, 3, 4, 5, 6].map((number) => bench.propose(name(number)));
    await bench.clock.settle();
    const left = bench.sends.flatMap(({ bodies }) => bodies);
    expect(left.map((body) => body.type === 'command' && body.seq)).toEqual([2, 3, 4, 5]);
    // What was applied makes room.
    bench.apply(left[0]!);
    await bench.clock.settle();
    expect(bench.sends.flatMap(({ bodies }) => bodies)).toHaveLength(5);
    await bench.clock.advance(timeoutMs + 1);
    expect(calls[4]?.error).toMatchObject({ code: 'COMMIT_UNKNOWN' });
    expect(calls[5]?.error).toMatchObject({ code: 'NO_LEADER', outcome: 'not-applied' });
  });

  test('T16 without any outcome the waits between repetitions grow, and shrink with the first one', async () => {
    const bench = new Bench();
    await bench.open();
    void bench.propose('slow', { timeoutMs: 100_000 });
    await bench.clock.settle();
    const repeatedAt: number[] = [];
    for (let ms = 0; ms < 24 * stallMs; ms += stallMs / 4) {
      const before = bench.sends.length;
      await bench.clock.advance(stallMs / 4);
      if (bench.sends.length > before) repeatedAt.push(Math.floor(ms / stallMs));
    }
    const waits = repeatedAt.map((at, place) => at - (repeatedAt[place - 1] ?? 0));
    expect(waits.slice(0, 3)).toEqual([1, 2, 4]);
    const count = bench.sends.length;
    bench.apply(bench.sends.at(-1)!.bodies[0]!);
    void bench.propose('next', { timeoutMs: 100_000 });
    await bench.clock.settle();
    await bench.clock.advance(stallMs + stallMs / 4);
    expect(bench.sends.length).toBe(count + 2);
  });

  test('a gap in the log is mended by sending again, without waiting for the stall', async () => {
    const bench = new Bench();
    await bench.open();
    bench.propose('a', { timeoutMs: 60_000 });
    await bench.clock.settle();
    bench.sends.splice(0);
    const second = bench.propose('b', { timeoutMs: 60_000 });
    await bench.clock.settle();
    bench.applyAll();
    await bench.clock.settle();
    bench.applyAll();
    await bench.clock.settle();
    expect(second.text).toBe('done b');
    expect(bench.ran).toEqual(['first', 'a', 'b']);
  });

  test('C3 what never left is not applied, with the reason, at its deadline', async () => {
    const bench = new Bench();
    bench.verdict = 'wait';
    const call = bench.propose('a');
    await bench.clock.advance(timeoutMs);
    expect(call.error).toMatchObject({ code: 'NO_LEADER', outcome: 'not-applied' });
    expect(await call.error?.settle()).toEqual({ outcome: 'not-applied' });
    bench.verdict = 'taken';
    await bench.clock.advance(timeoutMs);
    bench.applyAll();
    await bench.clock.advance(timeoutMs);
    bench.applyAll();
    expect(bench.ran).toEqual([]);
  });

  test('C3 Z28 what left without an outcome is unknown, and settle() tells that it was applied', async () => {
    const bench = new Bench();
    await bench.open();
    const call = bench.propose('a');
    await bench.clock.settle();
    await bench.clock.advance(timeoutMs);
    expect(call.error).toMatchObject({ code: 'COMMIT_UNKNOWN', outcome: 'unknown' });
    const settled = call.error?.settle();
    bench.applyAll();
    await bench.clock.settle();
    expect(await settled).toEqual({
      outcome: 'applied',
      result: new TextEncoder().encode('done a'),
    });
    expect(bench.ran).toEqual(['first', 'a']);
  });

  test('Z28 settle() kills a command that no log holds: not applied, and never later', async () => {
    const bench = new Bench();
    await bench.open();
    const call = bench.propose('a');
    await bench.clock.settle();
    const late = bench.sends.splice(0).flatMap((sent) => sent.bodies);
    await bench.clock.advance(timeoutMs);
    bench.sends.splice(0);
    const settled = call.error?.settle();
    await bench.clock.settle();
    expect(bench.sends[0]?.bodies[0]).toMatchObject({ type: 'resolve', seq: 2 });
    bench.applyAll();
    expect(await settled).toEqual({ outcome: 'not-applied' });
    for (const body of late) expect(bench.apply(body)).toEqual({ type: 'dead' });
    expect(bench.ran).toEqual(['first']);
    expect(await call.error?.settle()).toEqual({ outcome: 'not-applied' });
  });

  test('Z25 Z28 with the session gone the doubt stays, and later calls open another session', async () => {
    const bench = new Bench();
    await bench.open();
    const lost = bench.propose('a', { timeoutMs: 60_000 });
    await bench.clock.settle();
    bench.sends.splice(0);
    bench.table.renewAndExpire([], [bench.proposals.session ?? 0], 0);
    const next = bench.propose('b', { timeoutMs: 60_000 });
    await bench.drain();
    expect(lost.error).toMatchObject({ code: 'COMMIT_UNKNOWN', outcome: 'unknown' });
    expect(await lost.error?.settle()).toMatchObject({ outcome: 'unknown' });
    expect(next.text).toBe('done b');
    expect(bench.ran).toEqual(['first', 'b']);
  });

  test('Z25 an entry of a lost session that arrives late changes nothing', async () => {
    const bench = new Bench();
    await bench.open();
    const lost = bench.propose('a', { timeoutMs: 60_000 });
    await bench.clock.settle();
    const late = bench.sends.splice(0).flatMap((sent) => sent.bodies);
    bench.table.renewAndExpire([], [bench.proposals.session ?? 0], 0);
    for (const body of late) expect(bench.apply(body)).toEqual({ type: 'expired' });
    await bench.clock.settle();
    expect(lost.error?.code).toBe('COMMIT_UNKNOWN');
    expect(bench.ran).toEqual(['first']);
  });

  test('Z28 a result the leader told is never turned into a doubt: appliedHere is false', async () => {
    const bench = new Bench();
    await bench.open();
    const call = bench.propose('a');
    await bench.clock.settle();
    const [sent] = bench.sends.splice(0);
    const outcome = bench.apply(sent?.bodies[0] as EntryBody, false);
    sent?.onResult(0, outcome as CommandOutcome);
    await bench.clock.settle();
    expect(call.settledCount).toBe(0);
    await bench.clock.advance(timeoutMs);
    expect(call.text).toBe('done a');
    expect(call.applied?.appliedHere).toBe(false);
  });

  test('a snapshot in place of the entries tells what they came to', async () => {
    const bench = new Bench();
    await bench.open();
    const call = bench.propose('a');
    await bench.clock.settle();
    bench.applyAll(false);
    bench.proposals.restored();
    await bench.clock.settle();
    expect(call.text).toBe('done a');
  });

  test('a snapshot that holds the session being opened opens it', async () => {
    const bench = new Bench();
    const call = bench.propose('a');
    await bench.clock.settle();
    bench.applyAll(false);
    bench.proposals.restored();
    await bench.clock.settle();
    bench.applyAll();
    await bench.clock.settle();
    expect(call.text).toBe('done a');
    expect(bench.table.size).toBe(1);
  });

  test('abort before sending is not applied, after sending it is unknown', async () => {
    const bench = new Bench();
    await bench.open();
    const early = new AbortController();
    const late = new AbortController();
    const aborted = bench.propose('x', { signal: AbortSignal.abort() });
    bench.verdict = 'wait';
    const waiting = bench.propose('a', { signal: early.signal });
    await bench.clock.settle();
    early.abort();
    bench.verdict = 'taken';
    const sent = bench.propose('b', { signal: late.signal });
    await bench.clock.settle();
    late.abort();
    await bench.clock.settle();
    expect(aborted.error).toMatchObject({ code: 'ABORTED', outcome: 'not-applied' });
    expect(waiting.error).toMatchObject({ code: 'ABORTED', outcome: 'not-applied' });
    expect(sent.error).toMatchObject({ code: 'COMMIT_UNKNOWN', outcome: 'unknown' });
    bench.applyAll();
    await bench.drain();
    expect(bench.ran).toEqual(['first', 'b']);
    expect([waiting.settledCount, sent.settledCount]).toEqual([1, 1]);
  });

  test('C6 beyond the bounds nothing is accepted, and what was accepted is unharmed', async () => {
    const bench = new Bench();
    bench.verdict = 'wait';
    const commands = Array.from({ length: 64 }, () => new Uint8Array(1024 * 1024));
    const calls = commands.map(
      (command) => new Call(bench.proposals.propose(command, { timeoutMs: 60_000 })),
    );
    const refused = bench.propose('one too many');
    await bench.clock.settle();
    expect(refused.error).toMatchObject({
      ...{ code: 'OVERLOADED', outcome: 'not-applied' },
      details: { limit: 'pendingWriteBytes', max: 64 * 1024 * 1024 },
    });
    expect(calls.every((call) => call.settledCount === 0)).toBe(true);
    bench.proposals.close(new QuorateError('CLOSED', 'This member was closed'));
    await bench.clock.settle();
    expect(calls.every((call) => call.error?.code === 'CLOSED')).toBe(true);
  });

  test('T16 the limits are those of the member, and OVERLOADED names the one that was reached', async () => {
    const bench = new Bench({ pendingWrites: 2, pendingWriteBytes: 100 });
    bench.verdict = 'wait';
    const large = new Call(bench.proposals.propose(new Uint8Array(101), {}));
    const [first, second, third] = ['a', 'b', 'c'].map((name) => bench.propose(name));
    await bench.clock.settle();
    expect(large.error).toMatchObject({ details: { limit: 'pendingWriteBytes', max: 100 } });
    expect(third?.error).toMatchObject({
      code: 'OVERLOADED',
      message: 'Cannot take more: limits.pendingWrites of 2 is reached',
      details: { limit: 'pendingWrites', max: 2 },
    });
    expect([first?.settledCount, second?.settledCount]).toEqual([0, 0]);
  });

  test('a command longer than any entry may be is refused and harms nobody', async () => {
    const bench = new Bench();
    const call = new Call(bench.proposals.propose(new Uint8Array(9 * 1024 * 1024), {}));
    await bench.clock.settle();
    expect(call.error).toMatchObject({ code: 'LIMIT_EXCEEDED', outcome: 'not-applied' });
    expect(bench.proposals.pendingCount).toBe(0);
  });

  test('a leader that takes no more is asked again after a pause', async () => {
    const bench = new Bench();
    await bench.open();
    bench.verdict = 'overloaded';
    const call = bench.propose('a');
    await bench.clock.settle();
    expect(bench.sends).toEqual([]);
    bench.verdict = 'taken';
    await bench.clock.advance(50);
    bench.applyAll();
    await bench.clock.settle();
    expect(call.text).toBe('done a');
  });

  test('close() rejects what never left with its reason and leaves the rest in doubt', async () => {
    const bench = new Bench();
    await bench.open();
    const sent = bench.propose('a');
    await bench.clock.settle();
    bench.verdict = 'wait';
    const waiting = bench.propose('b');
    bench.proposals.close(new QuorateError('CLOSED', 'This member was closed'));
    const after = bench.propose('c');
    await bench.clock.settle();
    expect(sent.error?.code).toBe('COMMIT_UNKNOWN');
    expect(await sent.error?.settle()).toMatchObject({ outcome: 'unknown' });
    expect(waiting.error?.code).toBe('CLOSED');
    expect(after.error?.code).toBe('CLOSED');
    expect(bench.proposals.pendingCount).toBe(0);
  });

  test('rejectQueued() rejects what never left and goes on with what did', async () => {
    const bench = new Bench();
    await bench.open();
    const sent = bench.propose('a');
    await bench.clock.settle();
    bench.verdict = 'wait';
    const waiting = bench.propose('b');
    bench.proposals.rejectQueued(new QuorateError('NO_QUORUM', 'No quorum'));
    bench.verdict = 'taken';
    const next = bench.propose('c');
    await bench.drain();
    expect(waiting.error).toMatchObject({ code: 'NO_QUORUM', outcome: 'not-applied' });
    expect([sent.text, next.text]).toEqual(['done a', 'done c']);
    expect(bench.ran).toEqual(['first', 'a', 'c']);
  });

  test('Z26 firstUnacked never passes a number whose outcome this member has not seen', async () => {
    const bench = new Bench();
    await bench.open();
    const a = bench.propose('a', { timeoutMs: 60_000 });
    await bench.clock.settle();
    const b = bench.propose('b', { timeoutMs: 60_000 });
    await bench.clock.settle();
    // Applied at the leader, not here yet.
    bench.applyAll(false);
    bench.proposals.leaderChanged();
    await bench.clock.settle();
    const bodies = bench.sends.flatMap((sent) => sent.bodies);
    expect(bodies.map((body) => ('firstUnacked' in body ? body.firstUnacked : 0))).toEqual([2, 2]);
    await bench.drain();
    expect([a.text, b.text]).toEqual(['done a', 'done b']);
    expect(bench.ran).toEqual(['first', 'a', 'b']);
  });
});
