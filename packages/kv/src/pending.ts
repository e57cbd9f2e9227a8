/** Which keys this member has writes of under way. */
import { overlap } from './ordered-map.ts';

export type Target = { readonly key: string } | { readonly prefix: string };

export type PendingWrite = {
  /** To be called before the change of state is told: both are one change to whoever looks. */
  readonly applied: () => void;
  /** Idempotent. */
  readonly end: () => void;
};

export class PendingWrites {
  readonly #targets = new Set<readonly Target[]>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Notes writes until they are applied, or end in another way. */
  begin(targets: readonly Target[]): PendingWrite {
    // A list of its own: the same one may be under way twice.
    const noted = [...targets];
    this.#targets.add(noted);
    this.#changed();
    return {
      applied: () => this.#targets.delete(noted),
      end: () => {
        this.#targets.delete(noted);
        this.#changed();
      },
    };
  }

  touch(target: Target): boolean {
    for (const targets of this.#targets) {
      if (targets.some((one) => overlap(one, target))) return true;
    }
    return false;
  }
}
