/** A member that is a map in memory: enough of `kv` to see what a gateway makes of it. */
import { QuorateError } from '@quorate/contracts';
import type { ClusterStatus } from '@quorate/cluster';
import type { RegisterView, RestoredRegister } from '@quorate/cluster/register';
import type {
  DeleteResult,
  KvEntry,
  Operation,
  OperationResult,
  PutResult,
  RangeOptions,
  RangeResult,
  TxnResult,
  WatchBatch,
  WatchEvent,
  WatchOptions,
} from '@quorate/kv';
import type { GatewayTarget, LeaveOptions } from '../src/index.ts';

type Kv = GatewayTarget['kv'];

export class FakeTarget implements GatewayTarget {
  status: ClusterStatus = fakeStatus;
  readonly kv: FakeKv = new FakeKv();
  readonly left: LeaveOptions[] = [];

  members(): ClusterStatus['members'] {
    return this.status.members;
  }

  async leave(options: LeaveOptions = {}): Promise<void> {
    this.left.push(options);
  }

  async showRegister(): Promise<RegisterView> {
    return { group: 'fake', record: null, trouble: null, announced: [] };
  }

  async restoreRegister(): Promise<RestoredRegister> {
    return { group: 'fake', clusterId: 'c0'.repeat(16), generation: 1, changed: true };
  }

  /** The parts of the next backup, and what it fails with after them. */
  backupParts: readonly Uint8Array[] = [];
  backupFailure: Error | null = null;
  /** How many parts were asked for. */
  backupTaken = 0;

  async *backup(): AsyncGenerator<Uint8Array, undefined> {
    for (const part of this.backupParts) {
      this.backupTaken += 1;
      yield await Promise.resolve(part);
    }
    if (this.backupFailure !== null) throw this.backupFailure;
  }

  async *export(options: { readonly prefix?: string } = {}): AsyncGenerator<KvEntry, undefined> {
    const { entries } = await this.kv.range({ prefix: options.prefix ?? '' });
    yield* entries;
  }
}

export class FakeKv implements Kv {
  revision = 0;
  /** The oldest revision that a watch can start from. */
  oldestRevision = 1;
  /** Awaited by every call before it answers; tests hold answers back with it. */
  gate: (signal?: AbortSignal) => Promise<void> = () => Promise.resolve();
  readonly #entries = new Map<string, KvEntry>();
  readonly #history: WatchBatch[] = [];
  readonly #watchers = new Set<() => void>();

  async getEntry<T>(
    key: string,
    options: { signal?: AbortSignal } = {},
  ): Promise<KvEntry<T> | undefined> {
    await this.gate(options.signal);
    return this.#entries.get(key) as KvEntry<T> | undefined;
  }

  async range<T>(options: RangeOptions = {}): Promise<RangeResult<T>> {
    await this.gate(options.signal);
    const all = [...this.#entries.values()]
      .filter(({ key }) => matches(options, key))
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .filter(({ key }) => key > (options.after ?? ''))
      .map((entry) => (options.keysOnly === true ? { ...entry, value: undefined } : entry));
    const entries = all.slice(0, options.limit) as unknown as KvEntry<T>[];
    const page = { entries, revision: this.revision, count: entries.length };
    const after = entries.at(-1)?.key;
    if (after === undefined || entries.length === all.length) return { ...page, more: false };
    return { ...page, more: true, after };
  }

  async put(key: string, value: unknown, options: { ifAbsent?: boolean } = {}): Promise<PutResult> {
    const current = this.#entries.get(key) ?? null;
    if (options.ifAbsent === true && current !== null) {
      throw new QuorateError('CONFLICT', `Cannot create ${key}: it exists`, {
        details: { current },
      });
    }
    const result = await this.txn({ then: [{ type: 'put', key, value: value as string }] });
    return { revision: result.revision };
  }

  async delete(selector: string | { readonly prefix: string }): Promise<DeleteResult> {
    const operation: Operation =
      typeof selector === 'string'
        ? { type: 'delete', key: selector }
        : { type: 'delete', prefix: selector.prefix };
    const { revision, results } = await this.txn({ then: [operation] });
    const [result] = results;
    return { deleted: result?.type === 'delete' ? result.deleted : 0, revision };
  }

  batch(operations: readonly Operation[]): Promise<TxnResult> {
    return this.txn({ then: operations });
  }

  async increment(key: string, by = 1): Promise<number> {
    const { results } = await this.txn({ then: [{ type: 'increment', key, by }] });
    return results[0]?.type === 'increment' ? results[0].value : NaN;
  }

  /** Applied in call order, before the first await; every comparison is `exists`. */
  async txn(txn: Parameters<Kv['txn']>[0]): Promise<TxnResult> {
    const succeeded = (txn.if ?? []).every(
      (compare) => 'exists' in compare && this.#entries.has(compare.key) === compare.exists,
    );
    const operations = (succeeded ? txn.then : txn.else) ?? [];
    const events: WatchEvent[] = [];
    const results = operations.map((operation) => this.#apply(operation, events));
    if (events.length > 0) {
      this.revision++;
      this.#history.push({ revision: this.revision, events, initial: false });
      for (const wake of this.#watchers) wake();
    }
    const { revision } = this;
    await this.gate();
    return { succeeded, revision, results };
  }

  async *watch<T>(options: WatchOptions): AsyncGenerator<WatchBatch<T>, undefined, undefined> {
    const { signal } = options;
    let next = options.from ?? this.revision + 1;
    if (options.initial === true) {
      const events = [...this.#entries.values()]
        .filter(({ key }) => matches(options, key))
        .map((entry) => ({ type: 'put', key: entry.key, value: entry.value, entry }) as const);
      yield { revision: this.revision, events, initial: true } as WatchBatch<T>;
    }
    for (;;) {
      if (next < this.oldestRevision) {
        throw new QuorateError('COMPACTED', `Revision ${next} is gone`, {
          details: { oldestRevision: this.oldestRevision },
        });
      }
      for (const batch of this.#history) {
        if (batch.revision < next) continue;
        next = batch.revision + 1;
        const events = batch.events.filter((event) => matches(options, event.key));
        if (events.length > 0) yield { ...batch, events } as WatchBatch<T>;
      }
      await new Promise<void>((resolve, reject) => {
        const wake = (): void => {
          this.#watchers.delete(wake);
          if (signal?.aborted === true) reject(new QuorateError('ABORTED', 'Aborted'));
          else resolve();
        };
        this.#watchers.add(wake);
        signal?.addEventListener('abort', wake, { once: true });
        if (this.revision >= next || signal?.aborted === true) wake();
      });
    }
  }

  #apply(operation: Operation, events: WatchEvent[]): OperationResult {
    switch (operation.type) {
      case 'get':
        return { type: 'get', entry: this.#entries.get(operation.key) ?? null };
      case 'put':
        this.#write(operation.key, operation.value, events);
        return { type: 'put' };
      case 'increment': {
        const before = this.#entries.get(operation.key)?.value ?? 0;
        const value = Number(before) + (operation.by ?? 1);
        this.#write(operation.key, value, events);
        return { type: 'increment', value };
      }
      case 'delete': {
        const keys = [...this.#entries.keys()].filter((key) => matches(operation, key));
        for (const key of keys) {
          this.#entries.delete(key);
          events.push({ type: 'delete', key });
        }
        return { type: 'delete', deleted: keys.length };
      }
    }
  }

  #write(key: string, value: unknown, events: WatchEvent[]): void {
    const before = this.#entries.get(key);
    const modRevision = this.revision + 1;
    const entry: KvEntry = {
      key,
      value,
      createRevision: before?.createRevision ?? modRevision,
      modRevision,
      version: (before?.version ?? 0) + 1,
    };
    this.#entries.set(key, entry);
    events.push({ type: 'put', key, value, entry });
  }
}

function matches(
  selector: {
    readonly key?: string;
    readonly prefix?: string;
    readonly start?: string;
    readonly end?: string;
  },
  key: string,
): boolean {
  if (selector.key !== undefined) return key === selector.key;
  if (selector.prefix !== undefined) return key.startsWith(selector.prefix);
  return key >= (selector.start ?? '') && (selector.end === undefined || key < selector.end);
}

const nodeId = 'a1'.repeat(16);

export const fakeStatus: ClusterStatus = {
  namespace: 'demo',
  clusterId: 'c0'.repeat(16),
  generation: 1,
  nodeId,
  label: 'one "first"',
  phase: 'ready',
  canWrite: true,
  reason: null,
  message: 'Ready',
  missing: [],
  durability: 'disk',
  copies: 3,
  pendingWrites: 0,
  registerLost: null,
  members: [
    {
      ...{ nodeId, label: 'one', kind: 'voter', reachable: true, leader: true, self: true },
      ...{ durable: true, runtime: 'node', link: null, roundTripMs: null, matchIndex: 7 },
    },
  ],
  forks: [],
  raft: {
    ...{ role: 'leader', term: 3, leader: nodeId, commitIndex: 7, appliedIndex: 7 },
    ...{ firstIndex: 1, lastIndex: 7, snapshotIndex: 0, epoch: 1, time: 0, clock: 'fake' },
    counters: { electionsStarted: 2 },
  },
};
