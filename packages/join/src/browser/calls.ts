/**
 * What an application asks of its page's member, over all lives of the page (Z6). What never left
 * when a life ended waits for the next one, within its own deadline; calls keep their order. A write
 * that may have left ends with its doubt: sessions belong to one run (Z25), so that the next one
 * cannot learn what became of it (Z28).
 */
import { onAbort, QuorateError } from '@quorate/contracts';
import type { CallOptions, Clock } from '@quorate/contracts';

/** What carries calls out during one life. */
export type Carrier = {
  /** What ended it; a call that is rejected with this very error never left. */
  readonly failure: QuorateError | null;
};

type Call = {
  /** Calls go in this order. */
  readonly number: number;
  readonly go: () => void;
  readonly reject: (error: Error) => void;
};

export class Calls<C extends Carrier> {
  readonly #clock: Clock;
  /** Does a carrier that failed so have a successor, of which nobody has told yet? */
  readonly #goesOnAfter: (failure: QuorateError) => boolean;
  readonly #waiting = new Map<number, Call>();
  #carrier: C | null;
  #count = 0;
  #closed = false;

  constructor(clock: Clock, carrier: C, goesOnAfter: (failure: QuorateError) => boolean) {
    this.#clock = clock;
    this.#carrier = carrier;
    this.#goesOnAfter = goesOnAfter;
  }

  /** From now on calls wait. */
  pause(): void {
    this.#carrier = null;
  }

  /** Calls go to `carrier`, first those that wait. Called once those of the last one have ended. */
  resume(carrier: C): void {
    this.#carrier = carrier;
    for (const call of this.#inOrder()) call.go();
  }

  close(): void {
    this.#closed = true;
    const error = new QuorateError('CLOSED', 'This handle was closed');
    for (const call of this.#inOrder()) call.reject(error);
  }

  /**
   * Carries out one call, as often as it comes back without having left. `timeoutMs` null: it has no
   * deadline. Errors besides those of the carrier: `TIMEOUT`, `ABORTED`, `CLOSED`.
   */
  run<T>(
    carry: (carrier: C, left: { readonly timeoutMs?: number }) => Promise<T>,
    timeoutMs: number | null,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    this.#count += 1;
    const number = this.#count;
    const startedAt = this.#clock.now();
    const leftMs = (): number => (timeoutMs ?? 0) - (this.#clock.now() - startedAt);
    return new Promise((resolve, reject) => {
      const go = (): void => {
        const carrier = this.#carrier;
        if (carrier === null) {
          this.#wait({ number, go, reject }, timeoutMs === null ? null : leftMs(), signal);
          return;
        }
        const left = timeoutMs === null ? {} : { timeoutMs: Math.max(1, leftMs()) };
        carry(carrier, left).then(resolve, (error: Error) => {
          if (this.#isOnlyOver(carrier, error)) go();
          else reject(error);
        });
      };
      go();
    });
  }

  /** Did the life end under a call that had not left? */
  #isOnlyOver(carrier: C, error: Error): boolean {
    const { failure } = carrier;
    if (this.#closed || failure === null || error !== failure) return false;
    if (this.#carrier === carrier && this.#goesOnAfter(failure)) this.pause();
    return this.#carrier !== carrier;
  }

  #wait(call: Call, leftMs: number | null, signal: AbortSignal | undefined): void {
    const { number } = call;
    const end = (): boolean => {
      cancel();
      forget();
      return this.#waiting.delete(number);
    };
    const give = (error: Error): void => {
      if (end()) call.reject(error);
    };
    const abort = (): void =>
      give(new QuorateError('ABORTED', 'Stopped while the page was put aside'));
    const late = (): void =>
      give(new QuorateError('TIMEOUT', 'The deadline passed while the page was put aside'));
    const cancel = leftMs === null ? () => undefined : this.#clock.setTimeout(late, leftMs);
    this.#waiting.set(number, {
      number,
      go: () => {
        if (end()) call.go();
      },
      reject: give,
    });
    const forget = onAbort(signal, abort);
    if (signal?.aborted === true) abort();
  }

  #inOrder(): Call[] {
    return [...this.#waiting.values()].sort((a, b) => a.number - b.number);
  }
}

/** The deadline of a call that names none, as a member has it. */
export function timeoutOf(options: CallOptions, given: number | undefined, usual: number): number {
  return options.timeoutMs ?? given ?? usual;
}
