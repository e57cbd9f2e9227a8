/**
 * Replicas of one page, each a host of its own (decision 11), that look at each other in memory (Z61,
 * decision 21). Each looks before its core judges by it, so what the core knows is never old; and is
 * told the moment a leadership here begins or ends.
 */
import type { NodeId, Raft } from '@quorate/core';

/** What a replica shows to those beside it. */
export type Neighbour = {
  readonly nodeId: NodeId;
  /** Cluster and generation: nobody looks at a replica of another one. */
  readonly cluster: string;
  /** The term that it leads just now; null: none. */
  readonly leads: () => number | null;
  /** Somebody's leadership began or ended. */
  readonly look: () => void;
};

/** Make one for a page, and hand it to all members there. */
export class Neighbours {
  readonly #all = new Set<Neighbour>();

  /** Everybody but `one`. */
  besides(one: Neighbour): Neighbour[] {
    return [...this.#all].filter((other) => other !== one && other.cluster === one.cluster);
  }

  add(one: Neighbour): void {
    this.#all.add(one);
  }

  /** It leads nothing any more. */
  remove(one: Neighbour): void {
    if (this.#all.delete(one)) this.tell(one);
  }

  /** Has everybody beside `one` look, now. */
  tell(one: Neighbour): void {
    for (const other of this.besides(one)) other.look();
  }
}

export type NeighbourhoodOptions = {
  readonly nodeId: NodeId;
  readonly cluster: string;
  readonly raft: Raft;
  /** Null for a replica that is alone in its process. */
  readonly neighbours: Neighbours | null;
  /** The core learnt something: ask it what it wants. */
  readonly learnt: () => void;
};

/** A replica among its neighbours. */
export class Neighbourhood {
  readonly #raft: Raft;
  readonly #neighbours: Neighbours | null;
  readonly #self: Neighbour;
  readonly #learnt: () => void;
  /** Whom the core knows. */
  #known: ReadonlySet<NodeId> = new Set();
  #said: number | null = null;

  constructor({ nodeId, cluster, raft, neighbours, learnt }: NeighbourhoodOptions) {
    this.#raft = raft;
    this.#neighbours = neighbours;
    this.#learnt = learnt;
    const look = (): void => {
      this.look();
      learnt();
    };
    this.#self = { nodeId, cluster, leads: () => raft.leads, look };
    neighbours?.add(this.#self);
  }

  /** Tells the core what is to be seen. To be called before each of its inputs. */
  look(): void {
    if (this.#neighbours === null) return;
    const present = this.#neighbours.besides(this.#self);
    for (const { nodeId, leads } of present) this.#raft.neighbour(nodeId, leads());
    const ids = new Set(present.map(({ nodeId }) => nodeId));
    for (const nodeId of this.#known) if (!ids.has(nodeId)) this.#raft.neighbourGone(nodeId);
    this.#known = ids;
  }

  /** Tells the others where this one's leadership began or ended. To be called after each input. */
  show(): void {
    const leads = this.#raft.leads;
    if (leads === this.#said) return;
    this.#said = leads;
    if (this.#neighbours === null) return;
    // First here: what they do about it may be seen beside what this one says of itself.
    this.#learnt();
    this.#neighbours.tell(this.#self);
  }

  leave(): void {
    this.#neighbours?.remove(this.#self);
  }
}
