/** Something that calls queue for, in order, until it is there. */
import type { Clock } from '@quorate/contracts';
import { onAbort, QuorateError } from '@quorate/contracts';

export type Patience = {
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** What a call is told whose time ran out. */
  readonly timedOut: () => QuorateError;
  /** What a call is told that is aborted. */
  readonly aborted: string;
};

export class Awaited<T> {
  readonly #waiters = new Set<(outcome: Outcome<T>) => void>();

  /** Does anybody wait? */
  get isWanted(): boolean {
    return this.#waiters.size > 0;
  }

  /** Rejects with what `reject` was called with, with `timedOut()`, or with `ABORTED`. */
  wait({ clock, timeoutMs, signal, timedOut, aborted }: Patience): Promise<T> {
    const abortion = (): QuorateError => new QuorateError('ABORTED', aborted);
    if (signal?.aborted === true) return Promise.reject(abortion());
    return new Promise((resolve, reject) => {
      const settle = (outcome: Outcome<T>): void => {
        this.#waiters.delete(settle);
        cancel();
        forget();
        if ('value' in outcome) resolve(outcome.value);
        else reject(outcome.error);
      };
      const cancel = clock.setTimeout(() => settle({ error: timedOut() }), timeoutMs);
      const forget = onAbort(signal, () => settle({ error: abortion() }));
      this.#waiters.add(settle);
    });
  }

  resolve(value: T): void {
    for (const settle of [...this.#waiters]) settle({ value });
  }

  reject(error: QuorateError): void {
    for (const settle of [...this.#waiters]) settle({ error });
  }
}

type Outcome<T> = { readonly value: T } | { readonly error: QuorateError };
