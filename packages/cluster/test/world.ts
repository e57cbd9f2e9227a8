/** Members in one process, on memory, virtual time and seeded chance: every run is the same. */
import type { PersistBatch } from '@quorate/core';
import type {
  ApplyContext,
  Cipher,
  Clock,
  LogStorage,
  OpenOptions,
  Register,
  Run,
  RunSigner,
  StateMachine,
} from '@quorate/contracts';
import { Member } from '../src/member/member.ts';
import type { MemberOptions } from '../src/member/member-options.ts';
import {
  createPlainCipher,
  MemoryDisk,
  MemoryMeetingPoint,
  MemoryNetwork,
  MemoryRegisters,
  MemoryStorage,
} from '@quorate/contracts/memory';
import { SignedRuns } from '../src/links/signed-run.ts';
import { registerCare } from '../src/formation/register-care.ts';
import type { Policy } from '../src/state/policy.ts';
import { ManualClock, seededBytes } from './manual-clock.ts';

/** A state machine that remembers each command as a line of text. */
export class LineMachine implements StateMachine {
  lines: string[] = [];

  apply(command: Uint8Array, { index }: ApplyContext): Uint8Array {
    this.lines.push(new TextDecoder().decode(command));
    return new TextEncoder().encode(String(index));
  }

  /** What begins with a minus counts as a deletion. */
  frees(command: Uint8Array): boolean {
    return command[0] === 45;
  }

  flush(): void {
    // Nobody observes the lines.
  }

  snapshot(): Iterable<Uint8Array> {
    return [new TextEncoder().encode(JSON.stringify(this.lines))];
  }

  decode(bytes: Uint8Array): () => void {
    const lines = JSON.parse(new TextDecoder().decode(bytes)) as string[];
    return () => {
      this.lines = lines;
    };
  }
}

/** The clock of one process: nothing of it runs after the process died. */
class ProcessClock implements Clock {
  readonly #clock: ManualClock;
  dead = false;
  /** What came due while the process was frozen; null while it runs. */
  #frozen: (() => void)[] | null = null;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  freeze(): void {
    this.#frozen ??= [];
  }

  thaw(): void {
    const due = this.#frozen ?? [];
    this.#frozen = null;
    for (const callback of due) this.#clock.defer(() => this.#run(callback));
  }

  now(): number {
    return this.#clock.now();
  }

  wallNow(): number {
    return this.#clock.wallNow();
  }

  setTimeout(callback: () => void, delayMs: number): () => void {
    return this.#clock.setTimeout(() => this.#run(callback), delayMs);
  }

  defer(callback: () => void): void {
    this.#clock.defer(() => this.#run(callback));
  }

  #run(callback: () => void): void {
    if (this.dead) return;
    if (this.#frozen === null) callback();
    else this.#frozen.push(callback);
  }
}

type Process = {
  readonly host: string;
  readonly clock: ProcessClock;
  readonly disk: MemoryDisk;
  readonly machine: LineMachine;
};

export type WorldMemberOptions = Partial<MemberOptions> & {
  /** Default `secret`. */
  readonly secret?: string;
  /** The host that it runs on, where that is not a new one. */
  readonly host?: string;
  /** It is the same run as this one was, of what is on its disk: a process put back with its memory. */
  readonly sameRunAs?: Member;
  /** Default true. */
  readonly durable?: boolean;
  /** The application names the register's group of now. Default false. */
  readonly pinned?: boolean;
  /** What its disk keeps for when it is full. Default 0. */
  readonly reserveBytes?: number;
  /** Each sync and each answer of the register takes a millisecond. Default false. */
  readonly slow?: boolean;
};

export class World {
  readonly clock: ManualClock = new ManualClock();
  readonly network: MemoryNetwork = new MemoryNetwork({
    clock: this.clock,
    latencyMs: 1,
    silentAfterMs: 3_000,
    fate: ({ channel, to }) => [channel === 'bulk' ? this.bulkMs(to) : 1],
  });
  /** How long a frame of a snapshot, or an answer to one, is on its way to a host. */
  bulkMs: (to: string) => number = () => 1;
  readonly registers: MemoryRegisters = new MemoryRegisters('test');
  readonly meetingPoint: MemoryMeetingPoint = new MemoryMeetingPoint();
  readonly #policy: Partial<Policy>;
  /** Of replicas with keys; null: their ids are random. */
  readonly signedRuns: SignedRuns | null;
  readonly #disks = new Map<string, MemoryDisk>();
  readonly #processes = new Map<Member, Process>();
  /** Syncs that wait, by the name of the disk that hangs. */
  readonly #stalled = new Map<string, (() => void)[]>();
  #runCount = 0;

  constructor(policy: Partial<Policy> = {}, signer: RunSigner | null = null) {
    this.#policy = policy;
    this.signedRuns = signer === null ? null : new SignedRuns(signer);
  }

  /** A member on its own disk; the same name gets the same disk again, unless it is in memory. */
  member(name: string, options: WorldMemberOptions = {}): Member {
    const { secret = 'secret', durable = true, slow = false, pinned = false } = options;
    const { host: _, sameRunAs: __, reserveBytes = 0, ...rest } = options;
    const known = durable ? this.#disks.get(name) : undefined;
    const pause = (done: () => void): void => void this.clock.setTimeout(done, 1);
    const sync = slow
      ? pause
      : (done: () => void): void => {
          const waiting = this.#stalled.get(name);
          if (waiting === undefined) queueMicrotask(done);
          else waiting.push(done);
        };
    const disk = known ?? new MemoryDisk({ durable, sync, reserveBytes });
    this.#disks.set(name, disk);
    const cipher = this.cipher(secret);
    const machine = new LineMachine();
    const clock = new ProcessClock(this.clock);
    this.#runCount += 1;
    const host = options.host ?? `${name}-${this.#runCount}`;
    const run = options.sameRunAs === undefined ? null : this.#runOf(options.sameRunAs);
    let isFirst = true;
    const createStorage = (): LogStorage => {
      const storage = new MemoryStorage(disk);
      if (run === null || !isFirst) return storage;
      isFirst = false;
      return openedAs(storage, run);
    };
    const member = new Member({
      namespace: 'test',
      label: name,
      clock,
      random: seededBytes(this.#runCount),
      topics: () => [cipher.topic],
      signedRuns: () => this.signedRuns,
      createStorage,
      network: () => {
        const { topic, nameTag } = cipher;
        const plain = this.registers.register({ topic, nameTag, pinned });
        const register = slow ? slowed(plain, pause) : plain;
        const rendezvous = this.meetingPoint.rendezvous(cipher.topic);
        return Promise.resolve({
          transport: this.network.transport(host),
          cipher,
          register,
          rendezvous,
          care: registerCare({ register, rendezvous, clock }),
        });
      },
      stateMachine: machine,
      policy: this.#policy,
      ...rest,
    });
    this.#processes.set(member, { host, clock, disk, machine });
    return member;
  }

  cipher(secret: string = 'secret'): Cipher {
    return createPlainCipher({ namespace: 'test', secrets: [secret], strict: true });
  }

  /** Starts members at once and waits until each is ready and the voters are as many as can be. */
  async cluster(names: readonly string[], options: WorldMemberOptions = {}): Promise<Member[]> {
    const members = names.map((name) => this.member(name, options));
    for (const member of members) void member.start();
    await this.ready(members);
    const votersWanted = Math.min(
      5,
      members.length % 2 === 1 ? members.length : members.length - 1,
    );
    // Beyond the joint membership too: until that is left, the founder alone is a majority of the old.
    await this.until(() => {
      const last = Math.max(...members.map(({ status }) => status.raft.lastIndex));
      return members.every(
        (member) =>
          voters(member).length === votersWanted && member.status.raft.commitIndex === last,
      );
    });
    return members;
  }

  async ready(members: readonly Member[]): Promise<void> {
    await this.wait(Promise.all(members.map((member) => member.ready())), 120_000);
  }

  /** The process dies as by SIGKILL: what is not durable is gone, nothing of it runs on. */
  kill(member: Member): void {
    const { clock, host, disk } = this.#process(member);
    clock.dead = true;
    this.network.kill(host);
    disk.crash();
  }

  /** The process stands still, as when a machine sleeps; what is sent to it waits. */
  freeze(member: Member, others: readonly Member[]): void {
    this.#process(member).clock.freeze();
    for (const other of others) this.network.hold(this.host(other), this.host(member));
  }

  thaw(member: Member, others: readonly Member[]): void {
    this.#process(member).clock.thaw();
    for (const other of others) this.network.release(this.host(other), this.host(member));
  }

  /** Cuts every link between the two sides, both ways. */
  part(side: readonly Member[], other: readonly Member[], how: 'cut' | 'heal' = 'cut'): void {
    for (const a of side) {
      for (const b of other) {
        this.network[how](this.host(a), this.host(b));
        this.network[how](this.host(b), this.host(a));
      }
    }
  }

  /** From now on syncs of this member's disk hang, until `release` is called. */
  stallDisk(member: Member): { release(): void } {
    const { label } = member.status;
    const waiting: (() => void)[] = [];
    this.#stalled.set(label, waiting);
    return {
      release: () => {
        this.#stalled.delete(label);
        for (const done of waiting) done();
      },
    };
  }

  host(member: Member): string {
    return this.#process(member).host;
  }

  disk(member: Member): MemoryDisk {
    return this.#process(member).disk;
  }

  /** A copy of its disk as it is now, as `cp -a` or an image of the machine makes it. */
  image(member: Member): MemoryDisk {
    return this.disk(member).copy();
  }

  /** Lays a copy over the disk of `name`; nobody may hold it. The copy can be used again. */
  layOver(name: string, image: MemoryDisk): void {
    this.#disks.set(name, image.copy());
  }

  /** One more disk, beside those that members have by their names; the same one again by its name. */
  spareDisk(name: string): MemoryDisk {
    const disk = this.#disks.get(name) ?? new MemoryDisk({ durable: true });
    this.#disks.set(name, disk);
    return disk;
  }

  /** Everything on its disk is lost; its process must be dead. */
  wipe(member: Member): void {
    this.#disks.delete(member.status.label);
  }

  /** Its disk becomes another, with what a backup of it held, and was opened `epoch` times. */
  async restore(member: Member, backup: PersistBatch, epoch: number): Promise<void> {
    const { run } = this.disk(member).contents;
    if (run === null) throw new Error('nothing to restore');
    const disk = new MemoryDisk({ durable: true });
    for (let count = 1; count <= epoch; count++) {
      const storage = new MemoryStorage(disk);
      const topics = [this.cipher().topic];
      const nonce = 'ff'.repeat(8);
      await storage.open({ create: true, newNodeId: run.nodeId, nonce, topics });
      await storage.load();
      if (count === epoch) await storage.persist(backup);
      await storage.close();
    }
    this.#disks.set(member.status.label, disk);
  }

  line(text: string): Uint8Array {
    return new TextEncoder().encode(text);
  }

  log(member: Member): readonly string[] {
    return this.#process(member).machine.lines;
  }

  machine(member: Member): LineMachine {
    return this.#process(member).machine;
  }

  /** Proposes a line and waits for it. */
  async append(member: Member, text: string): Promise<void> {
    await this.wait(member.propose(this.line(text)));
  }

  /** What a linearizable read through this member sees. */
  async read(member: Member): Promise<readonly string[]> {
    await this.wait(member.readBarrier());
    return [...this.log(member)];
  }

  leader(members: readonly Member[]): Member {
    const leaders = members.filter((member) => member.status.raft.role === 'leader');
    leaders.sort((a, b) => b.status.raft.term - a.status.raft.term);
    if (leaders[0] === undefined) throw new Error('nobody leads');
    return leaders[0];
  }

  until(condition: () => boolean, limitMs?: number): Promise<void> {
    return this.clock.until(condition, limitMs);
  }

  wait<T>(promise: Promise<T>, limitMs?: number): Promise<T> {
    return this.clock.wait(promise, limitMs);
  }

  #runOf(member: Member): Run {
    const { run } = this.disk(member).contents;
    if (run === null) throw new Error('it never ran');
    const { mark: _, ...own } = run;
    return own;
  }

  #process(member: Member): Process {
    const process = this.#processes.get(member);
    if (process === undefined) throw new Error('no such member here');
    return process;
  }
}

/** Opens as the run that it was. */
function openedAs(storage: LogStorage, run: Run): LogStorage {
  const open = storage.open.bind(storage);
  return Object.assign(storage, {
    open: async (options: OpenOptions) => {
      await open(options);
      return run;
    },
  });
}

function slowed(register: Register, pause: (done: () => void) => void): Register {
  const wait = (): Promise<void> => new Promise(pause);
  return {
    group: register.group,
    read: async (signal) => {
      await wait();
      return register.read(signal);
    },
    compareAndSet: async (expectedVersion, value, signal) => {
      await wait();
      const result = await register.compareAndSet(expectedVersion, value, signal);
      await wait();
      return result;
    },
  };
}

export function voters(member: Member): string[] {
  return member.status.members
    .filter((one) => one.kind === 'voter')
    .map((one) => one.label)
    .sort();
}
