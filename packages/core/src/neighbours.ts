/**
 * Replicas of the same host, as the driver sees them in memory (Z61). What a neighbour leads is known
 * and needs no heartbeat: while it leads, its followers here do not stand against it, however late
 * their timers run; and from the moment it leads no more it is nobody's fresh leader, whatever was
 * heard of it just before.
 */
import type { NodeId } from './types.ts';

export class Neighbours {
  /** The term that each of them leads; null: none. */
  readonly #terms = new Map<NodeId, number | null>();

  set(nodeId: NodeId, term: number | null): void {
    this.#terms.set(nodeId, term);
  }

  delete(nodeId: NodeId): void {
    this.#terms.delete(nodeId);
  }

  /** Does `nodeId` lead `term`? Undefined: it is no neighbour, so only its messages can tell. */
  leads(nodeId: NodeId, term: number): boolean | undefined {
    const led = this.#terms.get(nodeId);
    return led === undefined ? undefined : led === term;
  }

  /** Does any of them lead `term` or a later one? Then nothing can be won by asking for votes. */
  someLeadsFrom(term: number): boolean {
    for (const led of this.#terms.values()) if (led !== null && led >= term) return true;
    return false;
  }
}
