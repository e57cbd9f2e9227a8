/**
 * What goes wrong in a world of whole members: processes die, stop, freeze and leave, links are cut
 * and reset, disks fail, fill up and are lost, the register is away. All of it heals by itself or
 * with `end`.
 */
import { isQuorateError } from '@quorate/contracts';
import type { NodeId } from '@quorate/core';
import type { SafetyChecker } from './checker.ts';
import type { ClusterWeather } from './cluster-weather.ts';
import type { Prng } from './prng.ts';
import type { SimHost, SimProcess } from './sim-host.ts';
import { violated } from './violation.ts';
import type { VirtualClock } from './virtual-clock.ts';
import type { Platter } from './virtual-disk.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import type { VirtualRegister } from './virtual-register.ts';

/** What a storm needs of its world. */
export type StormWorld = {
  readonly clock: VirtualClock;
  readonly hosts: readonly SimHost[];
  readonly weather: ClusterWeather;
  readonly network: VirtualNetwork;
  readonly register: VirtualRegister;
  /** `sameRun`: its process goes on as the run that is on its disk. */
  start(host: SimHost, sameRun?: boolean): void;
  /** Puts clients to work at a process. */
  work(process: SimProcess): void;
  /** Until it is off again clients ask for nothing. */
  rest(isOn: boolean): void;
  changed(process: SimProcess): void;
  checkerOf(nodeId: NodeId): SafetyChecker | null;
  count(what: string): void;
  note(what: string): void;
  /** So many visitors come and go. */
  visit(count: number, withinMs: number): void;
  /** What this replica does from now on is not that of a member. */
  letGo(nodeId: NodeId): void;
  /** Runs a check; what it throws ends the world. */
  guard(check: () => void): void;
  fail(error: unknown): void;
};

/** In this time everybody linked has met a new run. */
const settledMs = 3_000;

export class Storm {
  /** Replicas whose disk was wiped. */
  readonly lost: Set<NodeId> = new Set();
  /** Replicas that ended as refused: their seats are given up (Z55). */
  readonly refused: Set<NodeId> = new Set();
  /** Replicas that asked to leave. */
  readonly leavers: Set<NodeId> = new Set();
  readonly #world: StormWorld;
  readonly #weather: ClusterWeather;
  readonly #prng: Prng;
  #over = false;
  /** Somebody's backup is made, or was restored: once is one fault. */
  #restoring = false;

  constructor(world: StormWorld, prng: Prng) {
    this.#world = world;
    this.#weather = world.weather;
    this.#prng = prng;
  }

  /** Lets the troubles of this world's weather come and go until `end`. */
  begin(): void {
    const weather = this.#weather;
    const prng = this.#prng;
    this.#repeat(weather.crashEveryMs, () => {
      this.crashAndRestart(this.#victim());
    });
    this.#repeat(weather.stopEveryMs, () => {
      this.#stopAndRestart(this.#victim());
    });
    this.#repeat(weather.freezeEveryMs, () => {
      const clock = this.#victim()?.process?.clock;
      // Whoever knows what a backup lacks would be away: two faults at once for Z3.
      if (clock === undefined || this.#restoring) return;
      this.#world.count('freezes');
      this.#world.note('freeze');
      clock.freeze(prng.chance(weather.sleepChance));
      this.#later(prng.between(100, 8_000), () => {
        clock.thaw();
      });
    });
    this.#repeat(weather.cutEveryMs, () => {
      this.#cutSomething();
    });
    this.#repeat(weather.resetEveryMs, () => {
      if (this.#world.hosts.length < 2) return;
      const [a, b] = prng.shuffle(this.#world.hosts);
      if (a !== undefined && b !== undefined) this.#world.network.dropLink(a.id, b.id);
      this.#world.count('resets');
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
      this.#world.count('disk failures');
    });
    this.#repeat(weather.diskFullEveryMs, () => {
      const victim = this.#victim();
      if (victim === undefined) return;
      // Those of a site of tabs, or of machines that are alike, fill up together.
      const isAll = prng.chance(0.25);
      const disks = (isAll ? this.#world.hosts : [victim]).map(({ disk }) => disk);
      this.#world.count(isAll ? 'times that all disks are full' : 'full disks');
      for (const disk of disks) disk.full = true;
      this.#later(prng.between(500, 8_000), () => {
        for (const disk of disks) disk.full = false;
      });
    });
    this.#repeat(weather.diskHangEveryMs, () => {
      const disk = this.#victim()?.disk;
      if (disk === undefined) return;
      this.#world.count('hung disks');
      disk.hung = true;
      this.#later(prng.between(200, 8_000), () => {
        disk.hung = false;
      });
    });
    this.#repeat(weather.diskCorruptEveryMs, () => {
      this.#corrupt(this.#victim());
    });
    this.#repeat(weather.clockJumpEveryMs, () => {
      const clock = this.#victim()?.process?.clock;
      if (clock === undefined) return;
      this.#world.count('clock jumps');
      clock.jump(prng.between(1, prng.pick([100, 3_000, 60_000])));
    });
    this.#repeat(weather.transferEveryMs, () => {
      const leader = this.#leader();
      const to = this.#prng.pick(this.#world.hosts).nodeId;
      if (leader === undefined || to === null) return;
      if (leader.process?.member.yieldLeadership([to]) === true) this.#world.count('transfers');
    });
    this.#repeat(weather.rollsBack ? 2 * settledMs : 0, () => {
      const { reverts, backupAtRest } = weather;
      if (!this.#restoring) {
        this.#rollBack(reverts || backupAtRest ? this.#follower() : this.#victim());
      }
    });
    this.#repeat(weather.registerDownEveryMs, () => {
      this.#world.count('register outages');
      this.#world.register.up = false;
      // A relay that is away mostly ended.
      if (prng.chance(0.5)) this.#world.register.restart();
      this.#world.network.meetingPoint.up = false;
      this.#later(prng.between(500, 10_000), () => {
        this.#world.register.up = true;
        this.#world.network.meetingPoint.up = true;
      });
    });
  }

  #victim(): SimHost | undefined {
    const living = this.#world.hosts.filter((host) => host.process?.closing === false);
    if (living.length === 0) return undefined;
    const leader = this.#leader();
    if (leader !== undefined && this.#prng.chance(this.#weather.aimAtLeaderChance)) return leader;
    return this.#prng.pick(living);
  }

  #follower(): SimHost | undefined {
    const leader = this.#leader();
    const others = this.#world.hosts.filter((host) => host !== leader);
    return leader === undefined ? undefined : this.#prng.pick(others);
  }

  #leader(): SimHost | undefined {
    return this.#world.hosts.find(
      ({ process }) => process?.closing === false && process.member.status.raft.role === 'leader',
    );
  }

  crashAndRestart(host: SimHost | undefined): void {
    if (host?.process == null) return;
    this.#world.count('crashes');
    this.#world.note(`crash ${host.id}`);
    host.crash();
    this.#later(this.#prng.between(10, this.#prng.pick([100, 3_000, 15_000])), () => {
      this.#world.start(host);
    });
  }

  /** As SIGTERM does: hands over, flushes, keeps the seat. */
  #stopAndRestart(host: SimHost | undefined): void {
    const process = host?.process;
    if (host === undefined || process == null || process.closing) return;
    this.#world.count('stops');
    this.#world.note(`stop ${host.id}`);
    process.closing = true;
    process.kv.close();
    const pauseMs = this.#prng.between(10, 5_000);
    process.member
      .close()
      .then(() => {
        this.gone(process, pauseMs);
      })
      .catch((error: unknown) => {
        this.#world.fail(error);
      });
  }

  /** F9: leaves, and comes back as somebody new. */
  #leave(host: SimHost | undefined): void {
    const process = host?.process;
    if (host === undefined || process == null || process.closing) return;
    if (this.#world.hosts.filter((one) => one.process !== null).length < 2) return;
    this.#world.note(`leave ${host.id}`);
    if (host.nodeId !== null) this.leavers.add(host.nodeId);
    const pauseMs = this.#prng.between(10, 5_000);
    process.closing = true;
    process.member.leave().then(
      () => {
        this.#world.count('left');
        this.gone(process, pauseMs);
      },
      (error: unknown) => {
        if (!isQuorateError(error)) return this.#world.fail(error);
        this.#world.count('could not leave');
        process.closing = false;
        // It may have failed meanwhile.
        this.#world.changed(process);
        if (host.process !== process) return;
        this.#world.work(process);
      },
    );
  }

  /** M9: the machine loses its disk for good, where what was acknowledged can outlive that. */
  #wipe(host: SimHost | undefined): void {
    if (host === undefined || !this.#mayLose(host)) return;
    this.#world.count('wiped disks');
    this.#world.note(`wipe ${host.id}`);
    this.#replaceDisk(host);
  }

  /** The same, noticed only when the next start reads what is there. */
  #corrupt(host: SimHost | undefined): void {
    if (host === undefined || !this.#mayLose(host)) return;
    this.#world.count('corrupt disks');
    this.#world.note(`corrupt ${host.id}`);
    host.crash();
    host.disk.corrupt = true;
    this.#later(this.#prng.between(10, 5_000), () => {
      this.#world.start(host);
    });
  }

  /** Somebody puts an empty disk into a machine; a new replica begins on it. */
  #replaceDisk(host: SimHost): void {
    host.crash();
    host.disk.wipe();
    host.rolledBack = false;
    this.#later(this.#prng.between(10, 5_000), () => {
      this.#world.start(host);
    });
  }

  /** Its process found its disk corrupt: what an operator does then. */
  repair(host: SimHost): void {
    this.#world.note(`repair ${host.id}`);
    this.#replaceDisk(host);
  }

  /** Whether everything acknowledged outlives that this disk is lost; it counts as lost from now on. */
  #mayLose({ nodeId, process }: SimHost): boolean {
    if (nodeId === null || process?.closing !== false) return false;
    const checker = this.#world.checkerOf(nodeId);
    if (checker === null || !checker.outlives(nodeId, this.lost)) return false;
    // A leader whose disk is slow may already count on it, in a membership that it has handed to nobody.
    if (!this.#world.hosts.every((host) => this.#canSpare(host, nodeId))) return false;
    this.lost.add(nodeId);
    return true;
  }

  /**
   * Whether `host` believes in a majority without `victim`, and would after it gave a vote to it: its
   * own when it stops, or one more, before it notices that `victim` is gone.
   */
  #canSpare({ process }: SimHost, victim: NodeId): boolean {
    const members = process?.member.status.members ?? [];
    if (!members.some(({ nodeId }) => nodeId === victim)) return true;
    const voters = members.filter(({ kind }) => kind === 'voter').map(({ nodeId }) => nodeId);
    const left = voters.filter((nodeId) => nodeId !== victim && !this.lost.has(nodeId));
    const givenAway = voters.includes(victim) ? 0 : 1;
    return (left.length - givenAway) * 2 > voters.length;
  }

  /**
   * Z3: a backup is made, the member restarts once or twice, and the backup is restored: its epoch
   * lies behind, or is there twice. Until somebody notices, nobody may hear this replica.
   *
   * A backup from when it was the only voter is not restored: it would lead without asking anybody who
   * could notice, which is two faults at once for Z3 (a rollback, and no witness). Nor is one restored
   * when the last restart met nobody, its disk hung for instance: it may hold all that was ever there.
   */
  #rollBack(host: SimHost | undefined): void {
    this.#restoring = host !== undefined && this.#mayRollBack(host);
    if (host === undefined || !this.#restoring) return;
    if (this.#weather.reverts) this.#revert(host, host.disk.copy());
    else if (!this.#weather.backupAtRest) this.#putBack(host, 1 + this.#prng.int(2));
    else {
      this.#world.rest(true);
      this.#later(settledMs, () => {
        this.#restoring = this.#mayRollBack(host);
        if (this.#restoring) this.#putBack(host, 1);
      });
      this.#later(5 * settledMs, () => this.#world.rest(false));
    }
  }

  #mayRollBack({ process, nodeId }: SimHost): boolean {
    if (process?.closing !== false || this.#over || nodeId === null) return false;
    // What counts is what a backup would hold: with a slow disk that is less than is known.
    if (this.#world.checkerOf(nodeId)?.hasWitnesses(nodeId) !== true) return false;
    // Nobody is frozen from the backup on: everybody learns what it lacks, and can tell.
    return this.#world.hosts.every((host) => host.process?.clock.running !== false);
  }

  /** So many visitors make everybody forget what no vote rests on: only voters are kept for ever (Z54). */
  #isRemembered({ process }: SimHost): boolean {
    if (this.#weather.visitorCount === 0) return true;
    return (
      process?.member.status.members.some(({ self, kind }) => self && kind === 'voter') === true
    );
  }

  #putBack(host: SimHost, restartCount: number): void {
    const { nodeId } = host;
    const { backupAtRest } = this.#weather;
    if (backupAtRest) host.crash();
    const copy = host.disk.copy();
    const restart = (left: number): void => {
      this.#restoring = host.process !== null && host.nodeId === nodeId && !this.#over;
      if (!this.#restoring) return;
      if (left > 0) {
        host.crash();
        this.#world.start(host);
        this.#later(settledMs, () => {
          restart(left - 1);
        });
        return;
      }
      if (left === 0 && this.#weather.visitorCount > 0) {
        this.#world.visit(this.#weather.visitorCount, settledMs);
        this.#later(2 * settledMs, () => {
          restart(-1);
        });
        return;
      }
      const isMet = (host.process?.heard.size ?? 0) > 0;
      this.#restoring = isMet && nodeId !== null && this.#isRemembered(host) && this.#mayLose(host);
      if (nodeId === null || !this.#restoring) return;
      host.crash();
      this.#world.count('rollbacks');
      this.#world.note(`roll back ${host.id}`);
      host.disk.putBack(copy);
      host.rolledBack = true;
      this.#world.letGo(nodeId);
      this.#world.start(host);
      this.#tryAgain(host, copy, 1 + this.#prng.int(4));
    };
    if (!backupAtRest) return restart(restartCount);
    this.#world.start(host);
    this.#later(settledMs, () => restart(0));
  }

  /**
   * Z72: the machine is put back to an image of its disk and its memory, once it has acknowledged more
   * than is on that disk. Its process is the run that it was, and everybody knows that run.
   */
  #revert(host: SimHost, copy: Platter): void {
    const { process, nodeId } = host;
    const lastIndex = Math.max(copy.entries.at(-1)?.index ?? 0, copy.snapshot?.meta.index ?? 0);
    const look = (left: number): void => {
      const isPresent = process !== null && host.process === process && !this.#over;
      this.#restoring = isPresent && left > 0 && host !== this.#leader();
      if (nodeId === null || !this.#restoring) return;
      if (host.disk.platter.hardState.commitIndex <= lastIndex) {
        this.#later(settledMs, () => {
          look(left - 1);
        });
        return;
      }
      this.#later(settledMs, () => {
        this.#restoring = host.process === process && !this.#over && this.#mayLose(host);
        if (!this.#restoring) return;
        host.crash();
        this.#world.count('reverts');
        this.#world.note(`revert ${host.id}`);
        host.disk.putBack(copy);
        host.rolledBack = true;
        this.#world.letGo(nodeId);
        this.#world.start(host, true);
        this.#later(settledMs, () => {
          if (host.rolledBack && !this.#over) this.#world.guard(() => checkTold(host, copy));
        });
        this.#later(settledMs, () => this.#tryAgain(host, copy, 1 + this.#prng.int(4)));
      });
    };
    look(8);
  }

  /**
   * Whoever has the machine started again starts it again: as it is, which is marked; with the backup
   * laid over it once more; or after a crash that left no mark (Z38). Then it gets an empty disk.
   */
  #tryAgain(host: SimHost, copy: Platter, left: number): void {
    this.#later(this.#prng.between(1_000, 6_000), () => {
      if (!host.rolledBack) return;
      if (left === 0 || this.#over) {
        this.#replaceDisk(host);
        return;
      }
      host.crash();
      const { identity } = host.disk.platter;
      const how = this.#prng.int(3);
      if (how === 1) host.disk.putBack(copy);
      if (how === 2 && identity !== null) {
        host.disk.putBack({ ...host.disk.copy(), identity: { ...identity, mark: null } });
      }
      this.#world.count('starts of backups');
      this.#world.note(`start a backup again ${host.id}`);
      const others = this.#world.hosts.filter((one) => one !== host && one.process !== null);
      const witness = others[this.#prng.int(Math.max(1, others.length))];
      if (this.#weather.witnessesRestart && witness?.process?.closing === false) {
        witness.crash();
        this.#world.start(witness);
      }
      this.#world.start(host);
      this.#tryAgain(host, copy, left - 1);
    });
  }

  /** A process that ended by itself: its machine starts another after a while. */
  gone(process: SimProcess, pauseMs: number): void {
    const { host } = process;
    if (host.process !== process) return;
    host.crash();
    this.#later(pauseMs, () => {
      this.#world.start(host);
    });
  }

  #cutSomething(): void {
    if (this.#world.hosts.length < 2) return;
    this.#world.count('cuts');
    const prng = this.#prng;
    const others = prng.shuffle(this.#world.hosts);
    const made: [string, string][] = [];
    const cut = (from: SimHost, to: SimHost): void => {
      if (from === to || this.#world.network.isCut(from.id, to.id)) return;
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
    this.#world.note(`cut ${made.map((pair) => pair.join('>')).join(' ')}`);
    for (const [from, to] of made) this.#world.network.setCut(from, to, true);
    this.#later(prng.between(200, prng.pick([2_000, 12_000])), () => {
      for (const [from, to] of made) this.#world.network.setCut(from, to, false);
    });
  }

  #repeat(everyMs: number, callback: () => void): void {
    // Each kind of trouble has luck of its own, so that one can be taken away without moving others.
    const prng = this.#prng.fork('kind');
    if (everyMs === 0) return;
    const next = (): void => {
      this.#later(prng.between(0.2, 1.8) * everyMs, () => {
        if (this.#over) return;
        callback();
        next();
      });
    };
    next();
  }

  /** Begins nothing new, and mends what would take its time. */
  end(): void {
    const { network, register, hosts } = this.#world;
    this.#over = true;
    network.heal();
    network.conditions.delayMsMax = Math.min(network.conditions.delayMsMax, 5);
    register.heal();
    for (const { disk, process } of hosts) {
      disk.full = false;
      disk.failing = false;
      disk.hung = false;
      disk.conditions.stallChance = 0;
      disk.conditions.syncMsMax = Math.min(disk.conditions.syncMsMax, 2);
      process?.clock.thaw();
    }
  }

  #later(delayMs: number, callback: () => void): void {
    this.#world.clock.setTimeout(callback, delayMs);
  }
}

/** Z72: others remember what it does not, and say so; it is the same run no more. */
function checkTold({ id, disk }: SimHost, { identity }: Platter): void {
  const now = disk.platter.identity;
  if (now === null || now.epoch !== identity?.epoch || now.mark !== null) return;
  violated('mark', `${id} was put back with its memory, and goes on as run ${now.epoch} (Z72)`);
}
