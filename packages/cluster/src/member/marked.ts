/** Replicas that others refused, and what is written beside their logs (Z38). */
import type { Membership, NodeId } from '@quorate/core';
import { isQuorateError, isRefusalCode, QuorateError } from '@quorate/contracts';
import type { LogStorage, Mark, OpenOptions } from '@quorate/contracts';
import type { Charge } from '../links/hosted-replica.ts';
import { refusalCodeOf } from '../links/witnesses.ts';

/** What a charge leaves beside the log of the replica that it ends. */
export function markOf({ error, by, others }: Charge): Mark {
  const code = refusalCodeOf(error);
  return { code, message: `${error.message}, says ${by}`, others, seatGivenUp: false };
}

/** A store whose replica is marked, by its place among the stores of one slot. */
type Marked = { readonly at: number; readonly nodeId: NodeId; mark: Mark };

/**
 * The stores that one member may live in: the first, or, where a marked replica is left as it is and a
 * new one begins beside it (T1), the next.
 *
 * The new replica comes first and asks, as a member that was never refused, what became of the marked
 * one's seat: mostly it is the new one that takes it. Once a committed membership is without the marked
 * one that is written beside its log, and the next new replica of this slot takes its store, after it
 * was archived there (Z7, Z55). So the live one is always the first that is not marked.
 */
export class MarkedStores {
  readonly #beginsAnew: boolean;
  readonly #createStorage: (at: number) => LogStorage | Promise<LogStorage>;
  #marked: Marked[] = [];
  #noting: Promise<void> = Promise.resolve();

  constructor(
    beginsAnew: boolean,
    createStorage: (at: number) => LogStorage | Promise<LogStorage>,
  ) {
    this.#beginsAnew = beginsAnew;
    this.#createStorage = createStorage;
  }

  /**
   * Opens the first store that is not marked, by `open`, which makes a replica where there is none if
   * it is told `create`. Rejects as `open` does, with the last mark's code where all are marked.
   */
  async openFirst(open: (storage: LogStorage, create: boolean) => Promise<void>): Promise<void> {
    this.#marked = [];
    for (let at = 0; ; at++) {
      const free = this.#marked.find(({ mark }) => mark.seatGivenUp);
      const isLast = !this.#beginsAnew || at === storesMax - 1;
      try {
        await open(await this.#createStorage(at), free === undefined);
        return;
      } catch (error) {
        const isRefused = isRefusal(error);
        if (isRefused) this.#note(at, error);
        const isEmpty = isQuorateError(error, 'STORAGE_LOST');
        if (free !== undefined && (isEmpty || (isRefused && isLast))) {
          await this.#archive(free);
          await open(await this.#createStorage(free.at), true);
          return;
        }
        if (!isRefused || isLast) throw error;
      }
    }
  }

  /** A membership that was committed. Never rejects; what fails is written another time. */
  applied({ voters, votersOutgoing, learners }: Membership, self: NodeId): Promise<void> {
    const members = [...voters, ...votersOutgoing, ...learners];
    // Of a time before this replica came, it says nothing of who has gone since.
    if (!members.includes(self)) return this.#noting;
    for (const one of this.#marked) {
      if (one.mark.seatGivenUp || members.includes(one.nodeId)) continue;
      one.mark = { ...one.mark, seatGivenUp: true };
      const { mark } = one;
      this.#noting = this.#noting
        .then(() => this.#withStore(one, (storage) => storage.mark(mark)))
        .catch(ignoreExpected);
    }
    return this.#noting;
  }

  #archive(one: Marked): Promise<void> {
    this.#marked = this.#marked.filter((other) => other !== one);
    return this.#withStore(one, (storage) => storage.archive('refused'));
  }

  async #withStore(
    { at, nodeId }: Marked,
    use: (storage: LogStorage) => Promise<void>,
  ): Promise<void> {
    const storage = await this.#createStorage(at);
    // Nothing is made and no run begins, so neither of these is written anywhere.
    const unused: OpenOptions = { create: false, newNodeId: nodeId, nonce: '00'.repeat(8) };
    try {
      await storage.open({ ...unused, asMarked: true });
      await use(storage);
    } finally {
      await storage.close();
    }
  }

  #note(at: number, { details }: QuorateError): void {
    const { nodeId, mark } = details as { readonly nodeId?: NodeId; readonly mark?: Mark };
    if (nodeId !== undefined && mark !== undefined) this.#marked.push({ at, nodeId, mark });
  }
}

/** What ended a member, or keeps it from opening: where a person has two copies, which one this is. */
export function located(error: QuorateError, place: string | undefined): QuorateError {
  if (place === undefined || !isRefusal(error)) return error;
  const { code, message, outcome, details } = error;
  const text = `${message}; this one lies in ${place}. ${copyAdvice}`;
  return new QuorateError(code, text, { cause: error, outcome, details });
}

function isRefusal(error: unknown): error is QuorateError {
  return isQuorateError(error) && isRefusalCode(error.code);
}

/** For what is tried again or does without: anything but a failure of ours. */
export function ignoreExpected(error: unknown): void {
  if (!isQuorateError(error)) throw error;
}

/** One store after another of them was marked: whatever does that is not mended by one more. */
const storesMax = 8;
const copyAdvice =
  'Run the other one and put this directory aside: an empty one joins as a new member. To keep this ' +
  'one, stop the other for good, and run quorate doctor --keep-this with it';
