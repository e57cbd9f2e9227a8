/**
 * The state of a page that came back: what is on its disk may be older than what it showed when it
 * was left, for the commit index is stored lazily. Until the new run has caught up with that, it
 * works beside what the page shows, so that no number on it ever jumps back.
 */
import type { ApplyContext, StateMachine } from '@quorate/contracts';
import type { KvStateMachine } from '@quorate/kv';

export class CatchingUp implements StateMachine {
  readonly #shown: KvStateMachine;
  /** Null once it caught up. */
  #behind: KvStateMachine | null;

  constructor(shown: KvStateMachine) {
    this.#shown = shown;
    this.#behind = shown.beside();
  }

  apply(command: Uint8Array, context: ApplyContext): Uint8Array {
    return this.#current.apply(command, context);
  }

  frees(command: Uint8Array): boolean {
    return this.#shown.frees(command);
  }

  flush(): void {
    const behind = this.#behind;
    if (behind === null) this.#shown.flush();
    else if (behind.store.revision >= this.#shown.store.revision) this.show();
  }

  snapshot(): Iterable<Uint8Array> {
    return this.#current.snapshot();
  }

  decode(bytes: Uint8Array): () => void {
    const current = this.#current;
    const restore = current.decode(bytes);
    return () => {
      // Meanwhile it may have caught up.
      if (this.#current === current) restore();
      else this.#current.restore(bytes);
    };
  }

  /** Shows what there is, caught up or not: it may be the state of another cluster. */
  show(): void {
    const behind = this.#behind;
    if (behind === null) return;
    this.#behind = null;
    this.#shown.restore(join(behind.snapshot()));
    this.#shown.flush();
  }

  get #current(): KvStateMachine {
    return this.#behind ?? this.#shown;
  }
}

/** The bytes of a snapshot. */
function join(chunks: Iterable<Uint8Array>): Uint8Array {
  const parts = [...chunks];
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
