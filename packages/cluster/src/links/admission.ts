/**
 * Whom this host hears. A run is judged by what is known of its replica, and the runs here by what
 * the other side knows of them, before a word of it counts (Z3, Z38, Z48).
 *
 * A run that follows one whose link still answers is a copy: both are alive. The newcomer is refused
 * and whoever was linked goes on. A run before the known one is a late word of it, out of a full
 * buffer or a frozen page: its link closes, and nothing is remembered.
 */
import type { NodeId } from '@quorate/core';
import { QuorateError } from '@quorate/contracts';
import type { Clock, HostId, RunId } from '@quorate/contracts';
import { comesFrom, relationOf } from './branch.ts';
import type { Hello, RunFacts } from './hello.ts';
import type { Charge, HostedReplica } from './hosted-replica.ts';
import type { LinkMemory } from './link-memory.ts';
import type { Peer } from './peer.ts';
import type { Witness } from './witness-records.ts';
import {
  counts,
  errorOf,
  isKept,
  isOfBranch,
  lackOf,
  objection,
  refusalCodeOf,
} from './witnesses.ts';
import type { Witnesses } from './witnesses.ts';

export type AdmissionOptions = {
  readonly host: HostId;
  readonly witnesses: Witnesses;
  readonly memory: LinkMemory;
  readonly clock: Clock;
  readonly replicas: () => Iterable<HostedReplica>;
  readonly routeTo: (nodeId: NodeId) => Peer | undefined;
  /** Hears a peer from now on, whose runs were not known before but for those that are `same`. */
  readonly accept: (peer: Peer, hello: Hello, newRuns: ReadonlySet<NodeId>) => void;
  readonly refused: (host: HostId, error: QuorateError) => void;
  /** There is more to tell others than before. */
  readonly news: () => void;
};

/** A run that was linked here until another took its place. */
type Former = {
  readonly witness: Witness;
  readonly successor: RunFacts;
  readonly host: HostId;
  readonly replacedAt: number;
};

export class Admission {
  readonly #options: AdmissionOptions;
  readonly #linkedRun = new Map<NodeId, RunId>();
  readonly #formers = new Map<NodeId, Former>();

  constructor(options: AdmissionOptions) {
    this.#options = options;
  }

  /** The first hello of a peer: accepts it, now or when those in doubt have answered, or closes it. */
  ready(peer: Peer): void {
    const { witnesses, routeTo } = this.#options;
    const asked: Promise<boolean>[] = [];
    for (const facts of peer.hello?.runs ?? []) {
      const own = this.#own(facts.nodeId);
      if (own !== undefined) return this.#metMyself(peer, own, facts);
      const verdict = witnesses.judge(facts);
      switch (verdict.type) {
        case 'refused':
          return this.#refuse(peer, facts, verdict.error);
        case 'late':
          return this.#late(peer, facts);
        case 'known': {
          const error = this.#forgetful(peer, facts);
          if (error === null) break;
          // It may remember of a run here what that has not either: whoever only asks anew never hears so.
          if (peer.hello !== null && this.#isReverted(peer, peer.hello)) return;
          return this.#askAnew(peer, error);
        }
        case 'successor':
        case 'kept': {
          const linked = routeTo(facts.nodeId);
          if (linked?.open !== true || linked === peer) break;
          asked.push(this.#endsIfAlive(peer, facts, linked));
          break;
        }
        default:
      }
    }
    if (asked.length === 0) this.#accept(peer);
    else {
      void Promise.all(asked).then((alive) => {
        // Meanwhile it may have been closed, or what is known may have changed.
        if (!peer.open || alive.includes(true)) return;
        this.ready(peer);
      });
    }
  }

  /** A later hello of a peer that was accepted; false when it had to be closed. */
  renewed(peer: Peer, hello: Hello): boolean {
    if (this.#isDisowned(peer, hello)) return false;
    for (const facts of hello.runs) this.#options.witnesses.met(facts, peer.link.host);
    this.#adopt(hello);
    return true;
  }

  #accept(peer: Peer): void {
    const { witnesses, clock, accept } = this.#options;
    const { hello } = peer;
    if (hello === null || this.#isDisowned(peer, hello)) return;
    const newRuns = new Set<NodeId>();
    for (const facts of hello.runs) {
      const known = witnesses.of(facts.nodeId);
      const linked = this.#linkedRun.get(facts.nodeId);
      const kept = witnesses.judge(facts).type === 'kept';
      const isNew = witnesses.met(facts, peer.link.host, kept);
      // What the run that was linked last acknowledged is none of this one's (Z1).
      const isAnother = linked !== undefined && linked.nonce !== facts.nonce;
      if (isNew || isAnother) newRuns.add(facts.nodeId);
      if (!isNew || known === null || linked === undefined || !comesFrom(known, linked)) continue;
      const former = { witness: known, successor: facts, host: peer.link.host };
      this.#formers.set(facts.nodeId, { ...former, replacedAt: clock.now() });
    }
    for (const { nodeId, epoch, nonce } of hello.runs) {
      this.#linkedRun.set(nodeId, { epoch, nonce });
      this.#options.memory.heard(nodeId, { epoch, nonce }, peer.link.host, hello.link);
    }
    accept(peer, hello, newRuns);
    this.#adopt(hello);
  }

  /**
   * Z72: what is remembered here of this very run, and it says less; null: nothing. It may have said
   * this before it said the rest, over a link that was made at the same time.
   */
  #forgetful(peer: Peer, facts: RunFacts): QuorateError | null {
    const { witnesses, memory } = this.#options;
    const { hello } = peer;
    const known = witnesses.of(facts.nodeId);
    const present = hello?.present[hello.runs.indexOf(facts)];
    if (hello === null || known === null || present === undefined) return null;
    const lacks = counts(known, facts) ? lackOf(known, present) : null;
    if (lacks !== null) return revertedError(facts, lacks);
    if (!memory.lacks(facts.nodeId, facts, hello.link)) return null;
    return revertedError(facts, 'it does not remember the last link that it had');
  }

  /** Closes the link; the next one begins after whatever is known now. */
  #askAnew(peer: Peer, error: QuorateError): void {
    this.#options.refused(peer.link.host, error);
    // Not at once: what is remembered of it is what the other side must hear.
    peer.sendHello();
    this.#options.clock.setTimeout(() => peer.close('asked anew'), farewellMs);
  }

  /** Z72: does the other side remember of a run here what that itself does not? */
  #isReverted(peer: Peer, hello: Hello): boolean {
    const { replicas, memory, refused } = this.#options;
    for (const replica of replicas()) {
      const run = replica.facts();
      const heard = hello.heard.find(
        ({ nodeId, nonce }) => run.nodeId === nodeId && run.nonce === nonce,
      );
      const known = hello.witnesses.find((one) => one.nodeId === run.nodeId && counts(one, run));
      const isOfRun = known !== undefined && relationOf(run, known) === 'same';
      const lacks = isOfRun ? lackOf(known, replica.present()) : null;
      const isDrawn = heard === undefined || memory.drew(peer.link.host, heard.random);
      if (lacks === null && isDrawn && heard?.forgot !== true) continue;
      const why = lacks ?? `${peer.link.host} remembers what it does not`;
      const error = revertedError(run, why);
      refused(peer.link.host, error);
      peer.close(error.code);
      // Z54: only for who votes, or did, by its own log. Others are not heard, which is all.
      if (hello.runs.some(({ nodeId }) => replica.knowsVoter(nodeId))) replica.reverted(error);
      return true;
    }
    return false;
  }

  /** The run before `facts` has a link: if anybody answers there, both are alive (Z48). */
  async #endsIfAlive(peer: Peer, facts: RunFacts, linked: Peer): Promise<boolean> {
    const isAlive = await this.#isAlive(linked, facts.nodeId);
    if (isAlive) {
      const text = `the run before it, ${this.#runText(facts.nodeId)}, is alive at ${linked.link.host}`;
      this.#refuse(peer, facts, clonedError(facts, text));
    } else linked.close('run ended');
    return isAlive;
  }

  /**
   * A run before the known one. It is the incumbent all the same if it was linked here until a moment
   * ago, lost its link to the other one, and still answers.
   */
  #late(peer: Peer, facts: RunFacts): void {
    const { clock, routeTo, witnesses } = this.#options;
    const former = this.#formers.get(facts.nodeId);
    const isFormer =
      former !== undefined &&
      relationOf(former.witness, facts) === 'same' &&
      clock.now() - former.replacedAt < formerMs;
    if (!isFormer) {
      peer.close('late word');
      return;
    }
    void this.#isAlive(peer, facts.nodeId).then((isAlive) => {
      if (!isAlive || this.#formers.get(facts.nodeId) !== former || !peer.open) {
        peer.close('late word');
        return;
      }
      this.#formers.delete(facts.nodeId);
      const { successor, host } = former;
      witnesses.takeBack(former.witness);
      witnesses.refuse(successor, 'REPLICA_CLONED', host);
      this.#say(facts.nodeId);
      routeTo(facts.nodeId)?.close('REPLICA_CLONED');
      this.ready(peer);
    });
  }

  /** Another host runs a replica of this one: a copy of its store is open there. */
  #metMyself(peer: Peer, own: HostedReplica, facts: RunFacts): void {
    const run = own.facts();
    const relation = relationOf(run, facts);
    const { host } = this.#options;
    if (relation !== 'same' && relation !== 'earlier' && own.isIncumbent()) {
      this.#options.witnesses.refuse(facts, 'REPLICA_CLONED', peer.link.host, { ...run, host });
      this.#say(facts.nodeId);
    }
    const text = `run ${run.epoch} of it is alive here, at ${host}`;
    const error = clonedError(facts, text);
    own.forkSeen({
      nodeId: own.nodeId,
      host,
      otherHost: peer.link.host,
      message: `${peer.link.host} runs this replica too, as run ${facts.epoch} of it`,
    });
    this.#options.refused(peer.link.host, error);
    peer.close(error.code);
  }

  #refuse(peer: Peer, facts: RunFacts, error: QuorateError): void {
    const { witnesses, clock, refused } = this.#options;
    const code = refusalCodeOf(error);
    if (witnesses.refuse(facts, code, peer.link.host)) this.#say(facts.nodeId);
    refused(peer.link.host, error);
    // Not at once: that the branch is refused is what the other side must hear of it.
    peer.sendHello();
    clock.setTimeout(() => peer.close(error.code), farewellMs);
  }

  /** Tells everybody, and the replicas here, of a branch that was just refused. */
  #say(nodeId: NodeId): void {
    const { witnesses, replicas, news } = this.#options;
    const branch = witnesses.refused.findLast((one) => one.nodeId === nodeId);
    if (branch === undefined) return;
    for (const replica of replicas()) {
      replica.forkSeen({
        nodeId,
        host: branch.insteadHost ?? branch.host,
        otherHost: branch.host,
        message: `run ${branch.tip.epoch} of it, at ${branch.host}, is refused`,
      });
    }
    news();
  }

  /** What voters say of others is taken over, but never against a run that is linked here. */
  #adopt(hello: Hello): void {
    const { witnesses, replicas, routeTo, news } = this.#options;
    const hosted = [...replicas()];
    const isVoters = hello.runs.some(({ nodeId }) =>
      hosted.some((replica) => replica.knowsVoter(nodeId)),
    );
    let isNew = false;
    for (const branch of isVoters ? hello.refused : []) {
      const { nodeId, root, tip } = branch;
      const known = witnesses.of(nodeId);
      const isLinked = known !== null && routeTo(nodeId) !== undefined;
      if (this.#own(nodeId) !== undefined) continue;
      if (isLinked && (comesFrom(known, root) || comesFrom(known, tip))) continue;
      if (witnesses.adopt(branch)) isNew = true;
    }
    if (isNew) news();
  }

  /** Z3: the other side knows of a run here what that run's own disk does not. */
  #isDisowned(peer: Peer, hello: Hello): boolean {
    const { host, replicas, refused } = this.#options;
    if (this.#isReverted(peer, hello)) return true;
    for (const replica of replicas()) {
      const run = replica.facts();
      const known = hello.witnesses.find((one) => one.nodeId === run.nodeId && counts(one, run));
      const charge = chargeOf(peer, hello, replica, known ?? null);
      if (charge !== null) {
        refused(peer.link.host, charge.error);
        peer.close(charge.error.code);
        replica.disowned(charge);
        return true;
      }
      if (known === undefined || relationOf(run, known) !== 'later') continue;
      // Nothing is wrong with this run; somebody opened a copy of its store (Z48).
      const message = `run ${known.epoch} of this replica is known at ${peer.link.host}, and this is run ${run.epoch}`;
      replica.forkSeen({ nodeId: run.nodeId, host, otherHost: known.host, message });
    }
    return false;
  }

  #isAlive(peer: Peer, nodeId: NodeId): Promise<boolean> {
    const request = { to: nodeId, method: aliveMethod, body: new Uint8Array() };
    return peer.request(request, { timeoutMs: aliveTimeoutMs }).then(
      () => true,
      () => false,
    );
  }

  #own(nodeId: NodeId): HostedReplica | undefined {
    for (const replica of this.#options.replicas()) if (replica.nodeId === nodeId) return replica;
    return undefined;
  }

  #runText(nodeId: NodeId): string {
    return `run ${this.#options.witnesses.of(nodeId)?.epoch ?? 0}`;
  }
}

/** What a hello holds against a run here; null when nothing. */
function chargeOf(
  peer: Peer,
  hello: Hello,
  replica: HostedReplica,
  known: Witness | null,
): Charge | null {
  const run = replica.facts();
  const refused = hello.refused.find((one) => isOfBranch(run, one));
  if (isKept(run, known, refused)) return null;
  const refusal = refused === undefined ? null : errorOf(run, refused);
  const error = refusal ?? (known === null ? null : objection(known, run));
  if (error === null) return null;
  const others: RunId[] = refused?.instead == null ? [] : [refused.instead];
  if (known !== null) others.push({ epoch: known.epoch, nonce: known.nonce });
  return {
    error,
    by: peer.link.host,
    byVoter: hello.runs.some(({ nodeId }) => replica.knowsVoter(nodeId)),
    others,
    otherHost: known?.host ?? refused?.insteadHost ?? peer.link.host,
  };
}

function revertedError({ nodeId, epoch }: RunFacts, why: string): QuorateError {
  const text = `it was put back to an earlier state of itself: ${why}`;
  return new QuorateError('REPLICA_ROLLED_BACK', `Cannot hear run ${epoch} of ${nodeId}: ${text}`);
}

function clonedError({ nodeId, epoch }: RunFacts, why: string): QuorateError {
  return new QuorateError('REPLICA_CLONED', `Cannot hear run ${epoch} of ${nodeId}: ${why}`);
}

/** Answered by a host as long as it runs the replica that is asked. */
export const aliveMethod = 'alive';
/** Longer than a busy process is deaf, and shorter than a restart may be kept waiting. */
const aliveTimeoutMs = 1_500;
/** How long a link may be lost before its run is believed to be over for good. */
const formerMs = 60_000;
/** Time for a last hello to be read. */
const farewellMs = 500;
