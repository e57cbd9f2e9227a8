import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../test/manual-clock.ts';
import { claimSilenceMs, ClaimKeeper, readClaim, refreshIntervalMs, setClaim } from './claim.ts';
import type { Claim, ClaimKeeperOptions } from './claim.ts';
import type { Register } from '@quorate/contracts';
import { QuorateError } from '@quorate/contracts';
import { encodeJoinAnswer } from '../membership/join-request.ts';
import { form } from './formation.ts';
import { registerCare } from './register-care.ts';
import type { FormationOptions, FormationProgress, FormationResult } from './formation.ts';
import type { RunFacts } from '../links/hello.ts';
import { createPlainCipher, MemoryMeetingPoint, MemoryRegisters } from '@quorate/contracts/memory';
import { createPolicy } from '../state/policy.ts';
import type { Genesis } from '../state/policy.ts';

const idOf = (digits: string): string => digits.repeat(32 / digits.length);
const never = new AbortController().signal;

function genesisOf(clusterId: string): Genesis {
  return {
    clusterId,
    generation: 1,
    namespace: 'test',
    founder: idOf('f'),
    register: 'test',
    featureLevel: 1,
    policy: createPolicy(),
  };
}

function foundedAs(clusterId: string): FormationResult {
  return { type: 'found', clusterId, generation: 1, beside: [] };
}

function memberOf(clusterId: string | null): RunFacts {
  return {
    nodeId: idOf('1'),
    epoch: 1,
    past: [],
    proof: null,
    givenUp: [],
    nonce: '00'.repeat(8),
    clusterId,
    generation: 1,
    label: 'x',
    durable: true,
    opening: { term: 0, votedFor: null, lastIndex: 0 },
  };
}

class Bench {
  readonly clock = new ManualClock();
  readonly registers = new MemoryRegisters('test');
  readonly register: Register = this.registers.register(createPlainCipher({ namespace: 'test' }));
  readonly meetingPoint = new MemoryMeetingPoint();
  readonly linked: RunFacts[] = [];
  readonly asked: string[] = [];
  /** What keepers said of the register. */
  readonly lost: (string | null)[] = [];
  /** What a member that is asked to take somebody in says. */
  answer: (to: string) => Promise<Uint8Array> = () =>
    Promise.reject(new QuorateError('NO_LEADER', 'no leader'));

  form(nodeId: string, more: Partial<FormationOptions> = {}): Forming {
    return new Forming({
      register: this.register,
      mayFound: true,
      inSpite: false,
      care: registerCare({
        register: this.register,
        rendezvous: this.meetingPoint.rendezvous('test'),
        clock: this.clock,
      }),
      nodeId: idOf(nodeId),
      facts: { label: nodeId, durable: true, runtime: 'node', domain: '', mayVote: true },
      clock: this.clock,
      newClusterId: () => idOf(`${nodeId}c`),
      signal: never,
      linkedRuns: () => this.linked,
      request: (to) => {
        this.asked.push(to);
        return this.answer(to);
      },
      report: () => undefined,
      linksChanged: () => new Promise(() => undefined),
      ...more,
    });
  }

  async claim(): Promise<Claim | null> {
    const { record } = await this.clock.wait(readClaim(this.register, never));
    return record?.claim ?? null;
  }

  async set(claim: Partial<Claim> = {}): Promise<void> {
    const { record } = await this.clock.wait(readClaim(this.register, never));
    const value: Claim = {
      state: 'claimed',
      clusterId: idOf('ab'),
      generation: 1,
      founder: idOf('f'),
      beat: (record?.claim.beat ?? 0) + 1,
      ...claim,
    };
    const { ok } = await this.clock.wait(
      setClaim(this.register, record?.version ?? 0, value, never),
    );
    if (!ok) throw new Error('the claim was not set');
  }

  /** Hosts that say they are members of cluster `ab`; the returned function ends them. */
  announce(...labels: readonly string[]): () => Promise<void> {
    const places = labels.map((label) => {
      const place = this.meetingPoint.rendezvous('test');
      const cluster = { clusterId: idOf('ab'), generation: 4, label };
      place.announce({ host: `host of ${label}`, addresses: ['/somewhere'], cluster });
      return place;
    });
    return async () => {
      for (const place of places) await place.close();
    };
  }

  keeper(
    clusterId: string,
    active = false,
    group = 'test',
  ): { keeper: ClaimKeeper; superseded: number[] } {
    const superseded: number[] = [];
    const keeper = new ClaimKeeper(
      {
        ...this.keeperOptions(clusterId),
        group: () => group,
        superseded: () => superseded.push(this.clock.now()),
      },
      active,
    );
    return { keeper, superseded };
  }

  keeperOptions(clusterId: string): ClaimKeeperOptions {
    return {
      register: this.register,
      clock: this.clock,
      clusterId,
      generation: 1,
      founder: idOf('f'),
      // Whoever founds is said so; most only keep what somebody else claimed.
      self: idOf('e'),
      care: null,
      group: () => 'test',
      activated: () => false,
      lost: (what) => this.lost.push(what),
      pinnedElsewhere: () => undefined,
      superseded: () => undefined,
      refused: () => undefined,
      mayRestore: () => Promise.resolve(true),
    };
  }
}

/** One `form()` under way. */
class Forming {
  result: FormationResult | null = null;
  error: unknown = null;
  readonly reports: FormationProgress[] = [];

  constructor(options: FormationOptions) {
    form({ ...options, report: (progress) => this.reports.push(progress) }).then(
      (result) => {
        this.result = result;
      },
      (error: unknown) => {
        this.error = error;
      },
    );
  }
}

describe('form()', () => {
  test('Z9 an unreachable register: FORMATION_WAITING, nobody founds, however long it takes', async () => {
    const bench = new Bench();
    bench.registers.setReachable(false);
    const forming = bench.form('a');
    await bench.clock.advance(120_000);
    expect([forming.result, forming.error]).toEqual([null, null]);
    expect(forming.reports.at(-1)?.reason).toBe('FORMATION_WAITING');
    bench.registers.setReachable(true);
    await bench.clock.advance(1_000);
    expect(forming.result).toEqual(foundedAs(idOf('ac')));
  });

  test('T21 a relay that serves other namespaces only: NOT_ALLOWED, and founded once it serves this one', async () => {
    const bench = new Bench();
    let isServed = false;
    const register: Register = {
      group: 'test',
      read: (signal) =>
        isServed
          ? bench.register.read(signal)
          : Promise.reject(new QuorateError('NOT_ALLOWED', 'serves a list')),
      compareAndSet: (...change) => bench.register.compareAndSet(...change),
    };
    const forming = bench.form('a', { register });
    await bench.clock.advance(20_000);
    expect(forming).toMatchObject({ result: null, error: null });
    expect(forming.reports.at(-1)).toMatchObject({ reason: 'NOT_ALLOWED' });
    isServed = true;
    await bench.clock.advance(5_000);
    expect(forming.result).toMatchObject({ type: 'found' });
  });

  test('Z9 F6 a register that falls silent between two questions: wait, and found later', async () => {
    const bench = new Bench();
    let isSilent = true;
    const silent = (): Promise<never> =>
      Promise.reject(new QuorateError('UNREACHABLE', 'no answer'));
    const forming = bench.form('a', {
      register: {
        group: 'test',
        read: (signal) => bench.register.read(signal),
        compareAndSet: (version, value, signal) =>
          isSilent ? silent() : bench.register.compareAndSet(version, value, signal),
      },
    });
    await bench.clock.advance(30_000);
    expect([forming.result, forming.error]).toEqual([null, null]);
    expect(forming.reports.at(-1)?.reason).toBe('FORMATION_WAITING');
    expect(await bench.claim()).toBe(null);
    isSilent = false;
    await bench.clock.advance(2_000);
    expect(forming.result).toEqual(foundedAs(idOf('ac')));
  });

  test('Z9 what is waited for has its name: a relay, or what the register calls itself', async () => {
    const bench = new Bench();
    bench.registers.setReachable(false);
    const relay = bench.form('a');
    const place = bench.form('b', {
      register: {
        group: 'test',
        place: 'the storage of this browser',
        read: () => Promise.reject(new QuorateError('STORAGE_FAILED', 'Cannot open it: no')),
        compareAndSet: () => Promise.reject(new Error('it was not even read')),
      },
    });
    await bench.clock.advance(20_000);
    expect(relay.reports.at(-1)?.message).toMatch(/^Waiting for a relay: \S/);
    expect(place.reports.at(-1)?.message).toBe(
      'Waiting for the storage of this browser: Cannot open it: no',
    );
    expect([relay.result, place.result]).toEqual([null, null]);
  });

  test('a register that a newer release wrote ends it: only a person can mend that', async () => {
    const bench = new Bench();
    const forming = bench.form('a', {
      register: {
        group: 'test',
        read: () => Promise.reject(new QuorateError('OUTDATED', 'format 2')),
        compareAndSet: () => Promise.reject(new Error('it was not even read')),
      },
    });
    await bench.clock.advance(1_000);
    expect(forming.error).toMatchObject({ code: 'OUTDATED' });
  });

  test('Z9 Z10 a register that lost its record: nobody founds while replicas know a cluster', async () => {
    const bench = new Bench();
    let isLogHere = true;
    const forming = bench.form('a', { isLogHere: () => Promise.resolve(isLogHere) });
    await bench.clock.advance(60_000);
    expect([forming.result, await bench.claim()]).toEqual([null, null]);
    expect(forming.reports.at(-1)?.reason).toBe('FORMATION_WAITING');
    isLogHere = false;
    await bench.clock.advance(1_000);
    expect(forming.result).toEqual(foundedAs(idOf('ac')));
  });

  test('Z10 a record whose cluster is gone with all its logs is superseded, by one founder', async () => {
    const bench = new Bench();
    await bench.set({ state: 'active' });
    let isLogHere = true;
    const forming = ['0', '1'].map((name) =>
      bench.form(name, { isLogHere: () => Promise.resolve(isLogHere) }),
    );
    const unsure = bench.form('2');
    const learner = bench.form('3', { mayFound: false, isLogHere: () => Promise.resolve(false) });
    await bench.clock.advance(60_000);
    expect((await bench.claim())?.clusterId).toBe(idOf('ab'));
    isLogHere = false;
    await bench.clock.advance(1_000);
    const founders = forming.flatMap(({ result }) => (result === null ? [] : [result]));
    expect(founders).toHaveLength(1);
    expect(founders[0]).toMatchObject({
      type: 'found',
      clusterId: (await bench.claim())?.clusterId,
    });
    expect([unsure.result, learner.result]).toEqual([null, null]);
  });

  test('Z9 Z12 members set the record again where it can get lost, and nowhere else', async () => {
    for (const active of [true, false]) {
      const bench = new Bench();
      const keeperOf = (restorable: boolean, mayRestore: () => Promise<boolean>): ClaimKeeper => {
        const register: Register = {
          group: 'test',
          restorable,
          read: (signal) => bench.register.read(signal),
          compareAndSet: (...args) => bench.register.compareAndSet(...args),
        };
        const superseded = (): void => expect.unreachable('no other cluster is there');
        const options = { ...bench.keeperOptions(idOf('ab')), register, superseded, mayRestore };
        return new ClaimKeeper(options, active);
      };
      const lost = new QuorateError('STORAGE_LOST', 'its replica is gone');
      const keepers = [
        keeperOf(false, () => Promise.resolve(true)),
        // In memory, and gone from the disk.
        keeperOf(true, () => Promise.resolve(false)),
        keeperOf(true, () => Promise.reject(lost)),
      ];
      await bench.clock.advance(120_000);
      expect(await bench.claim()).toBe(null);
      for (const keeper of keepers) keeper.stop();
      const restoring = keeperOf(true, () => Promise.resolve(true));
      await bench.clock.advance(2_000);
      expect(await bench.claim()).toMatchObject({
        state: active ? 'active' : 'claimed',
        clusterId: idOf('ab'),
      });
      restoring.stop();
    }
  });

  test('Z13 of ten at once exactly one founds, and the register names it', async () => {
    const bench = new Bench();
    const names = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'];
    const forming = names.map((name) => bench.form(name));
    await bench.clock.advance(1_000);
    const founders = forming.flatMap(({ result }) => (result === null ? [] : [result]));
    expect(founders).toEqual([foundedAs((await bench.claim())?.clusterId ?? 'nobody')]);
  });

  test('Z10 a claim refreshed in time is never superseded', async () => {
    const bench = new Bench();
    await bench.set();
    const forming = bench.form('a');
    const { keeper } = bench.keeper(idOf('ab'));
    await bench.clock.advance(120_000);
    expect(forming.result).toBeNull();
    expect((await bench.claim())?.clusterId).toBe(idOf('ab'));
    keeper.stop();
  });

  test('Z10 F6 a founder that died after its claim is superseded once it was silent long enough', async () => {
    const bench = new Bench();
    await bench.set();
    const forming = bench.form('a');
    await bench.clock.advance(claimSilenceMs - 1_000);
    expect(forming.result).toBeNull();
    await bench.clock.advance(2_000);
    expect(forming.result).toEqual(foundedAs(idOf('ac')));
    expect(await bench.claim()).toMatchObject({ founder: idOf('a'), state: 'claimed' });
  });

  test('Z10 an active claim is never superseded', async () => {
    const bench = new Bench();
    await bench.set({ state: 'active' });
    const forming = bench.form('a');
    await bench.clock.advance(600_000);
    expect(forming.result).toBeNull();
    expect((await bench.claim())?.clusterId).toBe(idOf('ab'));
  });

  test('Z3 a founder whose log is gone never starts a second one under its identity', async () => {
    const bench = new Bench();
    await bench.set({ founder: idOf('a'), state: 'active' });
    const forming = bench.form('a');
    await bench.clock.advance(1_000);
    expect(forming.result).toBeNull();
    expect(forming.error).toMatchObject({ code: 'REPLICA_ROLLED_BACK' });
  });

  test('F6 a founder that died between claim and genesis founds what it claimed', async () => {
    const bench = new Bench();
    await bench.set({ founder: idOf('a'), clusterId: idOf('cd') });
    const forming = bench.form('a');
    await bench.clock.settle();
    expect(forming.result).toEqual(foundedAs(idOf('cd')));
  });

  test('Z12 it joins only what the register names, and through nobody who is not a member of that', async () => {
    const bench = new Bench();
    await bench.set({ state: 'active' });
    bench.linked.push(memberOf(null), { ...memberOf(idOf('99')), nodeId: idOf('2') });
    bench.answer = () => Promise.resolve(encodeJoinAnswer(genesisOf(idOf('99'))));
    const forming = bench.form('a');
    await bench.clock.advance(5_000);
    expect(bench.asked).toEqual([]);
    expect(forming.result).toBeNull();
    bench.linked.push({ ...memberOf(idOf('ab')), nodeId: idOf('3') });
    await bench.clock.advance(5_000);
    // It answered for another cluster than it had said: not what the register names.
    expect(forming.result).toBeNull();
    bench.answer = () => Promise.resolve(encodeJoinAnswer(genesisOf(idOf('ab'))));
    await bench.clock.advance(5_000);
    expect(forming.result).toEqual({ type: 'join', genesis: genesisOf(idOf('ab')) });
    expect(new Set(bench.asked)).toEqual(new Set([idOf('3')]));
  });

  test('Z12 what is only claimed takes nobody in for good before the register says active', async () => {
    const bench = new Bench();
    await bench.set();
    bench.linked.push(memberOf(idOf('ab')));
    bench.answer = () => Promise.resolve(encodeJoinAnswer(genesisOf(idOf('ab'))));
    const forming = bench.form('a');
    await bench.clock.advance(3_000);
    expect(forming.result).toBeNull();
    await bench.set({ state: 'active' });
    await bench.clock.advance(1_000);
    expect(forming.result?.type).toBe('join');
  });

  test('a secret that is not the namespace ends formation at once', async () => {
    const bench = new Bench();
    await bench.set({ state: 'active' });
    const other = bench.registers.register(
      createPlainCipher({ namespace: 'test', secrets: ['other'] }),
    );
    const forming = bench.form('a', { register: other });
    await bench.clock.settle();
    expect(forming.error).toMatchObject({ code: 'BAD_SECRET' });
  });

  test('T3 Z41 an empty register beside announced members: wait, naming them and the ways out', async () => {
    const bench = new Bench();
    const stop = bench.announce('shelf', 'door');
    const forming = bench.form('a');
    await bench.clock.advance(120_000);
    expect([forming.result, forming.error, await bench.claim()]).toEqual([null, null, null]);
    const { reason, message } = forming.reports.at(-1) ?? {};
    expect(reason).toBe('FORMATION_WAITING');
    expect(message).toContain('door, shelf of cluster abababab');
    for (const way of ['quorate register restore', 'quorate register release', '--new']) {
      expect(message).toContain(way);
    }
    // One forgotten page shall not hold everybody up once it is gone.
    await stop();
    await bench.clock.advance(2_000);
    expect(forming.result).toEqual(foundedAs(idOf('ac')));
  });

  test('Z41 nor is a silent claim superseded where members of an active cluster are announced', async () => {
    const bench = new Bench();
    await bench.set({ clusterId: idOf('cd') });
    bench.announce('shelf');
    const forming = bench.form('a');
    await bench.clock.advance(4 * claimSilenceMs);
    expect(forming.result).toBeNull();
    expect((await bench.claim())?.clusterId).toBe(idOf('cd'));
  });

  test('Z41 hosts that are members of nothing active keep nobody from founding', async () => {
    const bench = new Bench();
    bench.meetingPoint.rendezvous('test').announce({ host: 'h', addresses: ['/h'] });
    const forming = bench.form('a');
    await bench.clock.advance(1_000);
    expect(forming.result).toEqual(foundedAs(idOf('ac')));
  });

  test('Z41 where nobody can tell who is announced, nobody founds', async () => {
    const bench = new Bench();
    bench.meetingPoint.setReachable(false);
    const forming = bench.form('a');
    await bench.clock.advance(60_000);
    expect([forming.result, await bench.claim()]).toEqual([null, null]);
    expect(forming.reports.at(-1)?.reason).toBe('FORMATION_WAITING');
    bench.meetingPoint.setReachable(true);
    await bench.clock.advance(2_000);
    expect(forming.result).toEqual(foundedAs(idOf('ac')));
  });

  test('Z41 new founds in spite of them, no lower than they are, and tells whom', async () => {
    const bench = new Bench();
    bench.announce('shelf');
    const forming = bench.form('a', { inSpite: true });
    await bench.clock.advance(1_000);
    expect(forming.result).toEqual({
      ...foundedAs(idOf('ac')),
      generation: 4,
      beside: [{ clusterId: idOf('ab'), generation: 4, label: 'shelf' }],
    });
    expect(await bench.claim()).toMatchObject({ state: 'claimed', generation: 4 });
  });

  test('Z41 new founds nothing over the active record of a cluster that lives', async () => {
    const bench = new Bench();
    await bench.set({ state: 'active' });
    bench.announce('shelf');
    const forming = bench.form('a', { inSpite: true });
    await bench.clock.advance(120_000);
    expect(forming.result).toBeNull();
    expect((await bench.claim())?.clusterId).toBe(idOf('ab'));
  });

  test('isolated founds without a register; join without one waits for somebody to ask', async () => {
    const bench = new Bench();
    const isolated = bench.form('a', { register: null });
    const joining = bench.form('b', { register: null, mayFound: false });
    await bench.clock.advance(5_000);
    expect(isolated.result).toEqual(foundedAs(idOf('ac')));
    expect(joining.result).toBeNull();
    bench.linked.push(memberOf(idOf('ab')));
    bench.answer = () => Promise.resolve(encodeJoinAnswer(genesisOf(idOf('ab'))));
    await bench.clock.advance(1_000);
    expect(joining.result?.type).toBe('join');
    expect(await bench.claim()).toBeNull();
  });

  test('an abort ends it, wherever it stands', async () => {
    const bench = new Bench();
    await bench.set({ state: 'active' });
    const controller = new AbortController();
    const forming = bench.form('a', { signal: controller.signal });
    await bench.clock.advance(700);
    controller.abort();
    await bench.clock.settle();
    expect(forming.error).toMatchObject({ code: 'ABORTED' });
    expect(bench.clock.timerCount).toBe(0);
  });
});

describe('ClaimKeeper', () => {
  test('Z10 it refreshes a claim well within the silence that others wait for', async () => {
    const bench = new Bench();
    await bench.set();
    const { keeper } = bench.keeper(idOf('ab'));
    const before = (await bench.claim())?.beat ?? 0;
    await bench.clock.advance(5 * refreshIntervalMs);
    expect(((await bench.claim())?.beat ?? 0) - before).toBeGreaterThanOrEqual(4);
    expect(claimSilenceMs).toBeGreaterThan(2 * refreshIntervalMs);
    keeper.stop();
    expect(bench.clock.timerCount).toBe(0);
  });

  test('Z57 a founder that is not active and finds no record claims again, with its own genesis', async () => {
    const bench = new Bench();
    const waiting = new ClaimKeeper({ ...bench.keeperOptions(idOf('ab')), self: idOf('f') }, false);
    await bench.clock.advance(refreshIntervalMs);
    expect(await bench.claim()).toMatchObject({
      ...{ state: 'claimed', clusterId: idOf('ab'), generation: 1, founder: idOf('f') },
    });
    expect(await bench.clock.wait(waiting.activate())).toBe(true);
    waiting.stop();
  });

  test('Z57 a write that waits activates from nothing, and a foreign claim supersedes as before', async () => {
    const bench = new Bench();
    const options = { ...bench.keeperOptions(idOf('ab')), self: idOf('f') };
    const first = new ClaimKeeper(options, false);
    expect(await bench.clock.wait(first.activate())).toBe(true);
    expect(await bench.claim()).toMatchObject({ state: 'active', clusterId: idOf('ab') });
    first.stop();
    const other = new Bench();
    await other.set({ clusterId: idOf('cd'), founder: idOf('b') });
    const superseded: Claim[] = [];
    const late = new ClaimKeeper(
      {
        ...other.keeperOptions(idOf('ab')),
        self: idOf('f'),
        superseded: (by) => superseded.push(by),
      },
      false,
    );
    expect(await other.clock.wait(late.activate())).toBe(false);
    expect(superseded.map(({ clusterId }) => clusterId)).toEqual([idOf('cd')]);
    expect((await other.claim())?.clusterId).toBe(idOf('cd'));
    late.stop();
  });

  test('Z57 nobody but the founder claims again, nor one that is active', async () => {
    const bench = new Bench();
    const { keeper: learner } = bench.keeper(idOf('ab'));
    const active = new ClaimKeeper({ ...bench.keeperOptions(idOf('ab')), self: idOf('f') }, true);
    await bench.clock.advance(60_000);
    expect(await bench.claim()).toBeNull();
    expect(bench.lost).toContain('it holds nothing of this namespace');
    learner.stop();
    active.stop();
  });

  test('Z57 Z41 not while members of an active cluster are announced that the register has forgotten', async () => {
    const bench = new Bench();
    const leave = bench.announce('one');
    const rendezvous = bench.meetingPoint.rendezvous('test');
    const keeper = new ClaimKeeper(
      {
        ...bench.keeperOptions(idOf('cd')),
        self: idOf('f'),
        care: registerCare({ register: bench.register, rendezvous, clock: bench.clock }),
      },
      false,
    );
    await bench.clock.advance(60_000);
    expect(await bench.clock.wait(keeper.activate())).toBe(false);
    expect(await bench.claim()).toBeNull();
    await leave();
    await bench.clock.advance(2 * refreshIntervalMs);
    expect(await bench.claim()).toMatchObject({ clusterId: idOf('cd') });
    keeper.stop();
  });

  test('Z10 activate() says true only once the register says active', async () => {
    const bench = new Bench();
    await bench.set();
    const { keeper } = bench.keeper(idOf('ab'));
    bench.registers.setReachable(false);
    expect(await bench.clock.wait(keeper.activate())).toBe(false);
    bench.registers.setReachable(true);
    expect(await bench.clock.wait(keeper.activate())).toBe(true);
    expect((await bench.claim())?.state).toBe('active');
    keeper.stop();
  });

  test('F6 activated in the register, but not in the log yet: after a restart it is active at once', async () => {
    const bench = new Bench();
    await bench.set({ state: 'active' });
    const { keeper } = bench.keeper(idOf('ab'));
    expect(await bench.clock.wait(keeper.activate())).toBe(true);
    keeper.stop();
  });

  test('Z10 a refresh under way never turns active back into claimed', async () => {
    const bench = new Bench();
    await bench.set();
    const { keeper } = bench.keeper(idOf('ab'));
    for (let i = 0; i < 20; i++) {
      await bench.clock.advance(refreshIntervalMs / 3);
      const activating = keeper.activate();
      await bench.clock.advance(refreshIntervalMs / 3);
      if (await bench.clock.wait(activating)) break;
    }
    await bench.clock.advance(10 * refreshIntervalMs);
    expect((await bench.claim())?.state).toBe('active');
    keeper.stop();
  });

  test('Z10 a founder that finds another claim in its place is superseded and activates nothing', async () => {
    const bench = new Bench();
    await bench.set({ clusterId: idOf('cd'), founder: idOf('b') });
    const { keeper, superseded } = bench.keeper(idOf('ab'));
    expect(await bench.clock.wait(keeper.activate())).toBe(false);
    expect(superseded.length).toBe(1);
    expect(await bench.claim()).toMatchObject({ clusterId: idOf('cd'), state: 'claimed' });
    keeper.stop();
  });

  test('Z11 a register of another group supersedes nobody and activates nothing', async () => {
    const bench = new Bench();
    await bench.set({ clusterId: idOf('cd'), state: 'active' });
    const { keeper, superseded } = bench.keeper(idOf('ab'), false, 'another');
    expect(await bench.clock.wait(keeper.activate())).toBe(false);
    await bench.clock.advance(120_000);
    expect(superseded).toEqual([]);
    keeper.stop();
  });

  test('Z12 an active cluster is superseded by another active one, not by a claim in the making', async () => {
    const bench = new Bench();
    await bench.set({ state: 'active' });
    // A member that joined before it had applied the activation.
    const { keeper, superseded } = bench.keeper(idOf('ab'));
    await bench.clock.advance(3 * refreshIntervalMs);
    await bench.set({ clusterId: idOf('cd'), state: 'claimed' });
    await bench.clock.advance(120_000);
    expect(superseded).toEqual([]);
    await bench.set({ clusterId: idOf('cd'), state: 'active' });
    await bench.clock.advance(120_000);
    expect(superseded.length).toBeGreaterThan(0);
    keeper.stop();
  });

  test('T3 Z41 a register that was emptied after the activation is said within 30 s, and left to a person', async () => {
    const bench = new Bench();
    const { keeper, superseded } = bench.keeper(idOf('ab'), true);
    await bench.clock.advance(29_000);
    expect(bench.lost.at(-1)).toContain('holds nothing');
    await bench.clock.advance(91_000);
    expect(await bench.claim()).toBeNull();
    expect(superseded).toEqual([]);
    keeper.stop();
  });

  test('Z41 another group, no register at all, a damaged one: forgotten; silence is not', async () => {
    for (const [error, isLost] of [
      [new QuorateError('REGISTER_LOST', 'another group'), true],
      [new QuorateError('FORMATION_WAITING', 'it only carries traffic'), true],
      [new QuorateError('BAD_SECRET', 'the name is of another secret'), true],
      [new QuorateError('UNREACHABLE', 'no answer'), false],
      [new QuorateError('OVERLOADED', 'asked too often'), false],
    ] as const) {
      const bench = new Bench();
      bench.register.read = () => Promise.reject(error);
      const { keeper } = bench.keeper(idOf('ab'), true);
      await bench.clock.advance(29_000);
      expect(bench.lost).toEqual(isLost ? bench.lost.map(() => error.message) : []);
      expect(bench.lost.length > 0).toBe(isLost);
      keeper.stop();
    }
  });

  test('T21 a relay that stopped serving the namespace is said by its own code', async () => {
    const bench = new Bench();
    bench.register.read = () => Promise.reject(new QuorateError('NOT_ALLOWED', 'serves a list'));
    const said: unknown[] = [];
    const options = {
      ...bench.keeperOptions(idOf('ab')),
      lost: (...it: unknown[]) => said.push(it),
    };
    const keeper = new ClaimKeeper(options, true);
    await bench.clock.advance(15_000);
    expect(said[0]).toEqual(['serves a list', 'NOT_ALLOWED']);
    keeper.stop();
  });

  test('Z41 once the register names it again, nothing is lost any more', async () => {
    const bench = new Bench();
    const { keeper } = bench.keeper(idOf('ab'), true);
    await bench.clock.advance(29_000);
    await bench.set({ state: 'active' });
    keeper.look();
    await bench.clock.advance(100);
    expect(bench.lost.at(-1)).toBeNull();
    keeper.stop();
  });

  test('Z41 a record put back to before the activation becomes active again by itself', async () => {
    const bench = new Bench();
    await bench.set({ state: 'claimed' });
    const { keeper, superseded } = bench.keeper(idOf('ab'), true);
    await bench.clock.advance(29_000);
    expect((await bench.claim())?.state).toBe('active');
    expect(superseded).toEqual([]);
    keeper.stop();
  });

  test('Z58 a generation of before supersedes nobody; an equal or later one does', async () => {
    for (const [generation, isOver] of [
      [2, false],
      [3, true],
      [4, true],
    ] as const) {
      const bench = new Bench();
      await bench.set({ clusterId: idOf('cd'), state: 'active', generation });
      const superseded: number[] = [];
      const keeper = new ClaimKeeper(
        {
          ...bench.keeperOptions(idOf('ab')),
          generation: 3,
          superseded: () => superseded.push(bench.clock.now()),
        },
        true,
      );
      await bench.clock.advance(29_000);
      expect(superseded.length > 0).toBe(isOver);
      expect(bench.lost.length > 0).toBe(!isOver);
      keeper.stop();
    }
  });
});
