/** Which namespaces a relay serves: all, unless it was told (T21). */
import { QuorateError } from '@quorate/contracts';
import type { Kind } from '@quorate/contracts/options';
import { isTopic } from '../host/link-protocol.ts';

/** The public name of a namespace: see `quorate secret topic`. */
export const topic: Kind = {
  wanted: 'a topic of 64 hex digits',
  fits: (value) => typeof value === 'string' && isTopic(value),
};

export class ServedTopics {
  #allowed: ReadonlySet<string> | null;

  constructor(topics: readonly string[] | undefined) {
    this.#allowed = topics === undefined ? null : new Set(topics);
  }

  /** Null: all. Throws TypeError for what is no topic. */
  change(topics: readonly string[] | null): void {
    const wrong = topics?.find((one) => !topic.fits(one));
    if (wrong !== undefined) {
      throw new TypeError(`Cannot serve ${JSON.stringify(wrong)}: wanted ${topic.wanted}`);
    }
    this.#allowed = topics === null ? null : new Set(topics);
  }

  serves(one: string): boolean {
    return this.#allowed?.has(one) ?? true;
  }

  /** Throws `NOT_ALLOWED`. */
  check(one: string): void {
    if (this.serves(one)) return;
    throw new QuorateError(
      'NOT_ALLOWED',
      `Cannot serve topic ${one}: this relay serves the namespaces of a list; its operator adds one with --allow`,
    );
  }
}
