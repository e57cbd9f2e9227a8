/**
 * A member's whole life, from an empty disk to a running replica: opens the store, restores the
 * state, meets others, founds or joins, and goes on from where it was after a restart. What the
 * layers above hold is this: `propose`, `readBarrier` and a status that says in words how it is.
 */
import type { InitialState, Message, NodeId } from '@quorate/core';
import { Awaited } from './awaited.ts';
import {
  asFatal,
  concatBytes,
  hexFromBytes,
  isQuorateError,
  patient,
  QuorateError,
  withDeadline,
} from '@quorate/contracts';
import type { Claim, ClaimKeeper, LostCode } from '../formation/claim.ts';
import type {
  ActiveCluster,
  Applied,
  BarrierOptions,
  CallOptions,
  Clock,
  Consensus,
  LogStorage,
  ProposeOptions,
} from '@quorate/contracts';
import { dialUntilAnswered } from '../links/dial.ts';
import { form } from '../formation/formation.ts';
import type { FormationProgress, FormationResult } from '../formation/formation.ts';
import { Knock } from '../formation/knock.ts';
import type { RegisterView, RestoredRegister } from '../formation/register-care.ts';
import type { RunFacts } from '../links/hello.ts';
import { Host } from '../links/host.ts';
import type { Charge, Fork, HostedReplica } from '../links/hosted-replica.ts';
import { found } from './founding.ts';
import { keepClaim } from './keep-claim.ts';
import { LinkChanges } from './link-changes.ts';
import { ignoreExpected, located, markOf, MarkedStores } from './marked.ts';
import { MemberCache } from './member-cache.ts';
import type { MemberNetwork, MemberOptions } from './member-options.ts';
import { MemberStatus } from './member-status.ts';
import { restoreRegister, withRegister } from './member-register.ts';
import type { RegisterParts } from './member-register.ts';
import { factsOf } from './restoring.ts';
import type { Captured } from './restoring.ts';
import { genesisOf, openReplica, presentOf, votersIn, votersOf } from './opening.ts';
import type { Opened } from './opening.ts';
import type { Opening } from '../links/witness-records.ts';
import { callLimits } from '../state/limits.ts';
import type { CallLimits } from '../state/limits.ts';
import { createPolicy } from '../state/policy.ts';
import type { Genesis, MemberFacts, Policy } from '../state/policy.ts';
import { Replica } from '../replica/replica.ts';
import { untilRoom, type RoomWait } from '../replica/turn.ts';
import type { ReplicatedState } from '../state/replicated-state.ts';
import type { RpcRequest } from '../links/rpc.ts';
import type { ClusterStatus } from './status.ts';

export class Member implements Consensus, HostedReplica {
  readonly #options: MemberOptions;
  readonly #clock: Clock;
  readonly #policyWishes: Policy;
  readonly #calls: CallLimits;
  readonly #status: MemberStatus;
  readonly #stopping = new AbortController();
  readonly #cache: MemberCache;
  readonly #emptyState: Uint8Array;
  readonly #knock: Knock;
  readonly #links = new LinkChanges();
  readonly #stores: MarkedStores;
  readonly #running = new Awaited<Replica>();
  readonly #waiting: RoomWait;
  #storage: LogStorage | null = null;
  /** The store is being opened; never rejects. */
  #opening: Promise<void> | null = null;
  #opened: Opened | null = null;
  #shown: ReplicatedState | null = null;
  #network: MemberNetwork | null = null;
  #host: Host | null = null;
  #genesis: Genesis | null = null;
  #replica: Replica | null = null;
  #claim: ClaimKeeper | null = null;
  /** Voters of the present and of the past, by this replica's own log. */
  #voters = new Set<NodeId>();
  #marking: Promise<void> | null = null;
  #revertedAt = Number.NEGATIVE_INFINITY;
  #announced = false;
  #cancelLook: () => void = () => undefined;
  #started: Promise<void> | null = null;
  #leaving: Promise<void> | null = null;
  #closing: Promise<void> | null = null;

  /** Throws `RangeError` for a policy that cannot be meant. */
  constructor(options: MemberOptions) {
    // Z44: of all that this member judges by time, nothing is judged before the waiting input.
    const clock = patient(options.clock);
    this.#options = options;
    this.#clock = clock;
    this.#cache = new MemberCache(clock);
    this.#stores = new MarkedStores(options.beginsAnew ?? false, options.createStorage);
    this.#policyWishes = createPolicy(options.policy);
    this.#calls = callLimits(options);
    this.#emptyState = concatBytes([...options.stateMachine.snapshot()]);
    this.#status = new MemberStatus({
      namespace: options.namespace,
      label: options.label,
      clock,
      clockName: options.clockName ?? (() => 'timer'),
      view: () => ({
        run: this.#opened?.run ?? null,
        durable: this.#opened?.storage.durable ?? false,
        genesis: this.#genesis,
        state: this.#opened?.state ?? this.#shown,
        replica: this.#replica,
        host: this.#host,
      }),
    });
    const full = (isFull: boolean): void => this.#status.setFull(isFull);
    this.#waiting = { clock, signal: this.#stopping.signal, full };
    this.#knock = new Knock({
      clock,
      doors: () => this.#runsOfCluster(),
      self: () => {
        if (this.#opened === null) throw new RangeError('Cannot knock: not open');
        return { nodeId: this.nodeId, facts: this.#facts(this.#opened.storage) };
      },
      ask: (to, body) => this.#ask(to, 'join', body),
      removed: () => this.#removed(),
    });
  }

  /** Throws before the store is open; hosts ask only afterwards. */
  get nodeId(): NodeId {
    if (this.#opened === null) throw new RangeError('Cannot name this member: its store is closed');
    return this.#opened.run.nodeId;
  }

  get status(): ClusterStatus {
    return this.#status.current;
  }

  /** What ended this member, if anything did; what it had not sent is rejected with this. */
  get failure(): QuorateError | null {
    return this.#status.failure;
  }

  /** Calls back after each change of the status, at most once per turn. */
  subscribe(listener: () => void): () => void {
    return this.#status.subscribe(listener);
  }

  /** Sets out; trouble shows in the status. Idempotent. Never rejects. */
  start(): Promise<void> {
    this.#started ??= this.#run().catch((error: unknown) => this.#fail(error));
    return this.#started;
  }

  /** Resolves once writes can be taken; rejects with what stopped this member, or `ABORTED`. */
  ready(signal?: AbortSignal): Promise<void> {
    return this.#status.whenReady(signal);
  }

  async propose(command: Uint8Array, options: ProposeOptions = {}): Promise<Applied> {
    const timeoutMs = options.timeoutMs ?? this.#calls.writeTimeoutMs;
    const startedAt = this.#clock.now();
    const replica = this.#replica ?? (await this.#whenRunning(timeoutMs, options.signal));
    this.#status.throwIfReadOnly();
    return replica.propose(command, { ...options, timeoutMs: this.#left(timeoutMs, startedAt) });
  }

  async readBarrier(options: BarrierOptions = {}): Promise<void> {
    const timeoutMs = options.timeoutMs ?? this.#calls.readTimeoutMs;
    const startedAt = this.#clock.now();
    const replica = this.#replica ?? (await this.#whenRunning(timeoutMs, options.signal));
    this.#status.throwIfReadOnly();
    await replica.readBarrier({ ...options, timeoutMs: this.#left(timeoutMs, startedAt) });
  }

  /**
   * One consistent state (Z43): waits until everything acknowledged before this call is applied here,
   * then reads what the cluster is and calls `take`, which reads the state machine, in one step.
   * Errors: as `readBarrier`.
   */
  async capture<T>(take: () => T, options: CallOptions = {}): Promise<Captured<T>> {
    await this.readBarrier(options);
    const facts = this.#opened === null ? null : factsOf(this.#opened.state);
    if (facts === null) throw new QuorateError('NO_LEADER', 'This member is in no cluster yet');
    return { facts, state: take() };
  }

  /**
   * Removes a member, this one by default; resolves once that is committed. This one then stops and
   * its data become an archive (Z7). Errors: `NO_LEADER`, `MEMBERSHIP_REFUSED`, `CLOSED`.
   */
  async leave(options: { nodeId?: NodeId; signal?: AbortSignal } = {}): Promise<void> {
    const replica = this.#replica;
    const self = this.#opened?.run.nodeId;
    const target = options.nodeId ?? self;
    if (replica === null || target === undefined) {
      throw new QuorateError('NO_LEADER', 'Cannot leave: this member is in no cluster yet');
    }
    // Nobody could carry it out; who is missing stands in the refusal.
    this.#status.throwIfReadOnly();
    try {
      await withDeadline(
        this.#clock,
        leaveTimeoutMs,
        options.signal ?? this.#stopping.signal,
        (signal) => replica.leave(target, signal),
      );
    } catch (error) {
      // It may hear of its removal from the log before the leader's answer comes.
      if (target !== self || this.#leaving === null) throw error;
    }
    if (target === self) await this.#leave();
  }

  /**
   * Hands over leadership if it can, and stops; the data stay and so does the seat. Idempotent.
   * With `handOver` false it stops at once, as when a page goes away.
   */
  close(options: { handOver?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.handOver ?? true);
    return this.#closing;
  }

  /**
   * Ends this run synchronously, as a page must that is being left (Z6): a leader posts who should
   * lead instead, none of `leaving`, and nothing is flushed or waited for. The data stay and so does
   * the seat.
   */
  drop(leaving: readonly NodeId[] = []): void {
    this.#replica?.resign((nodeId) => !leaving.includes(nodeId));
    this.#end();
    this.#closing ??= this.#close(false);
    void this.#host?.close();
    this.#storage?.drop?.();
  }

  /** Asks one of `preferred` to lead in this one's place; false when it leads not, or none can. */
  yieldLeadership(preferred: readonly NodeId[]): boolean {
    return this.#replica?.yieldLeadership((nodeId) => preferred.includes(nodeId)) ?? false;
  }

  /** A hint that nobody leads: asks for votes at once. Ignored where a leader is known. */
  campaign(): void {
    this.#replica?.campaign();
  }

  /** What the register holds, and who is announced (Z41). Errors: `UNREACHABLE`, `UNSUPPORTED`. */
  async showRegister(signal?: AbortSignal): Promise<RegisterView> {
    return withRegister(this.#registerParts(signal), (care, within) => care.show(within));
  }

  /** Writes this cluster back into a register that has forgotten it; see `restoreRegister`. */
  async restoreRegister(signal?: AbortSignal): Promise<RestoredRegister> {
    const restored = await restoreRegister({
      ...this.#registerParts(signal),
      replica: this.#replica,
      genesis: this.#genesis,
      state: this.#opened?.state ?? null,
    });
    this.#claim?.look();
    return restored;
  }

  #registerParts(signal: AbortSignal | undefined): RegisterParts {
    return {
      clock: this.#options.clock,
      care: this.#network?.care ?? null,
      signal: signal ?? this.#stopping.signal,
    };
  }

  // What the host asks of the replica it runs.

  facts(): RunFacts {
    if (this.#opened === null) throw new RangeError('Cannot describe this member: not open');
    const { run, storage, opening, key } = this.#opened;
    return {
      ...run,
      opening,
      proof: this.#options.signedRuns?.()?.proof(key, run, this.#host?.id ?? '') ?? null,
      clusterId: this.#replica === null ? null : (this.#genesis?.clusterId ?? null),
      generation: this.#genesis?.generation ?? 0,
      label: this.#options.label,
      durable: storage.durable,
      ...this.#replica?.room.facts,
    };
  }

  present(): Opening {
    if (this.#opened === null) throw new RangeError('Cannot describe this member: not open');
    return this.#replica === null ? this.#opened.opening : presentOf(this.#replica.status());
  }

  leader(): NodeId | null {
    return this.#replica?.softState.leader ?? null;
  }

  cluster(): ActiveCluster | null {
    const genesis = this.#genesis;
    if (this.#replica === null || genesis === null) return null;
    if (this.#opened?.state.activated !== true) return null;
    const { clusterId, generation } = genesis;
    return { clusterId, generation, label: this.#options.label };
  }

  receive(message: Message, sender: RunFacts): void {
    // Z12: whoever is not of this cluster, or of another generation of it, is not heard.
    const genesis = this.#genesis;
    if (sender.clusterId !== genesis?.clusterId || sender.generation !== genesis.generation) return;
    this.#replica?.receive(message);
  }

  receiveBulk(from: NodeId, body: Uint8Array): void {
    this.#replica?.receiveBulk(from, body);
  }

  linked(facts: RunFacts, newRun: boolean): void {
    this.#status.heard(facts.nodeId);
    this.#replica?.linked(facts, newRun);
  }

  unlinked(nodeId: NodeId): void {
    this.#status.heard(nodeId);
    this.#replica?.unlinked(nodeId);
  }

  returns(nodeId: NodeId): boolean | null {
    return this.#replica?.returns(nodeId) ?? null;
  }

  knowsVoter(nodeId: NodeId): boolean {
    return this.#voters.has(nodeId);
  }

  isIncumbent(): boolean {
    return this.#replica?.isIncumbent ?? false;
  }

  disowned(charge: Charge): void {
    const { error, by, otherHost, byVoter } = charge;
    if (!byVoter || this.isIncumbent()) {
      const { nodeId } = this;
      this.#status.forkSeen({
        nodeId,
        host: this.#host?.id ?? '',
        otherHost,
        message: error.message,
      });
      return;
    }
    this.#marking ??= this.#endMarked(charge).catch((cause: unknown) => {
      // It ends all the same, and those who refused it do so again (Z38).
      this.#fail(new QuorateError(error.code, `${error.message}, says ${by}`, { cause }));
    });
  }

  forkSeen(fork: Fork): void {
    this.#status.forkSeen(fork);
  }

  /** Z72: goes on as a new run of what is on its disk, which the others judge (Z3, Z48). */
  reverted(error: QuorateError): void {
    const isBusy = this.#replica === null || this.#marking !== null || this.#leaving !== null;
    const now = this.#clock.now();
    // Nobody who says so again and again keeps this member from its work.
    if (isBusy || now - this.#revertedAt < revertedPauseMs) return;
    this.#revertedAt = now;
    this.#beginAgain(error).catch((cause: unknown) => this.#fail(cause));
  }

  async #beginAgain(error: QuorateError): Promise<void> {
    this.#stopReplica(error);
    this.#cancelLook();
    this.#host?.remove(this);
    await this.#opened?.storage.close();
    if (!this.#stopping.signal.aborted) await this.#run();
  }

  answer(request: RpcRequest, signal: AbortSignal): Promise<Uint8Array> {
    if (this.#replica === null) {
      return Promise.reject(new QuorateError('NO_LEADER', 'This member is in no cluster yet'));
    }
    return this.#replica.answer(request, signal);
  }

  /** Z38: not a word from here on, and what keeps this store from being opened again is durable first. */
  async #endMarked(charge: Charge): Promise<void> {
    const mark = markOf(charge);
    this.#stopReplica(charge.error);
    await this.#opened?.storage.mark(mark);
    this.#fail(new QuorateError(mark.code, mark.message));
  }

  /** Their word on this replica counts, and what is known of them is kept whoever comes by (Z54). */
  #noteVoters(nodeIds: Iterable<NodeId>): void {
    for (const nodeId of nodeIds) this.#voters.add(nodeId);
    this.#host?.witnesses.setVoters(this.#voters);
  }

  async #run(): Promise<void> {
    await untilRoom(this.#waiting, () =>
      this.#stores.openFirst((storage, create) => this.#openStore(storage, create)),
    );
    await this.#startHost();
    // A founder whose claim was superseded archives and is fresh again (Z10), hence the loop.
    while (!this.#stopping.signal.aborted && this.#replica === null) {
      const genesis = this.#genesis ?? (await this.#form());
      if (this.#stopping.signal.aborted) return;
      this.#startReplica(genesis);
    }
    this.#watch();
  }

  async #openStore(storage: LogStorage, create: boolean): Promise<void> {
    this.#storage = storage;
    if (this.#stopping.signal.aborted) {
      await storage.close();
      return;
    }
    const opening = this.#openReplica(storage, create);
    this.#opening = opening
      .catch(() => undefined)
      .finally(() => {
        this.#opening = null;
      });
    await opening;
  }

  async #openReplica(storage: LogStorage, create: boolean): Promise<void> {
    const { random, stateMachine } = this.#options;
    const opened = await openReplica(storage, {
      stateMachine,
      emptyState: this.#emptyState,
      random,
      create,
      topics: this.#options.topics?.(),
      signedRuns: this.#options.signedRuns?.() ?? null,
      show: this.#shown === null ? (state) => (this.#shown = state) : undefined,
    });
    this.#opened = opened;
    this.#voters = votersIn(opened.loaded);
    this.#genesis = opened.state.genesis ?? genesisOf(opened.loaded.entries);
    this.#host?.add(this);
    this.#status.changed();
    if (this.#stopping.signal.aborted) await opened.storage.close();
  }

  async #startHost(): Promise<void> {
    if (this.#host !== null || this.#stopping.signal.aborted) return;
    const reading = this.#cache.read(this.#opened?.storage, this.#status);
    // Waited for below, once there is a network to close if it fails.
    reading.catch(() => undefined);
    const network = await this.#options.network();
    const host = new Host({
      transport: network.transport,
      cipher: network.cipher,
      clock: this.#clock,
      random: this.#options.random,
      signedRuns: this.#options.signedRuns?.() ?? null,
      rendezvous: network.rendezvous,
      onRefused: (_host, error) => {
        this.#status.count(error.code === 'BAD_SECRET' ? 'badSecret' : 'refusedFrames');
        this.#status.changed();
      },
      onBroken: () => {
        this.#status.count('brokenConnections');
        this.#status.changed();
      },
      onChange: () => this.#onLinksChanged(),
    });
    if (this.#stopping.signal.aborted) {
      // Closed while the network was being made: it is ours to close.
      await host.close();
      await network.close?.();
      return;
    }
    this.#network = network;
    this.#host = host;
    host.add(this);
    const known = await reading;
    // Z3: before anybody is met.
    host.witnesses.restore(known.witnesses, known.refused);
    this.#noteVoters([]);
    await host.start(this.#stopping.signal);
    host.remember(known.acquaintances);
    for (const address of this.#options.peers ?? []) void this.#dial(network, host, address);
  }

  async #dial({ transport }: MemberNetwork, host: Host, address: string): Promise<void> {
    const clock = this.#clock;
    const met = await dialUntilAnswered({ clock, transport }, address, this.#stopping.signal);
    if (met !== null) host.want({ host: met, addresses: [address] });
  }

  async #form(): Promise<Genesis> {
    const clock = this.#clock;
    const { random, formation, memoryMayFound = true, isLogHere } = this.#options;
    const opened = this.#opened;
    const host = this.#host;
    const register = this.#network?.register ?? null;
    if (opened === null || host === null) throw new RangeError('Cannot form: not open');
    const wanted = formation ?? 'auto';
    if ((wanted === 'auto' || wanted === 'new') && register === null) {
      throw new TypeError(`Cannot form with formation ${wanted}: no register is given`);
    }
    const { run, storage } = opened;
    const result = await form({
      register: formation === 'isolated' ? null : register,
      mayFound: formation !== 'join' && (storage.durable || memoryMayFound),
      inSpite: formation === 'new',
      care: this.#network?.care ?? null,
      ...(isLogHere === undefined ? {} : { isLogHere }),
      nodeId: run.nodeId,
      facts: this.#facts(storage),
      clock,
      newClusterId: () => hexFromBytes(random(16)),
      signal: this.#stopping.signal,
      linkedRuns: () => host.linkedRuns().map(({ facts }) => facts),
      request: (to, method, body, signal) =>
        host.request(to, method, body, { timeoutMs: joinTimeoutMs, signal }),
      report: (progress: FormationProgress) => this.#status.forming(progress),
      linksChanged: (signal) => this.#links.next(signal),
    });
    return this.#adopt(result, opened);
  }

  async #adopt(result: FormationResult, opened: Opened): Promise<Genesis> {
    if (result.type === 'join') {
      this.#genesis = result.genesis;
      return result.genesis;
    }
    const { namespace, formation } = this.#options;
    const register = formation === 'isolated' ? null : this.#network?.register;
    const { genesis, loaded } = await found(result, {
      opened,
      namespace,
      register: register?.group ?? 'isolated',
      policy: this.#policyWishes,
      facts: this.#facts(opened.storage),
      waiting: this.#waiting,
    });
    if (result.beside.length > 0) {
      this.#status.say('beside', this.#network?.care?.beside(result.beside));
    }
    this.#genesis = genesis;
    this.#opened = { ...opened, loaded };
    return genesis;
  }

  #registerLost(what: string | null, code?: LostCode): void {
    const notice = what === null ? '' : this.#network?.care?.forgotten(what, code);
    if (notice !== undefined) this.#status.setRegisterLost(what, notice, code);
  }

  #facts(storage: LogStorage): MemberFacts {
    const { label, runtime = 'node', domain = '', mayVote = true } = this.#options;
    return { label, durable: storage.durable, runtime, domain, mayVote };
  }

  #startReplica(genesis: Genesis): void {
    const clock = this.#clock;
    const { random } = this.#options;
    const opened = this.#opened;
    const host = this.#host;
    if (opened === null || host === null) throw new RangeError('Cannot run: not open');
    const { run, storage, loaded, state } = opened;
    const initial: InitialState = { ...loaded, appliedIndex: state.appliedIndex };
    this.#claim = keepClaim({
      register: this.#network?.register ?? null,
      clock,
      genesis,
      self: run.nodeId,
      care: this.#network?.care ?? null,
      state,
      storage,
      lost: (what, code) => this.#registerLost(what, code),
      pinnedElsewhere: () => void this.restoreRegister().catch(ignoreExpected),
      superseded: (by) => void this.#superseded(by).catch((error: unknown) => this.#fail(error)),
      refused: (count) => this.#status.setCounter('badSecretAtRegister', count),
      notice: (words) => this.#status.say('register', words),
    });
    const tell = (): void => {
      host.announce();
      this.#status.changed();
    };
    // A founder that somebody waits for asks while it elects itself: its genesis is on disk (Z10).
    if (genesis.founder === run.nodeId && this.#running.isWanted) void this.#claim?.activate();
    this.#replica = new Replica({
      nodeId: run.nodeId,
      epoch: run.epoch,
      clock,
      random,
      storage,
      state,
      initial,
      policy: genesis.policy,
      cluster: `${genesis.clusterId} ${genesis.generation}`,
      neighbours: this.#options.neighbours ?? null,
      priority: this.#options.priority ?? ((): number => 2),
      calls: this.#calls,
      network: host,
      events: {
        softState: tell,
        membershipChanged: () => {
          const membership = this.#replica?.status().membership ?? state.membership;
          this.#noteVoters([...votersOf(membership), ...votersOf(state.membership)]);
          this.#status.changed();
          this.#membershipApplied(state);
        },
        progressed: () => {
          // Z41: said at once, for a fresh member may look just then.
          if (this.#announced !== state.activated) host.announce();
          this.#announced = state.activated;
          this.#status.changed();
        },
        activate: () => this.#claim?.activate() ?? Promise.resolve(true),
        roomChanged: tell,
        refused: () => {
          this.#status.count('refusedMessages');
          this.#status.changed();
        },
        failed: (error) => this.#fail(error),
      },
    });
    this.#knock.begin();
    host.announce();
    this.#status.changed();
    this.#running.resolve(this.#replica);
    // It may have been killed between hearing of its removal and ending.
    this.#membershipApplied(state);
  }

  /**
   * Somebody else holds the namespace. Where nothing was acknowledged here nothing is lost (Z10);
   * where the other one's counter is higher a person gave this cluster up (Z52). Both archive, and
   * this member comes in as a new one. Equal counters say nothing: only a person can decide.
   */
  async #superseded(by: Claim): Promise<void> {
    if (this.#stopping.signal.aborted || this.#opened === null) return;
    const { clusterId, generation } = this.#genesis ?? { clusterId: '', generation: 0 };
    // A register that names an earlier generation was put back, and is not obeyed.
    if (by.generation < generation) return;
    const { storage, state } = this.#opened;
    const error = new QuorateError(
      'SUPERSEDED',
      `The register names another cluster, ${by.clusterId}; this one, ${clusterId}, acknowledges ` +
        'nothing any more',
    );
    if (state.activated && by.generation === generation) {
      this.#fail(error);
      return;
    }
    this.#stopReplica(error);
    this.#cancelLook();
    this.#host?.remove(this);
    this.#genesis = null;
    await storage.archive('superseded');
    if (state.activated) this.#status.setArchived({ clusterId, generation });
    await this.#run();
  }

  /** What the log says of this member is told in the middle of a turn: it ends after that. */
  #membershipApplied(state: ReplicatedState): void {
    void this.#stores.applied(state.membership, this.nodeId);
    if (!state.hasLeft(this.nodeId)) return;
    this.#clock.defer(() => this.#removed());
  }

  /** Somebody had this member removed for good, now or while it was away (Z18). */
  #removed(): void {
    if (this.#stopping.signal.aborted) return;
    this.#leave().catch((error: unknown) => this.#fail(error));
  }

  /** Z7: the removal is committed, so what is here becomes an archive, and this member ends. */
  #leave(): Promise<void> {
    this.#leaving ??= (async () => {
      const error = new QuorateError('REMOVED', 'This member was removed from the cluster');
      this.#stopReplica(error);
      this.#status.fail(error);
      await this.#opened?.storage.archive('left');
      await this.close();
    })();
    return this.#leaving;
  }

  /** Looks after what has no event of its own: the phase, the cache, a leader that stays away. */
  #watch(): void {
    const look = (): void => {
      if (this.#stopping.signal.aborted || this.#replica === null) return;
      this.#host?.announce();
      this.#status.changed();
      const readOnly = this.#status.readOnlyError();
      if (readOnly !== null) this.#replica.rejectWaiting(readOnly);
      const patienceMs = 3 * (this.#genesis?.policy.electionTimeoutMsMax ?? 0);
      this.#knock.look(this.#replica.softState.leader !== null, patienceMs);
      this.#saveCache(false);
      this.#cancelLook = this.#clock.setTimeout(look, lookIntervalMs);
    };
    look();
  }

  #runsOfCluster(): RunFacts[] {
    const clusterId = this.#genesis?.clusterId;
    const runs = (this.#host?.linkedRuns() ?? []).map(({ facts }) => facts);
    return runs.filter((facts) => facts.clusterId !== null && facts.clusterId === clusterId);
  }

  #ask(to: NodeId, method: string, body: Uint8Array): Promise<Uint8Array> {
    if (this.#host === null) throw new RangeError('Cannot ask: not linked');
    return this.#host.request(to, method, body, { timeoutMs: joinTimeoutMs });
  }

  #saveCache(isLast: boolean): void {
    if (this.#opened === null || this.#host === null) return;
    this.#cache.save(this.#opened.storage, this.#host, isLast);
  }

  #onLinksChanged(): void {
    this.#cache.linksChanged();
    this.#links.tell();
    this.#status.changed();
  }

  /** Calls queue here, in order, until there is a replica to take them. */
  #whenRunning(timeoutMs: number, signal: AbortSignal | undefined): Promise<Replica> {
    const failure = this.#status.failure;
    if (failure !== null) return Promise.reject(failure);
    return this.#running.wait({
      clock: this.#clock,
      timeoutMs,
      signal,
      timedOut: () => this.#status.formationError(),
      aborted: 'Stopped before the cluster was joined',
    });
  }

  #left(timeoutMs: number, startedAt: number): number {
    return Math.max(1, timeoutMs - (this.#clock.now() - startedAt));
  }

  #stopReplica(error: QuorateError): void {
    this.#claim?.stop();
    this.#claim = null;
    this.#replica?.stop(error);
    this.#replica = null;
  }

  #fail(error: unknown): void {
    if (this.#stopping.signal.aborted) return;
    this.#status.fail(located(asFatal(error), this.#options.place));
    void this.close({ handOver: false });
  }

  async #close(handOver: boolean): Promise<void> {
    const replica = this.#replica;
    if (handOver && replica !== null) {
      await withDeadline(this.#clock, handOverTimeoutMs, this.#stopping.signal, (signal) =>
        replica.handOver(signal),
      ).catch((error: unknown) => {
        // A courtesy: what did not work out, the others mend by an election.
        if (!isQuorateError(error)) throw error;
      });
    }
    if (handOver) this.#saveCache(true);
    this.#end();
    await this.#marking;
    await this.#host?.close();
    await this.#network?.close?.();
    if (this.#opening !== null) {
      // It has accepted nothing yet. Whoever opens it closes it, and from then on it is free.
      this.#storage?.drop?.();
      await this.#opening;
    }
    await this.#opened?.storage.close();
  }

  /** From here on this member does nothing any more; what it holds is let go by its caller. */
  #end(): void {
    this.#stopping.abort();
    const closed = new QuorateError('CLOSED', 'This member was closed');
    this.#status.fail(closed);
    const reason = this.#status.failure ?? closed;
    this.#stopReplica(reason);
    this.#running.reject(reason);
    this.#onLinksChanged();
  }
}

const leaveTimeoutMs = 20_000;
const handOverTimeoutMs = 3_000;
const joinTimeoutMs = 8_000;
const lookIntervalMs = 250;
const revertedPauseMs = 60_000;
