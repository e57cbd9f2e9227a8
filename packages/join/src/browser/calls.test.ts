import { QuorateError, systemClock } from '@quorate/contracts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Calls } from './calls.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** One life: takes calls and says later, or at its end, what became of them. */
class Life {
  failure: QuorateError | null = null;
  readonly taken: string[] = [];
  readonly #open: { readonly name: string; readonly reject: (error: Error) => void }[] = [];
  readonly #resolve = new Map<string, (name: string) => void>();

  take(name: string): Promise<string> {
    if (this.failure !== null) return Promise.reject(this.failure);
    this.taken.push(name);
    return new Promise((resolve, reject) => {
      this.#open.push({ name, reject });
      this.#resolve.set(name, resolve);
    });
  }

  answer(name: string): void {
    this.#resolve.get(name)?.(name);
  }

  /** What has left ends with a doubt, the rest with the reason. */
  end(reason: QuorateError, left: readonly string[] = []): void {
    this.failure = reason;
    for (const { name, reject } of this.#open) {
      reject(left.includes(name) ? new QuorateError('COMMIT_UNKNOWN', name) : reason);
    }
  }
}

const closed = new QuorateError('CLOSED', 'closed');
const moved = new QuorateError('STORAGE_LOST', 'moved');

function callsOf(life: Life): {
  readonly calls: Calls<Life>;
  readonly ask: (name: string, timeoutMs?: number, signal?: AbortSignal) => Promise<string>;
} {
  const calls = new Calls(systemClock, life, (failure) => failure === moved);
  const ask = (name: string, timeoutMs = 1_000, signal?: AbortSignal): Promise<string> =>
    calls.run((carrier) => carrier.take(name), timeoutMs, signal);
  return { calls, ask };
}

test('Z6 run() carries out in the next life what had not left, in call order, and new calls behind', async () => {
  const first = new Life();
  const { calls, ask } = callsOf(first);
  const asked = [ask('a'), ask('b')];
  expect(first.taken).toEqual(['a', 'b']);
  calls.pause();
  // Made before those that had been taken came back.
  asked.push(ask('c'));
  first.end(closed);
  await vi.advanceTimersByTimeAsync(0);
  asked.push(ask('d'));
  const next = new Life();
  calls.resume(next);
  expect(next.taken).toEqual(['a', 'b', 'c', 'd']);
  for (const name of next.taken) next.answer(name);
  expect(await Promise.all(asked)).toEqual(['a', 'b', 'c', 'd']);
});

test('Z25 Z28 run() leaves a write in doubt that may have left, and does not send it again', async () => {
  const first = new Life();
  const { calls, ask } = callsOf(first);
  const [left, kept] = [ask('left'), ask('kept')];
  const doubt = left.catch((error: unknown) => error);
  calls.pause();
  first.end(closed, ['left']);
  await vi.advanceTimersByTimeAsync(0);
  const next = new Life();
  calls.resume(next);
  expect(next.taken).toEqual(['kept']);
  const error = (await doubt) as QuorateError;
  expect(error.code).toBe('COMMIT_UNKNOWN');
  expect(await error.settle()).toEqual({ outcome: 'unknown' });
  next.answer('kept');
  expect(await kept).toBe('kept');
});

test('run() goes on where the life fails in a way that another follows, and ends where none does', async () => {
  const first = new Life();
  const { calls, ask } = callsOf(first);
  const asked = ask('a');
  first.end(moved);
  const next = new Life();
  await vi.advanceTimersByTimeAsync(0);
  calls.resume(next);
  next.answer('a');
  expect(await asked).toBe('a');
  const failed = new QuorateError('STORAGE_FAILED', 'broken');
  const lost = ask('b');
  next.end(failed);
  await expect(lost).rejects.toBe(failed);
  await expect(ask('c')).rejects.toBe(failed);
});

test('run() waits no longer than its deadline, of which the first life takes its part', async () => {
  const first = new Life();
  const { calls } = callsOf(first);
  const given: (number | undefined)[] = [];
  const ask = (name: string, timeoutMs: number): Promise<string> =>
    calls.run(
      (carrier, left) => {
        given.push(left.timeoutMs);
        return carrier.take(name);
      },
      timeoutMs,
      undefined,
    );
  const short = ask('short', 100).catch((error: unknown) => error);
  const long = ask('long', 1_000);
  await vi.advanceTimersByTimeAsync(60);
  calls.pause();
  first.end(closed);
  await vi.advanceTimersByTimeAsync(60);
  expect(await short).toMatchObject({ code: 'TIMEOUT', outcome: 'not-applied' });
  const next = new Life();
  calls.resume(next);
  expect(next.taken).toEqual(['long']);
  expect(given).toEqual([100, 1_000, 880]);
  next.answer('long');
  expect(await long).toBe('long');
});

test('run() without a deadline waits through many lives, and ends with its signal or the handle', async () => {
  const first = new Life();
  const { calls } = callsOf(first);
  const stop = new AbortController();
  const ready = (signal?: AbortSignal): Promise<string> =>
    calls.run((carrier) => carrier.take('ready'), null, signal);
  const aborted = ready(stop.signal).catch((error: unknown) => error);
  const closing = ready().catch((error: unknown) => error);
  let life = first;
  for (let count = 0; count < 3; count++) {
    calls.pause();
    life.end(closed);
    await vi.advanceTimersByTimeAsync(100_000);
    life = new Life();
    calls.resume(life);
    expect(life.taken).toHaveLength(2);
  }
  calls.pause();
  life.end(closed);
  await vi.advanceTimersByTimeAsync(0);
  stop.abort();
  expect(await aborted).toMatchObject({ code: 'ABORTED' });
  expect(await ready(stop.signal).catch((error: unknown) => error)).toMatchObject({
    code: 'ABORTED',
  });
  calls.close();
  expect(await closing).toMatchObject({ code: 'CLOSED' });
});

test('run() of a closed handle ends with what closed its member', async () => {
  const life = new Life();
  const { calls, ask } = callsOf(life);
  const asked = ask('a');
  calls.close();
  life.end(closed);
  await expect(asked).rejects.toBe(closed);
});
