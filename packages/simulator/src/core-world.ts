/**
 * A world of bare consensus cores: one seed draws its weather, its faults and its work, lets it run,
 * heals it, and asks whether everything acknowledged is there.
 */
import type { Entry, Membership, Message, NodeId, RefusedMessage, SoftState } from '@quorate/core';
import { decodeMessage, encodeMembershipEntry, encodeMessage } from '@quorate/core';
import { SafetyChecker } from './checker.ts';
import { CoreLiar } from './core-liar.ts';
import type { CoreNodeWorld } from './core-node.ts';
import { CoreNode } from './core-node.ts';
import type { CoreWeather } from './core-weather.ts';
import { drawCoreWeather } from './core-weather.ts';
import { EventHash } from './event-hash.ts';
import { override } from './overrides.ts';
import { Prng } from './prng.ts';
import { StateReport } from './state-report.ts';
import { checkOf, describeFailure, isOn, violated } from './violation.ts';
import { ProcessClock, VirtualClock } from './virtual-clock.ts';
import type { WorldOptions, WorldResult } from './world.ts';

/** Election timeouts that a healed world may take to become one cluster again. */
const healTimeouts = 60;

/** A world that never rests makes more events than any other. */
const eventCountMax = 5_000_000;
const stormEventCountMax = 1_000_000;

export function runCoreWorld(options: WorldOptions): WorldResult {
  const world = new CoreWorld(options);
  try {
    world.run();
  } catch (error) {
    return world.result(isOn(checkOf(error)) ? error : null);
  }
  return world.result(null);
}

class CoreWorld implements CoreNodeWorld {
  readonly clock: VirtualClock = new VirtualClock();
  readonly checker: SafetyChecker;
  calm = false;
  readonly #seed: number;
  readonly #prng: Prng;
  readonly #netPrng: Prng;
  readonly #hash = new EventHash();
  readonly #weather: CoreWeather;
  readonly #report: StateReport;
  readonly #nodes: CoreNode[] = [];
  readonly #cuts = new Set<string>();
  readonly #arrivesAt = new Map<string, number>();
  /** Proposals under way by `term:index`, and what was acknowledged. */
  readonly #proposed = new Map<string, number>();
  readonly #acknowledged = new Map<number, number>();
  readonly #commandAt = new Map<number, number>();
  readonly #reads = new Map<string, number>();
  #acknowledgedIndex = 0;
  #nextCommand = 1;
  #nextRead = 1;
  #kindCount = 0;

  readonly #bornCount: number;
  readonly #counts: Record<string, number> = {};

  constructor(options: WorldOptions) {
    this.#seed = options.seed;
    this.#prng = new Prng(options.seed);
    this.#netPrng = this.#prng.fork('network');
    this.#weather = override(drawCoreWeather(this.#prng.fork('weather')), options.weather);
    const report = new StateReport(this.clock, options);
    this.#report = report;
    this.checker = new SafetyChecker(report.observer);
    const idPrng = this.#prng.fork('identities');
    const voterCount = options.members ?? this.#prng.pick([1, 2, 3, 3, 3, 4, 5, 5]);
    const nodeCount = voterCount + this.#prng.int(3);
    for (let i = 0; i < nodeCount; i++) {
      const id = idPrng.hex(16);
      this.#nodes.push(new CoreNode(id, this, this.#weather.settings, this.#prng.fork(id)));
    }
    // Some clusters are born with all their voters, others grow from one, where memberships change.
    const grows = this.#prng.chance(0.5) && this.#weather.changeEveryMs > 0;
    const born = grows ? 1 : voterCount;
    this.#bornCount = born;
    const founders = this.#nodes.slice(0, born).map((node) => node.id);
    const membership: Membership = {
      voters: [...founders].sort(),
      votersOutgoing: [],
      learners: [],
      learnersNext: [],
    };
    const first: Entry = {
      term: 1,
      index: 1,
      type: 'membership',
      data: encodeMembershipEntry(membership, new Uint8Array(0)),
    };
    const hardState = { currentTerm: 1, votedFor: null, commitIndex: 0 };
    for (const node of this.#nodes.slice(0, born)) {
      node.durable.hardState = hardState;
      node.durable.entries = [first];
      this.checker.started(node.id);
      const batch = { number: 1, hardState, entries: [first] };
      this.checker.written(node.id, batch);
      this.checker.persisted(node.id, batch);
    }
  }

  run(): void {
    for (const node of this.#nodes) this.#start(node);
    this.#begin();
    this.#storm();
    this.#heal();
    this.#settle();
  }

  /** Tiny windows that are resent for ever make a storm dear and no worse: it ends after so much. */
  #storm(): void {
    const { stormMs, timeoutMs } = this.#weather;
    for (let until = 0; until < stormMs && this.clock.eventCount < stormEventCountMax;) {
      until = Math.min(stormMs, until + timeoutMs);
      this.clock.runSync(until);
    }
  }

  /** `error`: what ended it early; null when everything held. */
  result(error: unknown): WorldResult {
    return {
      seed: this.#seed,
      suite: 'core',
      check: error === null ? null : checkOf(error),
      failure: error === null ? null : describeFailure(error),
      weather: this.#weather,
      eventHash: this.#hash.digest(),
      virtualMs: this.clock.now(),
      // Whoever is never asked to join does nothing.
      memberCount: this.#weather.changeEveryMs > 0 ? this.#nodes.length : this.#bornCount,
      eventCount: this.clock.eventCount,
      counts: {
        ...this.#counts,
        acknowledged: this.#acknowledged.size,
        checks: this.checker.checkCount,
      },
    };
  }

  // What nodes ask of the world.

  send(message: Message): void {
    const weather = this.#weather;
    if (!this.calm && this.#netPrng.chance(weather.lossChance)) return;
    const copies = !this.calm && this.#netPrng.chance(weather.duplicateChance) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) this.#deliverLater(message);
  }

  role(id: NodeId, { role, term }: SoftState): void {
    this.#report.role(id, role, term);
  }

  sendSnapshot(from: CoreNode, to: NodeId): void {
    const snapshot = from.durable.snapshot;
    this.#count('snapshots');
    const raft = from.raft;
    if (raft === null) return;
    const term = raft.status().term;
    const lost = !this.calm && this.#netPrng.chance(this.#weather.snapshotLossChance);
    this.clock.setTimeout(
      () => {
        const node = this.#node(to);
        const arrived =
          snapshot !== null && !lost && node.running && !this.#isCut(from.id, to) && from.running;
        if (arrived) {
          node.clock?.enter(() => {
            this.#note('snapshot', from.id, to, snapshot.meta.index);
            node.received.set(snapshot.meta.index, snapshot);
            node.step({ type: 'InstallSnapshot', from: from.id, to, term, meta: snapshot.meta });
          });
        }
        // What the sender learns, and when, is a matter of luck too.
        this.clock.setTimeout(() => {
          if (from.raft !== raft) return;
          from.clock?.enter(() => {
            raft.reportSnapshot(to, arrived);
            from.pump();
          });
        }, this.#delay());
      },
      this.#netPrng.between(0.1, this.calm ? 1 : this.#weather.snapshotMsMax),
    );
  }

  committed(node: CoreNode, entry: Entry): void {
    this.#hash.text(node.id);
    this.#hash.number(entry.index);
    if (entry.type === 'normal') {
      const command = commandOf(entry.data);
      const earlier = this.#commandAt.get(entry.index);
      if (earlier !== undefined && earlier !== command) {
        violated('state-machine', `Two commands were applied at ${entry.index}`);
      }
      this.#commandAt.set(entry.index, command);
    }
    const key = `${node.id}:${entry.term}:${entry.index}`;
    const command = this.#proposed.get(key);
    if (command === undefined) return;
    this.#proposed.delete(key);
    if (commandOf(entry.data) !== command) {
      violated('state-machine', `${node.id} found a foreign command at ${entry.index}`);
    }
    this.#acknowledged.set(command, entry.index);
    if (entry.index <= this.#acknowledgedIndex) return;
    this.#acknowledgedIndex = entry.index;
    this.#checkLeases(node);
  }

  read(node: CoreNode, requestId: number, index: number | null): void {
    const key = `${node.id}:${requestId}`;
    const wanted = this.#reads.get(key);
    if (wanted === undefined) {
      violated('linearizable', `${node.id} answered no read ${requestId}`);
      return;
    }
    this.#reads.delete(key);
    if (index === null) return;
    this.#count('reads');
    if (index < wanted) {
      violated(
        'linearizable',
        `${node.id} reads at ${index}, acknowledged before the request was ${wanted} (R1, R6)`,
      );
    }
  }

  refused({ id }: CoreNode, { kind, reason, message }: RefusedMessage): void {
    this.#count(`refused ${kind}`);
    // Where nobody lies no honest peer is accused; a late word may look as if something was forgotten.
    if (kind !== 'contradiction' || this.#weather.lieEveryMs > 0) return;
    violated('stopped', `${id} refuses ${message.type}: ${reason}`);
  }

  // Work and trouble.

  #begin(): void {
    const weather = this.#weather;
    this.#repeat(weather.proposeEveryMs, () => {
      this.#propose();
    });
    this.#repeat(weather.proposeEveryMs * 3, () => {
      this.#read();
    });
    this.#repeat(weather.crashEveryMs, () => {
      const node = this.#victim();
      if (!node.running) return;
      this.#count('crashes');
      this.#note('crash', node.id);
      node.crash();
      this.checker.crashed(node.id);
      this.#later(0.01, 4, () => {
        this.#start(node);
      });
    });
    this.#repeat(weather.freezeEveryMs, () => {
      const node = this.#victim();
      const clock = node.clock;
      if (clock === null) return;
      this.#count('freezes');
      this.#note('freeze', node.id);
      clock.freeze(this.#prng.chance(weather.sleepChance));
      this.#later(0.1, 6, () => {
        clock.thaw();
        this.#checkLeases(null);
      });
    });
    this.#repeat(weather.cutEveryMs, () => {
      this.#cutSomething();
    });
    this.#repeat(weather.changeEveryMs, () => {
      this.#changeMembership();
    });
    this.#repeat(weather.transferEveryMs, () => {
      const leader = this.#anyLeader();
      const raft = leader?.raft;
      if (leader === undefined || raft === null || raft === undefined) return;
      const { voters } = raft.status().membership;
      if (voters.length === 0) return;
      if (raft.transferLeadership(this.#prng.pick(voters))) this.#count('transfers');
      leader.pump();
      // One that handed over and does not hear what came of it.
      if (this.#prng.chance(weather.deafChance)) this.#deafen(leader);
    });
    this.#repeat(weather.campaignEveryMs, () => {
      const node = this.#prng.pick(this.#nodes);
      const leader = this.#prng.chance(weather.deafChance) ? this.#anyLeader() : undefined;
      // One that is deposed and does not hear of it.
      if (leader !== undefined && leader !== node) this.#deafen(leader);
      node.clock?.enter(() => {
        node.raft?.campaign();
        node.pump();
      });
    });
    const liar = new CoreLiar(new Prng(this.#seed ^ 0x11a8), this.#nodes);
    this.#repeat(weather.lieEveryMs, () => {
      const kind = liar.lie();
      if (kind !== null) this.#count(`lies: ${kind}`);
    });
  }

  #propose(): void {
    const node = this.#anyLeader();
    if (node?.raft == null) return;
    const count = 1 + this.#prng.int(4);
    const commands: number[] = [];
    const data: Uint8Array[] = [];
    for (let i = 0; i < count; i++) {
      const command = this.#nextCommand++;
      commands.push(command);
      data.push(encodeCommand(command, 8 + this.#prng.int(this.#weather.proposalBytesMax)));
    }
    const result = node.raft.propose(data);
    if (result.ok) {
      commands.forEach((command, i) => {
        this.#proposed.set(`${node.id}:${result.term}:${result.firstIndex + i}`, command);
      });
    }
    node.pump();
  }

  #read(): void {
    const node = this.#prng.pick(this.#nodes);
    node.clock?.enter(() => {
      const requestId = this.#nextRead++;
      this.#reads.set(`${node.id}:${requestId}`, this.#acknowledgedIndex);
      node.raft?.readIndex(requestId);
      node.pump();
    });
  }

  /** Whoever believes in its lease knows of everything that was acknowledged (Z23). */
  #checkLeases(acknowledger: CoreNode | null): void {
    if (!this.#weather.settings.leaseReads) return;
    for (const node of this.#nodes) {
      if (node === acknowledger || node.clock?.frozen !== false) continue;
      const index = node.leaseIndex();
      if (index === null) continue;
      this.#count('lease reads');
      if (index >= this.#acknowledgedIndex) continue;
      violated(
        'linearizable',
        `${node.id} reads by its lease at ${index}, acknowledged is ${this.#acknowledgedIndex} (Z23)`,
      );
    }
  }

  #deafen(node: CoreNode): void {
    const made = this.#nodes
      .filter((other) => other !== node)
      .map((other) => `${other.id}>${node.id}`)
      .filter((key) => !this.#cuts.has(key));
    for (const key of made) this.#cuts.add(key);
    this.#note('cut', ...made);
    this.#later(0.2, 3, () => {
      for (const key of made) this.#cuts.delete(key);
      this.#note('uncut', ...made);
    });
  }

  #cutSomething(): void {
    this.#count('cuts');
    const prng = this.#prng;
    const made: string[] = [];
    const cut = (from: NodeId, to: NodeId): void => {
      const key = `${from}>${to}`;
      if (from === to || this.#cuts.has(key)) return;
      this.#cuts.add(key);
      made.push(key);
    };
    const kind = prng.int(4);
    const others = prng.shuffle(this.#nodes);
    if (kind === 0) {
      // One direction between two.
      const [a, b] = others;
      if (a !== undefined && b !== undefined) cut(a.id, b.id);
    } else if (kind === 1) {
      // One that cannot hear, or cannot speak (E10).
      const [one] = others;
      const deaf = prng.chance(0.5);
      for (const { id } of others) {
        if (one !== undefined) cut(deaf ? id : one.id, deaf ? one.id : id);
      }
    } else {
      // Two sides; the leader on the smaller one, now and then.
      const leader = kind === 2 ? this.#victim() : undefined;
      const size = 1 + prng.int(Math.max(1, others.length - 1));
      const side = new Set(leader === undefined ? others.slice(0, size) : [leader]);
      for (const a of others) {
        for (const b of others) if (side.has(a) !== side.has(b)) cut(a.id, b.id);
      }
    }
    this.#note('cut', ...made);
    this.#later(0.2, 8, () => {
      for (const key of made) this.#cuts.delete(key);
      this.#note('uncut', ...made);
    });
  }

  #changeMembership(): void {
    const node = this.#anyLeader();
    const raft = node?.raft;
    if (node === undefined || raft === null || raft === undefined) return;
    const prng = this.#prng;
    const { membershipIndex } = raft.status();
    const shuffled = prng.shuffle(this.#nodes.map(({ id }) => id));
    const voterCount = 1 + prng.int(Math.min(5, shuffled.length));
    const voters = shuffled.slice(0, voterCount).sort();
    const rest = shuffled.slice(voterCount);
    const learners = rest.slice(0, prng.int(rest.length + 1)).sort();
    const expectedIndex = prng.chance(0.1) ? membershipIndex - 1 : membershipIndex;
    const result = raft.proposeChange({
      membership: { voters, learners },
      expectedIndex,
      context: new Uint8Array(0),
    });
    if (result.ok) {
      this.#count('changes');
      this.#note('change', `voters ${voters.join()}`, `learners ${learners.join()}`);
    }
    node.pump();
  }

  #start(node: CoreNode): void {
    if (node.running) return;
    this.#note('start', node.id);
    const rate = this.calm ? 1 : this.#prng.between(0.9, 1.1);
    node.start(new ProcessClock(this.clock, rate));
    for (const other of this.#nodes) {
      if (other === node) continue;
      // Links are of runs (Z1): the others learn of the new one.
      this.clock.setTimeout(() => {
        other.clock?.enter(() => {
          other.meetNewRun(node.id);
        });
      }, this.#delay());
    }
  }

  // The end: everything heals, and everything must be well.

  #heal(): void {
    this.#note('heal');
    this.calm = true;
    this.#cuts.clear();
    for (const node of this.#nodes) {
      node.clock?.thaw();
      node.endStall();
      this.#start(node);
    }
  }

  #settle(): void {
    const { timeoutMs } = this.#weather;
    const limitMs = healTimeouts * timeoutMs;
    const healedAt = this.clock.now();
    const eventsBefore = this.clock.eventCount;
    let deadline = healedAt + limitMs;
    let progress = this.#progress();
    let last = -1;
    for (;;) {
      this.clock.runSync(this.clock.now() + timeoutMs);
      if (this.#progress() > progress) {
        // A backlog may be long where messages are small; what counts is that it shrinks.
        progress = this.#progress();
        deadline = Math.min(this.clock.now() + limitMs, healedAt + 50 * limitMs);
      }
      const leaders = this.#nodes.filter((node) => node.raft?.status().role === 'leader');
      const [leader] = leaders;
      if (leaders.length === 1 && leader?.raft != null) {
        if (last === -1) last = this.#proposeLast(leader);
        else if (this.#isConverged(leader, last)) break;
      }
      if (last !== -1 && !this.#acknowledged.has(last) && !this.#isUnderWay(last)) last = -1;
      if (this.clock.now() >= deadline || this.clock.eventCount - eventsBefore > eventCountMax) {
        violated(
          'healthy-again',
          `no progress ${healTimeouts} election timeouts after healing\n${this.#describe()}`,
        );
        return;
      }
    }
    this.#checkEnd();
  }

  /** Grows while anything commits and while any log catches up with what will be committed. */
  #progress(): number {
    const ends = this.#nodes.map(({ durable }) => durable.entries.at(-1)?.index ?? 0);
    return ends.reduce((sum, end) => sum + end, this.checker.commitIndex);
  }

  #proposeLast(leader: CoreNode): number {
    const command = this.#nextCommand++;
    const result = leader.raft?.propose([encodeCommand(command, 8)]);
    if (result?.ok === true) {
      this.#proposed.set(`${leader.id}:${result.term}:${result.firstIndex}`, command);
    }
    leader.pump();
    return result?.ok === true ? command : -1;
  }

  #isUnderWay(command: number): boolean {
    for (const [key, one] of this.#proposed) {
      if (one !== command) continue;
      const [id = '', term = ''] = key.split(':');
      const status = this.#node(id).raft?.status();
      return status?.role === 'leader' && status.term === Number(term);
    }
    return false;
  }

  #isConverged(leader: CoreNode, last: number): boolean {
    const status = leader.raft?.status();
    if (status === undefined || !this.#acknowledged.has(last)) return false;
    const { membership } = status;
    if (membership.votersOutgoing.length > 0) return false;
    return [...membership.voters, ...membership.learners].every(
      (id) => this.#node(id).appliedIndex === leader.appliedIndex,
    );
  }

  #checkEnd(): void {
    const leader = this.#nodes.find((node) => node.raft?.status().role === 'leader');
    if (leader?.raft == null) {
      violated('healthy-again', 'no leader at the end');
      return;
    }
    const { membership } = leader.raft.status();
    for (const id of [...membership.voters, ...membership.learners]) {
      const node = this.#node(id);
      if (
        node.state.hash !== leader.state.hash ||
        node.state.commandCount !== leader.state.commandCount
      ) {
        violated('equal-state', `${id} and ${leader.id} differ at ${leader.appliedIndex}`);
      }
    }
    const seen = new Set<number>();
    for (const [index, command] of this.#commandAt) {
      if (index > leader.appliedIndex) continue;
      if (seen.has(command)) violated('exactly-once', `Command ${command} was applied twice`);
      seen.add(command);
    }
    if (seen.size !== leader.state.commandCount) {
      violated(
        'equal-state',
        `${leader.id} holds ${leader.state.commandCount} commands, ${seen.size} were applied`,
      );
    }
    for (const [command, index] of this.#acknowledged) {
      if (this.#commandAt.get(index) !== command) {
        violated('acknowledged', `Acknowledged command ${command} is not at ${index}`);
      }
    }
  }

  // Small things.

  #deliverLater(message: Message): void {
    const key = `${message.from}>${message.to}`;
    let delayMs = this.#delay();
    if (this.#weather.inOrder) {
      const arrivesAt = Math.max(this.#arrivesAt.get(key) ?? 0, this.clock.now() + delayMs);
      this.#arrivesAt.set(key, arrivesAt);
      delayMs = arrivesAt - this.clock.now();
    }
    const bytes = this.#weather.throughCodec ? encodeMessage(message) : null;
    this.clock.setTimeout(() => {
      if (this.#isCut(message.from, message.to)) return;
      // A stranger is answered, and nobody is there to hear it.
      const node = this.#nodes.find(({ id }) => id === message.to);
      node?.clock?.enter(() => {
        this.#hashMessage(message);
        this.#report.observer(message.to, { event: 'receive', message });
        node.step(bytes === null ? message : decodeMessage(bytes));
      });
    }, delayMs);
  }

  #delay(): number {
    const { delayMsMin, delayMsMax } = this.#weather;
    const delayMs = this.#netPrng.between(delayMsMin, this.calm ? 2 * delayMsMin : delayMsMax);
    return !this.calm && this.#netPrng.chance(0.01) ? delayMs * 20 : delayMs;
  }

  /** Calls back at random intervals of mean `everyMs` while the storm lasts. */
  #repeat(everyMs: number, callback: () => void): void {
    this.#kindCount += 1;
    if (everyMs === 0) return;
    // Each kind of trouble has luck of its own, so that one can be taken away without moving others.
    const prng = new Prng((this.#seed ^ Math.imul(this.#kindCount, 0x9e3779b1)) >>> 0);
    const next = (): void => {
      this.clock.setTimeout(
        () => {
          if (this.calm) return;
          callback();
          next();
        },
        prng.between(0.2, 1.8) * everyMs,
      );
    };
    next();
  }

  /** After so many election timeouts. */
  #later(from: number, to: number, callback: () => void): void {
    this.clock.setTimeout(callback, this.#prng.between(from, to) * this.#weather.timeoutMs);
  }

  #victim(): CoreNode {
    const leader = this.#prng.chance(this.#weather.aimAtLeaderChance)
      ? this.#anyLeader()
      : undefined;
    return leader ?? this.#prng.pick(this.#nodes);
  }

  /** One of those that believe they lead, stale ones too. */
  #anyLeader(): CoreNode | undefined {
    const leaders = this.#nodes.filter(
      (node) => node.clock?.frozen === false && node.raft?.status().role === 'leader',
    );
    return leaders.length === 0 ? undefined : this.#prng.pick(leaders);
  }

  #node(id: NodeId): CoreNode {
    const node = this.#nodes.find((one) => one.id === id);
    if (node === undefined) throw new Error(`No node ${id}`);
    return node;
  }

  #isCut(from: NodeId, to: NodeId): boolean {
    return this.#cuts.has(`${from}>${to}`);
  }

  #count(what: string): void {
    this.#counts[what] = (this.#counts[what] ?? 0) + 1;
  }

  #note(what: string, ...details: (string | number)[]): void {
    this.#hash.text(what);
    this.#hash.number(this.clock.now());
    for (const detail of details) {
      if (typeof detail === 'number') this.#hash.number(detail);
      else this.#hash.text(detail);
    }
    this.#report.world(`${what} ${details.join(' ')}`);
  }

  #hashMessage({ type, from, to, term }: Message): void {
    this.#hash.text(type);
    this.#hash.number(this.clock.now());
    this.#hash.text(from);
    this.#hash.text(to);
    this.#hash.number(term);
  }

  #describe(): string {
    return this.#nodes
      .map((node) => {
        if (node.raft === null) return `${node.id} down`;
        const { role, term, leader, commitIndex, firstIndex, lastEntry, membership } =
          node.raft.status();
        return (
          `${node.id} ${role} term ${term} leader ${leader ?? 'none'} commit ${commitIndex}` +
          ` applied ${node.appliedIndex} log ${firstIndex}..${lastEntry.index}` +
          ` voters ${membership.voters.join()} outgoing ${membership.votersOutgoing.join()}` +
          ` learners ${membership.learners.join()}`
        );
      })
      .join('\n');
  }
}

function encodeCommand(command: number, byteCount: number): Uint8Array {
  const data = new Uint8Array(Math.max(8, byteCount));
  new DataView(data.buffer).setFloat64(0, command);
  return data;
}

function commandOf(data: Uint8Array): number {
  return new DataView(data.buffer, data.byteOffset, data.byteLength).getFloat64(0);
}
