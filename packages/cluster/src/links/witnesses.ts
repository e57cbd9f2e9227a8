/**
 * What this member has learnt of other replicas that they must never forget (Z3). Each of them swore
 * it by its disk, so one that comes back with less was rolled back, and one that exists twice was
 * copied. Both sides of a link judge: this one by what it knows, and, since what is known of the
 * other is said in the hello, the other one by that, before it votes for anybody.
 */
import type { Message, NodeId } from '@quorate/core';
import {
  asArray,
  asBoolean,
  asId,
  asInteger,
  asMap,
  asNullable,
  asText,
  QuorateError,
} from '@quorate/contracts';
import type { LoadedLog, Run } from '@quorate/contracts';

/** What a run found on its disk when it began: with less than it once promised it must not go on. */
export type Opening = {
  readonly term: number;
  /** For whom it had voted in that term. */
  readonly votedFor: NodeId | null;
  /** Where its log, or the snapshot below it, ended. */
  readonly lastIndex: number;
};

/** What somebody knows of one replica. */
export type Witness = Run & {
  /** Two runs claimed this epoch; nobody can tell the copy from the original. */
  readonly cloned: boolean;
  /** The highest term that was durable there. */
  readonly term: number;
  /** Its last vote for the member that remembers it. */
  readonly grant: { readonly term: number; readonly to: NodeId } | null;
  /** It acknowledged the log of a leader up to here, and that much is committed. */
  readonly heldIndex: number;
};

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type Known = Mutable<Witness> & { durable: boolean };

export class Witnesses {
  readonly #known = new Map<NodeId, Known>();
  #news: WitnessNews = 'none';

  /** Takes back what an earlier run of this member stored. */
  restore(witnesses: readonly Witness[]): void {
    for (const witness of witnesses) {
      this.#known.set(witness.nodeId, { ...witness, durable: true });
    }
  }

  /** What is worth storing and saying: a replica in memory never comes back. */
  list(): Witness[] {
    const list: Witness[] = [];
    for (const { durable, ...witness } of this.#known.values()) if (durable) list.push(witness);
    return list.slice(-witnessCountMax);
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

  /**
   * Why this run must not be heard, or null. `REPLICA_CLONED` is remembered: the run that was heard
   * before is not heard any more either.
   */
  objection(run: Run & { readonly opening: Opening }): QuorateError | null {
    const known = this.#known.get(run.nodeId);
    if (known === undefined) return null;
    const error = judge(known, run);
    if (error?.code === 'REPLICA_CLONED' && !known.cloned) {
      known.cloned = true;
      this.#news = 'facts';
    }
    return error;
  }

  /** This run is heard from now on. True when its epoch or nonce was not known. */
  met(run: Run & { readonly opening: Opening; readonly durable: boolean }): boolean {
    const { nodeId, epoch, nonce, opening, durable } = run;
    const known = this.#known.get(nodeId);
    if (known?.epoch === epoch && known.nonce === nonce) return false;
    this.#known.delete(nodeId);
    this.#makeRoom();
    this.#known.set(nodeId, {
      nodeId,
      epoch,
      nonce,
      cloned: false,
      term: Math.max(known?.term ?? 0, opening.term),
      grant: known?.grant ?? null,
      heldIndex: known?.heldIndex ?? 0,
      durable,
    });
    this.#news = 'facts';
    return true;
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

  /** Those in memory go first, for they cannot come back; then the one that was met longest ago. */
  #makeRoom(): void {
    if (this.#known.size < witnessCountMax) return;
    const fleeting = [...this.#known.values()].find(({ durable }) => !durable);
    const oldest = fleeting?.nodeId ?? this.#known.keys().next().value;
    if (oldest !== undefined) this.#known.delete(oldest);
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
 * What is wrong with `run` if `known` is true of its replica; null when it may go on. A later epoch
 * is honest only if its disk held at the start all that was sworn before. Within one epoch a disk
 * cannot be exchanged: there only the nonce counts.
 */
export function judge(
  known: Witness,
  run: Run & { readonly opening: Opening },
): QuorateError | null {
  const { nodeId, epoch, nonce, opening } = run;
  const rolledBack = (what: string): QuorateError =>
    new QuorateError('REPLICA_ROLLED_BACK', `Cannot hear run ${epoch} of ${nodeId}: ${what}`);
  if (epoch < known.epoch) return rolledBack(`run ${known.epoch} is known`);
  if (epoch === known.epoch) {
    if (nonce === known.nonce && !known.cloned) return null;
    return new QuorateError(
      'REPLICA_CLONED',
      `Cannot hear run ${epoch} of ${nodeId}: two of them say so`,
    );
  }
  if (opening.term < known.term) {
    return rolledBack(`it began in term ${opening.term}, and term ${known.term} was on its disk`);
  }
  if (opening.term === known.grant?.term && opening.votedFor !== known.grant.to) {
    return rolledBack(`its vote for ${known.grant.to} in term ${known.grant.term} is gone`);
  }
  if (opening.lastIndex < known.heldIndex) {
    return rolledBack(
      `its log ended at ${opening.lastIndex}, and it held what is committed up to ${known.heldIndex}`,
    );
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

export function openingFrom(value: unknown): Opening {
  const map = asMap(value, 'opening');
  return {
    term: asInteger(map['term'], 'term'),
    votedFor: asNullable(map['votedFor'], (id) => asId(id, 'votedFor')),
    lastIndex: asInteger(map['lastIndex'], 'lastIndex'),
  };
}

export function witnessesFrom(value: unknown): Witness[] {
  return asArray(value, 'witnesses', witnessCountMax).map((item) => {
    const map = asMap(item, 'witness');
    return {
      nodeId: asId(map['nodeId'], 'nodeId'),
      epoch: asInteger(map['epoch'], 'epoch'),
      nonce: asText(map['nonce'], 'nonce', 32),
      cloned: asBoolean(map['cloned'], 'cloned'),
      term: asInteger(map['term'], 'term'),
      grant: asNullable(map['grant'], (grant) => {
        const fields = asMap(grant, 'grant');
        return { term: asInteger(fields['term'], 'term'), to: asId(fields['to'], 'to') };
      }),
      heldIndex: asInteger(map['heldIndex'], 'heldIndex'),
    };
  });
}

/** Members of a cluster, and some that were; about 150 bytes each. */
const witnessCountMax = 256;
