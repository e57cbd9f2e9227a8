/** Which keys this member has writes of under way. */
import { overlap } from './ordered-map.ts';

export type Target = { readonly key: string } | { readonly prefix: string };

export class PendingWrites {
  readonly #targets = new Set<readonly Target[]>();
  readonly #changed: () => void;

  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Notes writes until the returned function is called. */
  begin(targets: readonly Target[]): () => void {
    // A list of its own: the same one may be under way twice.
    const noted = [...targets];
    this.#targets.add(noted);
    this.#changed();
    return () => {
      if (this.#targets.delete(noted)) this.#changed();
    };
  }

  touch(target: Target): boolean {
    for (const targets of this.#targets) {
      if (targets.some((one) => overlap(one, target))) return true;
    }
    return false;
  }
}
