/**
 * The five safety properties of the Raft paper (figure 3), and what they rest on, checked at each
 * step from what replicas hand to their disks, say to each other and apply. It looks at contracts
 * only: batches, messages, applied entries.
 *
 * Costs are incremental: nothing here walks a log.
 */
import type { Entry, EntryId, Membership, Message, NodeId } from '@quorate/core';
import type { PersistBatch, SnapshotMeta } from '@quorate/core';
import { decodeMembershipEntry, describeMembership } from '@quorate/core';
import { hashBytes } from './event-hash.ts';
import { quorumsOverlap } from './quorum-overlap.ts';
import type { StateObserver } from './state-trace.ts';
import { traceEntry } from './state-trace.ts';
import { violated } from './violation.ts';

/** A log as far as the checker needs it: terms by index, from `firstIndex` on. */
type ModelLog = {
  firstIndex: number;
  terms: number[];
  /** The entry just before the first; term 0 at index 0. */
  base: EntryId;
};

type Vote = { term: number; votedFor: NodeId | null };

type Replica = {
  readonly id: NodeId;
  /** What it handed to its disk: its log in memory. */
  written: ModelLog;
  writtenVote: Vote;
  /** What the disk acknowledged, or kept in a crash. */
  durable: ModelLog;
  durableVote: Vote;
  /** Its newest stored snapshot: where a new run begins. */
  snapshot: SnapshotMeta | null;
  /** Votes that were durable once, by term. */
  readonly durableVotes: Map<number, NodeId>;
  /** Votes that left the replica, by term. */
  readonly sentVotes: Map<number, NodeId>;
  /** Membership entries in its log, oldest first. */
  memberships: MembershipAt[];
  /** Those that were in the log of this run at any time. */
  seenMemberships: MembershipAt[];
  appliedIndex: number;
  commitIndex: number;
  /** What it knew to be committed when it began to lead. */
  leadCommitIndex: number;
};

type MembershipAt = {
  readonly term: number;
  readonly index: number;
  readonly membership: Membership;
};

export class SafetyChecker {
  readonly #replicas = new Map<NodeId, Replica>();
  readonly #leaders = new Map<number, NodeId>();
  /** Memberships that leaders sent, in places of the log that may not be decided yet. */
  #offered: MembershipAt[] = [];
  /** Every entry ever written, by term and index: its content and what it stands on. */
  readonly #entries = new Map<
    string,
    { readonly hash: number; readonly prevTerm: number | null }
  >();
  readonly #membershipEntries: (MembershipAt & { readonly previousIndex: number })[] = [];
  /** What was applied, by index. */
  readonly #commands = new Map<number, number>();
  /**
   * By index: the term of the committed entry, and the term in which its commit was first seen. There
   * are holes where only a snapshot told that everything below it is committed.
   */
  readonly #committedTerms: (number | undefined)[] = [0];
  readonly #committedIn: (number | undefined)[] = [0];
  readonly #observe: StateObserver;
  checkCount = 0;

  /** `observe` hears what replicas hand over, apply and are found to lead. */
  constructor(observe: StateObserver = () => undefined) {
    this.#observe = observe;
  }

  /** Highest index known to be committed. */
  get commitIndex(): number {
    return this.#committedTerms.length - 1;
  }

  /** The term of the committed entry at `index`, or undefined while none is known. */
  committedTerm(index: number): number | undefined {
    return this.#committedTerms[index];
  }

  /** A run of `id` begins with what its disk holds (all zeros for a new replica). */
  started(id: NodeId): void {
    const replica = this.#replica(id);
    replica.written = copyLog(replica.durable);
    replica.writtenVote = { ...replica.durableVote };
    const snapshotIndex = replica.snapshot?.index ?? 0;
    replica.appliedIndex = snapshotIndex;
    replica.commitIndex = snapshotIndex;
    replica.memberships = this.#membershipEntries
      .filter(({ term, index }) => index > snapshotIndex && termAt(replica.durable, index) === term)
      .sort((a, b) => a.index - b.index);
    if (replica.snapshot !== null) replica.memberships.unshift(ofSnapshot(replica.snapshot));
    replica.seenMemberships = [...replica.memberships];
    this.#observe(id, {
      event: 'start',
      term: replica.writtenVote.term,
      log: lastIdOf(replica.written),
      commit: replica.commitIndex,
    });
  }

  /** A run of `id` ended between two instructions; what its disk kept was said before. */
  crashed(id: NodeId): void {
    this.#observe(id, { event: 'crash' });
  }

  /** `batch` was handed to the disk of `id`, whose log in memory it thereby is. */
  written(id: NodeId, batch: PersistBatch): void {
    const replica = this.#replica(id);
    const vote = { term: batch.hardState.currentTerm, votedFor: batch.hardState.votedFor };
    this.#checkVote(replica, replica.writtenVote, vote);
    const { term, votedFor } = replica.writtenVote;
    replica.writtenVote = vote;
    if (vote.term !== term || vote.votedFor !== votedFor) {
      this.#observe(id, { event: 'vote', ...vote });
    }
    if (batch.entries.length > 0) {
      this.#observe(id, { event: 'append', entries: batch.entries.map(traceEntry) });
    }
    batch.entries.forEach((entry, position) => {
      if (entry.index !== (batch.entries[0]?.index ?? 0) + position) {
        violated('append-only', `${id} writes a batch with ${entry.index} at position ${position}`);
      }
      this.#append(replica, entry);
    });
    this.#commitTo(replica, batch.hardState.commitIndex);
  }

  /** `batch` is durable. */
  persisted(id: NodeId, batch: PersistBatch): void {
    const replica = this.#replica(id);
    replica.durableVote = {
      term: batch.hardState.currentTerm,
      votedFor: batch.hardState.votedFor,
    };
    if (batch.hardState.votedFor !== null) {
      replica.durableVotes.set(batch.hardState.currentTerm, batch.hardState.votedFor);
    }
    for (const entry of batch.entries) setTerm(replica.durable, entry);
    const { term } = replica.durableVote;
    this.#observe(id, { event: 'persist', term, log: lastIdOf(replica.durable) });
  }

  /** A snapshot is durable: its own or one from the leader. */
  snapshotSaved(id: NodeId, meta: SnapshotMeta): void {
    const replica = this.#replica(id);
    this.#checkCommitted(replica, meta.index, meta.term, 'saved a snapshot');
    this.#checkMembership(replica, meta);
    this.#observe(id, { event: 'snapshot', at: idOf(meta), installed: false });
    if (meta.index < (replica.snapshot?.index ?? 0)) return;
    replica.snapshot = meta;
    if (termAt(replica.durable, meta.index) !== meta.term) {
      replica.durable = { firstIndex: meta.index + 1, terms: [], base: idOf(meta) };
    }
  }

  /** The log in memory was replaced by a snapshot. */
  snapshotInstalled(id: NodeId, meta: SnapshotMeta): void {
    const replica = this.#replica(id);
    this.#checkCommitted(replica, meta.index, meta.term, 'installed a snapshot');
    this.#observe(id, { event: 'snapshot', at: idOf(meta), installed: true });
    if (termAt(replica.written, meta.index) !== meta.term) {
      replica.written = { firstIndex: meta.index + 1, terms: [], base: idOf(meta) };
      replica.memberships = [ofSnapshot(meta)];
      replica.seenMemberships.push(ofSnapshot(meta));
    }
    if (meta.index < replica.appliedIndex) {
      violated(
        'apply-order',
        `${id} went back from applied ${replica.appliedIndex} to a snapshot at ${meta.index}`,
      );
    }
    replica.appliedIndex = meta.index;
    replica.commitIndex = Math.max(replica.commitIndex, meta.index);
  }

  /** Election safety, and leader completeness (§5.4.3) at the moment it first shows. */
  leads(id: NodeId, term: number): void {
    const known = this.#leaders.get(term);
    if (known === id) return;
    this.checkCount += 1;
    if (known !== undefined)
      violated('election-safety', `${known} and ${id} both lead term ${term}`);
    this.#leaders.set(term, id);
    this.#observe(id, { event: 'become-leader', term });
    const replica = this.#replica(id);
    replica.leadCommitIndex = replica.commitIndex;
    let index = this.commitIndex;
    while (index > 0 && (this.#committedIn[index] ?? term) >= term) index -= 1;
    if (index <= replica.written.base.index) return;
    const own = termAt(replica.written, index);
    if (own !== this.#committedTerms[index]) {
      violated(
        'leader-completeness',
        `${id} leads term ${term} with ${own === undefined ? 'nothing' : `term ${own}`}` +
          ` at ${index}, committed was term ${this.#committedTerms[index]}`,
      );
    }
  }

  /** What a message promises must already be durable, and be promised once. */
  sent(message: Message): void {
    const replica = this.#replica(message.from);
    this.#observe(message.from, { event: 'send', message });
    switch (message.type) {
      case 'AppendEntries':
        this.leads(message.from, message.term);
        this.#noteOffered(message.entries);
        this.#checkOwnTerm(replica, message.term, message.leaderCommit);
        return;
      case 'Heartbeat':
        this.leads(message.from, message.term);
        return;
      case 'RequestVote':
        this.#voteLeft(replica, message.term, message.from);
        return;
      case 'RequestVoteResponse':
        if (message.granted) this.#voteLeft(replica, message.term, message.to);
        return;
      case 'AppendEntriesResponse':
        this.checkCount += 1;
        if (message.rejected !== null) return;
        if (message.matchIndex > endOf(replica.durable)) {
          violated(
            'durable-acknowledgement',
            `${message.from} acknowledges ${message.matchIndex}, durable is ${endOf(replica.durable)}`,
          );
        }
        this.#checkSameEntry(replica, message.matchIndex);
        return;
      default:
    }
  }

  /**
   * State-machine safety where only commands show: `id` applies the one at `index`, and entries of
   * other kinds may lie before it.
   */
  appliedCommand(id: NodeId, index: number, hash: number): void {
    const replica = this.#replica(id);
    if (index <= replica.appliedIndex)
      violated('apply-order', `${id} applies ${index} after ${replica.appliedIndex}`);
    if (index > endOf(replica.durable)) {
      violated('apply-order', `${id} applies ${index}, durable is ${endOf(replica.durable)}`);
    }
    replica.appliedIndex = index;
    this.#commitTo(replica, index);
    this.#observe(id, { event: 'apply', index });
    const known = this.#commands.get(index);
    if (known === undefined) this.#commands.set(index, hash);
    else if (known !== hash) violated('state-machine', `${id} applies another command at ${index}`);
  }

  /**
   * Whether everything acknowledged outlives that `victim` is lost for good after those in `gone`:
   * each membership that may be in force somewhere keeps a majority without them. With a slow disk
   * that can be one which was sent and is written nowhere yet.
   */
  outlives(victim: NodeId, gone: ReadonlySet<NodeId>): boolean {
    const lost = new Set([...gone, victim]);
    const keepsMajority = (voters: readonly NodeId[]): boolean =>
      voters.length === 0 || voters.filter((id) => !lost.has(id)).length * 2 > voters.length;
    for (const { id, memberships, commitIndex } of this.#replicas.values()) {
      if (gone.has(id)) continue;
      const inForce = memberships.findLastIndex(({ index }) => index <= commitIndex);
      for (const { membership } of memberships.slice(Math.max(0, inForce))) {
        if (!keepsMajority(membership.voters)) return false;
        if (!keepsMajority(membership.votersOutgoing)) return false;
      }
    }
    const decided = Math.max(...[...this.#replicas.values()].map((one) => one.commitIndex));
    this.#offered = this.#offered.filter(({ index }) => index > decided);
    return this.#offered.every(
      ({ membership }) =>
        keepsMajority(membership.voters) && keepsMajority(membership.votersOutgoing),
    );
  }

  /** Z3: whether each membership that the disk of `id` may put in force has two voters beside it. */
  hasWitnesses(id: NodeId): boolean {
    const { durable, commitIndex, memberships } = this.#replica(id);
    const inForce = memberships.findLastIndex(({ index }) => index <= commitIndex);
    const onDisk = memberships
      .slice(Math.max(0, inForce))
      .filter(({ index }) => index <= endOf(durable));
    const isEnough = (voters: readonly NodeId[]): boolean =>
      voters.length === 0 || voters.length >= 3;
    return (
      onDisk.length > 0 &&
      onDisk.every(
        ({ membership }) => membership.voters.length >= 3 && isEnough(membership.votersOutgoing),
      )
    );
  }

  /** Z14: how many disks hold, or held before they were lost, what `id` knows to be committed. */
  copiesAt(id: NodeId): number {
    const { commitIndex } = this.#replica(id);
    const term = this.#committedTerms[commitIndex];
    if (term === undefined) return this.#replicas.size;
    return [...this.#replicas.keys()].filter((one) => this.#holds(one, commitIndex, term)).length;
  }

  /**
   * Z3: whether the present run of `id` knew of a membership in which it has heard of everybody that
   * votes besides it.
   */
  hasMetVoters(id: NodeId, isMet: (voter: NodeId) => boolean): boolean {
    return this.#replica(id).seenMemberships.some(({ membership }) =>
      [...membership.voters, ...membership.votersOutgoing].every((one) => one === id || isMet(one)),
    );
  }

  /** What `id` has applied, as far as this checker knows. */
  appliedIndex(id: NodeId): number {
    return this.#replica(id).appliedIndex;
  }

  /** State-machine safety: `id` applies `entry`, the next one. */
  applied(id: NodeId, entry: EntryId): void {
    const replica = this.#replica(id);
    if (entry.index !== replica.appliedIndex + 1) {
      violated('apply-order', `${id} applies ${entry.index} after ${replica.appliedIndex}`);
    }
    if (entry.index > endOf(replica.durable)) {
      violated('apply-order', `${id} applies ${entry.index}, durable is ${endOf(replica.durable)}`);
    }
    replica.appliedIndex = entry.index;
    this.#commitTo(replica, entry.index);
    this.#observe(id, { event: 'apply', index: entry.index });
    this.#checkCommitted(replica, entry.index, entry.term, 'applied');
  }

  /** The run of `id` knows that everything up to `commitIndex` is committed. */
  #commitTo(replica: Replica, commitIndex: number): void {
    for (let index = replica.commitIndex + 1; index <= commitIndex; index++) {
      const term = termAt(replica.written, index);
      if (term === undefined) {
        violated('state-machine', `${replica.id} commits ${index} and does not hold it`);
        continue;
      }
      if (this.#committedTerms[index] === undefined) {
        this.#checkBacked(replica, index, term);
        this.#committedTerms[index] = term;
        this.#committedIn[index] = replica.writtenVote.term;
      }
      this.#checkCommitted(replica, index, term, 'commits');
    }
    if (commitIndex <= replica.commitIndex) return;
    replica.commitIndex = commitIndex;
    this.#observe(replica.id, { event: 'commit', index: commitIndex });
  }

  #checkCommitted(replica: Replica, index: number, term: number, verb: string): void {
    this.checkCount += 1;
    const committed = this.#committedTerms[index];
    if (committed !== undefined && committed !== term) {
      violated(
        'state-machine',
        `${replica.id} ${verb} ${index} of term ${term}, committed was term ${committed}`,
      );
    }
  }

  /**
   * The first commit of an index anywhere rests on durable copies at a majority (L6): of the newest
   * membership in the leader's log, or of one just before, which was in force if newer ones were
   * appended on this very commit or before news of it arrived.
   */
  #checkBacked(replica: Replica, index: number, term: number): void {
    // The first entry is committed by decision: its founder is the whole cluster.
    if (index === 1) return;
    // The commit is its leader's, under a membership in the leader's log. A leader with a slow disk
    // may not have handed it over yet: others may hold it already, or it is the end of a joint one.
    const leader = this.#replica(this.#leaders.get(replica.writtenVote.term) ?? replica.id);
    const candidates = [
      ...replica.memberships.slice(-2),
      ...(leader === replica ? [] : leader.memberships.slice(-4)),
    ];
    if (candidates.length === 0) return;
    for (const one of [...candidates]) {
      if (one.membership.votersOutgoing.length === 0 || one.index >= index) continue;
      candidates.push({ ...one, membership: { ...one.membership, votersOutgoing: [] } });
    }
    const holds = (id: NodeId): boolean => this.#holds(id, index, term);
    const majority = (voters: readonly NodeId[]): boolean =>
      voters.length === 0 || voters.filter(holds).length * 2 > voters.length;
    const backed = candidates.some(
      ({ membership }) => majority(membership.voters) && majority(membership.votersOutgoing),
    );
    if (!backed) {
      const held = [...this.#replicas.keys()].filter(holds);
      const asked = candidates.map(
        ({ index: at, membership }) =>
          `${at}: ${membership.voters.join()} + ${membership.votersOutgoing.join()}`,
      );
      violated(
        'durable-majority',
        `${replica.id} commits ${index} of term ${term} without a durable majority:` +
          ` held by ${held.join()}, memberships ${asked.join('; ')}`,
      );
    }
  }

  #holds(id: NodeId, index: number, term: number): boolean {
    const durable = this.#replicas.get(id)?.durable;
    if (durable === undefined) return false;
    return index <= durable.base.index || termAt(durable, index) === term;
  }

  /** What is on the disk at `index` is what the log in memory holds there, not what it replaced. */
  #checkSameEntry(replica: Replica, index: number): void {
    const onDisk = termAt(replica.durable, index);
    const inMemory = termAt(replica.written, index);
    if (onDisk === undefined || inMemory === undefined || onDisk === inMemory) return;
    violated(
      'durable-acknowledgement',
      `${replica.id} acknowledges ${index} of term ${inMemory}, durable is one of term ${onDisk}`,
    );
  }

  /** §5.4.2: what a leader commits by itself ends with an entry of its own term. */
  #checkOwnTerm(leader: Replica, term: number, leaderCommit: number): void {
    this.checkCount += 1;
    if (leaderCommit <= leader.leadCommitIndex) return;
    const committed = termAt(leader.written, leaderCommit);
    // A leader may be ahead of what it handed to its disk, or have compacted it.
    if (committed === undefined || committed === term) return;
    violated(
      'own-term-commit',
      `${leader.id} leads term ${term} and commits ${leaderCommit} of term ${committed} by itself`,
    );
  }

  /** M4: a snapshot carries the membership that was in force, and committed, at its index. */
  #checkMembership({ id }: Replica, meta: SnapshotMeta): void {
    this.checkCount += 1;
    const at = this.#membershipEntries
      .filter(({ term, index }) => index <= meta.index && this.#committedTerms[index] === term)
      .reduce<MembershipAt | null>((a, b) => (a === null || b.index > a.index ? b : a), null);
    const from = at?.index ?? 0;
    if (meta.membershipIndex >= from && meta.membershipIndex <= meta.index) return;
    violated(
      'membership',
      `${id} stores a snapshot at ${meta.index} with the membership of ${meta.membershipIndex}, wanted one of ${from} to ${meta.index}`,
    );
  }

  #append(replica: Replica, entry: Entry): void {
    this.checkCount += 1;
    if (entry.index <= replica.commitIndex) {
      const committed = this.#committedTerms[entry.index];
      if (committed !== undefined && committed !== entry.term) {
        violated('state-machine', `${replica.id} overwrites committed entry ${entry.index}`);
      }
    }
    // What it had sent in a term it once led, and lost in a crash, may come back to it in a later one.
    const { term: currentTerm } = replica.writtenVote;
    if (
      this.#leaders.get(currentTerm) === replica.id &&
      entry.index <= endOf(replica.written) &&
      termAt(replica.written, entry.index) !== entry.term
    ) {
      violated('append-only', `${replica.id} overwrites ${entry.index} in its term ${currentTerm}`);
    }
    const prevTerm = termAt(replica.written, entry.index - 1) ?? null;
    if (prevTerm === null && entry.index - 1 > endOf(replica.written)) {
      violated('log-matching', `${replica.id} leaves a gap in front of ${entry.index}`);
    }
    const key = `${entry.term}:${entry.index}`;
    const hash = hashBytes(entry.data) + entry.type.length;
    const known = this.#entries.get(key);
    if (known === undefined) {
      this.#entries.set(key, { hash, prevTerm });
    } else {
      const matches =
        known.hash === hash &&
        (known.prevTerm === null || prevTerm === null || known.prevTerm === prevTerm);
      if (!matches)
        violated('log-matching', `two entries at term ${entry.term}, index ${entry.index}`);
    }
    setTerm(replica.written, entry);
    while ((replica.memberships.at(-1)?.index ?? 0) >= entry.index) replica.memberships.pop();
    if (entry.type === 'membership') {
      const { membership } = decodeMembershipEntry(entry.data);
      const at = { term: entry.term, index: entry.index, membership };
      const previous = replica.memberships.at(-1);
      replica.memberships.push(at);
      replica.seenMemberships.push(at);
      this.#observe(replica.id, { event: 'change', index: entry.index, membership });
      if (known === undefined) this.#checkOverlap(replica, at, previous);
    }
  }

  /**
   * §6: a membership cannot decide without the one before it, nor without another one that some other
   * leader put after that.
   */
  #checkOverlap({ id }: Replica, at: MembershipAt, previous: MembershipAt | undefined): void {
    this.checkCount += 1;
    const previousIndex = previous?.index ?? 0;
    const siblings = this.#membershipEntries.filter((one) => one.previousIndex === previousIndex);
    for (const other of previous === undefined ? [] : [previous, ...siblings]) {
      if (quorumsOverlap(at.membership, other.membership)) continue;
      violated(
        'quorum-overlap',
        `${id} writes ${describeMembership(at.membership)} at ${at.index} of term ${at.term}, which can decide` +
          ` without ${describeMembership(other.membership)} at ${other.index} of term ${other.term}`,
      );
    }
    this.#membershipEntries.push({ ...at, previousIndex });
  }

  /** Keeps what leaders have sent of memberships until that place in the log is decided. */
  #noteOffered(entries: readonly Entry[]): void {
    for (const { type, term, index, data } of entries) {
      if (type !== 'membership') continue;
      const again = this.#offered.some((one) => one.index === index && one.term === term);
      if (again) continue;
      this.#offered.push({ term, index, membership: decodeMembershipEntry(data).membership });
    }
  }

  #checkVote(replica: Replica, before: Vote, after: Vote): void {
    this.checkCount += 1;
    if (after.term < before.term) {
      violated('one-vote', `${replica.id} went back from term ${before.term} to ${after.term}`);
    }
    if (
      after.term === before.term &&
      before.votedFor !== null &&
      after.votedFor !== before.votedFor
    ) {
      violated(
        'one-vote',
        `${replica.id} changed its vote in term ${after.term} from ${before.votedFor} to ${after.votedFor}`,
      );
    }
  }

  #voteLeft(replica: Replica, term: number, candidate: NodeId): void {
    this.checkCount += 1;
    const earlier = replica.sentVotes.get(term);
    if (earlier !== undefined && earlier !== candidate) {
      violated(
        'one-vote',
        `${replica.id} voted twice in term ${term}: for ${earlier} and ${candidate}`,
      );
    }
    replica.sentVotes.set(term, candidate);
    if (replica.durableVotes.get(term) !== candidate) {
      violated(
        'durable-vote',
        `${replica.id} sent a vote for ${candidate} in term ${term} before it was durable`,
      );
    }
  }

  #replica(id: NodeId): Replica {
    let replica = this.#replicas.get(id);
    if (replica === undefined) {
      replica = {
        id,
        written: emptyLog(),
        writtenVote: { term: 0, votedFor: null },
        durable: emptyLog(),
        durableVote: { term: 0, votedFor: null },
        snapshot: null,
        durableVotes: new Map(),
        sentVotes: new Map(),
        memberships: [],
        seenMemberships: [],
        appliedIndex: 0,
        commitIndex: 0,
        leadCommitIndex: 0,
      };
      this.#replicas.set(id, replica);
    }
    return replica;
  }
}

function emptyLog(): ModelLog {
  return { firstIndex: 1, terms: [], base: { term: 0, index: 0 } };
}

function copyLog(log: ModelLog): ModelLog {
  return { firstIndex: log.firstIndex, terms: [...log.terms], base: log.base };
}

function ofSnapshot(meta: SnapshotMeta): MembershipAt {
  return { term: meta.term, index: meta.membershipIndex, membership: meta.membership };
}

function idOf(meta: SnapshotMeta): EntryId {
  return { term: meta.term, index: meta.index };
}

function lastIdOf(log: ModelLog): EntryId {
  const index = endOf(log);
  return { term: termAt(log, index) ?? 0, index };
}

function endOf(log: ModelLog): number {
  return log.firstIndex + log.terms.length - 1;
}

function termAt(log: ModelLog, index: number): number | undefined {
  if (index === log.base.index) return log.base.term;
  return log.terms[index - log.firstIndex];
}

/** Replaces everything from the entry's index on by it. */
function setTerm(log: ModelLog, entry: EntryId): void {
  const position = entry.index - log.firstIndex;
  if (position < 0) return;
  // With a hole where there is one: its check may be off.
  log.terms.length = position;
  log.terms.push(entry.term);
}
