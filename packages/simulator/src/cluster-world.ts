/**
 * A world of whole members: real core, cluster and kv on a virtual clock, network, disks and
 * register. One seed draws everything. After the storm all faults heal, and then there must be one
 * cluster again, with everything acknowledged in it, once.
 */
import { QuorateError, isQuorateError } from '@quorate/cluster';
import type { Cipher, MemberInfo } from '@quorate/cluster';
import { createPlainCipher } from '@quorate/cluster/memory';
import type { NodeId, PersistBatch } from '@quorate/core';
import { SafetyChecker, SafetyViolation } from './checker.ts';
import { drawClusterWeather } from './cluster-weather.ts';
import type { ClusterWeather } from './cluster-weather.ts';
import { EventHash } from './event-hash.ts';
import { Prng } from './prng.ts';
import { messagesIn } from './raft-frames.ts';
import { SimHost } from './sim-host.ts';
import type { SimHostWorld, SimProcess } from './sim-host.ts';
import { VirtualClock } from './virtual-clock.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { VirtualRegister } from './virtual-register.ts';
import { Workload } from './workload.ts';
import type { WorldOptions, WorldResult } from './world.ts';

/** How long a healed world may take to be one healthy cluster again. */
const healMs = 180_000;
/** How long a last call may take in a healthy cluster. */
const lastCallMs = 20_000;

export async function runClusterWorld(options: WorldOptions): Promise<WorldResult> {
  const world = new ClusterWorld(options);
  const onStray = (error: unknown): void => {
    world.fail(error);
  };
  process.on('unhandledRejection', onStray);
  try {
    await world.run();
  } catch (error) {
    world.fail(error);
  } finally {
    process.off('unhandledRejection', onStray);
  }
  return world.result();
}

class ClusterWorld implements SimHostWorld {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: VirtualNetwork;
  readonly register: VirtualRegister;
  readonly cipher: Cipher;
  readonly weather: ClusterWeather;
  readonly #seed: number;
  readonly #prng: Prng;
  readonly #hash = new EventHash();
  readonly #trace: ((line: string) => void) | undefined;
  readonly #hosts: SimHost[] = [];
  readonly #workload: Workload;
  /** By cluster, named by its founder; replicas are enrolled when they first write. */
  readonly #checkers = new Map<NodeId, SafetyChecker>();
  readonly #checkerOf = new Map<NodeId, SafetyChecker>();
  readonly #founderOf = new Map<string, NodeId>();
  readonly #counts: Record<string, number> = {};
  /** Replicas that asked to leave. */
  readonly #leavers = new Set<NodeId>();
  /** Replicas whose disk was wiped. */
  readonly #lost = new Set<NodeId>();
  #failure: Error | null = null;
  #calm = false;

  constructor(options: WorldOptions) {
    this.#seed = options.seed;
    this.#trace = options.trace;
    this.#prng = new Prng(options.seed);
    this.weather = drawClusterWeather(this.#prng.fork('weather'), options.members);
    const { weather, clock } = this;
    this.cipher = createPlainCipher({
      namespace: 'simulation',
      strict: !weather.network.lossy,
    });
    this.network = new VirtualNetwork({
      clock,
      prng: this.#prng.fork('network'),
      conditions: weather.network,
      tap: {
        sent: (_from, _to, channel, frame) => {
          if (channel !== 'raft') return;
          this.guard(() => {
            this.#checkSent(frame);
          });
        },
        delivered: (from, to, channel, frame) => {
          this.#note(`${channel} ${from} ${to}`, frame.length);
        },
      },
    });
    this.register = new VirtualRegister({
      clock,
      prng: this.#prng.fork('register'),
      conditions: weather.register,
    });
    this.register.changed = (version, _value, by) => {
      this.#note(`register ${by}`, version);
    };
    this.#workload = new Workload(
      this.#prng.fork('workload'),
      weather.valueBytesMax,
      (error: unknown) => {
        this.fail(error);
      },
    );
    for (let i = 1; i <= weather.hostCount; i++) {
      const id = `host-${i}`;
      this.#hosts.push(new SimHost(id, this, this.#prng.fork(id)));
    }
  }

  async run(): Promise<void> {
    this.#trace?.(JSON.stringify(this.weather));
    this.#scheduleStarts();
    this.#scheduleFaults();
    await this.#runUntil(this.weather.stormMs);
    this.#heal();
    await this.#settle();
  }

  result(): WorldResult {
    for (const host of this.#hosts) host.crash();
    const failure = this.#failure;
    let checks = 0;
    for (const checker of this.#checkers.values()) checks += checker.checkCount;
    return {
      seed: this.#seed,
      suite: 'cluster',
      failure: failure === null ? null : describeFailure(failure),
      eventHash: this.#hash.digest(),
      virtualMs: this.clock.now(),
      eventCount: this.clock.eventCount,
      counts: { ...this.#counts, ...this.#workload.counts, checks },
    };
  }

  /** Ends the world; the first failure is the one that counts. */
  fail(error: unknown): void {
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
  }

  guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.fail(error);
    }
  }

  checkerOf(nodeId: NodeId): SafetyChecker | null {
    return this.#checkerOf.get(nodeId) ?? null;
  }

  enrol(host: SimHost, nodeId: NodeId, batch: PersistBatch): SafetyChecker {
    const clusterId = host.process?.member.status.clusterId ?? null;
    const founds = clusterId === null && batch.entries[0]?.index === 1;
    const founder = founds ? nodeId : this.#founderOf.get(clusterId ?? '');
    if (founder === undefined) throw new Error(`Nobody knows the founder of ${clusterId}`);
    const checker = this.#checkers.get(founder) ?? new SafetyChecker();
    this.#checkers.set(founder, checker);
    this.#checkerOf.set(nodeId, checker);
    if (founds) this.#count('founded');
    return checker;
  }

  changed(process: SimProcess): void {
    const { status } = process.member;
    const { nodeId } = process.host;
    if (nodeId !== null && status.clusterId !== null && this.#checkers.has(nodeId)) {
      this.#founderOf.set(status.clusterId, nodeId);
    }
    if (status.phase !== 'stopped' || process.closing || process.host.process !== process) return;
    const { reason } = status;
    if (reason === 'STORAGE_FAILED') {
      this.#note(`failed ${process.host.id}`);
      this.#crashAndRestart(process.host);
      return;
    }
    if (reason === 'REMOVED' && nodeId !== null && this.#leavers.has(nodeId)) {
      // Its call to leave timed out, and then it was let go all the same.
      this.#note(`removed ${process.host.id}`);
      process.closing = true;
      this.#later(this.#prng.between(10, 5_000), () => {
        this.#gone(process, 0);
      });
      return;
    }
    this.fail(new SafetyViolation(`${process.host.id} stopped: ${reason}: ${status.message}`));
  }

  #checkSent(frame: Uint8Array): void {
    for (const message of messagesIn(frame, this.cipher.overheadBytes)) {
      this.checkerOf(message.from)?.sent(message);
    }
  }

  // How it begins.

  #scheduleStarts(): void {
    const { startPattern, startWindowMs, clientsPerHost, thinkMs, earlyDeathCount } = this.weather;
    this.#hosts.forEach((host, position) => {
      this.clock.setTimeout(
        () => {
          this.#start(host);
        },
        this.#startsAt(position, startPattern, startWindowMs),
      );
    });
    // F6: at any step of formation.
    for (let i = 0; i < earlyDeathCount; i++) {
      this.clock.setTimeout(
        () => {
          const living = this.#hosts.filter((host) => host.process !== null);
          if (living.length > 0) this.#crashAndRestart(this.#prng.pick(living));
        },
        this.#prng.between(0, this.#prng.pick([50, 400, 5_000])),
      );
    }
    this.#trace?.(`${clientsPerHost} clients a host, thinking ${thinkMs} ms`);
  }

  #startsAt(position: number, pattern: ClusterWeather['startPattern'], windowMs: number): number {
    switch (pattern) {
      case 'at once':
        return this.#prng.between(0, 5);
      case 'one after another':
        return (position * windowMs) / this.#hosts.length;
      case 'staggered':
        return this.#prng.chance(0.3)
          ? this.#prng.between(0.8, 1) * windowMs
          : this.#prng.between(0, 1) * windowMs;
      case 'late arrivals':
        return position < this.#hosts.length / 2
          ? this.#prng.between(0, 50)
          : this.#prng.between(100, windowMs);
    }
  }

  #start(host: SimHost): void {
    if (host.process !== null) return;
    this.#note(`start ${host.id}`);
    const process = host.start();
    this.#workload.begin(process, this.weather.clientsPerHost, this.weather.thinkMs);
  }

  // Trouble.

  #scheduleFaults(): void {
    const { weather } = this;
    const prng = this.#prng;
    this.#repeat(weather.crashEveryMs, () => {
      this.#crashAndRestart(this.#victim());
    });
    this.#repeat(weather.stopEveryMs, () => {
      this.#stopAndRestart(this.#victim());
    });
    this.#repeat(weather.freezeEveryMs, () => {
      const clock = this.#victim()?.process?.clock;
      if (clock === undefined) return;
      this.#count('freezes');
      this.#note('freeze');
      clock.freeze();
      this.#later(prng.between(100, 8_000), () => {
        clock.thaw();
      });
    });
    this.#repeat(weather.cutEveryMs, () => {
      this.#cutSomething();
    });
    this.#repeat(weather.resetEveryMs, () => {
      if (this.#hosts.length < 2) return;
      const [a, b] = prng.shuffle(this.#hosts);
      if (a !== undefined && b !== undefined) this.network.dropLink(a.id, b.id);
      this.#count('resets');
    });
    this.#repeat(weather.leaveEveryMs, () => {
      this.#leave(this.#victim());
    });
    this.#repeat(weather.wipeEveryMs, () => {
      this.#wipe(this.#victim());
    });
    this.#repeat(weather.diskFailureEveryMs, () => {
      const host = this.#victim();
      if (host !== undefined) host.disk.failing = true;
      this.#count('disk failures');
    });
    this.#repeat(weather.diskFullEveryMs, () => {
      const disk = this.#victim()?.disk;
      if (disk === undefined) return;
      this.#count('full disks');
      disk.full = true;
      this.#later(prng.between(500, 8_000), () => {
        disk.full = false;
      });
    });
    this.#repeat(weather.registerDownEveryMs, () => {
      this.#count('register outages');
      this.register.up = false;
      this.network.meetingPoint.up = false;
      this.#later(prng.between(500, 10_000), () => {
        this.register.up = true;
        this.network.meetingPoint.up = true;
      });
    });
  }

  #victim(): SimHost | undefined {
    const living = this.#hosts.filter((host) => host.process?.closing === false);
    if (living.length === 0) return undefined;
    const leader = living.find((host) => host.process?.member.status.raft.role === 'leader');
    if (leader !== undefined && this.#prng.chance(this.weather.aimAtLeaderChance)) return leader;
    return this.#prng.pick(living);
  }

  #crashAndRestart(host: SimHost | undefined): void {
    if (host?.process == null) return;
    this.#count('crashes');
    this.#note(`crash ${host.id}`);
    host.crash();
    this.#later(this.#prng.between(10, this.#prng.pick([100, 3_000, 15_000])), () => {
      this.#start(host);
    });
  }

  /** As SIGTERM does: hands over, flushes, keeps the seat. */
  #stopAndRestart(host: SimHost | undefined): void {
    const process = host?.process;
    if (host === undefined || process == null || process.closing) return;
    this.#count('stops');
    this.#note(`stop ${host.id}`);
    process.closing = true;
    process.kv.close();
    const pauseMs = this.#prng.between(10, 5_000);
    process.member
      .close()
      .then(() => {
        this.#gone(process, pauseMs);
      })
      .catch((error: unknown) => {
        this.fail(error);
      });
  }

  /** F9: leaves, and comes back as somebody new. */
  #leave(host: SimHost | undefined): void {
    const process = host?.process;
    if (host === undefined || process == null || process.closing) return;
    if (this.#hosts.filter((one) => one.process !== null).length < 2) return;
    this.#note(`leave ${host.id}`);
    if (host.nodeId !== null) this.#leavers.add(host.nodeId);
    const pauseMs = this.#prng.between(10, 5_000);
    process.closing = true;
    process.member.leave().then(
      () => {
        this.#count('left');
        this.#gone(process, pauseMs);
      },
      (error: unknown) => {
        if (!isQuorateError(error)) return this.fail(error);
        this.#count('could not leave');
        process.closing = false;
        // It may have failed meanwhile.
        this.changed(process);
        if (host.process !== process) return;
        this.#workload.begin(process, this.weather.clientsPerHost, this.weather.thinkMs);
      },
    );
  }

  /** M9: the machine loses its disk for good, where what was acknowledged can outlive that. */
  #wipe(host: SimHost | undefined): void {
    const nodeId = host?.nodeId;
    if (host === undefined || nodeId == null || host.process?.closing !== false) return;
    const checker = this.checkerOf(nodeId);
    if (checker === null || !checker.outlives(nodeId, this.#lost)) return;
    this.#lost.add(nodeId);
    this.#count('wiped disks');
    this.#note(`wipe ${host.id}`);
    host.crash();
    host.disk.wipe();
    this.#later(this.#prng.between(10, 5_000), () => {
      this.#start(host);
    });
  }

  #gone(process: SimProcess, pauseMs: number): void {
    const { host } = process;
    if (host.process !== process) return;
    host.crash();
    this.#later(pauseMs, () => {
      this.#start(host);
    });
  }

  #cutSomething(): void {
    if (this.#hosts.length < 2) return;
    this.#count('cuts');
    const prng = this.#prng;
    const others = prng.shuffle(this.#hosts);
    const made: [string, string][] = [];
    const cut = (from: SimHost, to: SimHost): void => {
      if (from === to || this.network.isCut(from.id, to.id)) return;
      made.push([from.id, to.id]);
    };
    const one = this.#victim() ?? prng.pick(others);
    switch (prng.int(4)) {
      case 0: {
        // One pair, one way or both (F5).
        const other = others.find((host) => host !== one) ?? one;
        cut(one, other);
        if (prng.chance(0.5)) cut(other, one);
        break;
      }
      case 1: {
        // One that cannot hear, or cannot be heard (E10).
        const deaf = prng.chance(0.5);
        for (const other of others) cut(deaf ? other : one, deaf ? one : other);
        break;
      }
      case 2:
        for (const other of others) {
          cut(one, other);
          cut(other, one);
        }
        break;
      default: {
        const side = new Set(others.slice(0, 1 + prng.int(others.length - 1)));
        for (const a of others) {
          for (const b of others) if (side.has(a) !== side.has(b)) cut(a, b);
        }
      }
    }
    this.#note(`cut ${made.map((pair) => pair.join('>')).join(' ')}`);
    for (const [from, to] of made) this.network.setCut(from, to, true);
    this.#later(prng.between(200, prng.pick([2_000, 12_000])), () => {
      for (const [from, to] of made) this.network.setCut(from, to, false);
    });
  }

  // How it ends.

  #heal(): void {
    this.#note('heal');
    this.#calm = true;
    this.network.heal();
    this.network.conditions.delayMsMax = Math.min(this.network.conditions.delayMsMax, 5);
    this.register.heal();
    this.#workload.stop();
    for (const host of this.#hosts) {
      host.disk.full = false;
      host.disk.failing = false;
      host.disk.conditions.stallChance = 0;
      host.disk.conditions.syncMsMax = Math.min(host.disk.conditions.syncMsMax, 2);
      host.process?.clock.thaw();
      this.#start(host);
    }
  }

  async #settle(): Promise<void> {
    const healedAt = this.clock.now();
    const deadline = healedAt + healMs;
    // First everything that came due while somebody was frozen.
    await this.#runUntil(healedAt + 1);
    while (!this.#isHealthy()) {
      if (this.clock.now() >= deadline) {
        throw new Error(`Liveness: not healthy ${healMs} ms after healing\n${this.#describe()}`);
      }
      await this.#runUntil(this.clock.now() + 500);
    }
    this.#counts['healed after ms'] = Math.round(this.clock.now() - healedAt);
    const processes = this.#hosts.flatMap(({ process }) => (process === null ? [] : [process]));
    await this.#await(
      'a last write',
      processes.map((process) => this.#workload.lastWrite(process, lastCallMs)),
    );
    await this.#await(
      'the end',
      processes.map((process) => this.#workload.checkEnd(process, lastCallMs)),
    );
    const digests = new Set(processes.map(({ machine }) => machine.digest()));
    if (digests.size > 1) throw new SafetyViolation('Members hold different states (K7)');
  }

  async #await(what: string, calls: readonly Promise<void>[]): Promise<void> {
    let done = false;
    const all = Promise.all(calls).then(
      () => {
        done = true;
      },
      (error: unknown) => {
        this.fail(error instanceof QuorateError ? new Error(`${what}: ${String(error)}`) : error);
      },
    );
    const deadline = this.clock.now() + 2 * lastCallMs;
    await this.clock.run(deadline, () => done || this.#failure !== null);
    if (this.#failure !== null) throw this.#failure;
    if (!done) throw new Error(`Liveness: ${what} never came\n${this.#describe()}`);
    await all;
  }

  /** One cluster, everybody in it and up to date, as many voters as there should be. */
  #isHealthy(): boolean {
    const statuses = this.#hosts.flatMap(({ process }) =>
      process === null || process.closing ? [] : [process.member.status],
    );
    const [first] = statuses;
    if (first === undefined || statuses.length < this.#hosts.length) return false;
    const nodeIds = statuses.map(({ nodeId }) => nodeId);
    return statuses.every(
      (status) =>
        status.phase === 'ready' &&
        status.clusterId === first.clusterId &&
        status.raft.leader === first.raft.leader &&
        status.raft.appliedIndex === first.raft.appliedIndex &&
        nodeIds.every((nodeId) => status.members.some((one) => one.nodeId === nodeId)) &&
        this.#isWellSeated(status.members),
    );
  }

  /** A seat whose disk is lost goes to whoever can take it, and stays while nobody can (Z18). */
  #isWellSeated(members: readonly MemberInfo[]): boolean {
    const voters = members.filter(({ kind }) => kind === 'voter').map(({ nodeId }) => nodeId);
    const lostCount = voters.filter((nodeId) => this.#lost.has(nodeId)).length;
    if (lostCount > 0) return voters.length - lostCount === this.#hosts.length;
    const { maxVoters = 5 } = this.weather.policy;
    const seatCount = Math.min(maxVoters, this.#hosts.length);
    return voters.length === (seatCount % 2 === 1 ? seatCount : seatCount - 1);
  }

  async #runUntil(untilMs: number): Promise<void> {
    await this.clock.run(untilMs, () => this.#failure !== null);
    if (this.#failure !== null) throw this.#failure;
  }

  #repeat(everyMs: number, callback: () => void): void {
    if (everyMs === 0) return;
    this.#later(this.#prng.between(0.2, 1.8) * everyMs, () => {
      if (this.#calm) return;
      callback();
      this.#repeat(everyMs, callback);
    });
  }

  #later(delayMs: number, callback: () => void): void {
    this.clock.setTimeout(callback, delayMs);
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  #note(what: string, detail = 0): void {
    this.#hash.text(what);
    this.#hash.number(this.clock.now());
    this.#hash.number(detail);
    this.#trace?.(`${this.clock.now().toFixed(3).padStart(10)} ${what} ${detail}`);
  }

  #describe(): string {
    return this.#hosts
      .map(({ id, process }) => {
        if (process === null) return `${id}: down`;
        const { phase, message, clusterId, nodeId, raft, members } = process.member.status;
        const voters = members.filter(({ kind }) => kind === 'voter').map(({ label }) => label);
        const learners = members.filter(({ kind }) => kind === 'learner').map(({ label }) => label);
        return (
          `${id}: ${phase} (${message}) ${nodeId?.slice(0, 6)} of ${clusterId?.slice(0, 6)}` +
          ` ${raft.role} term ${raft.term} leader ${raft.leader?.slice(0, 6)}` +
          ` commit ${raft.commitIndex} applied ${raft.appliedIndex}` +
          ` log ${raft.firstIndex}..${raft.lastIndex}` +
          ` voters ${voters.join()} learners ${learners.join()}`
        );
      })
      .join('\n');
  }
}

function describeFailure(error: Error): string {
  if (error instanceof SafetyViolation) return `SafetyViolation: ${error.message}`;
  return error.stack ?? error.message;
}
