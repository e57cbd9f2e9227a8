/** Whoever waits until something about this member's links changes. */
import { onAbort } from '@quorate/contracts';

export class LinkChanges {
  readonly #waiters = new Set<() => void>();

  tell(): void {
    for (const tell of [...this.#waiters]) tell();
  }

  /** Resolves at the next change, or once `signal` is aborted. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiters.delete(done);
        forget();
        resolve();
      };
      this.#waiters.add(done);
      const forget = onAbort(signal, done);
    });
  }
}
