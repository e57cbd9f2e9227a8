/**
 * Reads that this member asked its leader about (thesis §6.4): all requests of one turn travel as
 * one question. A question that stays unanswered for an election timeout is refused, so that
 * nothing is kept for ever.
 */
import type { Prng } from './prng.ts';
import type { ReadState } from './ready.ts';

export class ForwardedReads {
  #nextId: number;
  #fresh: number[] = [];
  readonly #asked: Map<number, Question> = new Map();

  /** Ids start at random, so that an answer to an earlier run of this replica matches nothing. */
  constructor(prng: Prng) {
    this.#nextId = prng.uint32() * 0x10_0000 + 1;
  }

  get count(): number {
    return this.#fresh.length + this.#asked.size;
  }

  add(requestId: number): void {
    this.#fresh.push(requestId);
  }

  /** The id of a question to send now, or null when nobody asked anything new. */
  ask(deadlineTick: number): number | null {
    if (this.#fresh.length === 0) return null;
    const id = this.#nextId++;
    this.#asked.set(id, { requestIds: this.#fresh, deadlineTick });
    this.#fresh = [];
    return id;
  }

  answer(id: number, index: number | null, into: ReadState[]): void {
    const question = this.#asked.get(id);
    if (question === undefined) return;
    this.#asked.delete(id);
    for (const requestId of question.requestIds) into.push({ requestId, index });
  }

  /** Refuses what was asked too long ago. */
  expire(nowTick: number, into: ReadState[]): void {
    for (const [id, question] of this.#asked) {
      if (question.deadlineTick > nowTick) return;
      this.answer(id, null, into);
    }
  }

  refuseAll(into: ReadState[]): void {
    for (const id of [...this.#asked.keys()]) this.answer(id, null, into);
    for (const requestId of this.#fresh) into.push({ requestId, index: null });
    this.#fresh = [];
  }
}

type Question = { readonly requestIds: readonly number[]; readonly deadlineTick: number };
