/**
 * A world of whole members: real core, cluster and kv on a virtual clock, network, disks and
 * register. One seed draws everything. After the storm all faults heal, and then there must be one
 * cluster again, with everything acknowledged in it, once.
 */
import { QuorateError, hexFromBytes, isRefusalCode } from '@quorate/contracts';
import { Member, createPolicy } from '@quorate/cluster';
import type { Cipher, RandomBytes, StateMachine, StoredRun } from '@quorate/contracts';
import type { MemberInfo } from '@quorate/cluster';
import { SignedRuns } from '@quorate/cluster/signed';
import { createPlainCipher, createPlainSigner } from '@quorate/contracts/memory';
import type { Message, NodeId, PersistBatch } from '@quorate/core';
import { Cells } from './cells.ts';
import { SafetyChecker } from './checker.ts';
import { ClusterLiar } from './cluster-liar.ts';
import { drawClusterWeather } from './cluster-weather.ts';
import type { ClusterWeather } from './cluster-weather.ts';
import { EventHash } from './event-hash.ts';
import { override } from './overrides.ts';
import { Page } from './page.ts';
import { Prng } from './prng.ts';
import { ForgetfulRegister, namedIn } from './forgetful-register.ts';
import { LogModel } from './log-model.ts';
import { Impostors } from './impostors.ts';
import type { ImpostorsWorld } from './impostors.ts';
import { OtherSecret } from './other-secret.ts';
import type { OtherSecretWorld } from './other-secret.ts';
import { messagesIn } from './raft-frames.ts';
import { SimHost } from './sim-host.ts';
import type { SimHostWorld, SimProcess } from './sim-host.ts';
import { startsAt } from './start-pattern.ts';
import { StateReport } from './state-report.ts';
import { Storm } from './storm.ts';
import type { StormWorld } from './storm.ts';
import { Stranger } from './stranger.ts';
import { checkOf, describeFailure, isOn, violated } from './violation.ts';
import { VirtualClock } from './virtual-clock.ts';
import type { ProcessClock } from './virtual-clock.ts';
import type { VirtualDisk } from './virtual-disk.ts';
import { VirtualNetwork } from './virtual-network.ts';
import { VirtualRegister } from './virtual-register.ts';
import { WanderingWatch } from './wandering-watch.ts';
import { Workload, receiptPrefix } from './workload.ts';
import type { WorldOptions, WorldResult } from './world.ts';

/** How long a healed world may take to be one healthy cluster again. */
const healMs = 180_000;
/** After so long nothing of the storm is under way any more. */
const lateMs = 5_000;
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

class ClusterWorld implements SimHostWorld, StormWorld, ImpostorsWorld, OtherSecretWorld {
  readonly clock: VirtualClock = new VirtualClock();
  readonly network: VirtualNetwork;
  readonly register: VirtualRegister;
  readonly cipher: Cipher;
  readonly signedRuns: SignedRuns = new SignedRuns(createPlainSigner());
  readonly weather: ClusterWeather;
  readonly #seed: number;
  readonly #prng: Prng;
  readonly #hash = new EventHash();
  readonly #report: StateReport;
  readonly hosts: SimHost[] = [];
  readonly #workload: Workload;
  readonly #storm: Storm;
  readonly #impostors: Impostors;
  readonly #otherSecret: OtherSecret;
  readonly #cells: Cells;
  readonly #watches: readonly WanderingWatch[];
  /** By cluster, named by its founder; replicas are enrolled when they first write. */
  readonly #checkers = new Map<NodeId, SafetyChecker>();
  readonly #checkerOf = new Map<NodeId, SafetyChecker>();
  readonly #models = new Map<SafetyChecker, LogModel>();
  readonly #letGo = new Set<NodeId>();
  readonly #founderOf = new Map<string, NodeId>();
  readonly #counts: Record<string, number> = {};
  #stranger: Stranger | null = null;
  #liar: ClusterLiar | null = null;
  readonly #forgetful: ForgetfulRegister | null;
  readonly #page: Page | null;
  /** The cluster that was the first to acknowledge. */
  #activeId: unknown = null;
  #failure: Error | null = null;

  constructor(options: WorldOptions) {
    this.#seed = options.seed;
    this.#prng = new Prng(options.seed);
    const drawn = drawClusterWeather(this.#prng.fork('weather'), options.members);
    this.weather = override(drawn, options.weather);
    this.#report = new StateReport(this.clock, options);
    const { weather, clock } = this;
    this.cipher = createPlainCipher({
      namespace: 'simulation',
      strict: !weather.network.lossy,
    });
    this.network = new VirtualNetwork({
      clock,
      prng: this.#prng.fork('network'),
      conditions: { ...weather.network },
      tap: {
        sent: (from, _to, channel, frame) => {
          if (channel !== 'raft' || this.#impostors.isOne(from)) return;
          this.guard(() => {
            this.#checkSent(frame);
          });
        },
        delivered: (from, to, channel, frame) => {
          this.#hashFrame(`${channel} ${from} ${to}`, frame.length);
          const speaker = this.#hostOf(from)?.nodeId ?? null;
          if (speaker !== null) this.#hostOf(to)?.process?.heard.add(speaker);
          if (channel === 'raft' && this.#report.wanted) this.#reportReceived(frame);
        },
      },
    });
    this.register = new VirtualRegister({
      clock,
      prng: this.#prng.fork('register'),
      conditions: { ...weather.register },
    });
    this.register.changed = (version, value, by) => {
      this.note(`register ${by}`, version);
      this.guard(() => {
        this.#checkNamed(namedIn(value), by);
      });
      this.#forgetful?.changed(version, by);
    };
    this.network.meetingPoint.announced = (host) => {
      void this.register.announced(host);
    };
    this.#workload = new Workload(
      this.#prng.fork('workload'),
      weather.valueBytesMax,
      (error: unknown) => {
        this.fail(error);
      },
    );
    this.#storm = new Storm(this, this.#prng);
    this.#forgetful = weather.registerForgets
      ? new ForgetfulRegister(this, this.#prng.fork('forgetful'))
      : null;
    this.#impostors = new Impostors(this, this.#prng.fork('impostors'));
    this.#otherSecret = new OtherSecret(this, new Prng(options.seed ^ 0x5ec7e7));
    const fail = (error: unknown): void => {
      this.fail(error);
    };
    const pickPrng = this.#prng.fork('pick');
    const anyProcess = (): SimProcess | undefined => {
      const living = this.hosts.flatMap(({ process }) =>
        process === null || process.closing || !process.clock.running ? [] : [process],
      );
      return living.length === 0 ? undefined : pickPrng.pick(living);
    };
    this.#cells = new Cells({
      clock,
      prng: this.#prng.fork('cells'),
      clientCount: weather.wanderingClientCount,
      thinkMs: weather.thinkMs,
      leaseReads: weather.policy.leaseReads === true,
      anyProcess,
      fail,
    });
    this.#watches = Array.from(
      { length: weather.wanderingWatchCount },
      (_, i) =>
        new WanderingWatch({
          clock,
          prng: this.#prng.fork(`watch ${i}`),
          prefix: receiptPrefix,
          anyProcess,
        }),
    );
    this.#page = weather.pageHostCount > 0 ? new Page(this, new Prng(options.seed ^ 0x9a6e)) : null;
    for (let i = 1; i <= weather.hostCount; i++) {
      const id = `host-${i}`;
      const page = i <= weather.pageHostCount ? this.#page : null;
      this.hosts.push(new SimHost(id, this, this.#prng.fork(id), page));
    }
  }

  async run(): Promise<void> {
    this.#report.world(JSON.stringify(this.weather));
    this.#scheduleStarts();
    this.#storm.begin();
    this.#impostors.begin();
    if (this.weather.otherSecretEveryMs > 0) {
      this.#otherSecret.begin(this.weather.otherSecretEveryMs);
    }
    if (this.weather.strangerComes) this.#meetStranger(this.weather.stormMs * 0.2);
    if (this.weather.lieEveryMs > 0) this.#meetLiar();
    this.#cells.begin();
    this.#awaitPage();
    this.#forgetful?.run().then(
      () => {
        if (this.#forgetful !== null) this.#forgetful.isDone = true;
      },
      (error: unknown) => {
        this.fail(error);
      },
    );
    for (const watch of this.#watches) {
      watch.run().catch((error: unknown) => {
        this.fail(error);
      });
    }
    await this.#runUntil(this.weather.stormMs);
    this.#heal();
    await this.#settle();
  }

  result(): WorldResult {
    for (const host of this.hosts) host.crash();
    const failure = this.#failure;
    let checks = 0;
    for (const checker of this.#checkers.values()) checks += checker.checkCount;
    return {
      seed: this.#seed,
      suite: 'cluster',
      check: failure === null ? null : checkOf(failure),
      failure: failure === null ? null : describeFailure(failure),
      weather: this.weather,
      eventHash: this.#hash.digest(),
      virtualMs: this.clock.now(),
      memberCount: this.hosts.length,
      eventCount: this.clock.eventCount,
      counts: { ...this.#counts, ...this.#workload.counts, ...this.#cells.counts, checks },
    };
  }

  /** Ends the world; the first failure is the one that counts, of those that anybody looks for. */
  fail(error: unknown): void {
    if (!isOn(checkOf(error))) return;
    this.#failure ??= error instanceof Error ? error : new Error(String(error));
  }

  guard(check: () => void): void {
    try {
      check();
    } catch (error) {
      this.fail(error);
    }
  }

  modelOf(nodeId: NodeId): LogModel | null {
    const checker = this.checkerOf(nodeId);
    return checker === null ? null : (this.#models.get(checker) ?? null);
  }

  #newModel(checker: SafetyChecker): LogModel {
    const { history, policy } = this.weather;
    const { sessionLifetimeMs } = createPolicy(policy);
    return new LogModel({
      committedTerm: (index) => checker.committedTerm(index),
      history,
      sessionLifetimeMs,
    });
  }

  checkerOf(nodeId: NodeId): SafetyChecker | null {
    return this.#checkerOf.get(nodeId) ?? null;
  }

  enrol(host: SimHost, nodeId: NodeId, batch: PersistBatch): SafetyChecker | null {
    if (this.#letGo.has(nodeId)) return null;
    const clusterId = host.process?.member.status.clusterId ?? null;
    const founds = clusterId === null && batch.entries[0]?.index === 1;
    const founder = founds ? nodeId : this.#founderOf.get(clusterId ?? '');
    if (founder === undefined) throw new Error(`Nobody knows the founder of ${clusterId}`);
    const checker = this.#checkers.get(founder) ?? new SafetyChecker(this.#report.observer);
    if (!this.#models.has(checker)) this.#models.set(checker, this.#newModel(checker));
    this.#checkers.set(founder, checker);
    this.#checkerOf.set(nodeId, checker);
    if (founds) this.count('founded');
    if (founds && !this.register.writers.has(host.id)) {
      violated('founding', `${host.id} founds and never held the claim (Z13)`);
    }
    return checker;
  }

  letGo(nodeId: NodeId): void {
    this.#checkerOf.delete(nodeId);
    this.#letGo.add(nodeId);
  }

  forget(nodeId: NodeId): void {
    this.#checkerOf.delete(nodeId);
    this.#checkers.delete(nodeId);
  }

  changed(process: SimProcess): void {
    const { status } = process.member;
    const { nodeId } = process.host;
    const { role, term } = status.raft;
    if (role !== 'leader') process.leads = null;
    else if (process.leads?.term !== term) {
      const sinceMs = process.clock.now();
      process.leads = { term, sinceMs, sinceAwakeMs: process.host.page?.awakeMs ?? 0 };
    }
    if (process.host.page !== null) {
      this.guard(() => this.#page?.checkTerm(process.host.id, process.member));
      this.guard(() => this.#page?.checkLeaders());
    }
    if (nodeId !== null) this.#report.role(nodeId, role, term);
    if (nodeId !== null && status.clusterId !== null && this.#checkers.has(nodeId)) {
      this.#founderOf.set(status.clusterId, nodeId);
    }
    if (process.host.rolledBack) {
      const { leader } = status.raft;
      if (process.host.process !== process) return;
      this.guard(() => {
        this.#checkMarked(process);
      });
      if (leader === null) return;
      const text = `${process.host.id} was rolled back and is heard by ${leader} all the same (Z3)`;
      this.guard(() => violated('identity', text));
      return;
    }
    if (status.phase !== 'stopped' || process.closing || process.host.process !== process) return;
    const { reason } = status;
    if (reason === 'STORAGE_CORRUPT' && process.host.disk.corrupt) {
      this.#storm.repair(process.host);
      return;
    }
    if (reason === 'STORAGE_FAILED' && process.host.disk.hasFailed) {
      this.note(`failed ${process.host.id}`);
      this.#storm.crashAndRestart(process.host);
      return;
    }
    if (reason === 'REGISTER_LOST' && this.register.isIncomplete) {
      // A fresh one is told, and ends; somebody starts it again until the register knows better (Z53).
      this.note(`told that the register was put back ${process.host.id}`);
      process.closing = true;
      const pauseMs = this.#prng.between(1_000, 5_000);
      this.clock.setTimeout(() => this.#storm.gone(process, pauseMs), 1);
      return;
    }
    if (reason === 'REMOVED' && nodeId !== null && this.#storm.leavers.has(nodeId)) {
      // Its call to leave timed out, and then it was let go all the same.
      this.note(`removed ${process.host.id}`);
      process.closing = true;
      this.clock.setTimeout(
        () => {
          this.#storm.gone(process, 0);
        },
        this.#prng.between(10, 5_000),
      );
      return;
    }
    const text = `${process.host.id} stopped: ${reason}: ${status.message}`;
    this.guard(() => violated('stopped', text));
  }

  /** Z41: beside a cluster that acknowledges nobody claims, whatever the register has forgotten. */
  #checkNamed({ state, clusterId }: ReturnType<typeof namedIn>, by: string): void {
    if (this.#activeId !== null && clusterId !== this.#activeId) {
      violated('founding', `${by} claims beside a cluster that lives (Z41)`);
    }
    if (state === 'active') this.#activeId = clusterId;
  }

  /** Z38: whoever was told that it must not go on has that on its disk when it ends. */
  #checkMarked({ host, member }: SimProcess): void {
    const { phase, reason } = member.status;
    if (phase !== 'stopped' || !isRefusalCode(reason)) return;
    if (host.nodeId !== null) this.#storm.refused.add(host.nodeId);
    if (host.disk.platter.identity?.mark != null) return;
    violated('mark', `${host.id} ends as refused, and is not marked (Z38)`);
  }

  /** Whatever runs under another name is none of this world's members. */
  stranger(
    id: string,
    disk: VirtualDisk,
    clock: ProcessClock,
    machine: StateMachine,
    cipher: Cipher = this.cipher,
  ): Member {
    const { network, register, signedRuns, weather } = this;
    const prng = this.#prng.fork(`stranger ${id}`);
    return new Member({
      namespace: 'simulation',
      label: id,
      clock,
      random: (count) => prng.bytes(count),
      topics: () => [cipher.topic],
      ...(weather.hasKeys ? { signedRuns: () => signedRuns } : {}),
      createStorage: () => disk.storage(clock),
      network: () =>
        Promise.resolve({
          transport: network.transport(id, clock),
          cipher,
          register: register.client(id, clock),
          rendezvous: network.meetingPoint.client(id, clock),
        }),
      stateMachine: machine,
      policy: weather.policy,
    });
  }

  rest(isOn: boolean): void {
    if (isOn) this.count('rests');
    this.#workload.rest(isOn);
    this.#cells.rest(isOn);
  }

  visit(count: number, withinMs: number): void {
    this.#impostors.visit(count, withinMs);
  }

  newReplica(random: RandomBytes): Pick<StoredRun, 'nodeId' | 'key'> {
    if (this.weather.hasKeys) return this.signedRuns.create(random);
    return { nodeId: hexFromBytes(random(16)), key: null };
  }

  ghost(id: string): ReturnType<ImpostorsWorld['ghost']> {
    const { clock, network, cipher, signedRuns, weather } = this;
    return { id, clock, network, cipher, signedRuns: weather.hasKeys ? signedRuns : null };
  }

  #checkSent(frame: Uint8Array): void {
    for (const message of messagesIn(frame, this.cipher.overheadBytes)) {
      this.checkerOf(message.from)?.sent(message);
      this.#checkSilence(message);
      this.#page?.checkSent(message);
      if (message.to !== this.#stranger?.nodeId) continue;
      const text = `${message.from} answers a member of another cluster: ${message.type} (Z12)`;
      violated('identity', text);
    }
  }

  #checkSilence(message: Message): void {
    const isVote =
      message.type === 'RequestVote' || (message.type === 'RequestVoteResponse' && message.granted);
    if (!isVote) return;
    const voter = this.hosts.find(({ nodeId }) => nodeId === message.from);
    voter?.checkSilence((nodeId) => voter.process?.heard.has(nodeId) === true);
  }

  #hostOf(id: string): SimHost | undefined {
    return this.hosts.find((host) => host.id === id);
  }

  // How it begins.

  #scheduleStarts(): void {
    const { startPattern, startWindowMs, earlyDeathCount } = this.weather;
    this.hosts.forEach((host, position) => {
      this.clock.setTimeout(
        () => {
          this.start(host);
        },
        startsAt(this.#prng, startPattern, position / this.hosts.length, startWindowMs),
      );
    });
    // F6: at any step of formation.
    for (let i = 0; i < earlyDeathCount; i++) {
      this.clock.setTimeout(
        () => {
          const living = this.hosts.filter((host) => host.process !== null);
          if (living.length > 0) this.#storm.crashAndRestart(this.#prng.pick(living));
        },
        this.#prng.between(0, this.#prng.pick([50, 400, 5_000])),
      );
    }
  }

  /** Once all are one cluster the page begins to stand still. */
  #awaitPage(): void {
    const page = this.#page;
    if (page === null) return;
    if (!this.#isHealthy()) {
      this.clock.setTimeout(() => this.#awaitPage(), 500);
      return;
    }
    const { pageHostCount, hostCount, pagePauseEveryMs, pageDeathEveryMs, pageCutEveryMs } =
      this.weather;
    const [first] = this.hosts;
    if (pageHostCount === hostCount) page.settle(first?.process?.member.status.raft.term ?? 0);
    page.begin(pagePauseEveryMs, pageDeathEveryMs, pageCutEveryMs);
  }

  /** A while from now somebody of another cluster is there, and takes everybody for its own. */
  #meetStranger(delayMs: number): void {
    const { clock, network, cipher } = this;
    const takeIn = (): void => {
      const stranger = this.#stranger;
      if (stranger === null) return;
      for (const { process, nodeId } of this.hosts) {
        if (nodeId !== null && process?.member.status.clusterId != null) stranger.takeIn(nodeId);
      }
      clock.setTimeout(takeIn, 1_000);
    };
    const prng = this.#prng.fork('stranger');
    clock.setTimeout(() => {
      this.#stranger = new Stranger({ clock, prng, network, cipher });
      this.count('strangers');
      takeIn();
    }, delayMs);
  }

  /** Once there is a cluster, somebody says that it belongs to it, and then anything. */
  #meetLiar(): void {
    const { clock, network, cipher, weather } = this;
    const prng = this.#prng.fork('liar');
    const lie = (): void => {
      if (clock.now() >= weather.stormMs) return;
      clock.setTimeout(lie, prng.between(0.2, 1.8) * weather.lieEveryMs);
      const processes = this.hosts.flatMap(({ process }) => (process === null ? [] : [process]));
      const ready = processes.find(({ member }) => member.status.phase === 'ready');
      const clusterId = ready?.member.status.clusterId ?? null;
      if (this.#liar === null && clusterId !== null) {
        this.#liar = new ClusterLiar({ clock, prng, network, cipher, clusterId });
      }
      const kind = this.#liar?.lie(processes) ?? null;
      if (kind !== null) this.count(`lies: ${kind}`);
    };
    clock.setTimeout(lie, weather.lieEveryMs);
  }

  start(host: SimHost, sameRun: boolean = false): void {
    if (host.process !== null) return;
    this.note(`start ${host.id}`);
    this.work(host.start(sameRun));
  }

  work(process: SimProcess): void {
    this.#workload.begin(process, this.weather.clientsPerHost, this.weather.thinkMs);
  }

  // How it ends.

  #heal(): void {
    this.note('heal');
    this.#storm.end();
    this.#forgetful?.end();
    this.#page?.end();
    this.#impostors.end();
    this.#otherSecret.end();
    this.#stranger?.end();
    this.#stranger = null;
    this.#liar?.end();
    this.#workload.stop();
    this.#cells.stop();
    for (const host of this.hosts) this.start(host);
  }

  async #settle(): Promise<void> {
    const healedAt = this.clock.now();
    const deadline = healedAt + healMs;
    // First everything that came due while somebody was frozen. Where frames overtook each other, one
    // that comes late may still take an honest run for one that was put back, which then begins again (Z72).
    await this.#runUntil(healedAt + (this.weather.network.lossy ? lateMs : 1));
    await this.#become('healthy', deadline, 500, () => this.#isHealthy());
    this.#counts['healed after ms'] = Math.round(this.clock.now() - healedAt);
    const processes = this.hosts.flatMap(({ process }) => (process === null ? [] : [process]));
    await this.#await(
      'a last write',
      processes.map((process) => this.#workload.lastWrite(process, lastCallMs)),
    );
    await this.#await(
      'the end',
      processes.map((process) => this.#workload.checkEnd(process, lastCallMs, this.#watches)),
    );
    for (const watch of this.#watches) watch.stop();
    this.#cells.check();
    for (const model of this.#models.values()) model.advance();
    // Members write without clients, too: some may be an entry ahead.
    await this.#become('equally far', this.clock.now() + lastCallMs, 1, () => {
      const applied = processes.map(({ member }) => member.status.raft.appliedIndex);
      return new Set(applied).size === 1;
    });
    const digests = new Set(processes.map(({ machine }) => machine.digest()));
    if (digests.size > 1) violated('equal-state', 'Members hold different states (K7)');
  }

  async #become(
    what: string,
    deadline: number,
    everyMs: number,
    isSo: () => boolean,
  ): Promise<void> {
    while (!isSo()) {
      if (this.clock.now() >= deadline) {
        violated('healthy-again', `not ${what} in time\n${this.#describe()}`);
        return;
      }
      await this.#runUntil(this.clock.now() + everyMs);
    }
  }

  async #await(what: string, calls: readonly Promise<void>[]): Promise<void> {
    let done = false;
    const all = Promise.all(calls).then(
      () => {
        done = true;
      },
      (error: unknown) => {
        done = true;
        this.guard(() => {
          if (!(error instanceof QuorateError)) throw error;
          violated('healthy-again', `${what}: ${String(error)}`);
        });
      },
    );
    const deadline = this.clock.now() + 2 * lastCallMs;
    await this.clock.run(deadline, () => done || this.#failure !== null);
    if (this.#failure !== null) throw this.#failure;
    if (done) return all;
    violated('healthy-again', `${what} never came\n${this.#describe()}`);
  }

  /** One cluster, everybody in it, up to date and with room, as many voters as there should be. */
  #isHealthy(): boolean {
    const statuses = this.hosts.flatMap(({ process }) =>
      process === null || process.closing ? [] : [process.member.status],
    );
    const [first] = statuses;
    if (first === undefined || statuses.length < this.hosts.length) return false;
    if (this.#forgetful?.isDone === false) return false;
    const nodeIds = statuses.map(({ nodeId }) => nodeId);
    return statuses.every(
      (status) =>
        status.phase === 'ready' &&
        // Room is found by themselves (T20).
        status.canWrite &&
        status.reason !== 'STORAGE_FULL' &&
        status.clusterId === first.clusterId &&
        status.raft.leader === first.raft.leader &&
        status.raft.appliedIndex === first.raft.appliedIndex &&
        nodeIds.every((nodeId) => status.members.some((one) => one.nodeId === nodeId)) &&
        this.#isWellSeated(status.members),
    );
  }

  /**
   * A seat whose disk is lost goes to whoever can take it, and stays while nobody can (Z18). Who was
   * refused does not even listen any more (Z55).
   */
  #isWellSeated(members: readonly MemberInfo[]): boolean {
    const isRefused = ({ kind, nodeId }: MemberInfo): boolean =>
      kind === 'learner' && this.#storm.refused.has(nodeId);
    if (members.some(isRefused)) return false;
    const voters = members.filter(({ kind }) => kind === 'voter').map(({ nodeId }) => nodeId);
    const lostCount = voters.filter((nodeId) => this.#storm.lost.has(nodeId)).length;
    if (lostCount > 0) return voters.length - lostCount === this.hosts.length;
    const { maxVoters = 5 } = this.weather.policy;
    const seatCount = Math.min(maxVoters, this.hosts.length);
    return voters.length === (seatCount % 2 === 1 ? seatCount : seatCount - 1);
  }

  async #runUntil(untilMs: number): Promise<void> {
    await this.clock.run(untilMs, () => this.#failure !== null);
    if (this.#failure !== null) throw this.#failure;
  }

  count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  note(what: string, detail = 0): void {
    this.#hashFrame(what, detail);
    this.#report.world(detail === 0 ? what : `${what} ${detail}`);
  }

  #hashFrame(what: string, detail: number): void {
    this.#hash.text(what);
    this.#hash.number(this.clock.now());
    this.#hash.number(detail);
  }

  #reportReceived(frame: Uint8Array): void {
    for (const message of messagesIn(frame, this.cipher.overheadBytes)) {
      this.#report.observer(message.to, { event: 'receive', message });
    }
  }

  #describe(): string {
    return this.hosts
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
