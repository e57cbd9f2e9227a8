/**
 * Several machines and everything between them, in memory and by hand: messages are delivered in
 * order until nothing moves, disks are durable at once or when told. The safety properties of
 * figure 3 are checked as it goes.
 */
import { Raft, encodeMembershipEntry, plainMembership } from '../src/index.ts';
import type {
  Config,
  Entry,
  HardState,
  InitialState,
  Membership,
  Message,
  NodeId,
  PersistBatch,
  ReadState,
  Ready,
  SnapshotMeta,
  Prng,
} from '../src/index.ts';

export function id(number: number): NodeId {
  return number.toString(16).padStart(32, '0');
}

export const noBytes: Uint8Array = new Uint8Array(0);

export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

export function entry(term: number, index: number, text = `${term}/${index}`): Entry {
  return { term, index, type: 'normal', data: bytes(text) };
}

export function membershipEntry(term: number, index: number, membership: Membership): Entry {
  return { term, index, type: 'membership', data: encodeMembershipEntry(membership, noBytes) };
}

export function voters(...numbers: number[]): Membership {
  return plainMembership({ voters: numbers.map(id), learners: [] });
}

/** A log whose first entry names the voters; then one entry per given term. */
export function logOf(membership: Membership, terms: readonly number[]): Entry[] {
  const first = membershipEntry(Math.min(1, terms[0] ?? 1), 1, membership);
  return [first, ...terms.map((term, i) => entry(term, i + 2))];
}

export type Disk = { hardState: HardState; snapshot: SnapshotMeta | null; entries: Entry[] };

export function disk(entries: readonly Entry[], over: Partial<HardState> = {}): Disk {
  const currentTerm = entries.at(-1)?.term ?? 0;
  return {
    hardState: { currentTerm, votedFor: null, commitIndex: 0, ...over },
    snapshot: null,
    entries: [...entries],
  };
}

export class Peer {
  readonly nodeId: NodeId;
  readonly config: Config;
  raft: Raft;
  disk: Disk;
  /** False: batches wait in `unsynced` until `sync()`. */
  autoSync = true;
  unsynced: PersistBatch[] = [];
  /** False: snapshots wait in `toInstall` until `install()`. */
  autoInstall = true;
  toInstall: SnapshotMeta | null = null;
  applied: Entry[] = [];
  appliedIndex = 0;
  reads: ReadState[] = [];
  truncated: string[] = [];
  snapshotsTo: NodeId[] = [];
  /** Snapshots put in the log's place. */
  installed = 0;
  /** Messages that were refused: `kind: reason`. */
  refused: string[] = [];
  fatal: string | null = null;
  up = true;

  constructor(config: Config, from: Disk) {
    this.nodeId = config.nodeId;
    this.config = config;
    this.disk = from;
    this.appliedIndex = from.snapshot?.index ?? 0;
    this.raft = this.#open();
  }

  get status(): ReturnType<Raft['status']> {
    return this.raft.status();
  }

  /** Carries out one `Ready`; its messages are the caller's. */
  carryOut(ready: Ready): readonly Message[] {
    if (ready.persist !== null) {
      this.unsynced.push(ready.persist);
      if (this.autoSync) this.sync();
    }
    for (const each of ready.committed) {
      if (each.index !== this.appliedIndex + 1)
        throw new Error(`applied out of order: ${each.index}`);
      this.applied.push(each);
      this.appliedIndex = each.index;
      this.raft.applied(each.index);
    }
    if (ready.installSnapshot !== null) {
      this.toInstall = ready.installSnapshot;
      if (this.autoInstall) this.install();
    }
    this.reads.push(...ready.reads);
    this.truncated.push(...ready.truncated.map(({ term, index }) => `${term}/${index}`));
    this.snapshotsTo.push(...ready.sendSnapshot);
    this.refused.push(...ready.refused.map(({ kind, reason }) => `${kind}: ${reason}`));
    if (ready.fatal !== null) this.fatal = ready.fatal.reason;
    return ready.messages;
  }

  /** Makes the oldest `count` batches durable. */
  sync(count: number = this.unsynced.length): void {
    const batches = this.unsynced.splice(0, count);
    for (const batch of batches) this.disk = write(this.disk, batch);
    const last = batches.at(-1);
    if (last !== undefined) this.raft.persisted(last.number);
  }

  install(): void {
    const meta = this.toInstall;
    if (meta === null) throw new Error('nothing to install');
    this.sync();
    this.toInstall = null;
    this.installed++;
    this.disk = { ...this.disk, snapshot: meta, entries: [] };
    this.appliedIndex = meta.index;
    this.raft.snapshotInstalled(meta);
  }

  /** Snapshots what was applied, and keeps `trailing` entries before it. */
  compact(trailing = 0): SnapshotMeta {
    const meta = this.raft.snapshotMetaAt(this.appliedIndex);
    if (meta === null) throw new Error(`no snapshot at ${this.appliedIndex}`);
    const through = Math.max(0, meta.index - trailing);
    const entries = this.disk.entries.filter((each) => each.index > through);
    this.disk = { ...this.disk, snapshot: meta, entries };
    this.raft.compact(meta, through);
    return meta;
  }

  /** Loses everything that was not durable, and starts again. */
  restart(): void {
    this.unsynced = [];
    this.toInstall = null;
    this.appliedIndex = this.disk.snapshot?.index ?? 0;
    this.raft = this.#open();
    this.up = true;
  }

  #open(): Raft {
    const initial: InitialState = {
      hardState: this.disk.hardState,
      snapshot: this.disk.snapshot,
      entries: this.disk.entries,
      appliedIndex: this.appliedIndex,
    };
    return new Raft(this.config, initial);
  }
}

export class Network {
  readonly peers: Map<NodeId, Peer> = new Map();
  queue: Message[] = [];
  /** Everything that was sent, dropped or not. */
  sent: Message[] = [];
  /** True: the message is lost. */
  drop: (message: Message) => boolean = () => false;
  readonly #leaders: Map<number, NodeId> = new Map();
  readonly #committed: Map<number, Entry> = new Map();

  add(number: number, from: Disk = disk([]), over: Partial<Config> = {}): Peer {
    const config: Config = { nodeId: id(number), seed: number, ...testTiming, ...over };
    const peer = new Peer(config, from);
    this.peers.set(peer.nodeId, peer);
    return peer;
  }

  peer(number: number): Peer {
    const peer = this.peers.get(id(number));
    if (peer === undefined) throw new Error(`no peer ${number}`);
    return peer;
  }

  /** Collects what everybody has to say into the queue, without delivering it. */
  collect(): boolean {
    let moved = false;
    for (const peer of this.peers.values()) {
      if (!peer.up) continue;
      for (let ready = peer.raft.ready(); ready !== null; ready = peer.raft.ready()) {
        moved = true;
        for (const message of peer.carryOut(ready)) {
          this.sent.push(message);
          if (!this.drop(message)) this.queue.push(message);
        }
        this.#check(peer, ready);
      }
    }
    return moved;
  }

  deliver(message: Message): void {
    const to = this.peers.get(message.to);
    if (to?.up === true) to.raft.step(message);
  }

  /** Delivers until nothing moves. */
  settle(): void {
    for (let rounds = 0; rounds < 10_000; rounds++) {
      const moved = this.collect();
      if (!moved && this.queue.length === 0) return;
      for (const message of this.queue.splice(0)) this.deliver(message);
    }
    throw new Error('the network does not settle');
  }

  tick(count = 1, ...numbers: number[]): void {
    for (let i = 0; i < count; i++) {
      for (const peer of this.peers.values()) {
        const ticks = numbers.length === 0 || numbers.some((number) => id(number) === peer.nodeId);
        if (peer.up && ticks) peer.raft.tick();
      }
      this.settle();
    }
  }

  /** Makes `number` stand for election now and settles: the others have forgotten their leader. */
  elect(number: number): Peer {
    for (const peer of this.peers.values()) {
      if (peer.up && peer.nodeId !== id(number)) forgetLeader(peer);
    }
    this.peer(number).raft.campaign();
    this.settle();
    const peer = this.peer(number);
    if (peer.status.role !== 'leader') throw new Error(`${number} was not elected`);
    return peer;
  }

  /** The leader of the latest term, if anybody leads. */
  get leader(): Peer | undefined {
    const leading = [...this.peers.values()].filter(
      (peer) => peer.up && peer.status.role === 'leader',
    );
    return leading.sort((a, b) => b.status.term - a.status.term)[0];
  }

  tickUntilLeader(ticksMax = 400): Peer {
    for (let i = 0; i < ticksMax; i++) {
      const { leader } = this;
      if (leader !== undefined) return leader;
      this.tick();
    }
    throw new Error('nobody leads');
  }

  propose(peer: Peer, ...texts: string[]): number {
    const result = peer.raft.propose(texts.map(bytes));
    if (!result.ok) throw new Error(`refused: ${result.reason}`);
    this.settle();
    return result.firstIndex;
  }

  /** Cuts `numbers` off from everybody else. */
  isolate(...numbers: number[]): void {
    const inside = new Set(numbers.map(id));
    this.drop = (message) => inside.has(message.from) !== inside.has(message.to);
  }

  heal(): void {
    this.drop = () => false;
  }

  #check(peer: Peer, ready: Ready): void {
    const { role, term } = ready.softState ?? { role: 'follower', term: 0 };
    if (role === 'leader') {
      const known = this.#leaders.get(term);
      if (known !== undefined && known !== peer.nodeId) throw new Error(`two leaders in ${term}`);
      this.#leaders.set(term, peer.nodeId);
    }
    for (const each of ready.committed) {
      const known = this.#committed.get(each.index);
      if (known === undefined) this.#committed.set(each.index, each);
      else if (known.term !== each.term || known.type !== each.type) {
        throw new Error(`two entries committed at ${each.index}`);
      }
    }
  }
}

/** `count` voters that share entry 1. */
export function cluster(count: number, over: Partial<Config> = {}): Network {
  const network = new Network();
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  const first = membershipEntry(1, 1, voters(...numbers));
  for (const number of numbers) network.add(number, disk([first], { commitIndex: 1 }), over);
  return network;
}

/** Lets a peer's view of its leader grow stale without letting it stand itself. */
export function forgetLeader(peer: Peer): void {
  const { electionTimeoutTicksMin = 20 } = peer.config;
  if (peer.status.role !== 'follower' || peer.status.leader === null) return;
  for (let i = 0; i < electionTimeoutTicksMin; i++) {
    if (peer.status.role === 'follower') peer.raft.tick();
  }
}

export function texts(entries: readonly Entry[]): string[] {
  return entries.filter((each) => each.type === 'normal').map((each) => text(each.data));
}

export function text(data: Uint8Array): string {
  return new TextDecoder().decode(data);
}

export function shuffled<T>(items: readonly T[], prng: Prng): T[] {
  const result = [...items];
  for (let i = result.length - 1; i > 0; i--) {
    const j = prng.between(0, i + 1);
    [result[i], result[j]] = [result[j] as T, result[i] as T];
  }
  return result;
}

const testTiming = { heartbeatTicks: 1, electionTimeoutTicksMin: 10, electionTimeoutTicksMax: 20 };

function write(from: Disk, batch: PersistBatch): Disk {
  const first = batch.entries[0]?.index ?? Infinity;
  const entries = [...from.entries.filter((each) => each.index < first), ...batch.entries];
  return { ...from, hardState: batch.hardState, entries };
}

/** Carries out everything `peer` has to do and returns what it wants to send. */
export function drain(peer: Peer): Message[] {
  const messages: Message[] = [];
  for (let ready = peer.raft.ready(); ready !== null; ready = peer.raft.ready()) {
    messages.push(...peer.carryOut(ready));
  }
  return messages;
}

/** One machine by itself, voter 1 of 1, 2 and 3 unless `from` says otherwise. */
export function solo(from: Disk, over: Partial<Config> = {}): Peer {
  return new Peer({ nodeId: id(1), seed: 1, ...testTiming, ...over }, from);
}

/** The voters `numbers` say to `peer`, which asks for pre-votes, that they elected `leader`. */
export function elected(peer: Peer, leader: number, ...numbers: number[]): void {
  drain(peer);
  for (const number of numbers) {
    const { term } = peer.status;
    const head = { from: id(number), to: peer.nodeId, term };
    peer.raft.step({ type: 'PreVoteResponse', ...head, granted: false, votedFor: id(leader) });
  }
}

/** The messages of one type. */
export function ofType<T extends Message['type']>(
  messages: readonly Message[],
  type: T,
): Extract<Message, { type: T }>[] {
  return messages.filter(
    (message): message is Extract<Message, { type: T }> => message.type === type,
  );
}
