/**
 * What this member has learnt of other replicas that they must never forget (Z3). Each of them swore
 * it by its disk, so one that comes back with less was rolled back, and one whose history has two
 * branches was copied. What was refused stays refused, by its branch (Z38, Z48). Both sides of a link
 * judge: this one by what it knows, and, since what is known of the other is said in the hello, the
 * other one by that, before it votes for anybody.
 */
import type { Message, NodeId, Status } from '@quorate/core';
import { isRefusalCode, QuorateError } from '@quorate/contracts';
import type { HostId, LoadedLog } from '@quorate/contracts';
import { comesFrom, forkOf, relationOf } from './branch.ts';
import type { History } from './branch.ts';
import { refusedCountMax } from './witness-records.ts';
import type { Opening, RefusedBranch, Witness, WitnessedRun } from './witness-records.ts';

/** The run that a newcomer is measured by, and where it lives. */
type Incumbent = History & { readonly host: HostId };
type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type Known = Mutable<Witness> & { durable: boolean };

/** What is to be done with a run: `late` is one before the run known, `kept` what a person decided for. */
export type Verdict =
  | { readonly type: 'known' | 'new' | 'successor' | 'kept' | 'late' }
  | { readonly type: 'refused'; readonly error: QuorateError };

export class Witnesses {
  readonly #known = new Map<NodeId, Known>();
  #refused: readonly RefusedBranch[] = [];
  #news: WitnessNews = 'none';
  /** Whose records stay, whoever comes by (Z54). */
  #voters: ReadonlySet<NodeId> = new Set();

  /** Takes back what an earlier run of this member stored. */
  restore(witnesses: readonly Witness[], refused: readonly RefusedBranch[]): void {
    for (const witness of witnesses) {
      this.#known.set(witness.nodeId, { ...witness, durable: true });
    }
    this.#refused = refused;
  }

  /** The voters of this member's cluster, present and outgoing. */
  setVoters(voters: ReadonlySet<NodeId>): void {
    this.#voters = voters;
  }

  /** What is worth storing: a replica in memory never comes back. Voters come first. */
  list(): Witness[] {
    const voters: Witness[] = [];
    const others: Witness[] = [];
    for (const { durable, ...witness } of this.#known.values()) {
      if (this.#voters.has(witness.nodeId)) voters.push(witness);
      else if (durable) others.push(witness);
    }
    const room = Math.max(0, witnessCountMax - voters.length);
    return [...voters, ...others.slice(Math.max(0, others.length - room))];
  }

  /**
   * The same as it is said to others: whence a visitor's run came would fill the hello, but for the run
   * before it, which its signature names (Z39).
   */
  said(): Witness[] {
    return this.list().map((one) =>
      this.#voters.has(one.nodeId) ? one : { ...one, past: one.past.slice(0, 1) },
    );
  }

  /** Branches that were refused, here or by those who said so. */
  get refused(): readonly RefusedBranch[] {
    return this.#refused;
  }

  /** Why a branch of this replica is refused, for members of `generation`; null: none is. */
  refusalOf(nodeId: NodeId, generation: number): RefusedBranch['code'] | null {
    const last = this.#refused.findLast((one) => one.nodeId === nodeId);
    return last !== undefined && counts(last, { generation }) ? last.code : null;
  }

  /** What is new since the last `store()`. */
  get news(): WitnessNews {
    return this.#news;
  }

  /** The list, for whoever stores it. */
  store(): Witness[] {
    this.#news = 'none';
    return this.list();
  }

  /** What is known of a replica. */
  of(nodeId: NodeId): Witness | null {
    return this.#known.get(nodeId) ?? null;
  }

  /** What is to be done with this run. Nothing is remembered yet. */
  judge(run: WitnessedRun): Verdict {
    const known = this.#known.get(run.nodeId) ?? null;
    const current = known !== null && counts(known, run) ? known : null;
    const refused = this.#refused.find((one) => isOfBranch(run, one));
    if (isKept(run, current, refused)) return { type: 'kept' };
    if (refused !== undefined) return { type: 'refused', error: errorOf(run, refused) };
    if (current === null) return { type: 'new' };
    const error = objection(current, run);
    if (error !== null) return { type: 'refused', error };
    switch (relationOf(current, run)) {
      case 'same':
        return { type: 'known' };
      case 'earlier':
        return { type: 'late' };
      default:
        return { type: run.epoch < current.epoch ? 'late' : 'successor' };
    }
  }

  /**
   * This run is heard from now on. True when its epoch or nonce was not known. `kept`: a person said
   * so, and nothing that was sworn on the branch given up is asked of it.
   */
  met(run: WitnessedRun, host: HostId, kept: boolean = false): boolean {
    const { nodeId, epoch, nonce, past, generation, opening, durable, proof } = run;
    const known = this.#known.get(nodeId);
    if (known?.epoch === epoch && known.nonce === nonce && !kept) {
      this.#seen(known, run, host);
      return false;
    }
    if (kept) this.#giveUp(run, known, host);
    const sworn = kept || (known !== undefined && !counts(known, run)) ? undefined : known;
    this.#known.delete(nodeId);
    this.#makeRoom();
    this.#known.set(nodeId, {
      nodeId,
      epoch,
      nonce,
      past,
      generation,
      host,
      term: Math.max(sworn?.term ?? 0, opening.term),
      grant: sworn?.grant ?? null,
      heldIndex: sworn?.heldIndex ?? 0,
      proof,
      durable,
    });
    this.#news = 'facts';
    return true;
  }

  /** A run that was thought to be over is alive: what is known of its replica is known of it again. */
  takeBack(former: Witness): void {
    const durable = this.#known.get(former.nodeId)?.durable ?? true;
    this.#known.set(former.nodeId, { ...former, durable });
    this.#news = 'facts';
  }

  /** From now on nobody of this run's branch is heard (Z38). True when that is news. */
  refuse(
    run: WitnessedRun,
    code: RefusedBranch['code'],
    host: HostId,
    known: Incumbent | null = this.of(run.nodeId),
  ): boolean {
    const { nodeId, generation, epoch } = run;
    const last = tipOf(run, host);
    const standing = this.#refused.find((one) => isOfBranch(run, one));
    if (standing !== undefined) {
      if (standing.tip.epoch >= epoch) return false;
      return this.#replace(standing, { ...standing, ...last });
    }
    // Whoever lacks what it swore may have opened honest runs before this one.
    const isFork =
      known !== null && (code === 'REPLICA_CLONED' || relationOf(known, run) === 'fork');
    return this.#replace(null, {
      nodeId,
      generation,
      code,
      root: isFork ? forkOf(known, run) : last.tip,
      ...last,
      instead: known === null ? null : { epoch: known.epoch, nonce: known.nonce },
      insteadHost: known?.host ?? null,
    });
  }

  /** Another voter refused a branch. True when that is news. */
  adopt(told: RefusedBranch): boolean {
    return !this.isKnown(told) && this.#replace(null, told);
  }

  /** Is a branch with this root refused already? */
  isKnown({ nodeId, root }: RefusedBranch): boolean {
    return this.#refused.some(
      (one) =>
        nodeId === one.nodeId && root.epoch === one.root.epoch && root.nonce === one.root.nonce,
    );
  }

  /** A message of a run that was met: what it says of its sender's disk is remembered. */
  heard(message: Message): void {
    if (!restsOnDurableTerm(message)) return;
    const known = this.#known.get(message.from);
    if (known === undefined) return;
    if (message.term > known.term) {
      known.term = message.term;
      this.#news = 'facts';
    }
    if (message.type === 'RequestVoteResponse' && message.term > (known.grant?.term ?? 0)) {
      known.grant = { term: message.term, to: message.to };
      this.#news = 'facts';
    }
  }

  /** A replica acknowledged this leader's log up to `index`, and all of that is committed. */
  holds(nodeId: NodeId, index: number): void {
    const known = this.#known.get(nodeId);
    if (known === undefined || index <= known.heldIndex) return;
    known.heldIndex = index;
    if (this.#news === 'none') this.#news = 'progress';
  }

  /** Z3: who acknowledged what, as far as it is committed, must be held by them for ever. */
  acknowledged({ progress, commitIndex }: Status): void {
    for (const { peer, matchIndex } of progress)
      this.holds(peer, Math.min(matchIndex, commitIndex));
  }

  /** The run joined a cluster since it was met, or moved to another host, and signed that it did. */
  #seen(known: Known, { generation, proof }: WitnessedRun, host: HostId): void {
    known.host = host;
    known.proof = proof;
    if (known.generation === generation) return;
    known.generation = generation;
    this.#news = 'facts';
  }

  /** A person gave up the branch that is known: now that one is not heard any more. */
  #giveUp(run: WitnessedRun, known: Known | undefined, host: HostId): void {
    this.#refused = this.#refused.filter((one) => !isOfBranch(run, one));
    if (known === undefined || relationOf(known, run) !== 'fork') return;
    const { nodeId, generation } = known;
    this.#replace(null, {
      nodeId,
      generation,
      code: 'REPLICA_CLONED',
      root: forkOf(run, known),
      ...tipOf(known, known.host),
      instead: { epoch: run.epoch, nonce: run.nonce },
      insteadHost: host,
    });
  }

  #replace(former: RefusedBranch | null, next: RefusedBranch): boolean {
    const others = this.#refused.filter((one) => one !== former);
    // Never evicted (Z54): beyond this bound what is known of the replica refuses them by itself.
    if (former === null && others.length >= refusedCountMax) return false;
    this.#refused = [...others, next];
    this.#news = 'facts';
    return true;
  }

  /**
   * Those in memory go first, for they cannot come back; then the one that was met longest ago. Never
   * a voter: what it swore is what acknowledged writes rest on (Z54).
   */
  #makeRoom(): void {
    if (this.#known.size < witnessCountMax) return;
    const others = [...this.#known.values()].filter(({ nodeId }) => !this.#voters.has(nodeId));
    const goes = others.find(({ durable }) => !durable) ?? others[0];
    if (goes !== undefined) this.#known.delete(goes.nodeId);
  }
}

/** `facts`: worth storing at once. `progress`: numbers that move with each commit. */
export type WitnessNews = 'none' | 'progress' | 'facts';

/** What a run began with. */
export function openingOf({ hardState, snapshot, entries }: LoadedLog): Opening {
  const { currentTerm: term, votedFor } = hardState;
  const lastIndex = Math.max(entries.at(-1)?.index ?? 0, snapshot?.index ?? 0);
  return { term, votedFor, lastIndex };
}

/**
 * Why a run must not be heard if `known` is true of its replica; null when it may be, or is merely
 * late. A later run is honest only if its disk held at the start all that was sworn before. Within
 * one run a disk cannot be exchanged.
 */
export function objection(known: Witness, run: WitnessedRun): QuorateError | null {
  const relation = relationOf(known, run);
  if (relation === 'same' || relation === 'earlier') return null;
  const { nodeId, epoch } = run;
  const lacks = lackOf(known, run.opening);
  if (lacks !== null) {
    return new QuorateError(
      'REPLICA_ROLLED_BACK',
      `Cannot hear run ${epoch} of ${nodeId}: ${lacks}`,
    );
  }
  if (relation !== 'fork') return null;
  const at = forkOf(known, run).epoch;
  // A backup that was put back, most likely, where it is behind; else two are running.
  const code = epoch < known.epoch ? 'REPLICA_ROLLED_BACK' : 'REPLICA_CLONED';
  const text = `another run ${at} of it is known, up to run ${known.epoch}`;
  return new QuorateError(code, `Cannot hear run ${epoch} of ${nodeId}: ${text}`);
}

/** Is this run of a refused branch? */
export function isOfBranch(run: WitnessedRun, one: RefusedBranch): boolean {
  if (run.nodeId !== one.nodeId || !counts(one, run)) return false;
  return comesFrom(run, one.root) || comesFrom(run, one.tip);
}

/** Records end with their generation (Z54); 0 is that of a replica that is in no cluster yet. */
export function counts(
  record: { readonly generation: number },
  run: { readonly generation: number },
): boolean {
  return record.generation === 0 || record.generation >= run.generation;
}

/** The last run of a refused branch, and what shows that it is one (Z39). */
function tipOf(
  { epoch, nonce, past, proof }: WitnessedRun | Known,
  host: HostId,
): Pick<RefusedBranch, 'tip' | 'host' | 'before' | 'proof'> {
  return { tip: { epoch, nonce }, host, before: past[0] ?? null, proof };
}

/** What is said of a run whose branch was refused before. */
export function errorOf({ nodeId, epoch }: WitnessedRun, refused: RefusedBranch): QuorateError {
  const { root, code } = refused;
  const text = `its branch was refused since run ${root.epoch}, and no later run cures that`;
  return new QuorateError(code, `Cannot hear run ${epoch} of ${nodeId}: ${text}`);
}

/** What a run is refused as for `error`. */
export function refusalCodeOf({ code }: QuorateError): RefusedBranch['code'] {
  return isRefusalCode(code) ? code : 'REPLICA_ROLLED_BACK';
}

/** Did a person decide for this run, against what is known here (Z48)? */
export function isKept(
  run: WitnessedRun,
  known: Witness | null,
  refused: RefusedBranch | undefined,
): boolean {
  if (run.givenUp.length === 0) return false;
  if (known !== null && relationOf(known, run) === 'same') return false;
  const instead = refused?.instead ?? null;
  return run.givenUp.some(
    (id) =>
      (known !== null && comesFrom(known, id) && (refused !== undefined || !comesFrom(run, id))) ||
      (instead !== null && instead.epoch === id.epoch && instead.nonce === id.nonce),
  );
}

/** What a disk lacks of what its replica swore, in words; null: nothing. */
export function lackOf({ term, grant, heldIndex }: Witness, opening: Opening): string | null {
  if (opening.term < term) {
    return `it began in term ${opening.term}, and term ${term} was on its disk`;
  }
  if (opening.term === grant?.term && opening.votedFor !== grant.to) {
    return `its vote for ${grant.to} in term ${grant.term} is gone`;
  }
  if (opening.lastIndex < heldIndex) {
    return `its log ended at ${opening.lastIndex}, and it held what is committed up to ${heldIndex}`;
  }
  return null;
}

/** What the core sends only once term and vote are durable (E1, L7). */
function restsOnDurableTerm(message: Message): boolean {
  switch (message.type) {
    case 'RequestVote':
    case 'AppendEntries':
    case 'Heartbeat':
    case 'InstallSnapshot':
    case 'TimeoutNow':
      return true;
    case 'RequestVoteResponse':
      return message.granted;
    case 'AppendEntriesResponse':
      return message.matchIndex > 0;
    default:
      return false;
  }
}

/** Members of a cluster, and some that were; about 150 bytes each. */
const witnessCountMax = 256;
