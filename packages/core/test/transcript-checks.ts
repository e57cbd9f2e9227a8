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
  readonly #leaders: Map<number, NodeId> = new Map();
  readonly #applied: Map<number, string> = new Map();

  /** Looks at `ready` before it is carried out. `disks`: what every member would find after a crash. */
  check(ready: Ready, at: CheckedMember, disks: ReadonlyMap<NodeId, Disk>): void {
    for (const message of ready.messages) checkPromise(message, at.disk);
    if (ready.softState?.role === 'leader') {
      const { term } = ready.softState;
      const known = this.#leaders.get(term) ?? at.nodeId;
      if (known !== at.nodeId) throw new Error(`Two leaders in term ${term} (figure 3)`);
      this.#leaders.set(term, known);
    }
    for (const entry of ready.committed) this.#checkCommitted(entry, at, disks);
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
