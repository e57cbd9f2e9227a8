import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { ByteWriter, isQuorateError, QuorateError } from '@quorate/contracts';
import { RpcPeer } from './rpc.ts';
import type { RpcHandler } from './rpc.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const echo: RpcHandler = async (request) => request.body;

type Pair = {
  readonly clock: ManualClock;
  readonly near: RpcPeer;
  readonly far: RpcPeer;
  /** Frames from near to far, when `hold` is set. */
  readonly held: Uint8Array[];
  hold: boolean;
  full: boolean;
};

function pair(handler: RpcHandler): Pair {
  const clock = new ManualClock();
  const result: Pair = {
    clock,
    near: new RpcPeer(
      clock,
      (frame) => {
        if (result.full) return false;
        if (result.hold) result.held.push(frame);
        else clock.defer(() => far.receive(frame));
        return true;
      },
      echo,
    ),
    get far() {
      return far;
    },
    held: [],
    hold: false,
    full: false,
  };
  const far = new RpcPeer(
    clock,
    (frame) => {
      clock.defer(() => result.near.receive(frame));
      return true;
    },
    handler,
  );
  return result;
}

const request = { to: 'ab'.repeat(16), method: 'echo', body: bytes('hello') };

/** The error a promise ends with. */
async function failure(clock: ManualClock, promise: Promise<unknown>): Promise<QuorateError> {
  const error: unknown = await clock.wait(
    promise.then(
      () => null,
      (reason: unknown) => reason,
    ),
  );
  if (!isQuorateError(error)) throw new Error(`no QuorateError: ${String(error)}`);
  return error;
}

describe('RpcPeer', () => {
  test('a request reaches the handler with its method, receiver and body, and is answered', async () => {
    const seen: unknown[] = [];
    const { clock, near } = pair(async (asked) => {
      seen.push(asked);
      return bytes('answer');
    });
    expect(await clock.wait(near.request(request, { timeoutMs: 100 }))).toEqual(bytes('answer'));
    expect(seen).toEqual([request]);
    await clock.wait(near.request({ ...request, to: null }, { timeoutMs: 100 }));
    expect(seen[1]).toEqual({ ...request, to: null });
  });

  test('an expected failure travels with code, message and outcome; another one says nothing', async () => {
    const { clock, near } = pair(({ method }) =>
      Promise.reject(
        method === 'bug'
          ? new Error('a secret of ours')
          : new QuorateError('OVERLOADED', 'Cannot take more'),
      ),
    );
    expect(await failure(clock, near.request(request, { timeoutMs: 100 }))).toMatchObject({
      code: 'OVERLOADED',
      message: 'Cannot take more',
      outcome: 'not-applied',
    });
    const bug = await failure(clock, near.request({ ...request, method: 'bug' }, { timeoutMs: 9 }));
    expect(bug).toMatchObject({ code: 'BAD_REQUEST', outcome: 'unknown' });
    expect(bug.message).not.toContain('secret');
  });

  test('C3 a full link is not applied; a deadline, an abort and a broken link are unknown', async () => {
    const aborts: string[] = [];
    const { clock, near, ...rest } = pair(
      (asked, signal) =>
        new Promise(() => signal.addEventListener('abort', () => aborts.push(asked.method))),
    );
    void rest;
    const world = pair(echo);
    world.full = true;
    expect(await failure(world.clock, world.near.request(request, { timeoutMs: 9 }))).toMatchObject(
      {
        code: 'UNREACHABLE',
        outcome: 'not-applied',
      },
    );
    expect(await failure(clock, near.request(request, { timeoutMs: 50 }))).toMatchObject({
      code: 'TIMEOUT',
      outcome: 'unknown',
    });
    const controller = new AbortController();
    const aborted = near.request(
      { ...request, method: 'b' },
      { timeoutMs: 9_000, signal: controller.signal },
    );
    await clock.settle();
    controller.abort();
    expect(await failure(clock, aborted)).toMatchObject({ code: 'ABORTED', outcome: 'unknown' });
    await clock.settle();
    expect(aborts).toEqual(['echo', 'b']);
    const broken = near.request(request, { timeoutMs: 9_000 });
    near.close('link down');
    expect(await failure(clock, broken)).toMatchObject({ code: 'UNREACHABLE', outcome: 'unknown' });
    expect(await failure(clock, near.request(request, { timeoutMs: 9 }))).toMatchObject({
      code: 'UNREACHABLE',
      outcome: 'not-applied',
    });
  });

  test('a failure that cannot be read settles its request all the same', async () => {
    const world = pair(echo);
    world.hold = true;
    const asked = world.near.request(request, { timeoutMs: 60_000 });
    await world.clock.settle();
    const malformed = new ByteWriter().u8(3).varint(1).raw(bytes('no cbor')).finish();
    expect(() => world.near.receive(malformed)).toThrow(QuorateError);
    world.near.close('BAD_REQUEST');
    expect(await failure(world.clock, asked)).toMatchObject({ outcome: 'unknown' });
  });

  test('malformed frames are BAD_REQUEST; an answer to nobody is ignored', () => {
    const { near } = pair(echo);
    const frames = [
      new Uint8Array(0),
      new Uint8Array([9, 1]),
      new Uint8Array([1]),
      new Uint8Array([1, 1, 1, 200]),
      new Uint8Array([1, 1, 255, 255, 255, 255, 255, 255, 255, 255, 255]),
      // A receiver that is no NodeId.
      new ByteWriter().u8(1).varint(1).varint(9).block(bytes('short')).block(bytes('m')).finish(),
    ];
    for (const frame of frames) {
      expect(() => near.receive(frame)).toThrow(expect.objectContaining({ code: 'BAD_REQUEST' }));
    }
    near.receive(new ByteWriter().u8(2).varint(77).raw(bytes('x')).finish());
    near.receive(new ByteWriter().u8(4).varint(77).finish());
  });

  test('beyond its bound of requests at once a peer is told OVERLOADED', async () => {
    let started = 0;
    const { clock, near } = pair(() => {
      started += 1;
      return new Promise(() => undefined);
    });
    for (let i = 0; i < 1_024; i++) void near.request(request, { timeoutMs: 9_000 }).catch(() => 0);
    const refused = near.request(request, { timeoutMs: 9_000 });
    expect(await failure(clock, refused)).toMatchObject({ code: 'OVERLOADED' });
    expect(started).toBe(1_024);
    near.close('done');
    await clock.settle();
  });

  test('no timer is left once everything is answered', async () => {
    const { clock, near } = pair(echo);
    await clock.wait(near.request(request, { timeoutMs: 60_000 }));
    expect(clock.timerCount).toBe(0);
  });
});
