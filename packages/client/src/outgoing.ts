/** One attempt of a call at one gateway: it settles exactly once, by answer, failure or its caller. */
import { onAbort } from '@quorate/contracts/abort';
import { ended, unanswered } from './failure.ts';
import type { CallKind } from './failure.ts';

export type OutgoingOptions = {
  readonly url: string;
  readonly kind: CallKind;
  /** The call as it stands in a request. */
  readonly json: string;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
};

export class Outgoing {
  readonly kind: CallKind;
  readonly json: string;
  readonly result: Promise<unknown>;
  readonly #url: string;
  readonly #signal: AbortSignal | undefined;
  readonly #timer: ReturnType<typeof setTimeout>;
  readonly #forget: () => void;
  #settle!: { resolve: (result: unknown) => void; reject: (error: Error) => void };
  #settled = false;
  #onAbandoned: (() => void) | undefined;

  constructor(options: OutgoingOptions) {
    this.kind = options.kind;
    this.json = options.json;
    this.#url = options.url;
    this.#signal = options.signal;
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.#timer = setTimeout(
      () => this.#abandon('TIMEOUT', `No answer within ${options.timeoutMs} ms`),
      options.timeoutMs,
    );
    this.#forget = onAbort(this.#signal, () => this.#abandon('ABORTED', 'Aborted by its signal'));
  }

  get settled(): boolean {
    return this.#settled;
  }

  /** From now on the call may have reached the gateway. `onAbandoned`: its caller has gone. */
  leave(onAbandoned: () => void): void {
    this.#onAbandoned = onAbandoned;
  }

  resolve(result: unknown): void {
    if (this.#end()) this.#settle.resolve(result);
  }

  reject(error: Error): void {
    if (this.#end()) this.#settle.reject(error);
  }

  #abandon(code: 'ABORTED' | 'TIMEOUT', message: string): void {
    if (this.#settled) return;
    const left = this.#onAbandoned !== undefined;
    this.reject(
      left && this.kind === 'write'
        ? unanswered(this.#url, 'write', message)
        : ended(code, message, this.#signal?.reason),
    );
    this.#onAbandoned?.();
  }

  #end(): boolean {
    if (this.#settled) return false;
    this.#settled = true;
    clearTimeout(this.#timer);
    this.#forget();
    return true;
  }
}
