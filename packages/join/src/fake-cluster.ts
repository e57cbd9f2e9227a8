/**
 * A cluster that is none: one object that looks like one, for tests and stories of components. Its data
 * are a map, and it answers at once, so that a test says what is there and what happens.
 */
import type { ClusterStatus, Phase } from '@quorate/cluster';
import { QuorateError } from '@quorate/contracts';
import type { ErrorCode } from '@quorate/contracts';
import { bindMethods } from '@quorate/contracts/bound';
import type {
  Condition,
  Counter,
  DeleteResult,
  KeyValue,
  KvEntry,
  Live,
  LiveSnapshot,
  PutResult,
  WatchBatch,
  WatchEvent,
  WatchOptions,
} from '@quorate/kv';
import type { Cluster } from './cluster.ts';
import { inertStatus } from './inert-status.ts';

export type FakeClusterOptions = {
  /** What keys hold in the beginning. */
  readonly data?: Readonly<Record<string, unknown>>;
  /** Default `ready`. In any other one what is live is stale, and calls are refused as there. */
  readonly phase?: Phase;
  /** Milliseconds for which a write is pending. Default 0: applied before the call returns. */
  readonly delayMs?: number;
};

export type FakeCluster = Cluster & {
  /** What it seems to be from now on. */
  readonly setPhase: (phase: Phase) => void;
};

/**
 * A `Cluster` of its own: `status` and what tells of it, `counter()`, and of `kv` `get`, `getEntry`,
 * `peek`, `put`, `delete`, `increment`, `live` and `watch`. Everything else throws `UNSUPPORTED`.
 * Nobody else sees it, and nothing is kept: what members do to each other shows `testCluster()`.
 */
export function fakeCluster(options: FakeClusterOptions = {}): FakeCluster {
  const store = new FakeStore(options);
  const kv = orUnsupported('kv.', store) as unknown as KeyValue;
  const close = async (): Promise<void> => store.setPhase('stopped');
  return orUnsupported('', {
    namespace: 'fake',
    get status() {
      return store.status;
    },
    kv,
    peerId: null,
    addresses: [],
    subscribe: (listener: (status: ClusterStatus) => void) =>
      store.tell(() => store.status, listener),
    getSnapshot: () => store.status,
    getServerSnapshot: () => starting,
    ready: async () => {
      await new Promise<void>((resolve) => {
        store.tell(
          () => store.status.canWrite,
          (canWrite) => canWrite && resolve(),
        );
      });
    },
    counter: (name: string) => store.counter(name),
    members: () => store.status.members,
    explain: () => `${store.status.message}.`,
    close,
    [Symbol.asyncDispose]: close,
    setPhase: (phase: Phase) => store.setPhase(phase),
  }) as unknown as FakeCluster;
}

/** The part of `KeyValue` that a fake has. */
class FakeStore {
  revision = 0;
  status: ClusterStatus;
  readonly #delayMs: number;
  readonly #entries = new Map<string, KvEntry>();
  readonly #handles = new Map<string, Live<unknown>>();
  readonly #listeners = new Set<() => void>();
  readonly #watchers = new Set<(batch: WatchBatch) => void>();
  /** What the writes under way will write. */
  readonly #pending = new Set<Selector>();

  constructor({ data = {}, phase = 'ready', delayMs = 0 }: FakeClusterOptions) {
    this.#delayMs = delayMs;
    this.status = statusOf(phase);
    for (const [key, value] of Object.entries(data)) {
      this.revision += 1;
      this.#set(key, value);
    }
    bindMethods(this);
  }

  setPhase(phase: Phase): void {
    this.status = statusOf(phase);
    this.#changed();
  }

  /** Calls `listener` with what `read` gives, now and whenever that is something else. */
  tell<T>(read: () => T, listener: (value: T) => void): () => void {
    let seen: { readonly value: T } | null = null;
    const look = (): void => {
      const value = read();
      if (seen !== null && Object.is(seen.value, value)) return;
      seen = { value };
      listener(value);
    };
    this.#listeners.add(look);
    look();
    return () => void this.#listeners.delete(look);
  }

  async getEntry(key: string): Promise<KvEntry | undefined> {
    this.#refuse('get');
    return this.#entries.get(key);
  }

  async get(key: string): Promise<unknown> {
    return (await this.getEntry(key))?.value;
  }

  peek(key: string): unknown {
    return this.#entries.get(key)?.value;
  }

  async put(key: string, value: unknown, condition: Condition = {}): Promise<PutResult> {
    const { modRevision } = await this.#putBy({ key }, 'put', () => {
      this.#check(key, condition);
      return this.#set(key, value);
    });
    return { revision: modRevision };
  }

  async increment(key: string, by: number = 1): Promise<number> {
    const { value } = await this.#putBy({ key }, 'increment', () =>
      this.#set(key, this.#number(key) + by),
    );
    return value as number;
  }

  async delete(
    selector: string | { readonly prefix: string },
    condition: Condition = {},
  ): Promise<DeleteResult> {
    const target: Selector = typeof selector === 'string' ? { key: selector } : selector;
    const gone = await this.#propose(target, 'delete', () => {
      if (target.key !== undefined) this.#check(target.key, condition);
      const found = this.#select(target);
      for (const { key } of found) this.#entries.delete(key);
      return { result: found, events: found.map(({ key }) => ({ type: 'delete', key })) };
    });
    return { deleted: gone.length, revision: this.revision };
  }

  live(selector: string | { readonly prefix: string }): Live<unknown> {
    if (typeof selector === 'string')
      return this.#follow({ key: selector }, (key) => this.peek(key), undefined);
    return this.#follow(selector, () => this.#select(selector), noEntries);
  }

  counter(name: string): Counter {
    const key = `~counter/${name}`;
    const live = this.#follow({ key }, () => this.#number(key), 0);
    return Object.assign(live, {
      add: (by?: number) => this.increment(key, by),
      get: async () => this.#number(key),
    });
  }

  async *watch({ initial, signal, ...selector }: WatchOptions): AsyncGenerator<WatchBatch> {
    const waiting: WatchBatch[] = [];
    let wake = (): void => {};
    const watcher = ({ events, ...batch }: WatchBatch): void => {
      const seen = events.filter(({ key }) => covers(selector, key));
      if (seen.length > 0) waiting.push({ ...batch, events: seen });
      wake();
    };
    const end = (): void => wake();
    this.#watchers.add(watcher);
    signal?.addEventListener('abort', end);
    try {
      if (initial === true) {
        yield { revision: this.revision, events: this.#select(selector).map(toPut), initial };
      }
      for (;;) {
        if (signal?.aborted === true) throw new QuorateError('ABORTED', 'The watch was ended');
        const batch = waiting.shift();
        if (batch === undefined) await new Promise<void>((resolve) => (wake = resolve));
        else yield batch;
      }
    } finally {
      this.#watchers.delete(watcher);
      signal?.removeEventListener('abort', end);
    }
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #refuse(action: string): void {
    const { canWrite, reason, phase } = this.status;
    if (canWrite) return;
    throw new QuorateError(reason ?? 'NO_LEADER', `Cannot ${action}: the fake cluster is ${phase}`);
  }

  #check(key: string, { ifAbsent, ifRevision }: Condition): void {
    const current = this.#entries.get(key) ?? null;
    const wanted = ifAbsent === true ? 0 : ifRevision;
    if (wanted === undefined || wanted === (current?.modRevision ?? 0)) return;
    const details = { key, current };
    throw new QuorateError('CONFLICT', `Cannot write ${key}: it has changed`, { details });
  }

  #number(key: string): number {
    const value = this.peek(key) ?? 0;
    return Number.isSafeInteger(value) ? (value as number) : NaN;
  }

  #select(selector: Selector): KvEntry[] {
    return [...this.#entries.values()]
      .filter(({ key }) => covers(selector, key))
      .sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  #set(key: string, value: unknown): KvEntry {
    const before = this.#entries.get(key);
    const entry = Object.freeze({
      key,
      value: frozenCopy(value, key),
      createRevision: before?.createRevision ?? this.revision,
      modRevision: this.revision,
      version: (before?.version ?? 0) + 1,
    });
    this.#entries.set(key, entry);
    return entry;
  }

  #putBy(target: Selector, action: string, write: () => KvEntry): Promise<KvEntry> {
    return this.#propose(target, action, () => {
      const entry = write();
      return { result: entry, events: [toPut(entry)] };
    });
  }

  /** Carries `write` out, at once or after the delay, in a revision of its own. */
  async #propose<R>(
    target: Selector,
    action: string,
    write: () => { readonly result: R; readonly events: readonly WatchEvent[] },
  ): Promise<R> {
    this.#refuse(action);
    if (this.#delayMs > 0) {
      this.#pending.add(target);
      this.#changed();
      await new Promise((resolve) => setTimeout(resolve, this.#delayMs));
      this.#pending.delete(target);
    }
    const before = this.revision;
    this.revision += 1;
    try {
      const { result, events } = write();
      if (events.length === 0) this.revision = before;
      else {
        const batch = { revision: this.revision, events, initial: false };
        for (const watcher of [...this.#watchers]) watcher(batch);
      }
      return result;
    } catch (error) {
      this.revision = before;
      throw error;
    } finally {
      this.#changed();
    }
  }

  #follow<V>(selector: Selector, read: (key: string) => V, nothing: V): Live<V> {
    const { key = '', prefix } = selector;
    const name = prefix === undefined ? `key ${key}` : `prefix ${prefix}`;
    const known = this.#handles.get(name);
    if (known !== undefined) return known as Live<V>;
    const blank = Object.freeze({ value: nothing, loaded: false, stale: true, pending: false });
    let last: LiveSnapshot<V> = blank;
    const getSnapshot = (): LiveSnapshot<V> => {
      const value = read(key);
      const { phase } = this.status;
      const next: LiveSnapshot<V> = {
        value: isSame(value, last.value) ? last.value : value,
        loaded: phase !== 'starting',
        stale: phase !== 'ready',
        pending: [...this.#pending].some((target) => meet(target, selector)),
      };
      if (fields.some((field) => !Object.is(next[field], last[field]))) last = Object.freeze(next);
      return last;
    };
    const handle = {
      getSnapshot,
      getServerSnapshot: () => blank,
      subscribe: (listener) =>
        this.tell(getSnapshot, (snapshot) => listener(snapshot.value, snapshot)),
    } as Live<V>;
    for (const field of fields) {
      Object.defineProperty(handle, field, { get: () => getSnapshot()[field] });
    }
    this.#handles.set(name, handle);
    return handle;
  }
}

const fields = ['value', 'loaded', 'stale', 'pending'] as const;
const noEntries: readonly KvEntry[] = Object.freeze([]);

function toPut(entry: KvEntry): WatchEvent {
  return { type: 'put', key: entry.key, value: entry.value, entry };
}

type Selector = {
  readonly key?: string;
  readonly prefix?: string;
  readonly start?: string;
  readonly end?: string;
};

function covers({ key, prefix, start, end }: Selector, candidate: string): boolean {
  if (key !== undefined) return candidate === key;
  if (prefix !== undefined) return candidate.startsWith(prefix);
  return candidate >= (start ?? '') && (end === undefined || candidate < end);
}

function meet(a: Selector, b: Selector): boolean {
  return covers(a, b.key ?? b.prefix ?? '') || covers(b, a.key ?? a.prefix ?? '');
}

/** Lists of the same entries are one list. */
function isSame(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return a === b;
  return a.every((one, at) => one === b[at]);
}

/** As a member stores it: a copy that nobody can change. Throws `TypeError` for what is no `Value`. */
function frozenCopy(value: unknown, path: string): unknown {
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
  if (Number.isFinite(value)) return value;
  if (value instanceof Uint8Array) return value.slice();
  if (Array.isArray(value)) {
    return Object.freeze(value.map((one, at) => frozenCopy(one, `${path}[${at}]`)));
  }
  const prototype =
    typeof value === 'object' ? (Object.getPrototypeOf(value) as unknown) : undefined;
  if (prototype !== Object.prototype && prototype !== null) {
    throw new TypeError(`Cannot store ${path}: wanted JSON-like data or a Uint8Array`);
  }
  const copy = Object.entries(value as object).map(([name, one]) => {
    return [name, frozenCopy(one, `${path}.${name}`)];
  });
  return Object.freeze(Object.fromEntries(copy));
}

const reasons: Partial<Record<Phase, ErrorCode>> = { 'read-only': 'NO_QUORUM', stopped: 'CLOSED' };

function statusOf(phase: Phase): ClusterStatus {
  const canWrite = phase === 'ready';
  const reason = canWrite ? null : (reasons[phase] ?? 'NO_LEADER');
  return Object.freeze({ ...inertStatus('fake', 'fake'), phase, canWrite, reason, message: phase });
}

const starting = statusOf('starting');

/** What is not there throws when it is called. */
function orUnsupported<T extends object>(path: string, object: T): T {
  return new Proxy(object, {
    get: (target, name) => {
      // `await` asks every object for `then`.
      if (name in target || typeof name === 'symbol' || name === 'then') {
        return Reflect.get(target, name) as unknown;
      }
      return () => {
        const message = `fakeCluster() has no ${path}${name}(): use testCluster() of quorate/testing`;
        throw new QuorateError('UNSUPPORTED', message);
      };
    },
  });
}
