/**
 * A whole cluster inside a test: real members on a virtual clock, network and disks, in one process
 * and in order. Time passes only while a call waits for an answer, or when the test says so; the same
 * seed gives the same run.
 */
import { createPolicy } from '@quorate/cluster';
import type { Policy } from '@quorate/cluster';
import { integer, object, takeOptions } from '@quorate/contracts/options';
import type { Kinds } from '@quorate/contracts/options';
import { createPlainCipher } from '@quorate/contracts/memory';
import { Prng } from '../prng.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { VirtualNetwork } from '../virtual-network.ts';
import { VirtualRegister } from '../virtual-register.ts';
import { Pace } from './pace.ts';
import { SimulatedMember } from './test-member.ts';
import type { TestMember } from './test-member.ts';

export type TestClusterOptions = {
  /** How many members; 1 to 9. Default 3. */
  readonly members?: number;
  /** Chance of the whole run. Default 1. */
  readonly seed?: number;
  /** The cluster's policy, such as election timeouts. */
  readonly policy?: Partial<Policy>;
  /** Virtual milliseconds that a message takes, from and to. Default 1 to 2. */
  readonly delayMs?: readonly [number, number];
};

/** Several members under test, by position: `members[0]` is the first one. */
export class TestCluster {
  readonly members: readonly TestMember[];
  readonly #clock: VirtualClock = new VirtualClock();
  readonly #network: VirtualNetwork;
  readonly #pace: Pace;
  readonly #maxVoters: number;

  constructor(options?: TestClusterOptions) {
    const given = takeOptions(options, kinds, 'make a test cluster');
    const { members = 3, seed = 1, policy = {}, delayMs = [1, 2] } = given;
    this.#maxVoters = createPolicy(policy).maxVoters;
    const prng = new Prng(seed);
    const clock = this.#clock;
    this.#pace = new Pace(clock);
    const [delayMsMin, delayMsMax] = delayMs;
    this.#network = new VirtualNetwork({
      clock,
      prng: prng.fork('network'),
      conditions: { ...calm, delayMsMin, delayMsMax },
    });
    const register = new VirtualRegister({
      clock,
      prng: prng.fork('register'),
      conditions: { delayMsMin, delayMsMax, requestLossChance: 0, answerLossChance: 0 },
    });
    const parts = {
      clock,
      network: this.#network,
      register,
      cipher: createPlainCipher({ namespace: 'test' }),
      policy,
      pace: this.#pace,
    };
    this.members = Array.from(
      { length: members },
      (_, position) => new SimulatedMember(`member-${position}`, parts, prng.fork(`${position}`)),
    );
  }

  /** Virtual milliseconds since the start. */
  get now(): number {
    return this.#clock.now();
  }

  /** Who leads, as the members that run see it: the position, or null while they do not agree. */
  get leader(): number | null {
    const running = this.members.filter((member) => member.running);
    const leaders = new Set(running.map(({ status }) => status.raft.leader));
    const [leader] = leaders;
    if (leaders.size !== 1 || leader == null) return null;
    const position = running.findIndex(({ status }) => status.nodeId === leader);
    const found = running[position];
    return found === undefined ? null : this.members.indexOf(found);
  }

  /** `members[position]`, which is there: throws `RangeError` for one that is not. */
  member(position: number): TestMember {
    const member = this.members[position];
    if (member === undefined) {
      throw new RangeError(
        `Cannot find member ${position}: wanted 0 to ${this.members.length - 1}`,
      );
    }
    return member;
  }

  /** Lets `ms` virtual milliseconds pass. */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`Cannot advance by ${ms}: wanted 0 or more milliseconds`);
    await this.#pace.advance(ms);
  }

  /**
   * Lets time pass until `condition` holds, looked at after each event. Rejects with `RangeError`
   * when it does not within `timeoutMs` virtual milliseconds (default 60,000).
   */
  async until(condition: () => boolean, timeoutMs: number = untilTimeoutMs): Promise<void> {
    await this.#pace.advance(timeoutMs, condition);
    if (!condition()) {
      const members = this.members.map(({ host, running, status: { phase, raft } }) =>
        running ? `${host} ${phase} ${raft.role}` : `${host} killed`,
      );
      throw new RangeError(
        `Cannot wait any longer: after ${timeoutMs} ms it does not hold (${members.join(', ')})`,
      );
    }
  }

  /** Resolves once every member that runs is ready, with a leader that all know and all seats taken. */
  async ready(): Promise<void> {
    const seatCount = Math.min(this.#maxVoters, this.members.length);
    const voterCount = seatCount % 2 === 1 ? seatCount : seatCount - 1;
    // Looked at after each event: what mostly fails comes first.
    await this.until(() => this.#isReady(voterCount));
  }

  /**
   * Cuts every connection between members of different groups, at once and both ways; whoever is in
   * no group is alone. Groups of an earlier call hold no longer.
   */
  partition(...groups: readonly (readonly number[])[]): void {
    const groupOf = new Map<number, number>();
    groups.forEach((group, number) => {
      for (const position of group) {
        this.member(position);
        if (groupOf.has(position)) {
          throw new RangeError(`Cannot partition: member ${position} is in two groups`);
        }
        groupOf.set(position, number);
      }
    });
    this.members.forEach((a, from) => {
      this.members.forEach((b, to) => {
        const together = groupOf.has(from) && groupOf.get(from) === groupOf.get(to);
        if (from !== to) this.#network.setCut(a.host, b.host, !together);
      });
    });
  }

  /** Everybody reaches everybody again. */
  heal(): void {
    for (const a of this.members) {
      for (const b of this.members) if (a !== b) this.#network.setCut(a.host, b.host, false);
    }
  }

  /**
   * Ends a member's process between two instructions, as a crash does: it hands nothing over and
   * sends nothing any more, and of what was on its way to its disk any part may be lost.
   */
  kill(position: number): void {
    this.member(position).kill();
  }

  /** Starts a killed member's process again, on the same disk. */
  restart(position: number): void {
    this.member(position).start();
  }

  /** Ends every member. Nothing of them goes on. Idempotent. */
  close(): void {
    for (const member of this.members) member.kill();
  }

  #isReady(voterCount: number): boolean {
    for (const { running, status } of this.members) {
      if (!running) continue;
      if (status.phase !== 'ready') return false;
      const voters = status.members.filter(({ kind }) => kind === 'voter');
      if (voters.length !== voterCount) return false;
    }
    return this.leader !== null;
  }
}

/** Starts a cluster for a test; resolves once all its members are ready. */
export async function testCluster(options?: TestClusterOptions): Promise<TestCluster> {
  const cluster = new TestCluster(options);
  for (const member of cluster.members) member.start();
  await cluster.ready();
  return cluster;
}

const kinds: Kinds = {
  members: integer(1, 9),
  seed: integer(0),
  policy: object,
  delayMs: {
    wanted: 'two numbers of milliseconds, the smaller one first',
    fits: (value) =>
      Array.isArray(value) && value.length === 2 && value[0] >= 0 && value[1] >= value[0],
  },
};
const untilTimeoutMs = 60_000;
const calm = {
  slowChance: 0,
  bytesPerMs: 100_000,
  lossy: false,
  lossChance: 0,
  duplicateChance: 0,
  reorderChance: 0,
  linkTimeoutMs: 2_000,
};
