/**
 * The machines of a transcript and what lies between them: a wire that delivers only when told, disks
 * and state machines that may be held back. `transcript-checks.ts` looks on.
 */
import { Raft, describeMessage, describeReady } from '../src/index.ts';
import type {
  Config,
  Entry,
  Message,
  NodeId,
  PersistBatch,
  Ready,
  SnapshotMeta,
} from '../src/index.ts';
import { id } from './network.ts';
import type { Disk } from './network.ts';
import { ScriptError } from './transcript-args.ts';
import { SafetyChecks } from './transcript-checks.ts';

export class World {
  readonly members: Map<number, Member> = new Map();
  /** What was sent and not delivered yet, oldest first. */
  wire: Message[] = [];
  /** Ways that are cut, as `1->2`. */
  readonly cuts: Set<string> = new Set();
  /** True: only roles, applied entries, answers and failures are worth a line. */
  quiet = false;
  #lines: string[] = [];
  readonly #requests: Map<string, string> = new Map();
  readonly #checks: SafetyChecks = new SafetyChecks();

  add(number: number, config: Config, disk: Disk): void {
    if (this.members.has(number)) throw new ScriptError(`Node ${number} is there already`);
    this.members.set(number, new Member(config, disk));
  }

  member(number: number): Member {
    const member = this.members.get(number);
    if (member === undefined) throw new ScriptError(`There is no node ${number}`);
    return member;
  }

  raft(number: number): Raft {
    const { raft } = this.member(number);
    if (raft === null) throw new ScriptError(`Node ${number} is stopped`);
    return raft;
  }

  /** Carries out what a node has to do; its messages lie on the wire. True if there was anything. */
  work(number: number, sends: 'shown' | 'hidden'): boolean {
    const member = this.member(number);
    let worked = false;
    for (let ready = member.raft?.ready(); ready != null; ready = member.raft?.ready()) {
      worked = true;
      for (const line of describeReady(ready).split('\n')) {
        const noise = line.startsWith('send ') || line.startsWith('persist ');
        if (line.startsWith('send ') && sends === 'hidden') continue;
        this.say(`${number} ${line}`, noise ? 'detail' : 'news');
      }
      this.#check(member, ready);
      this.wire.push(...member.carryOut(ready));
    }
    return worked;
  }

  /** Works and delivers until nothing moves. */
  settle(): void {
    for (let round = 0; round < 1_000; round++) {
      let moved = false;
      for (const number of this.members.keys()) {
        if (this.work(number, 'hidden')) moved = true;
      }
      if (!moved && this.wire.length === 0) return;
      for (const message of this.wire.splice(0)) this.deliver(message);
    }
    throw new ScriptError('It does not settle');
  }

  /** A message that nobody sent: no cut stops it. */
  forge(message: Message): void {
    this.#checks.forged = true;
    this.#checks.noteAppend(message);
    this.say(`forged ${describeMessage(message)}`, 'detail');
    this.raft(Number(short(message.to))).step(message);
  }

  deliver(message: Message): void {
    const to = [...this.members.values()].find((member) => member.config.nodeId === message.to);
    const way = `${short(message.from)}->${short(message.to)}`;
    const lost = to?.raft == null || this.cuts.has(way);
    this.say(`${lost ? 'lost' : 'deliver'} ${describeMessage(message)}`, 'detail');
    if (!lost) to.raft?.step(message);
  }

  say(line: string, kind: 'news' | 'detail' = 'news'): void {
    if (this.quiet && kind === 'detail') return;
    // Ids of questions begin at random: by the order of their appearance they are easier to follow.
    const brief = line.replace(/\b[0-9a-f]{32}\b/g, short);
    const named = brief.replace(
      /(ReadIndex.* request )(\d+)/,
      (_, before: string, each: string) => {
        if (!this.#requests.has(each)) this.#requests.set(each, `r${this.#requests.size + 1}`);
        return `${before}${this.#requests.get(each) ?? ''}`;
      },
    );
    this.#lines.push(named);
  }

  get lineCount(): number {
    return this.#lines.length;
  }

  takeLines(): string[] {
    return this.#lines.splice(0);
  }

  #check(member: Member, ready: Ready): void {
    const { config, disk, commitIndexGiven, raft } = member;
    if (raft === null) return;
    const disks = new Map(
      [...this.members.values()].map((each) => [each.config.nodeId, each.disk]),
    );
    const { membership } = raft.status();
    this.#checks.check(ready, { nodeId: config.nodeId, disk, membership, commitIndexGiven }, disks);
  }
}

/** What a member's driver does with a disk and a state machine. */
export class Member {
  config: Config;
  /** Null while stopped. */
  raft: Raft | null;
  /** What a crash leaves. */
  disk: Disk;
  /** The commit index it began with. */
  readonly commitIndexGiven: number;
  diskHeld = false;
  applyHeld = false;
  readonly #writes: Write[] = [];
  readonly #toApply: Entry[] = [];
  #appliedIndex: number;

  constructor(config: Config, disk: Disk) {
    this.config = config;
    this.disk = disk;
    this.commitIndexGiven = disk.hardState.commitIndex;
    this.#appliedIndex = disk.snapshot?.index ?? 0;
    this.raft = this.#open();
  }

  carryOut(ready: Ready): readonly Message[] {
    if (ready.persist !== null) this.#writes.push({ type: 'batch', batch: ready.persist });
    if (ready.installSnapshot !== null) {
      this.#writes.push({ type: 'install', meta: ready.installSnapshot });
    }
    if (!this.diskHeld) this.sync();
    this.#toApply.push(...ready.committed);
    if (!this.applyHeld) this.apply();
    return ready.messages;
  }

  /** Makes the `count` oldest writes durable, and says so. */
  sync(count: number = this.#writes.length): string[] {
    const done = this.#writes.splice(0, count);
    for (const write of done) {
      if (write.type === 'batch') {
        this.disk = written(this.disk, write.batch);
        this.raft?.persisted(write.batch.number);
      } else {
        this.disk = { ...this.disk, snapshot: write.meta, entries: [] };
        this.#toApply.splice(0);
        this.#appliedIndex = write.meta.index;
        this.raft?.snapshotInstalled(write.meta);
      }
    }
    return done.map(describeWrite);
  }

  /** Applies the `count` oldest entries that were handed out; the last index, or null for none. */
  apply(count: number = this.#toApply.length): number | null {
    let last: number | null = null;
    for (const { index } of this.#toApply.splice(0, count)) {
      if (index !== this.#appliedIndex + 1) {
        throw new Error(`Entry ${index} is handed out after ${this.#appliedIndex}`);
      }
      this.#appliedIndex = last = index;
      this.raft?.applied(index);
    }
    return last;
  }

  /** Snapshots what was applied, keeping `trailing` entries before it in the log. */
  compact(trailing: number): SnapshotMeta {
    const meta = this.raft?.snapshotMetaAt(this.#appliedIndex) ?? null;
    if (meta === null) throw new ScriptError(`No snapshot can be made at ${this.#appliedIndex}`);
    const through = Math.max(0, meta.index - trailing);
    const entries = this.disk.entries.filter(({ index }) => index > through);
    this.disk = { ...this.disk, snapshot: meta, entries };
    this.raft?.compact(meta, through);
    return meta;
  }

  /** Loses what is not durable, and names it. */
  stop(): string[] {
    this.raft = null;
    this.#toApply.splice(0);
    return this.#writes.splice(0).map(describeWrite);
  }

  /** Starts again from the disk, as a run with `over` in its configuration. */
  start(over: Partial<Config>): void {
    this.config = { ...this.config, ...over };
    this.#appliedIndex = this.disk.snapshot?.index ?? 0;
    this.raft = this.#open();
  }

  #open(): Raft {
    const { hardState, snapshot, entries } = this.disk;
    const appliedIndex = snapshot?.index ?? 0;
    return new Raft(this.config, { hardState, snapshot, entries, appliedIndex });
  }
}

/** Whatever number a node has in a script. */
export function short(nodeId: NodeId): string {
  return String(Number.parseInt(nodeId, 16));
}

export function nodeIds(numbers: readonly number[]): NodeId[] {
  const odd = numbers.find((number) => number < 1 || number > 9);
  if (odd !== undefined) throw new ScriptError(`${odd} is no node, wanted 1 to 9`);
  return numbers.map(id);
}

type Write =
  | { readonly type: 'batch'; readonly batch: PersistBatch }
  | { readonly type: 'install'; readonly meta: SnapshotMeta };

function describeWrite(write: Write): string {
  if (write.type === 'batch') return `batch ${write.batch.number}`;
  return `snapshot ${write.meta.term}/${write.meta.index}`;
}

function written(disk: Disk, batch: PersistBatch): Disk {
  const first = batch.entries[0]?.index ?? Infinity;
  const entries = [...disk.entries.filter(({ index }) => index < first), ...batch.entries];
  return { ...disk, hardState: batch.hardState, entries };
}
