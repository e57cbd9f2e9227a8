/**
 * What no transcript may show, whatever its golden text says: figure 3's election safety and state
 * machine safety, and promises that leave before they are durable.
 */
import { describeMessage } from '../src/index.ts';
import type { Entry, Membership, Message, NodeId, Ready } from '../src/index.ts';
import { text } from './network.ts';
import type { Disk } from './network.ts';

export class SafetyChecks {
  /** A forged message may take a member where its peers never were: their disks say nothing then. */
  forged = false;
  /** What the leader of a term has at an index, as its appends say: `term/index` to the entry's term. */
  readonly #logs: Map<string, number> = new Map();
  readonly #leaders: Map<number, NodeId> = new Map();
  readonly #applied: Map<number, string> = new Map();

  /** Looks at `ready` before it is carried out. `disks`: what every member would find after a crash. */
  check(ready: Ready, at: CheckedMember, disks: ReadonlyMap<NodeId, Disk>): void {
    for (const message of ready.messages) {
      this.noteAppend(message);
      checkPromise(message, at.disk);
      this.#checkAcknowledgement(message, at.disk);
    }
    if (ready.softState?.role === 'leader') {
      const { term } = ready.softState;
      const known = this.#leaders.get(term) ?? at.nodeId;
      if (known !== at.nodeId) throw new Error(`Two leaders in term ${term} (figure 3)`);
      this.#leaders.set(term, known);
    }
    for (const entry of ready.committed) this.#checkCommitted(entry, at, disks);
  }

  /** Remembers what an append says of its sender's log. */
  noteAppend(message: Message): void {
    if (message.type !== 'AppendEntries') return;
    for (const { term, index } of [message.prevEntry, ...message.entries]) {
      this.#logs.set(`${message.term}/${index}`, term);
    }
  }

  /** What is acknowledged to a leader is on the disk, and is what that leader has there (Z22). */
  #checkAcknowledgement(message: Message, disk: Disk): void {
    if (message.type !== 'AppendEntriesResponse' || message.rejected !== null) return;
    const { term, matchIndex: index } = message;
    const own = disk.entries.find((each) => each.index === index)?.term;
    const wanted = this.#logs.get(`${term}/${index}`);
    if (own !== undefined && wanted !== undefined && own !== wanted) {
      throw new Error(`Acknowledged ${own}/${index}, but the leader has ${wanted}/${index} (Z22)`);
    }
  }

  #checkCommitted(entry: Entry, at: CheckedMember, disks: ReadonlyMap<NodeId, Disk>): void {
    const { index, term } = entry;
    const what = `${term} ${entry.type} ${text(entry.data)}`;
    const known = this.#applied.get(index);
    if (known !== undefined && known !== what) {
      throw new Error(`Two entries committed at ${index} (figure 3)`);
    }
    this.#applied.set(index, what);
    if (known !== undefined || this.forged || index <= at.commitIndexGiven) return;
    const holds = (id: NodeId): boolean => {
      const disk = disks.get(id);
      if ((disk?.snapshot?.index ?? 0) >= index) return true;
      return disk?.entries.some((each) => each.index === index && each.term === term) === true;
    };
    const { voters, votersOutgoing } = at.membership;
    const missing = [voters, votersOutgoing].some(
      (half) => half.length > 0 && 2 * half.filter(holds).length <= half.length,
    );
    if (missing) {
      throw new Error(`Entry ${term}/${index} is committed, but not durable at a quorum (§5.4)`);
    }
  }
}

export type CheckedMember = {
  readonly nodeId: NodeId;
  readonly disk: Disk;
  readonly membership: Membership;
  /** What the script gave it as committed from the beginning. */
  readonly commitIndexGiven: number;
};

/** A vote, a request for one or an acknowledgement speaks of what is on the disk (E1, Z22). */
function checkPromise(message: Message, disk: Disk): void {
  const { currentTerm, votedFor } = disk.hardState;
  const last = disk.entries.at(-1)?.index ?? disk.snapshot?.index ?? 0;
  const broken =
    (message.type === 'RequestVote' && (votedFor !== message.from || currentTerm < message.term)) ||
    (message.type === 'RequestVoteResponse' &&
      message.granted &&
      (votedFor !== message.to || currentTerm !== message.term)) ||
    (message.type === 'AppendEntriesResponse' && message.matchIndex > last);
  if (broken) throw new Error(`Not durable yet: ${describeMessage(message)} (E1, Z22)`);
}
