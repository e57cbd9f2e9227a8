/**
 * What a register answers to a change, and what the change is: one pure function of its state, the
 * command, the time and whom it comes from. A relay calls it and makes the changes durable before it
 * answers; relays that decide together would all call it in the order of their log.
 *
 * What a stranger can take is bounded by his peer and his address, whatever number of either he has
 * still leaves room for whoever has little: see `registerLimits`.
 */
import { QuorateError } from '@quorate/contracts';
import type { Source } from './budget.ts';

export type RegisterEntry = {
  readonly nameTag: string;
  readonly version: number;
  readonly record: Uint8Array;
  /** Its cluster acknowledges, says whoever holds its secret: only a person releases it. */
  readonly active: boolean;
  /** Of the register, when it was set. */
  readonly revision: number;
  /** Who set it first. */
  readonly source: Source;
  /** Milliseconds of Unix time: when it was last set. */
  readonly setAtMs: number;
};

export type RegisterCommand =
  | {
      readonly type: 'set';
      readonly topic: string;
      readonly nameTag: string;
      readonly expectedVersion: number;
      readonly record: Uint8Array;
      readonly active: boolean;
      /** Although the name is in use under another secret. */
      readonly beside: boolean;
    }
  | { readonly type: 'release'; readonly topic: string };

export type RegisterContext = {
  /** Milliseconds of Unix time. */
  readonly time: number;
  readonly from: Source;
  /** Are hosts of this topic announced now? */
  readonly isAnnounced: (topic: string) => boolean;
};

/** To be made durable in this order. */
export type RegisterChange =
  /** No topic that is new begins at or below this version. */
  | { readonly type: 'floor'; readonly floor: number; readonly revision: number }
  | { readonly type: 'drop'; readonly topic: string }
  | { readonly type: 'put'; readonly topic: string; readonly entry: RegisterEntry };

export type RegisterOutcome = {
  readonly ok: boolean;
  readonly changes: readonly RegisterChange[];
};

/** Of the register of one relay. */
export type RegisterLimits = {
  /** Names that never acknowledged anything go after so long without a set, the oldest first. */
  readonly claimedForMs: number;
  /** Of names that were only claimed, for one host and for one address. */
  readonly claimedPerPeer: number;
  readonly claimedPerAddress: number;
  /** Of all names. */
  readonly topicsPerPeer: number;
  readonly topicsPerAddress: number;
  /** From so many names on only those who have few get another. */
  readonly topicsCrowded: number;
  readonly topicsPerPeerCrowded: number;
  readonly topicsPerAddressCrowded: number;
  /** Never more. */
  readonly topics: number;
};

export const registerLimits: RegisterLimits = {
  claimedForMs: 24 * 3_600_000,
  claimedPerPeer: 64,
  claimedPerAddress: 512,
  topicsPerPeer: 1_024,
  topicsPerAddress: 4_096,
  topicsCrowded: 16_384,
  topicsPerPeerCrowded: 4,
  topicsPerAddressCrowded: 16,
  topics: 65_536,
};

/** Each topic's entry, and how many there are of each source. */
export class RegisterState {
  readonly #entries = new Map<string, RegisterEntry>();
  readonly #ofName = new Map<string, Set<string>>();
  readonly #counts = new Map<string, Count>();
  /** Topics that were only claimed, those set longest ago first. */
  readonly #claimed = new Set<string>();
  #floor = 0;
  #revision = 0;

  get size(): number {
    return this.#entries.size;
  }

  /** The version that whoever claims a new topic names as the present one: none comes twice. */
  get floor(): number {
    return this.#floor;
  }

  /** Grows with each change, never falls: of two the higher one knows more (Z53). */
  get revision(): number {
    return this.#revision;
  }

  get topics(): readonly string[] {
    return [...this.#entries.keys()];
  }

  get(topic: string): RegisterEntry | null {
    return this.#entries.get(topic) ?? null;
  }

  /** Other topics of the same name. */
  besides(topic: string, nameTag: string): readonly string[] {
    return [...(this.#ofName.get(nameTag) ?? [])].filter((one) => one !== topic);
  }

  count(kind: 'peer' | 'address', { peer, address }: Source): Count {
    return this.#counts.get(kind === 'peer' ? peerKey(peer) : addressKey(address)) ?? noCount;
  }

  /** The topics that were only claimed, those set longest ago first. */
  claimed(): IterableIterator<string> {
    return this.#claimed.values();
  }

  /** Carries out what was decided, or was read from a disk. */
  take(change: RegisterChange): void {
    switch (change.type) {
      case 'floor':
        this.#floor = Math.max(this.#floor, change.floor);
        this.#revision = Math.max(this.#revision, change.revision);
        return;
      case 'drop':
        this.#drop(change.topic);
        return;
      case 'put':
        this.#drop(change.topic);
        this.#put(change.topic, change.entry);
        this.#revision = Math.max(this.#revision, change.entry.revision);
    }
  }

  #put(topic: string, entry: RegisterEntry): void {
    this.#entries.set(topic, entry);
    this.#ofName.set(entry.nameTag, (this.#ofName.get(entry.nameTag) ?? new Set()).add(topic));
    if (!entry.active) this.#claimed.add(topic);
    this.#add(entry, 1);
  }

  #drop(topic: string): void {
    const entry = this.#entries.get(topic);
    if (entry === undefined) return;
    this.#entries.delete(topic);
    this.#claimed.delete(topic);
    const ofName = this.#ofName.get(entry.nameTag);
    ofName?.delete(topic);
    if (ofName?.size === 0) this.#ofName.delete(entry.nameTag);
    this.#add(entry, -1);
  }

  #add({ source, active }: RegisterEntry, by: number): void {
    for (const key of [peerKey(source.peer), addressKey(source.address)]) {
      const { all, claimed } = this.#counts.get(key) ?? noCount;
      const next = { all: all + by, claimed: claimed + (active ? 0 : by) };
      if (next.all === 0) this.#counts.delete(key);
      else this.#counts.set(key, next);
    }
  }
}

/**
 * What becomes of a command. `ok: false`: another version stands. Errors: `BAD_SECRET` (the name is in
 * use under another secret), `OVERLOADED` (a limit, named); they change nothing, but what has
 * expired goes at the next command that is carried out.
 */
export function apply(
  state: RegisterState,
  command: RegisterCommand,
  context: RegisterContext,
  limits: RegisterLimits = registerLimits,
): RegisterOutcome {
  return command.type === 'release'
    ? release(state, command.topic)
    : set(state, command, context, limits);
}

/** In use: acknowledged by its cluster, and somebody of it is here. A name's tag alone excludes nobody. */
export function refuseTaken(
  state: RegisterState,
  { topic, nameTag, beside }: { topic: string; nameTag: string; beside: boolean },
  isAnnounced: (topic: string) => boolean,
): void {
  if (beside || state.get(topic) !== null) return;
  const taken = state
    .besides(topic, nameTag)
    .some((one) => state.get(one)?.active === true && isAnnounced(one));
  if (!taken) return;
  throw new QuorateError(
    'BAD_SECRET',
    'Cannot use the namespace: it exists under another secret, and members of it are here; wanted that secret',
  );
}

function release(state: RegisterState, topic: string): RegisterOutcome {
  const entry = state.get(topic);
  if (entry === null) return { ok: false, changes: [] };
  return { ok: true, changes: gone(state, [topic]) };
}

function set(
  state: RegisterState,
  command: Extract<RegisterCommand, { type: 'set' }>,
  context: RegisterContext,
  limits: RegisterLimits,
): RegisterOutcome {
  const { topic, nameTag, expectedVersion, record, active } = command;
  const { time, from, isAnnounced } = context;
  refuseTaken(state, command, isAnnounced);
  const known = state.get(topic);
  // Whoever is known is never refused for want of room.
  if (known !== null) {
    if (known.version !== expectedVersion) return { ok: false, changes: [] };
    const entry: RegisterEntry = {
      ...known,
      version: expectedVersion + 1,
      record,
      active: known.active || active,
      revision: state.revision + 1,
      setAtMs: time,
    };
    return { ok: true, changes: [{ type: 'put', topic, entry }] };
  }
  if (expectedVersion !== state.floor) return { ok: false, changes: [] };
  const expired: string[] = [];
  for (const one of state.claimed()) {
    if ((state.get(one)?.setAtMs ?? 0) > time - limits.claimedForMs) break;
    expired.push(one);
  }
  admit(state, from, active, expired, limits);
  const changes = gone(state, expired);
  const floor = changes[0]?.type === 'floor' ? changes[0].floor : state.floor;
  // Versions grow past what has just expired: the one asked for may be among them.
  if (floor !== expectedVersion) return { ok: false, changes };
  const version = expectedVersion + 1;
  const revision = state.revision + 1;
  const set = { revision, source: from, setAtMs: time };
  const entry: RegisterEntry = { nameTag, version, record, active, ...set };
  return { ok: true, changes: [...changes, { type: 'put', topic, entry }] };
}

/** May this source have another topic? */
function admit(
  state: RegisterState,
  from: Source,
  active: boolean,
  expired: readonly string[],
  limits: RegisterLimits,
): void {
  const size = state.size - expired.length;
  if (size >= limits.topics) throw full('topics', limits.topics);
  const isCrowded = size >= limits.topicsCrowded;
  for (const kind of ['peer', 'address'] as const) {
    const count = { ...state.count(kind, from) };
    for (const topic of expired) {
      const source = state.get(topic)?.source;
      if (source?.[kind] !== from[kind]) continue;
      count.all -= 1;
      count.claimed -= 1;
    }
    const names = kind === 'peer' ? peerLimits : addressLimits;
    const all = isCrowded ? names.crowded : names.all;
    if (count.all >= limits[all]) throw full(all, limits[all]);
    if (!active && count.claimed >= limits[names.claimed]) {
      throw full(names.claimed, limits[names.claimed]);
    }
  }
}

function gone(state: RegisterState, topics: readonly string[]): RegisterChange[] {
  if (topics.length === 0) return [];
  const versions = topics.map((topic) => state.get(topic)?.version ?? 0);
  const floor = Math.max(state.floor, ...versions);
  return [
    { type: 'floor', floor, revision: state.revision + 1 },
    ...topics.map((topic): RegisterChange => ({ type: 'drop', topic })),
  ];
}

function full(limit: keyof RegisterLimits, value: number): QuorateError {
  return new QuorateError(
    'OVERLOADED',
    `Cannot take another namespace: the register's limit ${limit} of ${value} is reached; ` +
      'names that were never used go after a day',
    { details: { limit, value } },
  );
}

type Count = { readonly all: number; readonly claimed: number };

const noCount: Count = { all: 0, claimed: 0 };
const peerLimits = {
  all: 'topicsPerPeer',
  crowded: 'topicsPerPeerCrowded',
  claimed: 'claimedPerPeer',
} as const;
const addressLimits = {
  all: 'topicsPerAddress',
  crowded: 'topicsPerAddressCrowded',
  claimed: 'claimedPerAddress',
} as const;

function peerKey(peer: string): string {
  return `peer ${peer}`;
}

function addressKey(address: string): string {
  return `address ${address}`;
}
