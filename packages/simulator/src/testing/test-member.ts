/** One member under test: a disk that stays, and the process on it while there is one. */
import type { ClusterStatus, MemberInfo, Policy } from '@quorate/cluster';
import { Member } from '@quorate/cluster';
import type { RegisterView, RestoredRegister } from '@quorate/cluster/register';
import type { Cipher } from '@quorate/contracts';
import { QuorateError } from '@quorate/contracts';
import { bindMethods } from '@quorate/contracts/bound';
import { ClusterCore, ClusterHandle, closeOnDispose, listenFor } from '@quorate/join/cluster';
import type {
  Backup,
  BackupOptions,
  Cluster,
  ClusterEvents,
  ExportedEntry,
  ExportOptions,
  ImportOptions,
} from '@quorate/join/cluster';
import type { Counter, KeyValue, KvStateMachine } from '@quorate/kv';
import type { Prng } from '../prng.ts';
import { ProcessClock } from '../virtual-clock.ts';
import type { VirtualClock } from '../virtual-clock.ts';
import { VirtualDisk } from '../virtual-disk.ts';
import type { VirtualNetwork } from '../virtual-network.ts';
import type { VirtualRegister } from '../virtual-register.ts';
import { drivenBackup, drivenItems, drivenKv } from './driven.ts';
import type { Pace } from './pace.ts';

/**
 * One member under test: a `Cluster` as in production, with virtual time passing while a call waits.
 * Who subscribed is told of the next process too; live handles and watches end with theirs. Of a killed
 * member calls are rejected with `CLOSED`, at once.
 */
export interface TestMember extends Cluster {
  readonly host: string;
  readonly running: boolean;
  /** How it is; of a killed one, how it was. Throws `QuorateError` `CLOSED` before its first start. */
  readonly status: ClusterStatus;
  /** Starts its process, if there is none. */
  readonly start: () => void;
  /** Ends its process as a crash does: nobody is told. Calls that wait are rejected. */
  readonly kill: () => void;
}

/** What the members of a cluster share. */
export type TestMemberParts = {
  readonly clock: VirtualClock;
  readonly network: VirtualNetwork;
  readonly register: VirtualRegister;
  readonly cipher: Cipher;
  readonly policy: Partial<Policy>;
  readonly pace: Pace;
};

type Process = {
  readonly clock: ProcessClock;
  readonly member: Member;
  readonly cluster: Cluster;
  /** Its own, with time passing. */
  readonly kv: KeyValue;
};

export class SimulatedMember implements TestMember {
  readonly host: string;
  readonly namespace: string = 'test';
  readonly peerId: string | null = null;
  readonly addresses: readonly string[] = [];
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;
  readonly #parts: TestMemberParts;
  readonly #prng: Prng;
  readonly #disk: VirtualDisk;
  readonly #listeners = new Set<(status: ClusterStatus) => void>();
  #process: Process | null = null;
  #last: Process | null = null;

  constructor(host: string, parts: TestMemberParts, prng: Prng) {
    this.host = host;
    this.#parts = parts;
    this.#prng = prng;
    this.#disk = new VirtualDisk({
      clock: parts.clock,
      prng: prng.fork('disk'),
      conditions: { syncMsMin: 0.1, syncMsMax: 0.5, stallChance: 0 },
    });
    bindMethods(this);
    closeOnDispose(this);
  }

  get running(): boolean {
    return this.#process !== null;
  }

  get status(): ClusterStatus {
    return this.#cluster.status;
  }

  get kv(): KeyValue {
    return this.#known().kv;
  }

  counter(name: string): Counter {
    return this.kv.counter(name);
  }

  subscribe(listener: (status: ClusterStatus) => void): () => void {
    this.#listeners.add(listener);
    if (this.#last !== null) listener(this.status);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  on<T extends keyof ClusterEvents>(
    type: T,
    listener: (event: ClusterEvents[T]) => void,
  ): () => void {
    return listenFor(this, type, listener);
  }

  getSnapshot(): ClusterStatus {
    return this.#cluster.getSnapshot();
  }

  getServerSnapshot(): ClusterStatus {
    return this.#cluster.getServerSnapshot();
  }

  ready(options?: { readonly signal?: AbortSignal }): Promise<void> {
    return this.#drive((cluster) => cluster.ready(options));
  }

  members(): readonly MemberInfo[] {
    return this.#cluster.members();
  }

  explain(): string {
    return this.#cluster.explain();
  }

  backup(options?: BackupOptions): Backup {
    return drivenBackup(this.#cluster.backup(options), this.#parts.pace);
  }

  export(options?: ExportOptions): AsyncIterable<ExportedEntry> {
    return drivenItems(this.#cluster.export(options), this.#parts.pace);
  }

  import(
    entries: AsyncIterable<ExportedEntry> | Iterable<ExportedEntry>,
    options?: ImportOptions,
  ): Promise<number> {
    return this.#drive((cluster) => cluster.import(entries, options));
  }

  leave(options?: { readonly nodeId?: string; readonly signal?: AbortSignal }): Promise<void> {
    return this.#drive((cluster) => cluster.leave(options));
  }

  showRegister(options?: { readonly signal?: AbortSignal }): Promise<RegisterView> {
    return this.#drive((cluster) => cluster.showRegister(options));
  }

  restoreRegister(options?: { readonly signal?: AbortSignal }): Promise<RestoredRegister> {
    return this.#drive((cluster) => cluster.restoreRegister(options));
  }

  /** Hands leadership over, and ends its process. */
  async close(): Promise<void> {
    const process = this.#process;
    if (process === null) return;
    await this.#parts.pace.drive(process.cluster.close());
    if (this.#process === process) this.kill();
  }

  start(): void {
    if (this.#process !== null) return;
    const clock = new ProcessClock(this.#parts.clock);
    let member: Member | null = null;
    const core = new ClusterCore({ namespace: this.namespace, label: this.host }, (_, machine) => {
      member = this.#member(clock, machine);
      return { runner: member, peerId: () => null, addresses: () => [] };
    });
    if (member === null) throw new Error('Invariant broken: a cluster is made with its member');
    const cluster = new ClusterHandle(core, () => core.close());
    this.#process = { clock, member, cluster, kv: drivenKv(cluster.kv, this.#parts.pace) };
    this.#last = this.#process;
    cluster.subscribe((status) => {
      for (const listener of [...this.#listeners]) listener(status);
    });
  }

  kill(): void {
    const process = this.#process;
    if (process === null) return;
    this.#process = null;
    process.clock.kill();
    this.#parts.network.crash(this.host);
    this.#disk.crash();
    // Nothing of it reaches anybody any more; what is left is to reject the calls that wait.
    void process.member.close({ handOver: false });
    process.cluster.kv.close();
  }

  #member(clock: ProcessClock, stateMachine: KvStateMachine): Member {
    const { network, register, cipher, policy } = this.#parts;
    const prng = this.#prng.fork('process');
    return new Member({
      namespace: this.namespace,
      label: this.host,
      clock,
      random: (count) => prng.bytes(count),
      topics: () => [cipher.topic],
      createStorage: () => this.#disk.storage(clock),
      network: () =>
        Promise.resolve({
          cipher,
          transport: network.transport(this.host, clock),
          register: register.client(this.host, clock),
          rendezvous: network.meetingPoint.client(this.host, clock),
        }),
      stateMachine,
      policy,
    });
  }

  #drive<T>(call: (cluster: Cluster) => Promise<T>): Promise<T> {
    return this.#parts.pace.drive(call(this.#cluster));
  }

  get #cluster(): Cluster {
    return this.#known().cluster;
  }

  #known(): Process {
    if (this.#last === null) throw new QuorateError('CLOSED', `${this.host} was never started`);
    return this.#last;
  }
}
