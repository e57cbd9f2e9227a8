/**
 * Somebody in a world of bare cores who has the secret and lies (T8): a stranger who is no member,
 * and a run that was taken over and speaks in a voter's name beside its own honest words. What it
 * says is chosen so that plain Raft can withstand it: no grant, no acknowledgement and no entry that
 * a correct peer might have sent. Each lie is looked at when it was heard.
 */
import type { Message, NodeId, Status } from '@quorate/core';
import type { CoreNode } from './core-node.ts';
import type { Prng } from './prng.ts';
import { violated } from './violation.ts';

/** What a lie must leave as it is. */
type Kept = readonly (keyof Status)[];

const everything: Kept = ['term', 'role', 'leader', 'votedFor', 'lastEntry', 'commitIndex'];
/** By plain Raft a request of a later term moves whoever hears it; its log stays. */
const logOnly: Kept = ['lastEntry', 'commitIndex'];

/** No word of anybody takes a term further (Z40). */
const termStepMax = 2 ** 20;
const termBound = 2 ** 48;

export class CoreLiar {
  readonly #prng: Prng;
  readonly #stranger: NodeId;
  readonly #nodes: readonly CoreNode[];
  /** Some tell every kind of lie, others one kind again and again. */
  readonly #kinds: readonly Kind[];

  constructor(prng: Prng, nodes: readonly CoreNode[]) {
    this.#prng = prng;
    this.#stranger = prng.hex(16);
    this.#nodes = nodes;
    const kinds = prng.shuffle([
      'answer',
      'far',
      'later',
      'leads',
      'contradicts',
      'made up',
      'asks',
    ]);
    this.#kinds = kinds.slice(0, prng.pick([1, 3, kinds.length])) as Kind[];
  }

  /** Tells somebody something; returns what kind of lie it was, null where nobody listened. */
  lie(): string | null {
    const kind = this.#prng.pick(this.#kinds);
    const listening = this.#nodes.filter(({ raft, clock }) => raft !== null && !clock?.frozen);
    const leaders = listening.filter(({ raft }) => raft?.status().role === 'leader');
    const forLeaders = kind === 'made up' || kind === 'asks';
    const some = forLeaders ? leaders : listening;
    const node = some.length === 0 ? null : this.#prng.pick(some);
    if (node?.raft == null) return null;
    const lies = this.#make(kind, node.raft.status());
    for (const { message, kept } of lies) this.#tell(node, message, kept);
    return lies.length === 0 ? null : kind;
  }

  #make(kind: Kind, status: Status): readonly Lie[] {
    const one = (lie: Lie | null): readonly Lie[] => (lie === null ? [] : [lie]);
    switch (kind) {
      case 'answer':
        return one(this.#answer(status));
      case 'far':
        return one(this.#far(status));
      case 'later':
        return one(this.#later(status));
      case 'leads':
        return one(this.#leads(status));
      case 'contradicts':
        return one(this.#contradicts(status));
      case 'made up':
        return one(this.#madeUp(status));
      case 'asks':
        return this.#asks(status);
    }
  }

  #tell(node: CoreNode, message: Message, kept: Kept): void {
    const before = node.raft?.status();
    node.clock?.enter(() => {
      node.step(message);
    });
    const after = node.raft?.status();
    if (before === undefined || after === undefined) return;
    const what = `${message.type} of term ${message.term} from ${message.from}`;
    if (after.term > before.term + termStepMax) {
      violated('liars', `${what} takes ${node.id} to term ${after.term} (Z40)`);
    }
    for (const field of kept) {
      const [was, is] = [before[field], after[field]].map((value) => JSON.stringify(value));
      if (was === is) continue;
      violated('liars', `${what} moves ${node.id}: ${field} ${was} to ${is} (Z47)`);
    }
  }

  /** A stranger answers what nobody asked it. */
  #answer({ nodeId, term: own }: Status): Lie {
    const prng = this.#prng;
    const term = own + prng.pick([0, 0, 1, 1, 1_000, termBound - own]);
    const head = { from: this.#stranger, to: nodeId, term };
    const matchIndex = prng.int(100);
    const message = prng.pick<Message>([
      { type: 'RequestVoteResponse', ...head, granted: true },
      { type: 'RequestVoteResponse', ...head, granted: false },
      { type: 'PreVoteResponse', ...head, granted: true, votedFor: null },
      { type: 'PreVoteResponse', ...head, granted: false, votedFor: this.#stranger },
      { type: 'AppendEntriesResponse', ...head, matchIndex, rejected: null },
      { type: 'HeartbeatResponse', ...head, readRound: matchIndex },
      { type: 'ReadIndexResponse', ...head, requestId: matchIndex, index: 0 },
    ]);
    return { message, kept: everything };
  }

  /** Requests, and a voter's answers, of terms that nobody reached. */
  #far(status: Status): Lie {
    const { nodeId, term: own } = status;
    const prng = this.#prng;
    const term = prng.pick([own + termStepMax + 1, own + 2 ** 30, termBound]);
    const from = prng.pick([this.#stranger, this.#otherVoter(status) ?? this.#stranger]);
    const head = { from, to: nodeId, term };
    const lastEntry = { term: own, index: 2 ** 40 };
    const message = prng.pick<Message>([
      { type: 'Heartbeat', ...head, leaderCommit: 0, readRound: 0 },
      { type: 'RequestVote', ...head, lastEntry, transfer: prng.chance(0.5) },
      { type: 'PreVote', ...head, lastEntry },
      { type: 'TimeoutNow', ...head },
      { type: 'ReadIndex', ...head, requestId: 1 },
      { type: 'HeartbeatResponse', ...head, readRound: 0 },
      { type: 'PreVoteResponse', ...head, granted: false, votedFor: null },
    ]);
    return { message, kept: logOnly };
  }

  /** A stranger stands for election, or says that it leads, in a term that is next. */
  #later({ nodeId, term: own }: Status): Lie {
    const prng = this.#prng;
    const head = { from: this.#stranger, to: nodeId, term: own + prng.pick([1, 1, 2, 1_000]) };
    const lastEntry = { term: own, index: 2 ** 40 };
    const nothing = { prevEntry: { term: 0, index: 0 }, leaderCommit: 0, entries: [] };
    const message = prng.pick<Message>([
      { type: 'Heartbeat', ...head, leaderCommit: 0, readRound: 0 },
      { type: 'AppendEntries', ...head, ...nothing },
      { type: 'RequestVote', ...head, lastEntry, transfer: prng.chance(0.5) },
      { type: 'PreVote', ...head, lastEntry },
      { type: 'TimeoutNow', ...head },
    ]);
    return { message, kept: logOnly };
  }

  /** Says that it leads the present term, to somebody who knows who does (E11). */
  #leads(status: Status): Lie | null {
    const { nodeId, term, leader, lastEntry, commitIndex } = status;
    const prng = this.#prng;
    const from = prng.pick([this.#stranger, this.#otherVoter(status) ?? this.#stranger]);
    if (leader === null || leader === from) return null;
    const head = { from, to: nodeId, term };
    const index = lastEntry.index + 1;
    const entry = { term, index, type: 'normal' as const, data: prng.bytes(8) };
    const { membership, membershipIndex } = status;
    const meta = { term, index: index + 10, membership, membershipIndex };
    const message = prng.pick<Message>([
      { type: 'Heartbeat', ...head, leaderCommit: commitIndex + prng.int(3), readRound: 0 },
      {
        type: 'AppendEntries',
        ...head,
        prevEntry: lastEntry,
        leaderCommit: index,
        entries: [entry],
      },
      { type: 'InstallSnapshot', ...head, meta },
      { type: 'TimeoutNow', ...head },
    ]);
    return { message, kept: everything };
  }

  /** Says that it leads, later, and contradicts what is committed or says what was never said (L5). */
  #contradicts(status: Status): Lie | null {
    const { nodeId, term: own, commitIndex, lastEntry } = status;
    const prng = this.#prng;
    if (commitIndex === 0) return null;
    const term = own + 1 + prng.int(3);
    // In a voter's name it may be true by then that a quorum elected it, and then it is the leader's lie.
    const head = { from: this.#stranger, to: nodeId, term };
    const prevEntry = { term, index: commitIndex };
    const message = prng.pick<Message>([
      { type: 'AppendEntries', ...head, prevEntry, leaderCommit: commitIndex, entries: [] },
      { type: 'Heartbeat', ...head, leaderCommit: lastEntry.index + 2 ** 20, readRound: 0 },
    ]);
    return { message, kept: logOnly };
  }

  /** A voter's made-up answers to its leader. */
  #madeUp(status: Status): Lie | null {
    const { nodeId, term, lastEntry } = status;
    const prng = this.#prng;
    const from = this.#otherVoter(status);
    if (from === null) return null;
    const head = { from, to: nodeId, term };
    const matchIndex = lastEntry.index + 1 + prng.int(100);
    const index = status.progress.find(({ peer }) => peer === from)?.matchIndex ?? 0;
    const rejected = { index, hint: { term: 0, index: 0 } };
    const message = prng.pick<Message>([
      { type: 'AppendEntriesResponse', ...head, matchIndex, rejected: null },
      { type: 'AppendEntriesResponse', ...head, matchIndex: 0, rejected },
      { type: 'HeartbeatResponse', ...head, readRound: 2 ** 40 },
    ]);
    return { message, kept: everything };
  }

  /** Asks a leader for its vote, in all voters' names: nobody's life is in that (thesis §6.2). */
  #asks({ nodeId, term, membership }: Status): readonly Lie[] {
    const others = membership.voters.filter((id) => id !== nodeId);
    const lastEntry = { term: 0, index: 0 };
    return others.map((from) => {
      const head = { from, to: nodeId, term: term + 1 };
      return { message: { type: 'PreVote', ...head, lastEntry }, kept: everything };
    });
  }

  #otherVoter({ nodeId, membership }: Status): NodeId | null {
    const others = membership.voters.filter((id) => id !== nodeId);
    return others.length === 0 ? null : this.#prng.pick(others);
  }
}

type Kind = 'answer' | 'far' | 'later' | 'leads' | 'contradicts' | 'made up' | 'asks';
type Lie = { readonly message: Message; readonly kept: Kept };
