/**
 * Whether writes find room (T20): on this replica's disk, on those of a majority, and so in the
 * cluster. Each host says of its replicas whether their disks are full; the leader judges, and says
 * whether anything but what frees room is taken. Nothing here is a promise: what a full disk refuses is
 * acknowledged by nobody, whoever thinks what.
 */
import type { Membership, NodeId } from '@quorate/core';
import { QuorateError } from '@quorate/contracts';
import type { RoomFacts } from '../links/hello.ts';

export type RoomOptions = {
  readonly nodeId: NodeId;
  readonly leader: () => NodeId | null;
  readonly membership: () => Membership;
  /** What a replica within reach says; null: it is not. */
  readonly factsOf: (nodeId: NodeId) => Partial<RoomFacts> | null;
  /** For how long the disk has owed an answer. */
  readonly stalledMs: () => number;
  /** For how long a leader's disk may. */
  readonly stallMsMax: number;
  readonly frees: (command: Uint8Array) => boolean;
  /** One of `full`, `refuses` and `isSlow` is another. */
  readonly changed: () => void;
};

export class Room {
  readonly #options: RoomOptions;
  #full = false;
  #refuses = false;
  #isSlow = false;

  constructor(options: RoomOptions) {
    this.#options = options;
  }

  get full(): boolean {
    return this.#full;
  }

  get refuses(): boolean {
    return this.#refuses;
  }

  /** For others to hear. */
  get facts(): RoomFacts {
    return { full: this.#full, refuses: this.#refuses };
  }

  /** The disk answers nothing, and is not known to be full. */
  get isSlow(): boolean {
    return this.#isSlow;
  }

  diskSays(full: boolean): void {
    this.#full = full;
    this.#look(true);
  }

  /** Somebody else would lead better. */
  get isUnfit(): boolean {
    return this.#full || this.#options.stalledMs() >= this.#options.stallMsMax;
  }

  /** At each tick. */
  look(): void {
    this.#look(false);
  }

  /** May it lead, as far as its disk goes? */
  readonly has = (nodeId: NodeId): boolean => {
    const { nodeId: self, factsOf } = this.#options;
    if (nodeId === self) return !this.#full;
    const facts = factsOf(nodeId);
    return facts !== null && facts.full !== true;
  };

  /** Why a command is not taken now; null: it is. */
  readonly refusal = (command: Uint8Array): QuorateError | null => {
    if (!this.#refuses || this.#options.frees(command)) return null;
    return new QuorateError(
      'STORAGE_FULL',
      'Cannot write: the disks are full, and nothing but deletions is taken until there is room',
    );
  };

  #look(isNews: boolean): void {
    const refuses = this.#judge();
    const { stalledMs, stallMsMax } = this.#options;
    const isSlow = !this.#full && stalledMs() > 2 * stallMsMax;
    if (!isNews && refuses === this.#refuses && isSlow === this.#isSlow) return;
    this.#refuses = refuses;
    this.#isSlow = isSlow;
    this.#options.changed();
  }

  #judge(): boolean {
    const { nodeId, leader, membership, factsOf } = this.#options;
    const to = leader();
    // Between two leaders a full disk is no emptier.
    if (to === null) return this.#full && this.#refuses;
    if (to !== nodeId) return factsOf(to)?.refuses === true;
    const { voters, votersOutgoing } = membership();
    // One whose own disk is full has somebody else lead, if it can.
    const others = voters.filter((id) => id !== nodeId);
    if (this.#full && !others.some(this.has)) return true;
    return this.#isTooFew(voters) || (votersOutgoing.length > 0 && this.#isTooFew(votersOutgoing));
  }

  /** Full disks leave no majority of these. */
  #isTooFew(ids: readonly NodeId[]): boolean {
    const isFull = (id: NodeId): boolean =>
      id === this.#options.nodeId ? this.#full : this.#options.factsOf(id)?.full === true;
    return ids.some(isFull) && 2 * ids.filter(this.has).length <= ids.length;
  }
}
