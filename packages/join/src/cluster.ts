/** The handle that `joinCluster` gives out: what an application sees of its cluster. */
import { QuorateError } from '@quorate/contracts';
import type { Applied, BarrierOptions, Consensus, ProposeOptions } from '@quorate/contracts';
import type { Captured, ClusterStatus, MemberInfo } from '@quorate/cluster';
import type { RegisterView, RestoredRegister } from '@quorate/cluster/register';
import { bindMethods } from '@quorate/contracts/bound';
import {
  abortSignal,
  callback,
  checkValue,
  takeOptions,
  text,
  word,
} from '@quorate/contracts/options';
import { createKv, KvStateMachine } from '@quorate/kv';
import type { Counter, KeyValue } from '@quorate/kv';
import { explainStatus } from './explain.ts';
import { inertStatus } from './inert-status.ts';
import type { JoinOptions } from './options.ts';
import type { Assemble, Assembled, Runner } from './runner.ts';
import { backupOf, exportOf, importInto } from './backup.ts';
import type { Backup, BackupOptions, ExportOptions } from './backup.ts';
import type { ExportedEntry, ImportOptions, StoreCapture } from '@quorate/kv/backup';

export type { Backup, BackupOptions, ExportedEntry, ExportOptions, ImportOptions };

export type ClusterEvents = {
  role: {
    readonly role: ClusterStatus['raft']['role'];
    readonly term: number;
    readonly leader: string | null;
  };
  members: { readonly members: readonly MemberInfo[] };
  error: { readonly code: string; readonly message: string };
  /** The cluster of before was given up in favour of a later generation; its data are an archive. */
  archived: { readonly clusterId: string; readonly generation: number };
};

/** Its methods are bound: `useSyncExternalStore(cluster.subscribe, cluster.getSnapshot, …)`. */
export interface Cluster extends AsyncDisposable {
  readonly namespace: string;
  /** How this member and its cluster are; a new object when something changed, and only then. */
  readonly status: ClusterStatus;
  /** The key-value state. Calls queue until the member is ready. */
  readonly kv: KeyValue;
  /** This process on the network; null before it is up. */
  readonly peerId: string | null;
  readonly addresses: readonly string[];
  /** Calls back now and after each change of the status. The returned function ends it. */
  readonly subscribe: (listener: (status: ClusterStatus) => void) => () => void;
  /**
   * As `status`, for `useSyncExternalStore` and its like: the same object until something changes that
   * a person could see. Its log positions, counters and times are those of that moment.
   */
  readonly getSnapshot: () => ClusterStatus;
  /** What a server renders, and a page before it knows more: the same in both. */
  readonly getServerSnapshot: () => ClusterStatus;
  /** Resolves once writes are taken. Rejects with what ended this member, or `ABORTED`. */
  readonly ready: (options?: { readonly signal?: AbortSignal }) => Promise<void>;
  /** A named number that only ever moves by exactly what was asked. */
  readonly counter: (name: string) => Counter;
  readonly members: () => readonly MemberInfo[];
  /** Says in words why it is as it is, and what would end it. */
  readonly explain: () => string;
  readonly on: <T extends keyof ClusterEvents>(
    type: T,
    listener: (event: ClusterEvents[T]) => void,
  ) => () => void;
  /**
   * One consistent state of the cluster at one revision, as bytes that `restoreBackup()` of
   * `quorate/node` makes a new cluster of: everything acknowledged before the first of them was asked
   * for. Sessions are left out. Errors, when it is read: `NO_LEADER`, `NO_QUORUM`, `TIMEOUT`, `ABORTED`,
   * `CLOSED`.
   */
  readonly backup: (options?: BackupOptions) => Backup;
  /** All keys with their values at one revision, in order. Errors as `backup()`. */
  readonly export: (options?: ExportOptions) => AsyncIterable<ExportedEntry>;
  /**
   * Puts each entry, in batches; keys that begin with `~` are refused. Resolves with how many there
   * were. Errors: `BAD_REQUEST` with `details.entry`, and those of `kv.batch()`.
   */
  readonly import: (
    entries: AsyncIterable<ExportedEntry> | Iterable<ExportedEntry>,
    options?: ImportOptions,
  ) => Promise<number>;
  /**
   * Gives up this member's seat (or, with `nodeId`, another's); resolves once that is committed. Its
   * data become an archive. Errors: `NO_LEADER`, `MEMBERSHIP_REFUSED`, `CLOSED`.
   */
  readonly leave: (options?: {
    readonly nodeId?: string;
    readonly signal?: AbortSignal;
  }) => Promise<void>;
  /**
   * What the relay's register holds of this namespace, and which members are announced. Errors:
   * `UNREACHABLE`, `UNSUPPORTED` without relays.
   */
  readonly showRegister: (options?: { readonly signal?: AbortSignal }) => Promise<RegisterView>;
  /**
   * Writes this cluster into a register that has forgotten it (`status.reason` `REGISTER_LOST`), once
   * a quorum of its own members confirmed a read, and only where nothing else stands. Errors:
   * `CONFLICT`, `REGISTER_LOST`, `FORMATION_WAITING`, `NO_LEADER`, `NO_QUORUM`, `UNREACHABLE`,
   * `UNSUPPORTED`.
   */
  readonly restoreRegister: (options?: {
    readonly signal?: AbortSignal;
  }) => Promise<RestoredRegister>;
  /**
   * Hands leadership over and stops; the replica and its seat stay. Idempotent. `await using` calls it
   * at the end of the block.
   */
  readonly close: () => Promise<void>;
}

/** One member with all its parts; several handles may share it. */
export class ClusterCore implements Consensus {
  readonly namespace: string;
  readonly kv: KeyValue;
  readonly #label: string;
  readonly #machine: KvStateMachine;
  readonly #assembled: Assembled | null;
  readonly #inert: ClusterStatus;
  readonly serverSnapshot: ClusterStatus;
  /** The status that was looked at last, and the one that stands for it to a person. */
  #looked: ClusterStatus | null = null;
  #shown: { readonly status: ClusterStatus; readonly text: string } | null = null;
  readonly #listeners = new Set<(status: ClusterStatus) => void>();
  #hasJoined = false;
  /** The cluster that this member belonged to before; what it joined then it is no member of now. */
  #archived: string | null = null;
  #hasLoaded = false;
  #closing: Promise<void> | null = null;

  /** `assemble` null: an inert handle. */
  constructor(options: JoinOptions & { readonly label: string }, assemble: Assemble | null) {
    const machine = new KvStateMachine();
    this.namespace = options.namespace;
    this.#machine = machine;
    this.#label = options.label;
    this.#inert = inertStatus(options.namespace, options.label);
    this.serverSnapshot = Object.freeze({
      ...inertStatus(options.namespace, ''),
      phase: 'starting',
      reason: null,
      message: 'Starting',
    } satisfies ClusterStatus);
    this.#assembled = assemble === null ? null : assemble(options, machine);
    this.kv = createKv({
      consensus: this,
      machine,
      status: {
        isStale: () => this.status.phase !== 'ready',
        notJoined: () => this.#notJoined(),
        // A new member shows what an earlier one had, until it has the new state.
        isLoaded: () => (this.#hasLoaded ||= this.status.raft.appliedIndex > 0),
        cluster: () => this.status.clusterId,
        subscribe: (listener) => this.subscribe(listener),
      },
    });
    this.#assembled?.runner.subscribe(() => {
      this.#hasLoaded ||= this.status.raft.appliedIndex > 0;
      for (const listener of [...this.#listeners]) listener(this.status);
    });
    void this.#assembled?.runner.start();
  }

  get label(): string {
    return this.#label;
  }

  get status(): ClusterStatus {
    return this.#assembled?.runner.status ?? this.#inert;
  }

  getSnapshot(): ClusterStatus {
    const { status } = this;
    if (this.#shown !== null && status === this.#looked) return this.#shown.status;
    this.#looked = status;
    const text = visibleOf(status);
    if (text !== this.#shown?.text) this.#shown = { status, text };
    return this.#shown.status;
  }

  get peerId(): string | null {
    return this.#assembled?.peerId() ?? null;
  }

  get addresses(): readonly string[] {
    return this.#assembled?.addresses() ?? [];
  }

  subscribe(listener: (status: ClusterStatus) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async ready(signal: AbortSignal | undefined): Promise<void> {
    await this.#running().ready(signal);
  }

  async propose(command: Uint8Array, options?: ProposeOptions): Promise<Applied> {
    return this.#running().propose(command, options);
  }

  async readBarrier(options?: BarrierOptions): Promise<void> {
    return this.#running().readBarrier(options);
  }

  async capture(options: BackupOptions): Promise<Captured<StoreCapture>> {
    return this.#running().capture(() => this.#machine.store.capture(), options);
  }

  async leave(options: { nodeId?: string; signal?: AbortSignal }): Promise<void> {
    await this.#running().leave(options);
  }

  async showRegister(signal: AbortSignal | undefined): Promise<RegisterView> {
    return this.#running().showRegister(signal);
  }

  async restoreRegister(signal: AbortSignal | undefined): Promise<RestoredRegister> {
    return this.#running().restoreRegister(signal);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#assembled?.runner.close();
      this.kv.close();
    })();
    return this.#closing;
  }

  /** T6: a member that was wiped, or is new, has nothing to say until it is one. */
  #notJoined(): QuorateError | null {
    const { status } = this;
    const archived = status.archived?.clusterId ?? null;
    if (archived !== null && archived !== this.#archived) {
      this.#archived = archived;
      this.#hasJoined = false;
    }
    // A later life of a page shows what an earlier one had.
    this.#hasJoined ||= status.members.some(({ self }) => self);
    if (this.#hasJoined) return null;
    const { reason, message } = status;
    return new QuorateError(
      reason ?? 'NO_LEADER',
      `Cannot read: this member has not joined yet (${message})`,
      { outcome: 'not-applied' },
    );
  }

  #running(): Runner {
    if (this.#assembled === null) throw new QuorateError('SERVER', this.#inert.message);
    return this.#assembled.runner;
  }
}

/** One caller's handle on a shared member: closing it ends the member with the last one. */
export class ClusterHandle implements Cluster {
  readonly #core: ClusterCore;
  readonly #release: () => Promise<void>;
  readonly #endings = new Set<() => void>();
  #closing: Promise<void> | null = null;
  declare readonly [Symbol.asyncDispose]: () => Promise<void>;

  constructor(core: ClusterCore, release: () => Promise<void>) {
    this.#core = core;
    this.#release = release;
    bindMethods(this);
    closeOnDispose(this);
  }

  get namespace(): string {
    return this.#core.namespace;
  }

  get status(): ClusterStatus {
    return this.#core.status;
  }

  get kv(): KeyValue {
    return this.#core.kv;
  }

  get peerId(): string | null {
    return this.#core.peerId;
  }

  get addresses(): readonly string[] {
    return this.#core.addresses;
  }

  subscribe(listener: (status: ClusterStatus) => void): () => void {
    checkValue(listener, callback, 'subscribe', 'the listener');
    const unsubscribe = this.#core.subscribe(listener);
    const end = (): void => {
      unsubscribe();
      this.#endings.delete(end);
    };
    this.#endings.add(end);
    listener(this.status);
    return end;
  }

  getSnapshot(): ClusterStatus {
    return this.#core.getSnapshot();
  }

  getServerSnapshot(): ClusterStatus {
    return this.#core.serverSnapshot;
  }

  async ready(options?: { readonly signal?: AbortSignal }): Promise<void> {
    const { signal } = takeOptions(options, { signal: abortSignal }, 'wait until it is ready');
    this.#throwIfClosed();
    await this.#core.ready(signal);
  }

  counter(name: string): Counter {
    return this.#core.kv.counter(name);
  }

  members(): readonly MemberInfo[] {
    return this.status.members;
  }

  explain(): string {
    return explainStatus(this.status);
  }

  on<T extends keyof ClusterEvents>(
    type: T,
    listener: (event: ClusterEvents[T]) => void,
  ): () => void {
    return listenFor(this, type, listener);
  }

  backup(options: BackupOptions = {}): Backup {
    this.#throwIfClosed();
    return backupOf(() => this.#core.capture(options), this.#core.label);
  }

  export(options: ExportOptions = {}): AsyncIterable<ExportedEntry> {
    this.#throwIfClosed();
    const { prefix, ...calls } = options;
    return exportOf(() => this.#core.capture(calls), prefix);
  }

  async import(
    entries: AsyncIterable<ExportedEntry> | Iterable<ExportedEntry>,
    options?: ImportOptions,
  ): Promise<number> {
    this.#throwIfClosed();
    return importInto(this.kv, entries, options);
  }

  async leave(options?: {
    readonly nodeId?: string;
    readonly signal?: AbortSignal;
  }): Promise<void> {
    const given = takeOptions(options, { nodeId: text, signal: abortSignal }, 'leave');
    this.#throwIfClosed();
    await this.#core.leave(given);
  }

  async showRegister(options?: { readonly signal?: AbortSignal }): Promise<RegisterView> {
    this.#throwIfClosed();
    return this.#core.showRegister(
      takeOptions(options, { signal: abortSignal }, 'show the register').signal,
    );
  }

  async restoreRegister(options?: { readonly signal?: AbortSignal }): Promise<RestoredRegister> {
    this.#throwIfClosed();
    return this.#core.restoreRegister(
      takeOptions(options, { signal: abortSignal }, 'restore the register').signal,
    );
  }

  async close(options?: Readonly<Record<string, never>>): Promise<void> {
    takeOptions(options, {}, 'close');
    this.#closing ??= (async () => {
      // Listeners hear how it ends, and nothing after it.
      await this.#release();
      for (const end of [...this.#endings]) end();
    })();
    await this.#closing;
  }

  #throwIfClosed(): void {
    if (this.#closing !== null) throw new QuorateError('CLOSED', 'This handle was closed');
  }
}

/** What `await using` asks for; of a cluster whose methods are bound. */
export function closeOnDispose(cluster: Pick<Cluster, 'close'>): void {
  // Not every runtime has the symbol; compilers that make do without it look for this one.
  const name = (Symbol.asyncDispose as symbol | undefined) ?? Symbol.for('Symbol.asyncDispose');
  Object.defineProperty(cluster, name, { value: cluster.close });
}

/** What `Cluster.on` does, from what `subscribe` tells. */
export function listenFor<T extends keyof ClusterEvents>(
  { subscribe }: Pick<Cluster, 'subscribe'>,
  type: T,
  listener: (event: ClusterEvents[T]) => void,
): () => void {
  checkValue(type, word('role', 'members', 'error', 'archived'), 'listen', 'the event');
  checkValue(listener, callback, 'listen', 'the listener');
  let before: string | null = null;
  return subscribe((status) => {
    const event = eventOf(type, status);
    const text = event === null ? null : JSON.stringify(event);
    if (text === before) return;
    before = text;
    if (event !== null) listener(event as ClusterEvents[T]);
  });
}

/** What a person could see of it: figures that move with every entry are looked at by nobody. */
function visibleOf({ raft, ...status }: ClusterStatus): string {
  const { role, term, leader } = raft;
  return JSON.stringify([status, role, term, leader], (key, value: unknown) =>
    key === 'matchIndex' || key === 'roundTripMs' ? undefined : value,
  );
}

function eventOf(
  type: keyof ClusterEvents,
  status: ClusterStatus,
): ClusterEvents[keyof ClusterEvents] | null {
  switch (type) {
    case 'role': {
      const { role, term, leader } = status.raft;
      return { role, term, leader };
    }
    case 'members':
      return {
        members: status.members.map((member) => ({
          ...member,
          roundTripMs: null,
          matchIndex: null,
        })),
      };
    case 'archived':
      return status.archived ?? null;
    case 'error': {
      const { reason, message, phase } = status;
      const ended = phase === 'stopped' || phase === 'outdated';
      const matters = ended || (reason !== null && worthTelling.has(reason));
      return reason !== null && reason !== 'CLOSED' && matters ? { code: reason, message } : null;
    }
  }
}

/** What goes on, and somebody should know of. */
const worthTelling: ReadonlySet<string> = new Set([
  'NO_QUORUM',
  'NOT_ALLOWED',
  'REGISTER_LOST',
  'STORAGE_FULL',
  'STORAGE_SLOW',
]);
