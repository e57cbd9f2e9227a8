/**
 * A leader's reads (thesis §6.4): the commit index at the moment of asking may be read once a
 * quorum confirmed, after that moment, that this is still its leader. All reads of one turn share
 * one round of heartbeats; reads that come before the leader has committed in its own term wait.
 */
import type { NodeId } from './types.ts';

export class ReadIndexQueue {
  #fresh: ReadRequest[] = [];
  #rounds: Round[] = [];
  #lastRound = 0;
  #count = 0;

  /** Requests that wait for anything. */
  get count(): number {
    return this.#count;
  }

  /** Whether the next round has somebody to ask for. */
  get hasFresh(): boolean {
    return this.#fresh.length > 0;
  }

  /** The newest round; heartbeats carry it, so a lost one is repeated by the next. */
  get lastRound(): number {
    return this.#lastRound;
  }

  add(request: ReadRequest): void {
    this.#fresh.push(request);
    this.#count++;
  }

  /** Begins a round for everything asked so far, to be read at `index`. */
  beginRound(index: number): void {
    this.#rounds.push({ number: ++this.#lastRound, index, requests: this.#fresh });
    this.#fresh = [];
  }

  /** Begins a round that nobody waits for: its confirmation says since when a quorum is bound (Z23). */
  beginEmptyRound(): void {
    this.#lastRound++;
  }

  /** Rounds that a quorum confirmed are done: theirs may be read. */
  takeConfirmed(confirmedRound: number): readonly Round[] {
    let done = 0;
    while (done < this.#rounds.length && (this.#rounds[done] as Round).number <= confirmedRound) {
      this.#count -= (this.#rounds[done] as Round).requests.length;
      done++;
    }
    return done === 0 ? [] : this.#rounds.splice(0, done);
  }

  /** Everything that waits, to be refused. */
  takeAll(): readonly ReadRequest[] {
    const all = [...this.#rounds.flatMap((round) => round.requests), ...this.#fresh];
    this.#rounds = [];
    this.#fresh = [];
    this.#count = 0;
    return all;
  }
}

/** `from` null: this member's own. */
export type ReadRequest = { readonly from: NodeId | null; readonly requestId: number };

export type Round = {
  readonly number: number;
  readonly index: number;
  readonly requests: readonly ReadRequest[];
};
