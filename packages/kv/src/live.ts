/** Live handles: values that follow the local state, one immutable snapshot per change. */
import type { QuorateError } from '@quorate/contracts';
import type { KvRecord } from './record.ts';
import type { PendingWrites, Target } from './pending.ts';
import type { KvStateMachine } from './state-machine.ts';
import type { Store } from './store.ts';
import type { KvEntry, Live, LiveSnapshot } from './types.ts';

/** What live handles are told of the member beside its state. */
export type KvStatus = {
  /** True while this member may be behind. */
  isStale(): boolean;
  /** True once its state was read from disk or came from the cluster. Default: the machine's word. */
  isLoaded?(): boolean;
  /** Why there is nothing to read yet (T6); null once this member has joined. Default: null. */
  notJoined?(): QuorateError | null;
  /** The cluster that the state is of; null while that is not known. Default: always the same one. */
  cluster?(): string | null;
  /** Calls back when one of the above changes. The returned function ends it. */
  subscribe(listener: () => void): () => void;
};

/** The handles that somebody holds, so that one more for the same key is the same one. */
export class LiveHandles {
  readonly #handles = new Map<string, WeakRef<object>>();
  readonly #forgotten = new FinalizationRegistry<string>((name) => {
    // Another one may have come in its place.
    if (this.#handles.get(name)?.deref() === undefined) this.#handles.delete(name);
  });

  get<T extends object>(name: string, make: () => T): T {
    const known = this.#handles.get(name)?.deref();
    if (known !== undefined) return known as T;
    const handle = make();
    this.#handles.set(name, new WeakRef(handle));
    this.#forgotten.register(handle, name);
    return handle;
  }
}

/** Fans changes of state, status and pending writes out to the handles that somebody watches. */
export class LiveHub {
  readonly #listeners = new Set<() => void>();

  readonly changed = (): void => {
    for (const listener of [...this.#listeners]) listener();
  };

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Nobody is called any more. */
  close(): void {
    this.#listeners.clear();
  }
}

export type LiveSource = {
  readonly hub: LiveHub;
  readonly machine: KvStateMachine;
  readonly status: KvStatus | undefined;
  readonly pending: PendingWrites;
};

type Subscriber<V> = {
  readonly listener: (value: V, snapshot: LiveSnapshot<V>) => void;
  seen: LiveSnapshot<V>;
};

export class LiveValue<V> implements Live<V> {
  readonly #source: LiveSource;
  readonly #target: Target;
  readonly #read: (store: Store) => V;
  readonly #subscribers = new Set<Subscriber<V>>();
  #stopListening: (() => void) | null = null;
  #snapshot: LiveSnapshot<V> | null = null;
  readonly #unknown: LiveSnapshot<V>;

  /** `read` returns the identical value for as long as it is equal; `unknown` stands for no state at all. */
  constructor(source: LiveSource, target: Target, read: (store: Store) => V, unknown: V) {
    this.#source = source;
    this.#target = target;
    this.#read = read;
    this.#unknown = Object.freeze({ value: unknown, loaded: false, stale: true, pending: false });
  }

  get value(): V {
    return this.getSnapshot().value;
  }

  get loaded(): boolean {
    return this.getSnapshot().loaded;
  }

  get stale(): boolean {
    return this.getSnapshot().stale;
  }

  get pending(): boolean {
    return this.getSnapshot().pending;
  }

  // Bound, for user interface libraries pass it around.
  readonly getSnapshot = (): LiveSnapshot<V> => {
    const { machine, status, pending } = this.#source;
    const value = this.#read(machine.store);
    const loaded = status?.isLoaded?.() ?? machine.loaded;
    const stale = status?.isStale() ?? false;
    const writing = pending.touch(this.#target);
    const last = this.#snapshot;
    if (
      last !== null &&
      Object.is(last.value, value) &&
      last.loaded === loaded &&
      last.stale === stale &&
      last.pending === writing
    ) {
      return last;
    }
    const next = Object.freeze({ value, loaded, stale, pending: writing });
    this.#snapshot = next;
    return next;
  };

  readonly getServerSnapshot = (): LiveSnapshot<V> => this.#unknown;

  readonly subscribe = (listener: (value: V, snapshot: LiveSnapshot<V>) => void): (() => void) => {
    if (typeof listener !== 'function') {
      throw new TypeError('Cannot subscribe: wanted a function');
    }
    const subscriber: Subscriber<V> = { listener, seen: this.getSnapshot() };
    this.#subscribers.add(subscriber);
    this.#stopListening ??= this.#source.hub.listen(this.#notify);
    call(subscriber);
    return () => {
      this.#subscribers.delete(subscriber);
      if (this.#subscribers.size > 0) return;
      this.#stopListening?.();
      this.#stopListening = null;
    };
  };

  readonly #notify = (): void => {
    const snapshot = this.getSnapshot();
    for (const subscriber of [...this.#subscribers]) {
      if (subscriber.seen === snapshot || !this.#subscribers.has(subscriber)) continue;
      subscriber.seen = snapshot;
      call(subscriber);
    }
  };
}

/** The value of one key; the same copy of bytes until the key changes. */
export function readKeyValue(key: string): (store: Store) => unknown {
  let record: KvRecord | undefined;
  let value: unknown;
  return (store) => {
    const present = store.records.get(key);
    if (present !== record) {
      record = present;
      value = present?.entry().value;
    }
    return value;
  };
}

/** The entries under a prefix; the same array until one of them changes. */
export function readPrefix(prefix: string): (store: Store) => readonly KvEntry[] {
  let seen: { readonly store: Store; readonly revision: number } | null = null;
  let records: readonly KvRecord[] = [];
  let entries: readonly KvEntry[] = Object.freeze([]);
  return (store) => {
    const { revision } = store;
    if (seen?.store === store && seen.revision === revision) return entries;
    const quiet =
      seen?.store === store && store.history.changedSince({ prefix }, seen.revision) === false;
    seen = { store, revision };
    if (quiet) return entries;
    const present = [...store.records.select({ prefix })];
    if (!sameRecords(present, records)) {
      const before = new Map(records.map((record, index) => [record, entries[index]]));
      records = present;
      entries = Object.freeze(present.map((record) => before.get(record) ?? record.entry()));
    }
    return entries;
  };
}

function sameRecords(a: readonly KvRecord[], b: readonly KvRecord[]): boolean {
  return a.length === b.length && a.every((record, index) => record === b[index]);
}

// A listener that throws is the application's bug: it is reported as uncaught and stops nobody else.
function call<V>(subscriber: Subscriber<V>): void {
  try {
    subscriber.listener(subscriber.seen.value, subscriber.seen);
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
