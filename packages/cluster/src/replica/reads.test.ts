import type { Raft } from '@quorate/core';
import { describe, expect, test } from 'vitest';
import { memberLimits } from '../state/limits.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import { isQuorateError, QuorateError } from '@quorate/contracts';
import { Reads } from './reads.ts';

const timeoutMs = 1_000;
const retryMs = 200;

/** Reads in front of a core that only remembers what it was asked. */
class Bench {
  readonly clock = new ManualClock();
  readonly asked: number[] = [];
  applied = 0;
  /** What a lease allows. */
  lease: number | null = null;
  readonly reads: Reads;

  constructor() {
    this.reads = new Reads({
      clock: this.clock,
      raft: { readIndex: (id: number) => void this.asked.push(id) } as unknown as Raft,
      timeoutMs,
      limits: memberLimits(),
      retryMs,
      schedule: () => this.clock.defer(() => this.reads.collect()),
      appliedIndex: () => this.applied,
      leaseIndex: () => this.lease,
      excuse: () => new QuorateError('NO_LEADER', 'Cannot read: no leader was found in time'),
    });
  }

  /** A read; the returned list tells how it ended, once it did. */
  read(signal?: AbortSignal, lease: boolean = false): string[] {
    const end: string[] = [];
    this.reads.barrier({ lease, ...(signal === undefined ? {} : { signal }) }).then(
      () => end.push('read'),
      (error: unknown) => end.push(isQuorateError(error) ? error.code : 'bug'),
    );
    return end;
  }
}

describe('Reads', () => {
  test('all reads of a turn share one round', async () => {
    const bench = new Bench();
    const ends = [bench.read(), bench.read(), bench.read()];
    await bench.clock.settle();
    expect(bench.asked.length).toBe(1);
    bench.reads.answered([{ requestId: bench.asked[0] ?? 0, index: 0 }]);
    await bench.clock.settle();
    expect(ends).toEqual([['read'], ['read'], ['read']]);
    expect(bench.clock.timerCount).toBe(0);
  });

  test('R2 a read that begins after a round was asked gets a round of its own', async () => {
    const bench = new Bench();
    const first = bench.read();
    await bench.clock.settle();
    const second = bench.read();
    await bench.clock.settle();
    expect(bench.asked.length).toBe(2);
    bench.reads.answered([{ requestId: bench.asked[0] ?? 0, index: 0 }]);
    await bench.clock.settle();
    expect([first, second]).toEqual([['read'], []]);
  });

  test('R5 a confirmed read waits until this replica has applied that far', async () => {
    const bench = new Bench();
    const end = bench.read();
    await bench.clock.settle();
    bench.applied = 6;
    bench.reads.answered([{ requestId: bench.asked[0] ?? 0, index: 7 }]);
    bench.reads.applied();
    await bench.clock.settle();
    expect(end).toEqual([]);
    bench.applied = 7;
    bench.reads.applied();
    await bench.clock.settle();
    expect(end).toEqual(['read']);
  });

  test('R5 without an answer a round is repeated, and at the deadline the read says why', async () => {
    const bench = new Bench();
    const end = bench.read();
    for (let i = 0; i < 9; i++) {
      await bench.clock.advance(100);
      bench.reads.collect();
    }
    expect(bench.asked.length).toBeGreaterThanOrEqual(4);
    expect(end).toEqual([]);
    // The answer to a round that was given up tells nothing any more.
    bench.reads.answered([{ requestId: bench.asked[0] ?? 0, index: 0 }]);
    await bench.clock.settle();
    expect(end).toEqual([]);
    await bench.clock.advance(100);
    expect(end).toEqual(['NO_LEADER']);
    expect(bench.reads.pendingCount).toBe(0);
  });

  test('a refused round is asked again after a pause, not in a spin', async () => {
    const bench = new Bench();
    const end = bench.read();
    await bench.clock.settle();
    bench.reads.answered([{ requestId: bench.asked[0] ?? 0, index: null }]);
    bench.reads.collect();
    await bench.clock.settle();
    expect(bench.asked.length).toBe(1);
    await bench.clock.advance(30);
    expect(bench.asked.length).toBe(2);
    bench.reads.answered([{ requestId: bench.asked[1] ?? 0, index: 0 }]);
    await bench.clock.settle();
    expect(end).toEqual(['read']);
  });

  test('an aborted read ends at once, wherever it stands, and the others go on', async () => {
    const bench = new Bench();
    const controllers = [new AbortController(), new AbortController(), new AbortController()];
    const [confirmed, asked, waiting] = controllers as [
      AbortController,
      AbortController,
      AbortController,
    ];
    const ends = [bench.read(confirmed.signal), bench.read()];
    await bench.clock.settle();
    bench.reads.answered([{ requestId: bench.asked[0] ?? 0, index: 5 }]);
    ends.push(bench.read(asked.signal));
    await bench.clock.settle();
    ends.push(bench.read(waiting.signal));
    for (const controller of controllers) controller.abort();
    ends.push(bench.read(AbortSignal.abort()));
    bench.applied = 5;
    bench.reads.applied();
    await bench.clock.settle();
    expect(ends).toEqual([['ABORTED'], ['read'], ['ABORTED'], ['ABORTED'], ['ABORTED']]);
    expect(bench.reads.pendingCount).toBe(0);
  });

  test('rejectAll() ends every read with the reason', async () => {
    const bench = new Bench();
    const ends = [bench.read()];
    await bench.clock.settle();
    bench.reads.answered([{ requestId: bench.asked[0] ?? 0, index: 9 }]);
    ends.push(bench.read());
    await bench.clock.settle();
    ends.push(bench.read());
    bench.reads.rejectAll(new QuorateError('NO_QUORUM', 'No quorum'));
    await bench.clock.settle();
    expect(ends).toEqual([['NO_QUORUM'], ['NO_QUORUM'], ['NO_QUORUM']]);
  });

  test('Z23 a lease answers who is content with one, once applied that far, and nobody else', async () => {
    const bench = new Bench();
    bench.lease = 5;
    bench.applied = 4;
    const [plain, leased] = [bench.read(), bench.read(undefined, true)];
    await bench.clock.settle();
    expect(bench.asked.length).toBe(1);
    expect([plain, leased]).toEqual([[], []]);
    bench.applied = 5;
    bench.reads.applied();
    await bench.clock.settle();
    expect([plain, leased]).toEqual([[], ['read']]);
    expect(bench.reads.pendingCount).toBe(1);
  });

  test('Z23 without a lease, at the moment of answering, a quorum is asked', async () => {
    const bench = new Bench();
    bench.lease = 5;
    bench.applied = 5;
    const end = bench.read(undefined, true);
    bench.lease = null;
    await bench.clock.settle();
    expect(end).toEqual([]);
    expect(bench.asked.length).toBe(1);
    // A lease that comes back later does not answer what was asked of the quorum.
    bench.lease = 5;
    bench.reads.collect();
    await bench.clock.settle();
    expect(end).toEqual([]);
    bench.reads.answered([{ requestId: bench.asked[0] ?? 0, index: 5 }]);
    await bench.clock.settle();
    expect(end).toEqual(['read']);
  });

  test('Z23 who waits for a lease to be used ends like everybody else', async () => {
    const bench = new Bench();
    const aborting = new AbortController();
    const ends = [bench.read(aborting.signal, true), bench.read(undefined, true)];
    aborting.abort();
    expect(bench.reads.pendingCount).toBe(1);
    bench.reads.rejectAll(new QuorateError('NO_QUORUM', 'No quorum'));
    await bench.clock.settle();
    expect(ends).toEqual([['ABORTED'], ['NO_QUORUM']]);
  });

  test('C6 beyond its bound a read is refused with OVERLOADED', async () => {
    const bench = new Bench();
    for (let i = 0; i < 16_384; i++) bench.read();
    const end = bench.read();
    await bench.clock.settle();
    expect(end).toEqual(['OVERLOADED']);
    bench.reads.rejectAll(new QuorateError('CLOSED', 'closed'));
    await bench.clock.settle();
  });
});
