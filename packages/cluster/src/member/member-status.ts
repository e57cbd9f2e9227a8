/**
 * What a member says about itself: derived from what the parts know, never stored twice, handed out
 * as one immutable snapshot per change.
 */
import type { NodeId, Status } from '@quorate/core';
import type { Clock, Run } from '@quorate/contracts';
import { onAbort, QuorateError } from '@quorate/contracts';
import type { LostCode } from '../formation/claim.ts';
import type { FormationProgress } from '../formation/formation.ts';
import type { Host } from '../links/host.ts';
import type { Fork } from '../links/hosted-replica.ts';
import type { Genesis } from '../state/policy.ts';
import type { Replica } from '../replica/replica.ts';
import type { ReplicatedState } from '../state/replicated-state.ts';
import type {
  ClusterStatus,
  ForkInfo,
  MemberInfo,
  MissingMember,
  Phase,
  RaftStatus,
} from './status.ts';

/** What the status is derived from. */
export type MemberView = {
  readonly run: Run | null;
  readonly durable: boolean;
  readonly genesis: Genesis | null;
  readonly state: ReplicatedState | null;
  readonly replica: Replica | null;
  readonly host: Host | null;
};

export type MemberStatusOptions = {
  readonly namespace: string;
  readonly label: string;
  readonly clock: Clock;
  readonly clockName: () => string;
  readonly view: () => MemberView;
};

export class MemberStatus {
  readonly #options: MemberStatusOptions;
  readonly #listeners = new Set<() => void>();
  readonly #heardAt = new Map<NodeId, number>();
  readonly #counters = new Map<string, number>();
  /** By replica and by where its other branch is. */
  readonly #forks = new Map<string, Fork>();
  #current: ClusterStatus | null = null;
  /** The parts may say something else by now. */
  #isOld = false;
  /** What listeners were called with last. */
  #told: ClusterStatus | null = null;
  #failure: QuorateError | null = null;
  #forming: FormationProgress | null = null;
  #isFull = false;
  #registerLost: { readonly what: string; readonly code: LostCode } | null = null;
  /** What is said beside "Ready", by what it is about. */
  readonly #notices = new Map<string, string>();
  #archived: ClusterStatus['archived'] = undefined;
  #leaderSeenAt: number;
  #scheduled = false;

  constructor(options: MemberStatusOptions) {
    this.#options = options;
    this.#leaderSeenAt = options.clock.now();
  }

  get current(): ClusterStatus {
    const known = this.#current;
    if (known !== null && !this.#isOld) return known;
    this.#isOld = false;
    const status = this.#derive();
    // One object for as long as nobody could tell it from the next.
    if (known === null || !looksAlike(known, status)) this.#current = status;
    return this.#current ?? status;
  }

  /** What ended this member, if anything did. */
  get failure(): QuorateError | null {
    return this.#failure;
  }

  /** Something may have changed; listeners hear of it if that shows. */
  changed(): void {
    this.#isOld = true;
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#options.clock.defer(() => {
      this.#scheduled = false;
      const { current } = this;
      if (current === this.#told) return;
      this.#told = current;
      for (const listener of [...this.#listeners]) listener();
    });
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  forming(progress: FormationProgress): void {
    this.#forming = progress;
    this.changed();
  }

  /** The first reason is the one that counts. */
  fail(error: QuorateError): void {
    this.#failure ??= error;
    this.changed();
  }

  forkSeen(fork: Fork): void {
    const key = `${fork.nodeId} ${fork.otherHost}`;
    if (this.#forks.get(key)?.message === fork.message) return;
    if (this.#forks.size < forkCountMax) this.#forks.set(key, fork);
    this.changed();
  }

  /** The disk, before there is a replica. */
  setFull(isFull: boolean): void {
    this.#isFull = isFull;
    // Whoever waited for room looked for no leader meanwhile.
    this.#leaderSeenAt = this.#options.clock.now();
    this.changed();
  }

  /** `notice` says it in words for a person. */
  setRegisterLost(what: string | null, notice = '', code: LostCode = 'REGISTER_LOST'): void {
    if ((this.#registerLost?.what ?? null) === what) return;
    this.#registerLost = what === null ? null : { what, code };
    this.say('lost', notice);
  }

  /** Empty: no longer. */
  say(about: string, notice = ''): void {
    if ((this.#notices.get(about) ?? '') === notice) return;
    if (notice === '') this.#notices.delete(about);
    else this.#notices.set(about, notice);
    this.changed();
  }

  setArchived(cluster: NonNullable<ClusterStatus['archived']>): void {
    this.#archived = cluster;
    this.changed();
  }

  heard(nodeId: NodeId): void {
    this.#heardAt.set(nodeId, this.#options.clock.now());
    this.changed();
  }

  count(name: string): void {
    this.#counters.set(name, (this.#counters.get(name) ?? 0) + 1);
  }

  setCounter(name: string, value: number): void {
    if (this.#counters.get(name) === value) return;
    this.#counters.set(name, value);
    this.changed();
  }

  whenReady(signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const failure = this.#failure;
        if (failure !== null) settle(() => reject(failure));
        else if (this.current.phase === 'ready') settle(resolve);
      };
      const settle = (run: () => void): void => {
        unsubscribe();
        forget();
        run();
      };
      const abort = (): void =>
        settle(() => reject(new QuorateError('ABORTED', 'Stopped waiting for the cluster')));
      const unsubscribe = this.subscribe(look);
      const forget = onAbort(signal, abort);
      if (signal?.aborted === true) abort();
      else look();
    });
  }

  /** Rejects at once what a lost quorum makes hopeless (DESIGN §1). */
  throwIfReadOnly(): void {
    const error = this.readOnlyError();
    if (error !== null) throw error;
  }

  readOnlyError(): QuorateError | null {
    const { phase, message, missing } = this.current;
    if (phase !== 'read-only') return null;
    return new QuorateError('NO_QUORUM', message, { details: { missing } });
  }

  /** Why a call that waited for the cluster is given up. */
  formationError(): QuorateError {
    if (this.#failure !== null) return this.#failure;
    const { reason, message } = this.current;
    return new QuorateError(reason ?? 'NO_LEADER', message);
  }

  #derive(): ClusterStatus {
    const view = this.#options.view();
    const { run, genesis, state, replica, durable } = view;
    const status = replica?.status() ?? null;
    const members = membersOf(view, status, this.#options.label);
    const missing = this.#missing(members);
    const phase = this.#phase(view, members);
    const forks = forksOf([...this.#forks.values()], members, view);
    return {
      namespace: this.#options.namespace,
      clusterId: genesis?.clusterId ?? null,
      generation: genesis?.generation ?? 0,
      nodeId: run?.nodeId ?? null,
      label: this.#options.label,
      phase,
      canWrite: this.#canWrite(phase, view),
      reason: this.#reason(phase, view),
      message: withForks(
        this.#message(phase, missing, view),
        this.#failure === null ? forks : [],
        run,
      ),
      missing,
      durability: durable ? 'disk' : 'memory',
      copies: copiesOf(members, status),
      pendingWrites: replica?.pendingWrites ?? 0,
      registerLost: this.#registerLost?.what ?? null,
      members,
      forks,
      ...(this.#archived === undefined ? {} : { archived: this.#archived }),
      raft: {
        ...raftOf(run, state, status),
        clock: this.#options.clockName(),
        counters: Object.fromEntries(this.#counters),
      },
    };
  }

  #phase({ replica, genesis, run, state }: MemberView, members: readonly MemberInfo[]): Phase {
    if (this.#failure !== null) return this.#failure.code === 'OUTDATED' ? 'outdated' : 'stopped';
    if (run === null) return 'starting';
    if (replica === null || genesis === null) return this.#forming?.phase ?? 'discovering';
    const now = this.#options.clock.now();
    if (replica.softState.leader !== null) {
      this.#leaderSeenAt = now;
      if (state?.formed === false) return 'joining';
      return members.some((member) => member.self) ? 'ready' : 'joining';
    }
    const voters = members.filter((member) => member.kind === 'voter');
    const reachable = voters.filter((member) => member.reachable).length;
    const leaderlessMs = now - this.#leaderSeenAt;
    const patienceMs = 2 * genesis.policy.electionTimeoutMsMax;
    if (voters.length === 0) return 'joining';
    return reachable <= voters.length / 2 && leaderlessMs >= patienceMs ? 'read-only' : 'electing';
  }

  #canWrite(phase: Phase, { replica }: MemberView): boolean {
    // T6: who has not joined takes nothing; a write that waits for an election is taken.
    if (this.#failure !== null || replica?.room.refuses === true) return false;
    return phase === 'ready' || phase === 'electing';
  }

  #reason(phase: Phase, view: MemberView): ClusterStatus['reason'] {
    if (this.#failure !== null) return this.#failure.code;
    if (phase === 'read-only') return 'NO_QUORUM';
    const room = view.replica?.room;
    if (room?.refuses === true) return 'STORAGE_FULL';
    if (phase === 'electing') return 'NO_LEADER';
    if (room?.full ?? this.#isFull) return 'STORAGE_FULL';
    if (room?.isSlow === true) return 'STORAGE_SLOW';
    if (phase === 'joining' && view.state?.formed === false) return 'FORMATION_WAITING';
    if (phase === 'ready') return this.#registerLost?.code ?? null;
    return this.#forming?.reason ?? null;
  }

  #message(phase: Phase, missing: readonly MissingMember[], view: MemberView): string {
    const names = missing.map((member) => member.label).join(', ');
    if (this.#failure !== null) return this.#failure.message;
    if (phase === 'joining' && view.replica !== null && view.state?.formed === false) {
      const { expect } = view.state.genesis?.policy ?? { expect: 1 };
      return `Writes wait until ${expect} durable replicas hold the data`;
    }
    const short = this.#shortMessage(phase, view.replica?.room);
    if (short !== null) return short;
    switch (phase) {
      case 'starting':
        return 'Opening the store';
      case 'discovering':
      case 'joining':
        return this.#forming?.message ?? 'Looking for the cluster';
      case 'electing':
        return 'The members are choosing a leader';
      case 'read-only':
        return `No quorum: read-only until a majority is back (missing: ${names})`;
      default:
        return this.#readyMessage(names);
    }
  }

  /** What a disk has to do with it, if it has. */
  #shortMessage(phase: Phase, room: Replica['room'] | undefined): string | null {
    if (phase === 'read-only') return null;
    if (room?.refuses === true) {
      return 'The disks are full: nothing but deletions is taken until there is room';
    }
    if (phase === 'electing') return null;
    if (room?.full ?? this.#isFull) return 'The disk is full: waiting until there is room';
    return room?.isSlow === true ? 'The disk does not answer: what needs it waits' : null;
  }

  #readyMessage(missing: string): string {
    const ready = missing === '' ? 'Ready' : `Ready (not reachable: ${missing})`;
    return [ready, ...this.#notices.values()].join(', ');
  }

  #missing(members: readonly MemberInfo[]): MissingMember[] {
    const { originMs = 0 } = this.#options.clock;
    return members
      .filter((member) => member.kind === 'voter' && !member.reachable)
      .map(({ nodeId, label }) => {
        const heardAt = this.#heardAt.get(nodeId);
        const lastSeenAt = heardAt === undefined ? null : Math.round(originMs + heardAt);
        return { nodeId, label, lastSeenAt };
      });
  }
}

/** Equal for whoever looks: a round trip is measured all the time, and its digits are no news (T13). */
function looksAlike(a: unknown, b: unknown, name: string = ''): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) {
    return name === 'roundTripMs' && a !== null && b !== null;
  }
  const entries = Object.entries(a);
  const other = b as Readonly<Record<string, unknown>>;
  return (
    entries.length === Object.keys(b).length &&
    entries.every(([key, value]) => looksAlike(value, other[key], key))
  );
}

function membersOf(
  { run, state, host, genesis }: MemberView,
  status: Status | null,
  ownLabel: string,
): MemberInfo[] {
  if (state === null || genesis === null) return [];
  const { voters, votersOutgoing, learners } = status?.membership ?? state.membership;
  const leader = status?.leader ?? null;
  const info = (nodeId: NodeId, kind: MemberInfo['kind']): MemberInfo => {
    const facts = state.members.get(nodeId);
    const link = host?.linkTo(nodeId) ?? null;
    const self = nodeId === run?.nodeId;
    const progress = status?.progress.find((one) => one.peer === nodeId);
    return {
      nodeId,
      // What a run says of itself is newer than what it said when it joined.
      label: self ? ownLabel : (host?.factsOf(nodeId)?.label ?? facts?.label ?? nodeId.slice(0, 8)),
      kind,
      reachable: self || host?.isLinked(nodeId) === true,
      leader: nodeId === leader,
      self,
      durable: facts?.durable ?? false,
      runtime: facts?.runtime ?? 'node',
      link: link?.kind ?? null,
      roundTripMs: link?.roundTripMs ?? null,
      matchIndex: self ? (status?.durableIndex ?? null) : (progress?.matchIndex ?? null),
    };
  };
  const outgoing = votersOutgoing.filter((id) => !voters.includes(id));
  return [
    ...voters.map((id) => info(id, 'voter')),
    ...outgoing.map((id) => info(id, 'voter')),
    ...learners.map((id) => info(id, 'learner')),
  ];
}

/** What was seen by this run, and what earlier ones refused: of replicas that are still members. */
function forksOf(
  seen: readonly Fork[],
  members: readonly MemberInfo[],
  { host }: MemberView,
): ForkInfo[] {
  const refused = (host?.witnesses.refused ?? []).map(
    ({ nodeId, host: otherHost, insteadHost, tip }): Fork => ({
      nodeId,
      host: insteadHost ?? otherHost,
      otherHost,
      message: `run ${tip.epoch} of it, at ${otherHost}, is refused`,
    }),
  );
  const all = new Map<string, ForkInfo>();
  for (const fork of [...refused, ...seen]) {
    const member = members.find(({ nodeId }) => nodeId === fork.nodeId);
    if (member === undefined) continue;
    const { nodeId, label } = member;
    const hosts = [fork.host, fork.otherHost] as const;
    all.set(`${nodeId} ${fork.otherHost}`, { nodeId, label, hosts, message: fork.message });
  }
  return [...all.values()];
}

/** A person has to know, whatever else there is to say (Z48, Z55). */
function withForks(message: string, forks: readonly ForkInfo[], run: Run | null): string {
  const sentences = forks.map(({ nodeId, label, hosts, message: found }) => {
    const where = `${hosts[0]} and ${hosts[1]}`;
    if (nodeId !== run?.nodeId) return `Two copies of ${label} are about, at ${where}: ${found}`;
    return (
      `Two copies of this member are about, at ${where}: ${found}. It goes on; ` +
      'if the other one holds more, stop this cluster and recover() from there'
    );
  });
  return [message, ...sentences].join('. ');
}

function copiesOf(members: readonly MemberInfo[], status: Status | null): number {
  if (status?.role !== 'leader') {
    return members.filter((one) => one.kind === 'voter' && one.reachable).length;
  }
  return members.filter((one) => (one.matchIndex ?? 0) >= status.commitIndex).length;
}

function raftOf(
  run: Run | null,
  state: ReplicatedState | null,
  status: Status | null,
): Omit<RaftStatus, 'clock' | 'counters'> {
  const votes = status?.membership.voters.includes(status.nodeId) === true;
  const follows = status?.role === 'follower' && !votes;
  return {
    role: status === null ? 'none' : follows ? 'learner' : status.role,
    term: status?.term ?? 0,
    leader: status?.leader ?? null,
    commitIndex: status?.commitIndex ?? 0,
    appliedIndex: state?.appliedIndex ?? 0,
    firstIndex: status?.firstIndex ?? 0,
    lastIndex: status?.lastEntry.index ?? 0,
    snapshotIndex: status?.snapshot?.index ?? 0,
    epoch: run?.epoch ?? 0,
    time: state?.time ?? 0,
  };
}

const forkCountMax = 64;
