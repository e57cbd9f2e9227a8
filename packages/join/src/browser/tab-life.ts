/**
 * One life of a page's member: from its start, or its return from the back/forward cache, to the
 * moment in which the page is left or frozen (Z6). It runs the replicas of the slots that this tab
 * holds; the page reads and writes through the first of them, or, where every slot is taken, through
 * a learner in memory.
 *
 * Each replica is a host of its own: one that is handed to another tab takes no link of its
 * neighbours along.
 */
import { isQuorateError, isRefusalCode, madeWithAnotherSecret } from '@quorate/contracts';
import { Member, Neighbours } from '@quorate/cluster';
import type { LogStorage, QuorateError, StateMachine, Transport } from '@quorate/contracts';
import type { SignedRuns } from '@quorate/cluster/signed';
import type { ClusterStatus, MemberNetwork, MemberOptions } from '@quorate/cluster';
import { MemoryDisk, MemoryStorage } from '@quorate/contracts/memory';
import { holdsLog, IndexedDbStorage } from '@quorate/storage-indexeddb';
import { failureDomain } from '../domain.ts';
import type { JoinOptions } from '../options.ts';
import { checkEnvironment, hasDisk } from './environment.ts';
import type { Environment } from './environment.ts';
import type { Realm } from './realm.ts';
import { Slots } from './slots.ts';

export type TabLifeOptions = {
  readonly join: JoinOptions & { readonly label: string };
  /** The page's own state, empty as yet. */
  readonly stateMachine: StateMachine;
  /** An empty one, for a replica beside that. */
  readonly another: () => StateMachine;
  readonly realm: Realm;
  readonly environment: Environment;
  readonly changed: () => void;
};

export class TabLife {
  /** What the page reads and writes through. */
  readonly primary: Member;
  readonly #options: TabLifeOptions;
  readonly #neighbours = new Neighbours();
  /** Replicas beside the primary, by slot. */
  readonly #others = new Map<number, Member>();
  readonly #unsubscribe: () => void;
  #slots: Slots | null = null;
  /** The primary's slot; null: it lives in memory. Undefined until that is known. */
  #slot: number | null | undefined;
  #topics: readonly string[] = [];
  #signedRuns: SignedRuns | null = null;
  /** The primary's. */
  #transport: Transport | null = null;
  /** Ends what the realm prepared and nobody took. */
  #forget: () => void = () => {};
  #asked = false;
  #over = false;
  #closing: Promise<void> | null = null;

  constructor(options: TabLifeOptions) {
    this.#options = options;
    const { storage } = options.join;
    this.primary = this.#member(
      options.join.label,
      options.stateMachine,
      storage === 'memory' ? () => memory() : (at) => this.#takeStorage(at),
      async () => {
        const network = await options.realm.network();
        this.#transport = network.transport;
        return network;
      },
    );
    this.#unsubscribe = this.primary.subscribe(() => this.#changed());
  }

  /** True where the page's tabs keep something that outlives them. */
  get durable(): boolean {
    return typeof this.#slot === 'number' || this.#others.size > 0;
  }

  /** The host that the page reads and writes through; null before it is up. */
  get peerId(): string | null {
    return this.#transport?.host ?? null;
  }

  get addresses(): readonly string[] {
    return this.#over ? [] : (this.#transport?.addresses() ?? []);
  }

  start(): Promise<void> {
    return this.primary.start();
  }

  shown(): void {
    this.#slots?.shown();
  }

  hidden(): void {
    this.#slots?.hidden();
  }

  /** Lets go of everything in one step, as a page must that is being left (Z6). */
  drop(): void {
    if (this.#over) return;
    this.#over = true;
    this.#unsubscribe();
    this.#forget();
    const leaving = this.#replicas();
    for (const member of this.#members()) member.drop(leaving);
    this.#slots?.close();
  }

  /** Hands over what it can, and ends. */
  close(): Promise<void> {
    if (!this.#over) this.#closing = this.#close();
    return this.#closing ?? Promise.resolve();
  }

  async #close(): Promise<void> {
    this.#over = true;
    this.#forget();
    // One after the other, for a neighbour that is leaving too is no good successor.
    for (const member of [...this.#others.values(), this.primary]) await member.close();
    this.#unsubscribe();
    this.#slots?.close();
  }

  /** Comes by a slot; called again when the primary archived its store and is to begin anew (Z10). */
  async #takeStorage(at: number): Promise<LogStorage> {
    const { environment, realm } = this.#options;
    if (realm.maySpareDisks && !hasDisk(environment)) {
      this.#slot = null;
      return memory();
    }
    const { locks, indexedDB } = checkEnvironment(environment);
    if (this.#slot === undefined) {
      this.#topics = await realm.topics();
      // Z42: before a slot is asked for, and before anything is read. What begins at the same time is
      // told apart where it opens.
      if (await holdsLog(indexedDB, this.#storeNames(), this.#topics)) {
        throw madeWithAnotherSecret(realm.name);
      }
      if (this.#over) return memory();
      this.#slots = new Slots({
        name: realm.name,
        count: realm.slotCount,
        tab: hex(environment.random(8)),
        locks,
        channel: new BroadcastChannel(`quorate ${realm.name} slots`),
        clock: environment.clock,
        events: {
          adopted: (slot) => this.#adopt(slot, indexedDB),
          spare: (slot) => this.#spare(slot),
          isNeeded: () => isShortOfVoters(this.primary.status),
          isVisible: () => this.#isVisible(),
          isSlow: () => this.#isSlow(),
          replicas: () => this.#replicas(),
          yieldTo: (replicas) => {
            for (const member of this.#members()) member.yieldLeadership(replicas);
          },
        },
      });
      // Mostly all slots are free or all are taken: the database is opened while that is asked.
      const likely = this.#store(0, indexedDB);
      likely.prepare();
      this.#forget = realm.prepare?.() ?? this.#forget;
      this.#slot = await this.#slots.first();
      if (this.#slot === 0) return likely;
      likely.drop();
    }
    return this.#slot === null ? memory() : this.#store(this.#slot, indexedDB, at);
  }

  #adopt(slot: number, indexedDB: IDBFactory): void {
    if (this.#over) return;
    const { label } = this.#options.join;
    const member = this.#member(
      `${label.slice(0, 60)} (${slot + 1})`,
      this.#options.another(),
      (count) => this.#store(slot, indexedDB, count),
    );
    this.#others.set(slot, member);
    member.subscribe(() => {
      this.#campaignIfAlone(this.primary.status);
      if (!hasEnded(member.status) || this.#others.get(slot) !== member || this.#over) return;
      // It says why in its own status only; another tab, or this one later, tries again.
      this.#others.delete(slot);
      void member.close().then(() => this.#slots?.giveUp(slot));
    });
    void member.start();
  }

  /** The page reads through its primary, so that one stays. */
  #spare(slot: number): Promise<void> | false {
    const member = this.#others.get(slot);
    if (member === undefined) return false;
    this.#others.delete(slot);
    return member.close();
  }

  #members(): Member[] {
    return [this.primary, ...this.#others.values()];
  }

  #replicas(): string[] {
    return this.#members().flatMap(({ status }) => status.nodeId ?? []);
  }

  #changed(): void {
    const { status } = this.primary;
    this.#slots?.look();
    if (hasEnded(status) && !this.#over) {
      // Its trouble stands in the status; the slots are free for tabs that can use them.
      void this.close();
    }
    this.#campaignIfAlone(status);
    this.#options.changed();
  }

  /** All slots in one hand: nobody else can lead, so there is nothing to wait for (DESIGN §13). */
  #campaignIfAlone(status: ClusterStatus): void {
    if (status.phase !== 'electing') {
      this.#asked = false;
      return;
    }
    if (
      !this.#options.realm.isOneProfile ||
      this.#asked ||
      this.#slots?.hasAll !== true ||
      isShortOfVoters(status)
    )
      return;
    this.#asked = true;
    // The longest log first, for a shorter one may not win.
    const members = this.#members().sort(
      (a, b) => b.status.raft.lastIndex - a.status.raft.lastIndex,
    );
    this.#campaignInTurn(members);
  }

  #campaignInTurn([next, ...others]: readonly Member[]): void {
    if (next === undefined || this.#over || this.primary.status.phase !== 'electing') return;
    next.campaign();
    this.#options.environment.clock.setTimeout(() => this.#campaignInTurn(others), campaignMs);
  }

  #member(
    label: string,
    stateMachine: StateMachine,
    createStorage: MemberOptions['createStorage'],
    network: () => Promise<MemberNetwork> = () => this.#options.realm.network(),
  ): Member {
    const { join, environment, realm } = this.#options;
    const { formation, policy, limits, writeTimeoutMs, readTimeoutMs } = join;
    return new Member({
      namespace: join.namespace,
      label,
      clock: environment.clock,
      clockName: environment.clockName,
      // Hidden pages are slowed down and frozen: who is looked at goes first.
      priority: () => (this.#isVisible() ? 2 : this.#isSlow() ? 0 : 1),
      random: environment.random,
      createStorage: async (at) => {
        // Side by side: both may take a while.
        const [store, signedRuns] = await Promise.all([createStorage(at), realm.signedRuns()]);
        this.#signedRuns = signedRuns;
        return store;
      },
      beginsAnew: true,
      neighbours: this.#neighbours,
      // Known by now: a store is opened after the first slot was come by.
      topics: () => this.#topics,
      signedRuns: () => this.#signedRuns,
      memoryMayFound: false,
      ...(realm.isOneProfile ? { isLogHere: () => this.#isLogHere() } : {}),
      network,
      stateMachine,
      runtime: 'page',
      // The browser is asked for it when it is needed only, for that takes a while.
      get domain() {
        return failureDomain(join.zone, `profile ${environment.profile}`);
      },
      mayVote: join.vote !== 'never',
      formation: formation ?? 'auto',
      policy: { ...realm.policy, ...policy },
      ...(limits === undefined ? {} : { limits }),
      ...(writeTimeoutMs === undefined ? {} : { writeTimeoutMs }),
      ...(readTimeoutMs === undefined ? {} : { readTimeoutMs }),
    });
  }

  #store(slot: number, indexedDB: IDBFactory, at: number = 0): IndexedDbStorage {
    const name = this.#storeName(slot, at);
    // The slot's lock is held for as long as this store is open.
    return new IndexedDbStorage({ name, indexedDB, locks: null });
  }

  /** The database of a replica that was refused stays as it is; the slot goes on in the next (T1). */
  #storeName(slot: number, at: number = 0): string {
    const next = at === 0 ? '' : `#${at + 1}`;
    return `quorate ${this.#options.realm.name} ${slot}${next}`;
  }

  #isVisible(): boolean {
    return this.#options.environment.page.document.visibilityState === 'visible';
  }

  /** Timers of a hidden page beat once a second or less, unless a worker drives them. */
  #isSlow(): boolean {
    return !this.#isVisible() && this.#options.environment.clockName() === 'page';
  }

  /** Databases can be deleted one by one: the register's without those of replicas, or these alone. */
  async #isLogHere(): Promise<boolean> {
    const { indexedDB } = checkEnvironment(this.#options.environment);
    return holdsLog(indexedDB, this.#storeNames());
  }

  /** Another page may have been told of more of them. */
  #storeNames(): string[] {
    return Array.from({ length: slotCountMax }, (_, slot) => this.#storeName(slot));
  }
}

/**
 * Does a later run have the replica (Z4)? Its slot moved while this page was not looking; the page
 * goes on as another run. Data that are gone are another matter.
 */
export function hasMoved(failure: QuorateError | null): boolean {
  return isQuorateError(failure, 'STORAGE_LOST') && failure.details['run'] !== undefined;
}

/** Others found that this replica was copied or put back: it is marked, and the slot begins anew. */
export function wasRefused(failure: QuorateError | null): boolean {
  return failure !== null && isRefusalCode(failure.code) && failure.outcome === 'unknown';
}

function memory(): LogStorage {
  return new MemoryStorage(new MemoryDisk({ durable: false }));
}

function hasEnded({ phase }: ClusterStatus): boolean {
  return phase === 'stopped' || phase === 'outdated';
}

/** No majority of the voters is within reach, or it is not even known who they are. */
function isShortOfVoters({ members, clusterId }: ClusterStatus): boolean {
  const voters = members.filter(({ kind }) => kind === 'voter');
  if (voters.length === 0) return clusterId !== null;
  return voters.filter(({ reachable }) => reachable).length <= voters.length / 2;
}

function hex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** An election among replicas of one page takes a few transactions. */
const campaignMs = 100;
/** Of any page; see `JoinOptions`. */
const slotCountMax = 5;
