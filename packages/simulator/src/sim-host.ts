/**
 * One machine of a world: a disk that outlives processes, and at most one process at a time, which
 * is the real member with its key-value store on virtual time, network and register.
 */
import type { Cipher, StateMachine } from '@quorate/contracts';
import type { Policy } from '@quorate/cluster';
import { Member, createPolicy } from '@quorate/cluster';
import { decodeEntry } from '@quorate/cluster/inside';
import { registerCare } from '@quorate/cluster/register';
import type { SignedRuns } from '@quorate/cluster/signed';
import type { NodeId, PersistBatch, SnapshotMeta } from '@quorate/core';
import type { KeyValue } from '@quorate/kv';
import { KvStateMachine, createKv } from '@quorate/kv';
import type { SafetyChecker } from './checker.ts';
import type { ClusterWeather } from './cluster-weather.ts';
import { hashBytes } from './event-hash.ts';
import type { Page } from './page.ts';
import type { LogModel } from './log-model.ts';
import type { Prng } from './prng.ts';
import type { VirtualClock } from './virtual-clock.ts';
import { violated } from './violation.ts';
import { ProcessClock } from './virtual-clock.ts';
import { VirtualDisk } from './virtual-disk.ts';
import type { VirtualNetwork } from './virtual-network.ts';
import type { VirtualRegister } from './virtual-register.ts';

/** One life of one member. */
export type SimProcess = {
  readonly host: SimHost;
  readonly number: number;
  readonly clock: ProcessClock;
  readonly member: Member;
  readonly machine: KvStateMachine;
  readonly kv: KeyValue;
  closing: boolean;
  /** When it began, by the world's clock and by its own. */
  readonly began: { readonly atMs: number; readonly localMs: number };
  /** Replicas whose hosts said anything to it, some of them gone since. */
  readonly heard: Set<NodeId>;
  /** The term in which it leads, and since when by its own clock. */
  leads: {
    readonly term: number;
    readonly sinceMs: number;
    /** By the time for which its page did not stand still. */
    readonly sinceAwakeMs: number;
  } | null;
};

/** What a host needs of its world. */
export type SimHostWorld = {
  readonly clock: VirtualClock;
  readonly network: VirtualNetwork;
  readonly register: VirtualRegister;
  readonly cipher: Cipher;
  /** Of worlds in which replicas have keys. */
  readonly signedRuns: SignedRuns;
  readonly weather: ClusterWeather;
  /** The checker of the cluster that a replica belongs to; null while that is not known. */
  checkerOf(nodeId: NodeId): SafetyChecker | null;
  modelOf(nodeId: NodeId): LogModel | null;
  /** A replica wrote its first batch: whose cluster is it? Null for one that counts no more. */
  enrol(host: SimHost, nodeId: NodeId, batch: PersistBatch): SafetyChecker | null;
  /** A replica begins with nothing, whatever it tried to write before: it belongs to no cluster. */
  forget(nodeId: NodeId): void;
  changed(process: SimProcess): void;
  /** Runs a check; what it throws ends the world, and not the member that happens to run it. */
  guard(check: () => void): void;
};

export class SimHost {
  readonly id: string;
  readonly disk: VirtualDisk;
  process: SimProcess | null = null;
  /** The replica on the disk, once there is one. */
  nodeId: NodeId | null = null;
  /** Where it runs beside others; null: in a process of its own. */
  readonly page: Page | null;
  readonly #world: SimHostWorld;
  /** Its disk was put back to an earlier state: nobody must hear it (Z3). */
  rolledBack = false;
  readonly #prng: Prng;
  readonly #policy: Policy;
  #processCount = 0;

  constructor(id: string, world: SimHostWorld, prng: Prng, page: Page | null = null) {
    this.id = id;
    this.page = page;
    this.#world = world;
    this.#prng = prng;
    this.#policy = createPolicy(world.weather.policy);
    this.disk = new VirtualDisk({
      clock: world.clock,
      prng: prng.fork('disk'),
      conditions: { ...world.weather.disk },
      tap: {
        opened: ({ nodeId }) => {
          this.nodeId = nodeId;
          if (this.disk.isBlank) world.forget(nodeId);
          world.guard(() => world.checkerOf(nodeId)?.started(nodeId));
        },
        written: (batch) => {
          const { nodeId } = this;
          if (nodeId === null) return;
          world.guard(() => {
            this.#checkFormed(batch);
            (world.checkerOf(nodeId) ?? world.enrol(this, nodeId, batch))?.written(nodeId, batch);
            world.modelOf(nodeId)?.written(batch.entries);
            this.#checkExpiry(batch);
          });
        },
        persisted: (batch) => {
          const { nodeId } = this;
          if (nodeId === null) return;
          world.guard(() => world.checkerOf(nodeId)?.persisted(nodeId, batch));
        },
        snapshotSaved: (meta, bytes) => {
          world.guard(() => {
            this.#snapshotSaved(meta, bytes);
          });
        },
      },
    });
  }

  /** `sameRun`: the first life of this process goes on as the run that is on the disk (Z72). */
  start(sameRun: boolean = false): SimProcess {
    let isFirst = sameRun;
    const { clock: worldClock, network, register, cipher, weather, signedRuns } = this.#world;
    const prng = this.#prng.fork(`process ${this.#processCount}`);
    const { drift } = weather;
    const clock = new ProcessClock(
      worldClock,
      prng.between(1 - drift, 1 + drift),
      prng.int(1_000_000),
    );
    const machine = new KvStateMachine({ history: weather.history });
    const member = new Member({
      namespace: 'simulation',
      label: this.id,
      clock,
      random: (count) => prng.bytes(count),
      topics: () => [cipher.topic],
      ...(weather.hasKeys ? { signedRuns: () => signedRuns } : {}),
      createStorage: () => {
        const storage = this.disk.storage(clock, isFirst);
        isFirst = false;
        return storage;
      },
      network: () => {
        const own = {
          register: register.client(this.id, clock),
          rendezvous: network.meetingPoint.client(this.id, clock),
        };
        return Promise.resolve({
          transport: network.transport(this.id, clock),
          cipher,
          ...own,
          care: registerCare({ ...own, clock }),
        });
      },
      stateMachine: this.#observed(machine),
      policy: weather.policy,
      writeTimeoutMs: weather.writeTimeoutMs,
      ...(this.page === null ? {} : { neighbours: this.page.neighbours }),
    });
    const kv = createKv({ consensus: member, machine });
    this.#processCount += 1;
    const process: SimProcess = {
      host: this,
      number: this.#processCount,
      clock,
      member,
      machine,
      kv,
      closing: false,
      began: { atMs: worldClock.now(), localMs: clock.now() },
      heard: new Set(),
      leads: null,
    };
    this.process = process;
    member.subscribe(() => {
      this.#world.changed(process);
    });
    void member.start();
    return process;
  }

  /** The process is gone between two instructions; the disk keeps what it happened to have. */
  crash(): void {
    const { process } = this;
    if (process === null) return;
    this.process = null;
    process.clock.kill();
    this.#world.network.crash(this.id);
    this.disk.crash();
    const { nodeId } = this;
    if (nodeId !== null) this.#world.checkerOf(nodeId)?.crashed(nodeId);
  }

  /** Z14: whoever says that there are as many copies as expected has them. */
  #checkFormed({ entries, hardState }: PersistBatch): void {
    const { nodeId } = this;
    const { expect } = this.#policy;
    const checker = nodeId === null ? null : this.#world.checkerOf(nodeId);
    if (expect === 1 || nodeId === null || checker === null) return;
    for (const { index, term, type, data } of entries) {
      // What others said was looked at when they said it.
      if (this.process?.leads?.term !== term || hardState.currentTerm !== term) continue;
      if (type !== 'normal' || decodeEntry(data).body.type !== 'formed') continue;
      const copies = checker.copiesAt(nodeId);
      if (copies >= expect) continue;
      const text = `${this.id} says in entry ${index} that there are ${expect} copies, and there are ${copies} (Z14)`;
      violated('copies', text);
    }
  }

  /**
   * Z3: a restarted run votes only once it heard of everybody who votes, or after an election timeout,
   * by every clock there is.
   */
  checkSilence(isMet: (voter: NodeId) => boolean): void {
    const { process, nodeId } = this;
    const checker = nodeId === null ? null : this.#world.checkerOf(nodeId);
    if (process === null || nodeId === null || checker === null) return;
    const { clock, weather } = this.#world;
    const worldMs = clock.now() - process.began.atMs;
    const localMs = process.clock.now() - process.began.localMs;
    const boundMs = (this.#policy.electionTimeoutMsMax / (1 + weather.drift)) * 0.9;
    if (Math.max(worldMs, localMs) >= boundMs || process.member.status.raft.epoch === 1) return;
    if (checker.hasMetVoters(nodeId, isMet)) return;
    const text = `${this.id} votes ${Math.round(worldMs)} ms after its restart, before it met every voter (Z3)`;
    violated('silence', text);
  }

  /** Z27: a leader ends only sessions that it has itself waited for, a whole lifetime long. */
  #checkExpiry({ entries, hardState }: PersistBatch): void {
    const { process } = this;
    const { sessionLifetimeMs } = this.#policy;
    for (const { index, term, type, data } of entries) {
      if (process?.leads?.term !== term || hardState.currentTerm !== term) continue;
      const body = type === 'normal' ? decodeEntry(data).body : null;
      if (body?.type !== 'sessions' || body.expired.length === 0) continue;
      const ledMs = process.clock.now() - process.leads.sinceMs;
      // A little less than the leader itself counts: the world hears later of whoever leads.
      if (ledMs > sessionLifetimeMs * 0.9) continue;
      const text = `${this.id} leads for ${Math.round(ledMs)} ms and ends ${body.expired.length} sessions in entry ${index}, wanted ${sessionLifetimeMs} ms (Z27)`;
      violated('sessions', text);
    }
  }

  #snapshotSaved(meta: SnapshotMeta, bytes: Uint8Array): void {
    const { nodeId } = this;
    const checker = nodeId === null ? null : this.#world.checkerOf(nodeId);
    if (nodeId === null || checker === null) return;
    checker.snapshotSaved(nodeId, meta);
    this.#world.modelOf(nodeId)?.snapshotSaved(nodeId, meta, bytes);
    // Its own snapshots lie at or below what it applied.
    if (meta.index > checker.appliedIndex(nodeId)) checker.snapshotInstalled(nodeId, meta);
  }

  #observed(machine: KvStateMachine): StateMachine {
    return {
      apply: (command, context) => {
        const { nodeId } = this;
        if (nodeId !== null) {
          this.#world.guard(() =>
            this.#world
              .checkerOf(nodeId)
              ?.appliedCommand(nodeId, context.index, hashBytes(command)),
          );
        }
        return machine.apply(command, context);
      },
      frees: (command) => machine.frees(command),
      flush: () => {
        machine.flush();
      },
      snapshot: () => machine.snapshot(),
      decode: (bytes) => machine.decode(bytes),
    };
  }
}
