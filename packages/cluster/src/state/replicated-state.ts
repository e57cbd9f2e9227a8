/**
 * Everything that committed entries change: the cluster's own facts (genesis, time, activation,
 * members, sessions) and the application's state machine. A pure function of the log, so equal on
 * all replicas at equal indexes; its snapshot is one byte stream.
 */
import { decodeMembershipEntry } from '@quorate/core';
import type { Entry, Membership, SnapshotMeta } from '@quorate/core';
import {
  asArray,
  asBoolean,
  asId,
  asInteger,
  asMap,
  asNullable,
  assert,
  asText,
  ByteReader,
  ByteWriter,
  decodeCborMap,
  encodeCbor,
  QuorateError,
} from '@quorate/contracts';
import type { StateMachine } from '@quorate/contracts';
import { decodeEntry } from './envelope.ts';
import type { EntryBody } from './envelope.ts';
import { genesisFromCbor, genesisToCbor, memberFactsFromCbor } from './policy.ts';
import type { Genesis, MemberFacts } from './policy.ts';
import { SessionTable } from './sessions.ts';
import type { CommandOutcome } from './sessions.ts';

/** What one applied entry means to those who wait for it. */
export type AppliedEntry = {
  readonly index: number;
  readonly term: number;
  readonly event:
    | {
        readonly type: 'outcome';
        readonly session: number;
        readonly seq: number;
        readonly outcome: CommandOutcome;
      }
    | { readonly type: 'sessionOpened'; readonly nonce: string; readonly session: number }
    | { readonly type: 'membership'; readonly membership: Membership }
    | { readonly type: 'activated' }
    | { readonly type: 'formed' }
    | { readonly type: 'registerMoved' }
    | { readonly type: 'none' };
};

/** The context that a membership entry carries beside the membership itself. */
export type MembershipContext = {
  /** In entry 1 only. */
  readonly genesis: Genesis | null;
  /** Facts of members that this change brings in, by NodeId. */
  readonly members: ReadonlyMap<string, MemberFacts>;
  /** Members that this change removes because somebody said so: for good. */
  readonly left: readonly string[];
};

export class ReplicatedState {
  readonly #machine: StateMachine;
  /** What the machine is to begin with; null once it has. */
  #beginning: Uint8Array | null;
  #sessions = new SessionTable();
  #genesis: Genesis | null = null;
  #time = 0;
  #activated = false;
  #formed = false;
  /** Null while the genesis names it. */
  #register: string | null = null;
  #membership: Membership = emptyMembership;
  #membershipIndex = 0;
  #members = new Map<string, MemberFacts>();
  #left = new Set<string>();
  #appliedIndex = 0;
  #appliedTerm = 0;

  /**
   * `beginning` is a snapshot of the machine before any command, for one that may hold what another
   * log made of it. That stays to be seen until the first entry or snapshot of this log (T6): somebody
   * who comes in as a new member shows what was, marked stale, and not for a moment nothing.
   */
  constructor(machine: StateMachine, beginning: Uint8Array | null = null) {
    this.#machine = machine;
    this.#beginning = beginning;
  }

  /** See `StateMachine.frees`. */
  frees(command: Uint8Array): boolean {
    return this.#machine.frees?.(command) === true;
  }

  get genesis(): Genesis | null {
    return this.#genesis;
  }

  get time(): number {
    return this.#time;
  }

  get activated(): boolean {
    return this.#activated;
  }

  /** Z14: as many durable replicas as the policy expects have held all that was committed. */
  get formed(): boolean {
    return this.#formed || (this.#genesis?.policy.expect ?? 1) === 1;
  }

  /** The register's group (Z11, Z58): as the genesis names it, or a later entry. Null: not known. */
  get register(): string | null {
    return this.#register ?? this.#genesis?.register ?? null;
  }

  /** The membership as committed and applied, which is what a snapshot carries (M4). */
  get membership(): Membership {
    return this.#membership;
  }

  get membershipIndex(): number {
    return this.#membershipIndex;
  }

  get members(): ReadonlyMap<string, MemberFacts> {
    return this.#members;
  }

  /**
   * Whether `nodeId` was removed on purpose and is none of the members any more. One that was merely
   * forgotten while it was away may come back; this one may not.
   */
  hasLeft(nodeId: string): boolean {
    return this.#left.has(nodeId) && !this.#members.has(nodeId);
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  get appliedTerm(): number {
    return this.#appliedTerm;
  }

  get sessions(): SessionTable {
    return this.#sessions;
  }

  /** Applies the next entry. Throws `OUTDATED` for what this release does not understand. */
  apply(entry: Entry): AppliedEntry {
    assert(entry.index === this.#appliedIndex + 1, 'entries are applied one by one, in order');
    if (this.#beginning !== null) this.#machine.decode(this.#beginning)();
    this.#beginning = null;
    const event = this.#applyByType(entry);
    this.#appliedIndex = entry.index;
    this.#appliedTerm = entry.term;
    return { index: entry.index, term: entry.term, event };
  }

  /** Wakes the state machine's observers after a run of `apply`, or a `restore`. */
  flush(): void {
    this.#machine.flush();
  }

  /** Captures the present in O(members + sessions), in the call; the machine's part streams later. */
  snapshot(): Iterable<Uint8Array> {
    const head = snapshotHead({
      genesis: this.#genesis,
      time: this.#time,
      activated: this.#activated,
      register: this.#register,
      formed: this.#formed,
      members: this.#members,
      left: this.#left,
      sessions: this.#sessions,
    });
    const machineChunks = this.#machine.snapshot();
    return (function* (): Iterable<Uint8Array> {
      yield head;
      yield* machineChunks;
    })();
  }

  /**
   * Reads a snapshot's bytes, all of them, and changes nothing yet; the returned function replaces
   * everything by it. Throws `BAD_REQUEST`, `OUTDATED`, or what the state machine throws.
   */
  decode(bytes: Uint8Array, at: SnapshotMeta): () => void {
    const reader = new ByteReader(bytes);
    const header = decodeCborMap(reader.block());
    const format = asInteger(header['format'], 'format');
    if (format !== snapshotFormat) {
      const code = format > snapshotFormat ? 'OUTDATED' : 'BAD_REQUEST';
      throw new QuorateError(code, `Cannot read a snapshot of format ${format}`);
    }
    const genesis =
      header['genesis'] === null ? null : genesisFromCbor(asMap(header['genesis'], 'genesis'));
    const time = asInteger(header['time'], 'time');
    const activated = asBoolean(header['activated'], 'activated');
    const formed = asBoolean(header['formed'] ?? false, 'formed');
    const register = asNullable(header['register'] ?? null, (group) => asText(group, 'group', 64));
    const members = new Map(
      Object.entries(asMap(header['members'], 'members')).map(([id, facts]) => [
        id,
        memberFactsFromCbor(facts),
      ]),
    );
    const left = asArray(header['left'], 'left', leftCountMax).map((id) => asId(id, 'left'));
    const sessions = SessionTable.fromCbor(header['sessions']);
    const restoreMachine = this.#machine.decode(reader.rest());
    return () => {
      this.#genesis = genesis;
      this.#time = time;
      this.#activated = activated;
      this.#formed = formed;
      this.#register = register;
      this.#members = members;
      this.#left = new Set(left);
      this.#sessions = sessions;
      restoreMachine();
      this.#beginning = null;
      this.#membership = at.membership;
      this.#membershipIndex = at.membershipIndex;
      this.#appliedIndex = at.index;
      this.#appliedTerm = at.term;
    };
  }

  #applyByType(entry: Entry): AppliedEntry['event'] {
    switch (entry.type) {
      case 'noop':
        return { type: 'none' };
      case 'membership':
        return this.#applyMembership(entry);
      case 'normal': {
        const { time, body } = decodeEntry(entry.data);
        this.#time = Math.max(this.#time, time);
        return this.#applyBody(entry.index, body);
      }
    }
  }

  #applyBody(index: number, body: EntryBody): AppliedEntry['event'] {
    const time = this.#time;
    switch (body.type) {
      case 'command': {
        const outcome = this.#sessions.command(body, time, () =>
          this.#machine.apply(body.command, { index, time }),
        );
        return { type: 'outcome', session: body.session, seq: body.seq, outcome };
      }
      case 'resolve': {
        const outcome = this.#sessions.resolve(body, time);
        return { type: 'outcome', session: body.session, seq: body.seq, outcome };
      }
      case 'openSession':
        if (!this.#sessions.open(index, body.nonce, time)) return { type: 'none' };
        return { type: 'sessionOpened', nonce: body.nonce, session: index };
      case 'sessions':
        this.#sessions.renewAndExpire(body.seen, body.expired, time);
        return { type: 'none' };
      case 'activated':
        this.#activated = true;
        return { type: 'activated' };
      case 'formed':
        this.#formed = true;
        return { type: 'formed' };
      case 'registerMoved':
        this.#register = body.group;
        return { type: 'registerMoved' };
    }
  }

  #applyMembership(entry: Entry): AppliedEntry['event'] {
    const { membership, context } = decodeMembershipEntry(entry.data);
    if (context.length > 0) {
      const { genesis, members, left } = decodeMembershipContext(context);
      if (genesis !== null) this.#genesis = genesis;
      for (const [id, facts] of members) this.#members.set(id, facts);
      this.#remember(left);
    }
    this.#checkVoters(membership);
    this.#membership = membership;
    this.#membershipIndex = entry.index;
    const present = new Set([
      ...membership.voters,
      ...membership.votersOutgoing,
      ...membership.learners,
    ]);
    for (const id of this.#members.keys()) if (!present.has(id)) this.#members.delete(id);
    return { type: 'membership', membership };
  }

  /** The oldest are forgotten first: by then their data are of no use to anybody. */
  #remember(left: readonly string[]): void {
    for (const id of left) this.#left.add(id);
    for (const id of this.#left) {
      if (this.#left.size <= leftCountMax) return;
      this.#left.delete(id);
    }
  }

  /** Z16: no correct leader lets memory vote beside disks; a member that finds it so stops. */
  #checkVoters({ voters }: Membership): void {
    const facts = voters.map((id) => this.#members.get(id));
    const mixed =
      facts.some((one) => one?.durable === true) && facts.some((one) => one?.durable === false);
    if (!mixed) return;
    throw new QuorateError(
      'CONSENSUS_FATAL',
      'Cannot go on: a replica in memory votes beside durable ones',
    );
  }
}

/** What a snapshot says before the state machine's own part. */
export function snapshotHead(state: {
  readonly genesis: Genesis | null;
  readonly time: number;
  readonly activated: boolean;
  readonly formed: boolean;
  /** The register's group, where it is not the genesis's any more (Z58). */
  readonly register: string | null;
  readonly members: ReadonlyMap<string, MemberFacts>;
  readonly left: Iterable<string>;
  readonly sessions: SessionTable;
}): Uint8Array {
  const { genesis, time, activated, formed, register, members, left, sessions } = state;
  const head = encodeCbor({
    format: snapshotFormat,
    genesis: genesis === null ? null : genesisToCbor(genesis),
    time,
    activated,
    // Unknown below feature level 2, where it is never true.
    ...(formed ? { formed: true } : {}),
    register,
    members: Object.fromEntries([...members].map(([id, facts]) => [id, { ...facts }])),
    left: [...left],
    sessions: sessions.toCbor(),
  });
  return new ByteWriter(head.length + 8).block(head).finish();
}

export function encodeMembershipContext(
  context: Omit<MembershipContext, 'left'> & Partial<Pick<MembershipContext, 'left'>>,
): Uint8Array {
  const { left = [] } = context;
  return encodeCbor({
    ...(left.length === 0 ? {} : { left }),
    genesis: context.genesis === null ? null : genesisToCbor(context.genesis),
    members: Object.fromEntries([...context.members].map(([id, facts]) => [id, { ...facts }])),
  });
}

export function decodeMembershipContext(bytes: Uint8Array): MembershipContext {
  const map = decodeCborMap(bytes);
  const members = new Map<string, MemberFacts>();
  for (const [id, facts] of Object.entries(asMap(map['members'], 'members'))) {
    members.set(id, memberFactsFromCbor(facts));
  }
  return {
    genesis: map['genesis'] === null ? null : genesisFromCbor(asMap(map['genesis'], 'genesis')),
    members,
    left: asArray(map['left'] ?? [], 'left', leftCountMax).map((id) => asId(id, 'left')),
  };
}

export const emptyMembership: Membership = {
  voters: [],
  votersOutgoing: [],
  learners: [],
  learnersNext: [],
};

const snapshotFormat = 1;
const leftCountMax = 1_000;
