/**
 * A page's share in the cluster of its profile, over all its lives: a page that comes back from the
 * back/forward cache, or thaws, goes on as new runs of the same replicas (Z1, Z6), and the handles
 * that the application holds go on with it.
 */
import type {
  Applied,
  BarrierOptions,
  CallOptions,
  ProposeOptions,
  StateMachine,
} from '@quorate/contracts';
import type { Captured, ClusterStatus, Member } from '@quorate/cluster';
import type { RegisterView, RestoredRegister } from '@quorate/cluster/register';
import type { KvStateMachine } from '@quorate/kv';
import type { JoinOptions } from '../options.ts';
import type { Runner } from '../runner.ts';
import { Calls, timeoutOf } from './calls.ts';
import { CatchingUp } from './catching-up.ts';
import { whyNoDisk } from './environment.ts';
import type { Environment } from './environment.ts';
import { watchPage } from './page-life.ts';
import { relaysRealm, tabsRealm } from './realm.ts';
import type { Realm } from './realm.ts';
import { hasMoved, wasRefused, TabLife } from './tab-life.ts';

export class TabRunner implements Runner {
  readonly #options: JoinOptions & { readonly label: string };
  readonly #machine: KvStateMachine;
  readonly #environment: Environment;
  readonly #realm: Realm;
  readonly #listeners = new Set<() => void>();
  readonly #calls: Calls<Member>;
  #life: TabLife;
  #left = false;
  #closed = false;
  #persisted = false;
  #stopWatching: () => void = () => undefined;
  #told: ClusterStatus | null = null;
  #status: { readonly of: ClusterStatus; readonly shown: ClusterStatus } | null = null;

  /** `machine` is fresh. */
  constructor(
    options: JoinOptions & { readonly label: string },
    machine: KvStateMachine,
    environment: Environment,
  ) {
    this.#options = options;
    this.#machine = machine;
    this.#environment = environment;
    const isNetworked = options.relays !== undefined && options.relays.length > 0;
    this.#realm = (isNetworked ? relaysRealm : tabsRealm)(options, environment);
    this.#life = this.#newLife(machine);
    this.#calls = new Calls(environment.clock, this.#life.primary, hasMoved);
  }

  get status(): ClusterStatus {
    const status = this.#life.primary.status;
    const durability = this.#durability();
    const message = this.#message(status);
    const shown = this.#status?.shown;
    if (
      this.#status?.of !== status ||
      shown?.durability !== durability ||
      shown.message !== message
    ) {
      this.#status = { of: status, shown: { ...status, durability, message } };
    }
    return this.#status.shown;
  }

  get peerId(): string | null {
    return this.#life.peerId;
  }

  get addresses(): readonly string[] {
    return this.#life.addresses;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async start(): Promise<void> {
    this.#stopWatching = watchPage(this.#environment.page, {
      left: () => {
        this.#left = true;
        this.#calls.pause();
        this.#life.drop();
      },
      returned: () => this.#return(),
      shown: () => this.#life.shown(),
      hidden: () => this.#life.hidden(),
    });
    void this.#environment.isPersisted().then((persisted) => {
      this.#persisted = persisted;
      this.#changed();
    });
    await this.#life.start();
  }

  ready(signal?: AbortSignal): Promise<void> {
    return this.#calls.run((member) => member.ready(signal), null, signal);
  }

  propose(command: Uint8Array, options: ProposeOptions = {}): Promise<Applied> {
    return this.#calls.run(
      (member, left) => member.propose(command, { ...options, ...left }),
      timeoutOf(options, this.#options.writeTimeoutMs, writeTimeoutMs),
      options.signal,
    );
  }

  readBarrier(options: BarrierOptions = {}): Promise<void> {
    return this.#calls.run(
      (member, left) => member.readBarrier({ ...options, ...left }),
      timeoutOf(options, this.#options.readTimeoutMs, readTimeoutMs),
      options.signal,
    );
  }

  capture<T>(take: () => T, options: CallOptions): Promise<Captured<T>> {
    return this.#calls.run(
      (member, left) => member.capture(take, { ...options, ...left }),
      timeoutOf(options, this.#options.readTimeoutMs, readTimeoutMs),
      options.signal,
    );
  }

  leave(options: { readonly nodeId?: string; readonly signal?: AbortSignal }): Promise<void> {
    return this.#life.primary.leave(options);
  }

  showRegister(signal?: AbortSignal): Promise<RegisterView> {
    return this.#life.primary.showRegister(signal);
  }

  restoreRegister(signal?: AbortSignal): Promise<RestoredRegister> {
    return this.#life.primary.restoreRegister(signal);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopWatching();
    this.#calls.close();
    await this.#life.close();
  }

  #return(): void {
    if (!this.#left || this.#closed) return;
    this.#left = false;
    this.#begin(this.#nextLife());
    this.#changed();
  }

  /** A later run has the replica that this page reads from: it goes on with another, or the next. */
  #goOn(over: TabLife): void {
    this.#calls.pause();
    const life = this.#nextLife();
    void over.close().then(() => {
      // Not in a circle, should two pages ever take the same replica from one another.
      this.#environment.clock.setTimeout(() => this.#begin(life), movedPauseMs);
    });
    this.#changed();
  }

  #begin(life: TabLife): void {
    const isPresent = (): boolean => this.#life === life && !this.#left && !this.#closed;
    if (!isPresent()) return;
    void life.start();
    // Calls of the last life that never left come back before this.
    this.#environment.clock.defer(() => {
      if (isPresent()) this.#calls.resume(life.primary);
    });
  }

  /** Works beside what the page shows until it has caught up with that. */
  #nextLife(): TabLife {
    const { clusterId } = this.status;
    const state = new CatchingUp(this.#machine);
    const life = this.#newLife(state);
    this.#life = life;
    // The site's data may be gone, and with them the cluster that the page has shown.
    const end = life.primary.subscribe(() => {
      const { clusterId: now } = life.primary.status;
      if (now === null) return;
      if (now !== clusterId) state.show();
      end();
    });
    return life;
  }

  #newLife(stateMachine: StateMachine): TabLife {
    const life = new TabLife({
      join: this.#options,
      stateMachine,
      another: () => this.#machine.beside(),
      environment: this.#environment,
      realm: this.#realm,
      changed: () => {
        if (this.#life !== life) return;
        const mayGoOn = !this.#left && !this.#closed;
        const { failure } = life.primary;
        if (mayGoOn && (hasMoved(failure) || wasRefused(failure))) this.#goOn(life);
        else this.#changed();
      },
    });
    return life;
  }

  /** A page without a disk says why: with another address, or in another browser, it would have one. */
  #message({ phase, message }: ClusterStatus): string {
    const why = this.#realm.maySpareDisks ? whyNoDisk(this.#environment) : null;
    const isMember = phase === 'ready' || phase === 'electing' || phase === 'read-only';
    return why === null || !isMember ? message : `${message}; kept in memory only, for ${why}`;
  }

  /** What a browser may evict when space is short is kept by its best effort only. */
  #durability(): ClusterStatus['durability'] {
    if (!this.#life.durable) return 'memory';
    return this.#persisted ? 'disk' : 'best-effort';
  }

  #changed(): void {
    const { status } = this;
    if (status === this.#told) return;
    this.#told = status;
    for (const listener of [...this.#listeners]) listener();
  }
}

const movedPauseMs = 1_000;
/** A member's own. */
const writeTimeoutMs = 10_000;
const readTimeoutMs = 5_000;
