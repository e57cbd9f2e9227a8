/** The key-value interface on top of consensus and the local state machine. */
import type { CallOptions, Consensus } from '@quorate/contracts';
import { onAbort, QuorateError, isQuorateError } from '@quorate/contracts';
import { bindMethods } from '@quorate/contracts/bound';
import {
  checkWritable,
  deleteKinds,
  prefixKinds,
  putKinds,
  rangeKinds,
  readKinds,
  txnKinds,
  watchKinds,
} from '@quorate/contracts/kv-calls';
import { checkValue, list, object, show, takeOptions } from '@quorate/contracts/options';
import type { CompareCommand, OperationCommand } from './command.ts';
import { counterKey, LiveCounter } from './counter.ts';
import { checkKey, checkKeyPart } from './key.ts';
import type { KvStatus, LiveSource } from './live.ts';
import { LiveHandles, LiveHub, LiveValue, readKeyValue, readPrefix } from './live.ts';
import { callsOf, checkCallOptions, checkFunction, checkStep } from './options.ts';
import { PendingWrites } from './pending.ts';
import { Proposer } from './proposer.ts';
import type { TxnParts } from './requests.ts';
import {
  checkSelector,
  checkTarget,
  checkWrittenTarget,
  conflictError,
  entryOrNull,
  toCompare,
  toOperation,
  toTxnResult,
} from './requests.ts';
import type { Done, OperationOutcome } from './result.ts';
import { select } from './selection.ts';
import type { KvStateMachine } from './state-machine.ts';
import { TransactionAttempt } from './transaction.ts';
import type {
  Condition,
  Counter,
  DeleteOptions,
  DeleteResult,
  KeySelector,
  KeyValue,
  KvEntry,
  Live,
  PutOptions,
  PutResult,
  RangeOptions,
  RangeResult,
  ReadOptions,
  Transaction,
  Txn,
  TxnResult,
  Value,
  WatchBatch,
  WatchOptions,
  WriteOperation,
} from './types.ts';
import { encodeValue } from './value.ts';
import type { WatchStart } from './watch.ts';
import { Watcher } from './watch.ts';

export type KvOptions = {
  readonly consensus: Consensus;
  /** The machine that `consensus` applies to. */
  readonly machine: KvStateMachine;
  /** What live handles say beside values. Default: loaded with the machine, never stale. */
  readonly status?: KvStatus;
};

export function createKv(options: KvOptions): KeyValue {
  return new ClusterKeyValue(options);
}

class ClusterKeyValue implements KeyValue {
  readonly #consensus: Consensus;
  readonly #machine: KvStateMachine;
  readonly #status: KvStatus | undefined;
  readonly #hub = new LiveHub();
  readonly #handles = new LiveHandles();
  readonly #source: LiveSource;
  readonly #proposer: Proposer;
  readonly #watchers = new Set<Watcher>();
  readonly #stops: readonly (() => void)[];
  #closed = false;

  constructor({ consensus, machine, status }: KvOptions) {
    bindMethods(this);
    this.#consensus = consensus;
    this.#machine = machine;
    this.#status = status;
    const pending = new PendingWrites(this.#hub.changed);
    this.#source = { hub: this.#hub, machine, status, pending };
    this.#proposer = new Proposer(consensus, pending, machine.stateBytesMax);
    this.#stops = [
      machine.observe({ changed: this.#hub.changed, trimming: () => undefined }),
      status?.subscribe(this.#hub.changed) ?? (() => undefined),
    ];
  }

  get revision(): number {
    return this.#machine.store.revision;
  }

  async get<T = unknown>(key: string, options?: ReadOptions): Promise<T | undefined> {
    return (await this.getEntry<T>(key, options))?.value;
  }

  async getEntry<T = unknown>(key: string, options?: ReadOptions): Promise<KvEntry<T> | undefined> {
    checkKey(key, 'get');
    await this.#catchUp(takeOptions(options, readKinds, 'get'), 'get');
    return this.#machine.store.records.get(key)?.entry() as KvEntry<T> | undefined;
  }

  async range<T = unknown>(options?: RangeOptions): Promise<RangeResult<T>> {
    const action = 'read range';
    const given = takeOptions(options, rangeKinds, action);
    const { after, revision } = given;
    const { limit = Infinity, bytesMax = Infinity, order = 'asc' } = given;
    const { keysOnly = false, countOnly = false } = given;
    if (after !== undefined) checkKeyPart(after, 'after', action);
    const selection = {
      ...{ selector: checkSelector(given, action), limit, bytesMax, order, keysOnly, countOnly },
      ...(after === undefined ? {} : { after }),
      ...(revision === undefined ? {} : { revision }),
    };
    await this.#catchUp(given, action);
    return select(this.#machine.store, selection) as RangeResult<T>;
  }

  peek<T = unknown>(key: string): T | undefined {
    checkKey(key, 'peek');
    return this.#machine.store.records.get(key)?.entry().value as T | undefined;
  }

  live<T = unknown>(key: string): Live<T | undefined>;
  live<T = unknown>(selector: { readonly prefix: string }): Live<readonly KvEntry<T>[]>;
  live(selector: string | { readonly prefix: string }): Live<unknown> {
    const target = toTarget(selector, 'follow');
    return 'key' in target
      ? this.#handles.get(`key ${target.key}`, () => {
          const read = readKeyValue(target.key);
          return new LiveValue<unknown>(this.#source, target, read, undefined);
        })
      : this.#handles.get(`prefix ${target.prefix}`, () => {
          const read = readPrefix(target.prefix);
          return new LiveValue<unknown>(this.#source, target, read, Object.freeze([]));
        });
  }

  async put(key: string, value: Value, options?: PutOptions): Promise<PutResult> {
    const action = 'put';
    checkKey(key, action);
    checkWritable(key, action);
    const given = takeOptions(options, putKinds, action);
    const { previous = false } = given;
    const condition = toCondition(key, given, action);
    const write = { type: 'put', key, value: encodeValue(value), previous } as const;
    const parts = guarded(condition, key, { then: [write] });
    return this.#propose(parts, action, given, (done) => {
      const outcome = outcomeOf(done, 'put', key, condition);
      if (outcome.previous === undefined) return { revision: done.revision };
      return { revision: done.revision, previous: entryOrNull(outcome.previous) };
    });
  }

  async delete(
    selector: string | { readonly prefix: string },
    options?: DeleteOptions,
  ): Promise<DeleteResult> {
    const action = 'delete';
    const target = checkWrittenTarget(toTarget(selector, action), action);
    const given = takeOptions(options, deleteKinds, action);
    const { previous = false } = given;
    if (given.ifRevision !== undefined && !('key' in target)) {
      throw new TypeError('Cannot delete: ifRevision with a prefix, wanted a key');
    }
    const key = 'key' in target ? target.key : '';
    const condition = toCondition(key, given, action);
    const parts = guarded(condition, key, {
      then: [{ type: 'delete', selector: target, previous }],
    });
    return this.#propose(parts, action, given, (done) => {
      const outcome = outcomeOf(done, 'delete', key, condition);
      const { deleted } = outcome;
      if (outcome.previous === undefined) return { deleted, revision: done.revision };
      const before = outcome.previous.map((record) => record.entry());
      return { deleted, revision: done.revision, previous: before };
    });
  }

  async batch(operations: readonly WriteOperation[], options?: CallOptions): Promise<TxnResult> {
    const action = 'write batch';
    checkValue(operations, list(object), action, 'operations');
    const calls = checkCallOptions(options, action);
    const then = operations.map((one, at) => toOperation(one, action, `operations[${at}].`, false));
    return this.#propose({ then }, action, calls, toTxnResult);
  }

  async increment(key: string, by?: number, options?: CallOptions): Promise<number> {
    checkKey(key, 'increment');
    checkWritable(key, 'increment');
    return this.#increment(key, by, options);
  }

  /** The door by which counters get to keys of the runtime. */
  async #increment(key: string, by?: number, options?: CallOptions): Promise<number> {
    const action = 'increment';
    const step = checkStep(by, action);
    const calls = checkCallOptions(options, action);
    const parts: TxnParts = { then: [{ type: 'increment', key, by: step }] };
    return this.#propose(
      parts,
      action,
      calls,
      (done) => outcomeOf(done, 'increment', key, null).value,
    );
  }

  async update<T = unknown>(
    key: string,
    change: (current: T | undefined) => Value | undefined | Promise<Value | undefined>,
    options?: CallOptions,
  ): Promise<{ readonly value: T | undefined; readonly revision: number }> {
    checkKey(key, 'update');
    checkWritable(key, 'update');
    checkFunction(change, 'update');
    const calls = checkCallOptions(options, 'update');
    return this.#untilUncontested('update', calls, async () => {
      const entry = await this.getEntry<T>(key, calls);
      const before = entry?.modRevision ?? 0;
      const value = await change(entry?.value);
      if (value === undefined) return async () => ({ value: entry?.value, revision: before });
      return async () => {
        const { revision } = await this.put(key, value, { ...calls, ifRevision: before });
        return { value: value as T, revision };
      };
    });
  }

  async transaction<R>(
    body: (tx: Transaction) => R | Promise<R>,
    options?: CallOptions,
  ): Promise<{ readonly result: R; readonly revision: number }> {
    const action = 'commit transaction';
    checkFunction(body, action);
    const calls = checkCallOptions(options, action);
    return this.#untilUncontested(action, calls, async () => {
      await this.#catchUp(calls, action);
      const { store } = this.#machine;
      const { revision } = store;
      const attempt = new TransactionAttempt({ records: store.records.clone(), revision });
      const result = await body(attempt);
      const parts = attempt.finish();
      if (parts === null) return async () => ({ result, revision });
      return () =>
        this.#propose(parts, action, calls, (done) => {
          if (done.succeeded) return { result, revision: done.revision };
          throw new QuorateError('CONFLICT', `Cannot ${action}: what it read has changed`);
        });
    });
  }

  async txn(txn: Txn, options?: CallOptions): Promise<TxnResult> {
    const action = 'carry out transaction';
    checkValue(txn, object, action, 'the transaction');
    const lists = takeOptions(txn, txnKinds, action);
    const calls = checkCallOptions(options, action);
    const branch = (name: 'then' | 'else'): readonly OperationCommand[] =>
      (lists[name] ?? []).map((one, at) => toOperation(one, action, `${name}[${at}].`, true));
    const parts: TxnParts = {
      compares: (lists.if ?? []).map((compare, at) => toCompare(compare, action, `if[${at}].`)),
      then: branch('then'),
      else: branch('else'),
    };
    return this.#propose(parts, action, calls, toTxnResult);
  }

  watch<T = unknown>(options: WatchOptions): AsyncIterableIterator<WatchBatch<T>> {
    const action = 'watch';
    checkValue(options, object, action, 'the options argument');
    const given = takeOptions<AnyWatch>(options, watchKinds, action);
    const { key, prefix, start, end, from, signal, previous = false, initial = false } = given;
    if (key === undefined && prefix === undefined && start === undefined && end === undefined) {
      throw new TypeError('Cannot watch: wanted a key, a prefix or a start');
    }
    const selector = checkSelector(given, action);
    if (initial && from !== undefined) {
      throw new TypeError('Cannot watch: wanted either initial or from, not both');
    }
    if (this.#closed) throw closed(action);
    const watcher = new Watcher({
      machine: this.#machine,
      selector,
      previous,
      signal,
      start: this.#watchStart(initial, from, signal),
      cluster: () => this.#status?.cluster?.() ?? null,
      ended: (one) => this.#watchers.delete(one),
    });
    if (!watcher.over) this.#watchers.add(watcher);
    return watcher as AsyncIterableIterator<WatchBatch<T>>;
  }

  counter(name: string): Counter {
    if (typeof name !== 'string' || name === '') {
      throw new TypeError(`Cannot open counter: the name is ${show(name)}, wanted text`);
    }
    const key = counterKey(name);
    checkKey(key, 'open counter');
    return this.#handles.get(`counter ${key}`, () => {
      const increment = this.#increment.bind(this);
      return new LiveCounter(this.#source, this, key, increment);
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const stop of this.#stops) stop();
    this.#hub.close();
    for (const watcher of [...this.#watchers]) watcher.fail(closed('watch'));
  }

  #throwIfClosed(action: string): void {
    if (this.#closed) throw closed(action);
  }

  async #propose<T>(
    parts: TxnParts,
    action: string,
    options: CallOptions,
    read: (done: Done) => T,
  ): Promise<T> {
    this.#throwIfClosed(action);
    return this.#proposer.propose(parts, action, callsOf(options), read);
  }

  /** Waits until the local state is as fresh as the caller asked for. */
  async #catchUp(options: ReadOptions, action: string): Promise<void> {
    this.#throwIfClosed(action);
    const { consistency } = options;
    if (consistency === 'local') {
      // Not an empty state: what others have may be anything.
      const notJoined = this.#status?.notJoined?.() ?? null;
      if (notJoined !== null) throw notJoined;
      return;
    }
    const calls = callsOf(options);
    await this.#consensus.readBarrier(consistency === 'lease' ? { ...calls, lease: true } : calls);
  }

  /**
   * Prepares and commits; again only after a conflict that the commit came to, never after a doubt
   * or an error of the application's own part (Z36).
   */
  async #untilUncontested<R>(
    action: string,
    calls: CallOptions,
    prepare: () => Promise<() => Promise<R>>,
  ): Promise<R> {
    for (let count = 1; ; count += 1) {
      const commit = await prepare();
      try {
        return await commit();
      } catch (error) {
        if (!isQuorateError(error, 'CONFLICT') || count === attemptCountMax) throw error;
      }
      if (calls.signal?.aborted === true) {
        throw new QuorateError('ABORTED', `Cannot ${action}: its signal was aborted`);
      }
    }
  }

  #watchStart(
    initial: boolean,
    from: number | undefined,
    signal: AbortSignal | undefined,
  ): WatchStart | Promise<WatchStart> {
    if (from !== undefined) return { from };
    if (!initial && this.#machine.loaded && this.#status?.isStale() !== true) {
      return { from: this.revision + 1 };
    }
    return this.#watchStartLater(initial, signal);
  }

  /**
   * The present is known only after a read; a write made here meanwhile may be older than what that
   * read finds, yet it came after the watch and belongs to it.
   */
  async #watchStartLater(initial: boolean, signal: AbortSignal | undefined): Promise<WatchStart> {
    const recording = this.#proposer.record();
    try {
      await this.#reachable(signal);
    } finally {
      recording.stop();
    }
    if (initial) return { initial };
    const present = this.revision + 1;
    return { from: Math.min(present, await recording.firstRevision()) };
  }

  /** A read barrier without a deadline: after a failure that may pass, again at the next change. */
  async #reachable(signal: AbortSignal | undefined): Promise<void> {
    const calls = signal === undefined ? {} : { signal };
    for (;;) {
      try {
        await this.#consensus.readBarrier(calls);
        return;
      } catch (error) {
        const status = this.#status;
        if (this.#closed || signal?.aborted === true || status === undefined) throw error;
        if (!isQuorateError(error) || !error.retryable) throw error;
        await nextChange(status, signal);
      }
    }
  }
}

/** The writes of `parts`, only under the condition; otherwise what the key holds now. */
function guarded(condition: Guard | null, key: string, parts: TxnParts): TxnParts {
  if (condition === null) return parts;
  return { ...parts, compares: [condition.compare], else: [{ type: 'get', key }] };
}

/** What a watch may be given, whichever keys it selects by. */
type AnyWatch = Omit<WatchOptions, keyof KeySelector> & {
  readonly [K in 'key' | 'prefix' | 'start' | 'end']?: string;
};

type Guard = { readonly compare: CompareCommand; readonly wanted: string };

function toCondition(key: string, options: Condition, action: string): Guard | null {
  const { ifRevision: number, ifAbsent = false } = options;
  if (number === undefined) {
    if (!ifAbsent) return null;
    return { compare: { type: 'exists', key, exists: false }, wanted: 'absent' };
  }
  if (ifAbsent) throw new TypeError(`Cannot ${action}: wanted ifAbsent or ifRevision, not both`);
  const wanted = number === 0 ? 'absent' : `revision ${number}`;
  return { compare: { type: 'modRevision', key, is: '=', number }, wanted };
}

/** The outcome of a single guarded operation. Throws `CONFLICT` where the guard did not hold. */
function outcomeOf<K extends OperationOutcome['type']>(
  done: Done,
  type: K,
  key: string,
  condition: Guard | null,
): Extract<OperationOutcome, { type: K }> {
  const outcome = done.results[0];
  if (!done.succeeded && condition !== null && outcome?.type === 'get') {
    throw conflictError(key, outcome.record, condition.wanted);
  }
  if (outcome?.type === type) return outcome as Extract<OperationOutcome, { type: K }>;
  throw new Error(`Invariant broken: one ${type} has one result, of that type`);
}

function toTarget(
  selector: string | { readonly prefix: string },
  action: string,
): { readonly key: string } | { readonly prefix: string } {
  if (typeof selector === 'string') return checkTarget({ key: selector }, action);
  checkValue(selector, object, action, 'the selector');
  return checkTarget(takeOptions(selector, prefixKinds, action), action);
}

function nextChange(status: KvStatus, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stop();
      forget();
      resolve();
    };
    const stop = status.subscribe(done);
    const forget = onAbort(signal, done);
  });
}

function closed(action: string): QuorateError {
  return new QuorateError('CLOSED', `Cannot ${action}: the handle is closed`);
}

/** Each conflict is somebody else's progress; so many in a row mean that the key is too hot. */
const attemptCountMax = 100;
