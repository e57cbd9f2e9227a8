import type { MembershipChange, Raft, Status } from '@quorate/core';
import { encodeMembershipEntry, plainMembership } from '@quorate/core';
import { describe, expect, test } from 'vitest';
import { LineMachine } from '../../test/world.ts';
import { ManualClock } from '../../test/manual-clock.ts';
import type { MemberFacts } from '../state/policy.ts';
import { Autopilot } from './autopilot.ts';
import { decodeBody, encodeBody, stamp } from '../state/envelope.ts';
import type { EntryBody } from '../state/envelope.ts';
import { isQuorateError } from '@quorate/contracts';
import { createPolicy } from '../state/policy.ts';
import { decodeMembershipContext, ReplicatedState } from '../state/replicated-state.ts';

const nodeId = (digit: string): string => digit.repeat(32);
const lifetimeMs = 60_000;
const facts: MemberFacts = {
  label: 'x',
  durable: true,
  runtime: 'node',
  domain: '',
  mayVote: true,
};

/** A leader's autopilot over a log that a test fills by hand. */
class Bench {
  readonly clock = new ManualClock();
  readonly state = new ReplicatedState(new LineMachine());
  readonly changes: MembershipChange[] = [];
  readonly proposed: EntryBody[] = [];
  pendingChange = false;
  role: Status['role'] = 'leader';
  readonly linked = new Set<string>();
  readonly refusals = new Map<string, 'REPLICA_ROLLED_BACK' | 'REPLICA_CLONED'>();
  readonly autopilot: Autopilot;

  constructor() {
    this.applyMembership([nodeId('a')], []);
    const raft = {
      status: (): Partial<Status> => ({
        role: this.role,
        transferTarget: null,
        pendingChange: this.pendingChange,
        membership: this.state.membership,
        membershipIndex: this.state.membershipIndex,
        commitIndex: this.state.appliedIndex,
        progress: [],
      }),
      proposeChange: (change: MembershipChange) => {
        this.changes.push(change);
        this.pendingChange = true;
        return { ok: true, term: 1, index: 0 };
      },
    };
    this.autopilot = new Autopilot({
      nodeId: nodeId('a'),
      clock: this.clock,
      raft: raft as unknown as Raft,
      state: this.state,
      policy: createPolicy({ sessionLifetimeMs: lifetimeMs }),
      schedule: () => undefined,
      isLinked: (id) => this.linked.has(id),
      refusalOf: (id) => this.refusals.get(id) ?? null,
      proposeOwn: (body) => this.proposed.push(decodeBody(body)),
    });
    this.autopilot.leadershipChanged(true);
  }

  applyMembership(voters: readonly string[], learners: readonly string[]): void {
    const membership = plainMembership({ voters, learners });
    this.#apply('membership', encodeMembershipEntry(membership, new Uint8Array(0)));
  }

  /** Opens a session; its id is returned. */
  openSession(time: number): number {
    this.applyBody(time, { type: 'openSession', nonce: '00'.repeat(8) });
    return this.state.appliedIndex;
  }

  applyBody(time: number, body: EntryBody): void {
    this.#apply('normal', stamp(time, encodeBody(body)));
  }

  /** Lets time pass with a tick each second; `renew` is told of each of them. */
  async pass(durationMs: number, renew: readonly number[] = []): Promise<void> {
    for (let i = 0; i < durationMs / 1_000; i++) {
      await this.clock.advance(1_000);
      if (i % 10 === 0) for (const session of renew) this.autopilot.sessionSeen(session);
      this.autopilot.tick();
      for (const body of this.proposed.splice(0)) this.applyBody(this.state.time, body);
    }
  }

  #apply(type: 'membership' | 'normal', data: Uint8Array): void {
    this.state.apply({ term: 1, index: this.state.appliedIndex + 1, type, data });
  }
}

describe('Autopilot', () => {
  test('Z27 a session renewed now and then stays, one that is not goes after a lifetime', async () => {
    const bench = new Bench();
    const [kept, dropped] = [bench.openSession(0), bench.openSession(0)];
    for (let time = 10_000; time <= 150_000; time += 10_000) {
      bench.applyBody(time, { type: 'activated' });
      await bench.pass(10_000, [kept]);
      if (time < lifetimeMs) expect(bench.state.sessions.has(dropped)).toBe(true);
    }
    expect(bench.state.sessions.has(kept)).toBe(true);
    expect(bench.state.sessions.has(dropped)).toBe(false);
  });

  test('Z27 after a quiet night a live session survives a third of a lifetime unheard', async () => {
    const bench = new Bench();
    const session = bench.openSession(0);
    // Nothing is written, so replicated time stands still; renewals come in.
    await bench.pass(10 * lifetimeMs, [session]);
    // Its link breaks for a little more than a third, and only then somebody writes.
    await bench.pass(lifetimeMs / 3 + 2_000);
    bench.applyBody(10 * lifetimeMs, { type: 'activated' });
    await bench.pass(lifetimeMs / 3 + 2_000);
    expect(bench.state.sessions.has(session)).toBe(true);
    await bench.pass(2 * lifetimeMs);
    expect(bench.state.sessions.has(session)).toBe(false);
  });

  test('Z27 a new leader ends no session before it has itself waited a lifetime', async () => {
    const bench = new Bench();
    const session = bench.openSession(0);
    bench.applyBody(10 * lifetimeMs, { type: 'activated' });
    await bench.pass(lifetimeMs - 2_000);
    expect(bench.state.sessions.has(session)).toBe(true);
    await bench.pass(lifetimeMs);
    expect(bench.state.sessions.has(session)).toBe(false);
  });

  test('Z27 R4 a leader that slept a lifetime ends nobody that it did not wait for awake', async () => {
    const bench = new Bench();
    const session = bench.openSession(0);
    await bench.pass(2 * lifetimeMs, [session]);
    bench.applyBody(2 * lifetimeMs, { type: 'activated' });
    bench.autopilot.sessionSeen(session);
    await bench.clock.advance(3 * lifetimeMs);
    bench.applyBody(5 * lifetimeMs, { type: 'activated' });
    await bench.pass(lifetimeMs - 2_000);
    expect(bench.state.sessions.has(session)).toBe(true);
    bench.applyBody(8 * lifetimeMs, { type: 'activated' });
    await bench.pass(2 * lifetimeMs);
    expect(bench.state.sessions.has(session)).toBe(false);
  });

  test('T10 a learner that is gone leaves within a minute, although leaders follow each other', async () => {
    const bench = new Bench();
    const [gone, there] = [nodeId('b'), nodeId('c')];
    bench.linked.add(gone).add(there);
    bench.applyMembership([nodeId('a')], [gone, there]);
    bench.autopilot.applied();
    bench.autopilot.unlinked(gone);
    for (let lostMs = 0; lostMs < 60_000; lostMs += 10_000) {
      // Every ten seconds this member leads anew, so that none of its terms is as long as the wait.
      bench.autopilot.leadershipChanged(false);
      bench.role = 'follower';
      await bench.pass(5_000);
      bench.role = 'leader';
      bench.autopilot.leadershipChanged(true);
      await bench.pass(5_000);
      if (lostMs === 10_000) expect(bench.changes).toEqual([]);
    }
    expect(bench.changes.map(({ membership }) => membership)).toEqual([
      { voters: [nodeId('a')], learners: [there] },
    ]);
  });

  test('T10 a leader of this moment forgets nobody before everybody could be heard', async () => {
    const bench = new Bench();
    bench.applyMembership([nodeId('a')], [nodeId('b')]);
    bench.autopilot.leadershipChanged(false);
    bench.role = 'follower';
    bench.autopilot.applied();
    await bench.pass(300_000);
    bench.role = 'leader';
    bench.autopilot.leadershipChanged(true);
    await bench.pass(1_000);
    expect(bench.changes).toEqual([]);
    bench.autopilot.linked(nodeId('b'));
    await bench.pass(20_000);
    expect(bench.changes).toEqual([]);
    bench.autopilot.unlinked(nodeId('b'));
    await bench.pass(31_000);
    expect(bench.changes.length).toBe(1);
  });

  test('Z55 a learner that was put back goes at once, one that was copied when its original stays away', async () => {
    for (const code of ['REPLICA_ROLLED_BACK', 'REPLICA_CLONED'] as const) {
      const bench = new Bench();
      const [refused, there] = [nodeId('b'), nodeId('c')];
      bench.linked.add(refused).add(there);
      bench.applyMembership([nodeId('a')], [refused, there]);
      bench.autopilot.applied();
      bench.refusals.set(refused, code);
      // The one that was refused is another: its original is linked.
      await bench.pass(30_000);
      expect(bench.changes).toEqual([]);
      bench.linked.delete(refused);
      bench.autopilot.unlinked(refused);
      await bench.pass(2_000);
      expect(bench.changes.length).toBe(code === 'REPLICA_CLONED' ? 0 : 1);
      await bench.pass(10_000);
      expect(bench.changes.map(({ membership }) => membership.learners)).toEqual([[there]]);
      // It has not left for good: a person may yet decide for it.
      expect(bench.changes[0]?.context.length).toBe(0);
    }
  });

  test('Z55 a leader of this moment gives nobody up before everybody could be heard', async () => {
    const bench = new Bench();
    bench.refusals.set(nodeId('b'), 'REPLICA_ROLLED_BACK');
    bench.applyMembership([nodeId('a')], [nodeId('b')]);
    bench.autopilot.applied();
    bench.autopilot.leadershipChanged(true);
    bench.autopilot.tick();
    expect(bench.changes).toEqual([]);
    await bench.pass(3_000);
    expect(bench.changes.length).toBe(1);
  });

  test('join() proposes a learner with its facts and resolves once that is committed', async () => {
    const bench = new Bench();
    const joining = bench.autopilot.join(nodeId('b'), facts, new AbortController().signal);
    await bench.clock.settle();
    expect(bench.changes.map(({ membership }) => membership)).toEqual([
      { voters: [nodeId('a')], learners: [nodeId('b')] },
    ]);
    const context = decodeMembershipContext(bench.changes[0]?.context ?? new Uint8Array(0));
    expect(context.members.get(nodeId('b'))).toEqual(facts);
    bench.applyMembership([nodeId('a')], [nodeId('b')]);
    bench.autopilot.applied();
    await bench.clock.wait(joining);
  });

  test('a request to join given up does not take back the one that was made after it', async () => {
    const bench = new Bench();
    bench.pendingChange = true;
    const first = new AbortController();
    const given = bench.autopilot.join(nodeId('b'), facts, first.signal).catch((error: unknown) => {
      return isQuorateError(error) ? error.code : 'bug';
    });
    const second = bench.autopilot.join(nodeId('b'), facts, new AbortController().signal);
    first.abort();
    expect(await bench.clock.wait(given)).toBe('MEMBERSHIP_REFUSED');
    bench.pendingChange = false;
    bench.autopilot.tick();
    expect(bench.changes.length).toBe(1);
    bench.applyMembership([nodeId('a')], [nodeId('b')]);
    bench.autopilot.applied();
    await bench.clock.wait(second);
  });

  test('M2 nothing is proposed while a change is pending or not applied here', async () => {
    const bench = new Bench();
    bench.pendingChange = true;
    void bench.autopilot.join(nodeId('b'), facts, new AbortController().signal).catch(() => 0);
    bench.autopilot.tick();
    expect(bench.changes).toEqual([]);
    bench.autopilot.leadershipChanged(false);
    await bench.clock.settle();
  });

  test('losing leadership rejects every wish with NO_LEADER, so that it is asked elsewhere', async () => {
    const bench = new Bench();
    const { signal } = new AbortController();
    bench.pendingChange = true;
    const wishes = [
      bench.autopilot.join(nodeId('b'), facts, signal),
      bench.autopilot.leave(nodeId('a'), signal),
      bench.autopilot.vacate(nodeId('a'), signal),
    ].map((wish) => wish.catch((error: unknown) => (isQuorateError(error) ? error.code : 'bug')));
    bench.autopilot.leadershipChanged(false);
    expect(await bench.clock.wait(Promise.all(wishes))).toEqual([
      'NO_LEADER',
      'NO_LEADER',
      'NO_LEADER',
    ]);
  });

  test('what is so already resolves at once', async () => {
    const bench = new Bench();
    const { signal } = new AbortController();
    await bench.clock.wait(
      Promise.all([
        bench.autopilot.join(nodeId('a'), facts, signal),
        bench.autopilot.leave(nodeId('b'), signal),
        bench.autopilot.vacate(nodeId('b'), signal),
      ]),
    );
    expect(bench.changes).toEqual([]);
  });
});
