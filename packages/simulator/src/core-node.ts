/**
 * One replica of the bare consensus core with the smallest honest driver around it: a disk that
 * takes its time, a state machine that is a hash, and nothing of `cluster`. It exists to find bugs
 * of the core, thousands of worlds a minute.
 */
import { Lease, silentTicksOf } from '@quorate/cluster/inside';
import type { Entry, HardState, Membership, Message, NodeId } from '@quorate/core';
import type { PersistBatch, Ready, RefusedMessage, SnapshotMeta, SoftState } from '@quorate/core';
import { Raft, decodeMembershipEntry } from '@quorate/core';
import type { SafetyChecker } from './checker.ts';
import { hashBytes } from './event-hash.ts';
import type { Prng } from './prng.ts';
import { violated } from './violation.ts';
import type { ProcessClock, VirtualClock } from './virtual-clock.ts';

/** The replicated state: how many commands, and a hash that stands on all of them in order. */
export type CoreState = { readonly commandCount: number; readonly hash: number };

export type CoreSnapshot = { readonly meta: SnapshotMeta; readonly state: CoreState };

export type CoreNodeSettings = {
  readonly syncMsMin: number;
  readonly syncMsMax: number;
  readonly stallChance: number;
  /** Entries between two snapshots. */
  readonly snapshotEvery: number;
  /** Entries kept below a snapshot. */
  readonly trailing: number;
  readonly tickMs: number;
  readonly applyDelayMsMax: number;
  readonly heartbeatTicks: number;
  readonly electionTimeoutTicksMin: number;
  readonly electionTimeoutTicksMax: number;
  readonly appendBytesMax: number;
  readonly inflightCountMax: number;
  readonly inflightBytesMax: number;
  readonly leaseReads: boolean;
};

/** What the world does for a node. */
export type CoreNodeWorld = {
  readonly clock: VirtualClock;
  readonly checker: SafetyChecker;
  /** Healed: disks are fast. */
  readonly calm: boolean;
  send(message: Message): void;
  role(id: NodeId, state: SoftState): void;
  sendSnapshot(from: CoreNode, to: NodeId): void;
  committed(node: CoreNode, entry: Entry): void;
  read(node: CoreNode, requestId: number, index: number | null): void;
  /** A peer said what it may not say. */
  refused(node: CoreNode, refusal: RefusedMessage): void;
};

type DiskOperation =
  | { readonly type: 'batch'; readonly batch: PersistBatch }
  | { readonly type: 'snapshot'; readonly snapshot: CoreSnapshot; readonly install: boolean };

const emptyState: CoreState = { commandCount: 0, hash: 0 };

/** What survives a crash. */
type Durable = { hardState: HardState; snapshot: CoreSnapshot | null; entries: Entry[] };

export class CoreNode {
  readonly id: NodeId;
  readonly durable: Durable = {
    hardState: { currentTerm: 0, votedFor: null, commitIndex: 0 },
    snapshot: null,
    entries: [],
  };
  raft: Raft | null = null;
  clock: ProcessClock | null = null;
  state: CoreState = emptyState;
  appliedIndex = 0;
  /** Snapshots whose bytes have arrived, by index. */
  readonly received: Map<number, CoreSnapshot> = new Map<number, CoreSnapshot>();
  #membership: { readonly membership: Membership; readonly index: number } | null = null;
  readonly #world: CoreNodeWorld;
  readonly #settings: CoreNodeSettings;
  readonly #prng: Prng;
  #queue: DiskOperation[] = [];
  #syncing: DiskOperation[] = [];
  #finishSync: () => void = () => undefined;
  #toApply: Entry[] = [];
  #applying = false;
  #snapshotting = false;
  #lease: Lease | null = null;
  #startCount = 0;
  #tickCount = 0;
  /** The newest answer to an append or a heartbeat, by peer. */
  readonly #answeredAtTick: Map<NodeId, number> = new Map<NodeId, number>();
  #leads: { readonly what: string; readonly sinceTick: number } = { what: '', sinceTick: 0 };

  constructor(id: NodeId, world: CoreNodeWorld, settings: CoreNodeSettings, prng: Prng) {
    this.id = id;
    this.#world = world;
    this.#settings = settings;
    this.#prng = prng;
  }

  get running(): boolean {
    return this.raft !== null;
  }

  start(clock: ProcessClock): void {
    const { hardState, snapshot, entries } = this.durable;
    const settings = this.#settings;
    this.clock = clock;
    this.state = snapshot?.state ?? emptyState;
    this.appliedIndex = snapshot?.meta.index ?? 0;
    this.#membership =
      snapshot === null
        ? null
        : { membership: snapshot.meta.membership, index: snapshot.meta.membershipIndex };
    this.#world.checker.started(this.id);
    this.raft = new Raft(
      {
        nodeId: this.id,
        seed: this.#prng.uint32(),
        heartbeatTicks: settings.heartbeatTicks,
        electionTimeoutTicksMin: settings.electionTimeoutTicksMin,
        electionTimeoutTicksMax: settings.electionTimeoutTicksMax,
        appendBytesMax: settings.appendBytesMax,
        inflightCountMax: settings.inflightCountMax,
        inflightBytesMax: settings.inflightBytesMax,
        priority: this.#prng.int(3),
        leaseReads: settings.leaseReads,
        silentTicks:
          settings.leaseReads && this.#startCount > 0
            ? silentTicksOf(settings.electionTimeoutTicksMax)
            : 0,
      },
      {
        hardState,
        snapshot: snapshot?.meta ?? null,
        entries: [...entries],
        appliedIndex: this.appliedIndex,
      },
    );
    this.#startCount += 1;
    const { tickMs, electionTimeoutTicksMin } = settings;
    this.#lease = settings.leaseReads
      ? new Lease({ raft: this.raft, clock, electionTimeoutTicksMin, tickMs })
      : null;
    const beat = (): void => {
      if (this.clock !== clock || this.raft === null) return;
      clock.setTimeout(beat, settings.tickMs);
      this.#lease?.observe();
      this.#tickCount += 1;
      this.raft.tick();
      this.#checkQuorum(this.raft);
      this.pump();
    };
    clock.setTimeout(beat, this.#prng.between(0, settings.tickMs));
    this.pump();
  }

  /** Stops at once; of the writes under way a random prefix is on the disk. */
  crash(): void {
    if (this.raft === null) return;
    const waiting = [...this.#syncing, ...this.#queue];
    for (const operation of waiting.slice(0, this.#prng.int(waiting.length + 1))) {
      this.#toDisk(operation);
    }
    this.clock?.kill();
    this.raft = null;
    this.clock = null;
    this.#queue = [];
    this.#syncing = [];
    this.#toApply = [];
    this.#applying = false;
    this.#snapshotting = false;
    this.received.clear();
  }

  /** Where a read may be served at once, on the strength of a lease; null: nowhere (Z23). */
  leaseIndex(): number | null {
    return this.#lease?.readIndex() ?? null;
  }

  step(message: Message): void {
    const { type, from } = message;
    if (type === 'AppendEntriesResponse' || type === 'HeartbeatResponse') {
      this.#answeredAtTick.set(from, this.#tickCount);
    }
    this.raft?.step(message);
    this.pump();
  }

  meetNewRun(id: NodeId): void {
    this.#answeredAtTick.set(id, this.#tickCount);
    this.raft?.resetProgress(id);
    this.pump();
  }

  /** E10, T12: a leader whom no quorum answers does not lead for long, whatever else it is told. */
  #checkQuorum(raft: Raft): void {
    const { electionTimeoutTicksMin } = this.#settings;
    // Looking costs something, so not at each tick.
    if (this.#tickCount % Math.ceil(electionTimeoutTicksMin / 4) !== 0) return;
    const { role, term, membership, membershipIndex } = raft.status();
    const now = this.#tickCount;
    const leads = role === 'leader' ? `${term}/${membershipIndex}` : '';
    if (leads !== this.#leads.what) this.#leads = { what: leads, sinceTick: now };
    const patience = 2 * electionTimeoutTicksMin;
    if (leads === '' || now - this.#leads.sinceTick < patience) return;
    const isHeard = (id: NodeId): boolean =>
      id === this.id || now - (this.#answeredAtTick.get(id) ?? -patience) < patience;
    for (const half of [membership.voters, membership.votersOutgoing]) {
      if (half.length === 0 || 2 * half.filter(isHeard).length > half.length) continue;
      const text = `${this.id} leads term ${term}, and no quorum has answered it for ${patience} ticks`;
      violated('check-quorum', text);
    }
  }

  /** Carries out what the machine wants, until it wants nothing more. */
  pump(): void {
    const raft = this.raft;
    if (raft === null) return;
    for (let rounds = 0; ; rounds++) {
      if (rounds > 1_000) {
        violated('stopped', `${this.id} never stops being ready`);
        return;
      }
      this.#lease?.observe();
      const ready = raft.ready();
      if (ready === null) return;
      this.#carryOut(ready);
      if (this.raft !== raft) return;
    }
  }

  #carryOut(ready: Ready): void {
    const checker = this.#world.checker;
    for (const refusal of ready.refused) this.#world.refused(this, refusal);
    if (ready.fatal !== null) {
      violated('stopped', `${this.id} is fatal: ${ready.fatal.reason}`);
    }
    for (const { term, index } of ready.truncated) {
      if (checker.committedTerm(index) === term) {
        violated('state-machine', `${this.id} says that committed ${term}:${index} was truncated`);
      }
    }
    if (ready.installSnapshot !== null) {
      const { index } = ready.installSnapshot;
      const snapshot = this.received.get(index);
      if (snapshot === undefined) {
        violated(
          'faithful-snapshot',
          `${this.id} installs a snapshot at ${index} that it never got`,
        );
      } else {
        this.#write({ type: 'snapshot', snapshot, install: true });
      }
    }
    if (ready.persist !== null) {
      checker.written(this.id, ready.persist);
      this.#write({ type: 'batch', batch: ready.persist });
    }
    if (ready.softState !== null) this.#world.role(this.id, ready.softState);
    if (ready.softState?.role === 'leader') checker.leads(this.id, ready.softState.term);
    for (const message of ready.messages) {
      checker.sent(message);
      this.#world.send(message);
    }
    for (const to of ready.sendSnapshot) this.#world.sendSnapshot(this, to);
    for (const { requestId, index } of ready.reads) this.#world.read(this, requestId, index);
    for (const entry of ready.committed) this.#toApply.push(entry);
    this.#applySoon();
  }

  #applySoon(): void {
    if (this.#applying || this.#toApply.length === 0 || this.raft === null) return;
    const delayMs = this.#world.calm ? 0 : this.#prng.float() * this.#settings.applyDelayMsMax;
    if (delayMs === 0) {
      this.#apply();
      return;
    }
    this.#applying = true;
    this.clock?.setTimeout(() => {
      this.#applying = false;
      this.#apply();
      this.pump();
    }, delayMs);
  }

  #apply(): void {
    const entries = this.#toApply;
    this.#toApply = [];
    for (const entry of entries) {
      // A snapshot may have come in between.
      if (entry.index <= this.appliedIndex) continue;
      this.#world.checker.applied(this.id, entry);
      this.appliedIndex = entry.index;
      if (entry.type === 'membership') {
        const { membership } = decodeMembershipEntry(entry.data);
        this.#membership = { membership, index: entry.index };
      } else if (entry.type === 'normal') {
        this.state = {
          commandCount: this.state.commandCount + 1,
          hash: (Math.imul(this.state.hash, 31) ^ hashBytes(entry.data)) >>> 0,
        };
      }
      this.#world.committed(this, entry);
    }
    this.raft?.applied(this.appliedIndex);
    this.#snapshotIfDue();
  }

  #snapshotIfDue(): void {
    const last = this.durable.snapshot?.meta.index ?? 0;
    if (this.#snapshotting || this.#membership === null || this.raft === null) return;
    if (this.appliedIndex - last < this.#settings.snapshotEvery) return;
    const term = this.#world.checker.committedTerm(this.appliedIndex);
    if (term === undefined) return;
    this.#snapshotting = true;
    const meta: SnapshotMeta = {
      term,
      index: this.appliedIndex,
      membership: this.#membership.membership,
      membershipIndex: this.#membership.index,
    };
    this.#write({ type: 'snapshot', snapshot: { meta, state: this.state }, install: false });
  }

  #write(operation: DiskOperation): void {
    this.#queue.push(operation);
    if (this.#syncing.length === 0) this.#sync();
  }

  #sync(): void {
    const clock = this.clock;
    if (this.#queue.length === 0 || clock === null) return;
    const count = this.#queue[0]?.type === 'batch' ? this.#batchesInFront() : 1;
    this.#syncing = this.#queue.splice(0, count);
    const { syncMsMin, syncMsMax, stallChance } = this.#settings;
    const calm = this.#world.calm;
    const syncMs = this.#prng.between(syncMsMin, calm ? syncMsMin * 2 : syncMsMax);
    const syncing = this.#syncing;
    this.#finishSync = () => {
      if (this.#syncing !== syncing) return;
      this.#syncing = [];
      for (const operation of syncing) this.#toDisk(operation);
      this.#sync();
      for (const operation of syncing) this.#done(operation);
      this.pump();
    };
    const stalls = !calm && this.#prng.chance(stallChance);
    clock.setTimeout(this.#finishSync, stalls ? syncMs * 50 : syncMs);
  }

  /** A disk that hangs comes back now; without it a stall may outlast what is left of the world. */
  endStall(): void {
    this.clock?.setTimeout(this.#finishSync, this.#settings.syncMsMin);
  }

  #batchesInFront(): number {
    const end = this.#queue.findIndex((operation) => operation.type !== 'batch');
    return end === -1 ? this.#queue.length : end;
  }

  #toDisk(operation: DiskOperation): void {
    const { durable } = this;
    const checker = this.#world.checker;
    if (operation.type === 'batch') {
      const { hardState, entries } = operation.batch;
      durable.hardState = hardState;
      const first = entries[0];
      if (first !== undefined) {
        durable.entries = durable.entries.filter((entry) => entry.index < first.index);
        durable.entries.push(...entries);
      }
      checker.persisted(this.id, operation.batch);
      return;
    }
    const { snapshot } = operation;
    if (snapshot.meta.index <= (durable.snapshot?.meta.index ?? 0)) return;
    const same = durable.entries.find((entry) => entry.index === snapshot.meta.index);
    if (same?.term !== snapshot.meta.term) durable.entries = [];
    durable.snapshot = snapshot;
    checker.snapshotSaved(this.id, snapshot.meta);
    const through = snapshot.meta.index - this.#settings.trailing;
    durable.entries = durable.entries.filter((entry) => entry.index > through);
  }

  /** Tells the machine what its disk has done. */
  #done(operation: DiskOperation): void {
    const raft = this.raft;
    if (raft === null) return;
    if (operation.type === 'batch') {
      raft.persisted(operation.batch.number);
      return;
    }
    const { snapshot, install } = operation;
    if (install) {
      if (snapshot.meta.index > this.appliedIndex) {
        this.#world.checker.snapshotInstalled(this.id, snapshot.meta);
        this.appliedIndex = snapshot.meta.index;
        this.state = snapshot.state;
        this.#membership = {
          membership: snapshot.meta.membership,
          index: snapshot.meta.membershipIndex,
        };
      }
      this.received.delete(snapshot.meta.index);
      raft.snapshotInstalled(snapshot.meta);
      return;
    }
    this.#snapshotting = false;
    raft.compact(snapshot.meta, Math.max(0, snapshot.meta.index - this.#settings.trailing));
  }
}
