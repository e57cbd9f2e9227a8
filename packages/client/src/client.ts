/** `connectClient()`: the key-value surface of a cluster for places that are no members of it. */
import { bindMethods } from '@quorate/contracts/bound';
import {
  checkOperation,
  checkWritable,
  deleteKinds,
  operandOf,
  prefixKinds,
  putKinds,
  rangeKinds,
  readKinds,
  txnKinds,
  watchKinds,
} from '@quorate/contracts/kv-calls';
import {
  callKinds,
  callback,
  checkValue,
  list,
  milliseconds,
  object,
  takeOptions,
  text,
} from '@quorate/contracts/options';
import type { Kind, Kinds } from '@quorate/contracts/options';
import { Channel } from './channel.ts';
import type { Fetch } from './channel.ts';
import { ended, isOtherGatewaysTurn } from './failure.ts';
import type { CallKind } from './failure.ts';
import { toJsonValue } from './json-value.ts';
import type { JsonValue } from './json-value.ts';
import { Outgoing } from './outgoing.ts';
import { readPages } from './pages.ts';
import type {
  CallOptions,
  ClientKeyValue,
  DeleteOptions,
  DeleteResult,
  GatewayStatus,
  KvEntry,
  MemberSummary,
  PutOptions,
  PutResult,
  RangeOptions,
  RangeResult,
  ReadOptions,
  RegisterInfo,
  RestoredRegister,
  Txn,
  TxnResult,
  Value,
  WatchBatch,
  WatchOptions,
  WriteOperation,
} from './types.ts';
import { watch } from './watch.ts';
import {
  compareToWire,
  entryFromWire,
  operationToWire,
  rangeFromWire,
  txnResultFromWire,
} from './wire.ts';
import type { CallName, WireEntry, WireRange, WireTxnResult } from './wire.ts';

export type ClientOptions = {
  /** A gateway, such as `http://127.0.0.1:7800`; a path in it goes in front of the gateway's own. */
  readonly url?: string | URL;
  /** Several gateways of one cluster, in order of preference. */
  readonly urls?: readonly (string | URL)[];
  /** Bearer token, where the gateways ask for one. */
  readonly token?: string;
  /** Default for each call, 10,000. */
  readonly timeoutMs?: number;
  /** Default: the global `fetch`. */
  readonly fetch?: Fetch;
};

/**
 * A cluster as seen through its gateways. Holds no state but connections; any number may exist.
 *
 * A call tries each gateway at most once, the one that answered last first: it moves on where
 * nothing was applied and the trouble is that gateway's own (unreachable, closing, without leader).
 * Reads move on after any broken connection too. A write is never sent again once it may have left:
 * it ends as `COMMIT_UNKNOWN`, and the caller looks (or writes under a condition, such as
 * `ifRevision`, that makes repeating harmless).
 *
 * Calls made in one turn of the event loop reach the gateway in call order; later ones may overtake
 * earlier ones that are not answered yet.
 */
export interface Client {
  readonly kv: ClientKeyValue;
  readonly status: (options?: CallOptions) => Promise<GatewayStatus>;
  readonly members: (options?: CallOptions) => Promise<readonly MemberSummary[]>;
  /** Removes a member from the cluster for good; default: the one behind the gateway. */
  readonly leave: (
    options?: CallOptions & { readonly nodeId?: string },
  ) => Promise<{ readonly nodeId: string }>;
  /** What the register holds of the cluster behind the gateway. */
  readonly showRegister: (options?: CallOptions) => Promise<RegisterInfo>;
  /** Has the member behind the gateway write its cluster into a register that has forgotten it. */
  readonly restoreRegister: (options?: CallOptions) => Promise<RestoredRegister>;
  /** Ends watches and later calls with `CLOSED`; calls under way finish. Idempotent. */
  readonly close: () => void;
}

/** Connects lazily: nothing is sent before the first call. Throws `TypeError` for bad options. */
export function connectClient(wanted: ClientOptions): Client {
  const options = takeOptions(wanted, clientKinds, 'connect');
  const given = [...(options.url === undefined ? [] : [options.url]), ...(options.urls ?? [])];
  if (given.length === 0) throw new TypeError('Cannot connect: no url given, wanted one or more');
  const fetchWith: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const headers: Record<string, string> =
    options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  const channels = given.map((url) => new Channel(baseOf(url), headers, fetchWith));
  return new GatewayClient(channels, options.timeoutMs ?? 10_000);
}

type Request = Readonly<Record<string, JsonValue | undefined>>;

class GatewayClient implements Client, ClientKeyValue {
  readonly #timeoutMs: number;
  readonly #closed = new AbortController();
  /** The one that answered last comes first. */
  #channels: readonly Channel[];

  constructor(channels: readonly Channel[], timeoutMs: number) {
    this.#channels = channels;
    this.#timeoutMs = timeoutMs;
    bindMethods(this);
  }

  get kv(): ClientKeyValue {
    return this;
  }

  async status(options?: CallOptions): Promise<GatewayStatus> {
    const calls = takeOptions(options, callKinds, 'read status');
    return (await this.#call('status', 'read', {}, calls)) as GatewayStatus;
  }

  async members(options?: CallOptions): Promise<readonly MemberSummary[]> {
    const calls = takeOptions(options, callKinds, 'list members');
    const result = await this.#call('members', 'read', {}, calls);
    return (result as { readonly members: readonly MemberSummary[] }).members;
  }

  async leave(
    options?: CallOptions & { readonly nodeId?: string },
  ): Promise<{ readonly nodeId: string }> {
    const given = takeOptions(options, { ...callKinds, nodeId: text }, 'leave');
    const result = await this.#call('leave', 'write', { nodeId: given.nodeId }, given);
    return result as { readonly nodeId: string };
  }

  async showRegister(options: CallOptions = {}): Promise<RegisterInfo> {
    return (await this.#call('showRegister', 'read', {}, options)) as RegisterInfo;
  }

  async restoreRegister(options: CallOptions = {}): Promise<RestoredRegister> {
    return (await this.#call('restoreRegister', 'write', {}, options)) as RestoredRegister;
  }

  async get<T>(key: string, options?: ReadOptions): Promise<T | undefined> {
    return (await this.getEntry<T>(key, options))?.value;
  }

  async getEntry<T>(key: string, options?: ReadOptions): Promise<KvEntry<T> | undefined> {
    checkKey(key, 'get');
    const given = takeOptions(options, readKinds, 'get');
    const request = { key, consistency: given.consistency };
    const result = await this.#call('get', 'read', request, given);
    const { kv } = result as { readonly kv: WireEntry | null };
    return kv === null ? undefined : entryFromWire<T>(kv);
  }

  async range<T>(options?: RangeOptions): Promise<RangeResult<T>> {
    const given = takeOptions(options, rangeKinds, 'read range');
    const { signal, timeoutMs = this.#timeoutMs, ...request } = given;
    const deadline = performance.now() + timeoutMs;
    const range = await readPages(request, async (page) => {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw ended('TIMEOUT', `Not all pages came within ${timeoutMs} ms`);
      const calls = { timeoutMs: leftMs, ...(signal === undefined ? {} : { signal }) };
      return (await this.#call('range', 'read', page, calls)) as WireRange;
    });
    return rangeFromWire<T>(range);
  }

  async put(key: string, value: Value, options?: PutOptions): Promise<PutResult> {
    checkKey(key, 'put');
    checkWritable(key, 'put');
    const given = takeOptions(options, putKinds, 'put');
    const { ifAbsent, ifRevision, previous } = given;
    const request = { key, value: toJsonValue(value), ifAbsent, ifRevision, previous };
    const result = (await this.#call('put', 'write', request, given)) as {
      readonly revision: number;
      readonly previous?: WireEntry | null;
    };
    if (result.previous === undefined) return { revision: result.revision };
    return {
      revision: result.revision,
      previous: result.previous === null ? null : entryFromWire(result.previous),
    };
  }

  async delete(
    selector: string | { readonly prefix: string },
    options?: DeleteOptions,
  ): Promise<DeleteResult> {
    const keys =
      typeof selector === 'string'
        ? { key: selector }
        : { prefix: takeOptions(selector, prefixKinds, 'delete').prefix };
    if (keys.key !== undefined) checkKey(keys.key, 'delete');
    checkWritable(keys.key ?? keys.prefix ?? '', 'delete');
    const given = takeOptions(options, deleteKinds, 'delete');
    const { ifRevision, previous } = given;
    const request = { ...keys, ifRevision, previous };
    const result = (await this.#call('delete', 'write', request, given)) as {
      readonly deleted: number;
      readonly revision: number;
      readonly previous?: readonly WireEntry[];
    };
    const { deleted, revision } = result;
    if (result.previous === undefined) return { deleted, revision };
    return { deleted, revision, previous: result.previous.map((entry) => entryFromWire(entry)) };
  }

  async batch(operations: readonly WriteOperation[], options?: CallOptions): Promise<TxnResult> {
    const action = 'write batch';
    const calls = takeOptions(options, callKinds, action);
    checkValue(operations, list(object), action, 'operations');
    const wire = operations.map((one, at) => {
      checkOperation(one, action, `operations[${at}].`, false);
      return operationToWire(one);
    });
    const request = { operations: wire };
    const result = await this.#call('batch', 'write', request, calls);
    return txnResultFromWire(result as WireTxnResult);
  }

  async increment(key: string, by = 1, options?: CallOptions): Promise<number> {
    checkKey(key, 'increment');
    checkWritable(key, 'increment');
    const calls = takeOptions(options, callKinds, 'increment');
    const result = await this.#call('increment', 'write', { key, by }, calls);
    return (result as { readonly value: number }).value;
  }

  async txn(txn: Txn, options?: CallOptions): Promise<TxnResult> {
    const action = 'carry out transaction';
    const given = takeOptions(txn, txnKinds, action);
    const calls = takeOptions(options, callKinds, action);
    const operations = (name: 'then' | 'else'): JsonValue | undefined =>
      given[name]?.map((one, at) => {
        checkOperation(one, action, `${name}[${at}].`, true);
        return operationToWire(one);
      });
    const compares = given.if?.map((one, at) => {
      operandOf(one, action, `if[${at}].`);
      return compareToWire(one);
    });
    const request = { if: compares, then: operations('then'), else: operations('else') };
    const result = await this.#call('txn', 'write', request, calls);
    return txnResultFromWire(result as WireTxnResult);
  }

  watch<T>(options: WatchOptions): AsyncIterableIterator<WatchBatch<T>> {
    const given = takeOptions<object>(options, watchKinds, 'watch') as WatchOptions;
    return watch<T>(this.#channels, given, this.#closed.signal);
  }

  close(): void {
    this.#closed.abort();
  }

  async #call(
    name: CallName,
    kind: CallKind,
    request: Request,
    options: CallOptions,
  ): Promise<unknown> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs;
    const deadline = performance.now() + timeoutMs;
    let failure: Error | undefined;
    for (const channel of this.#channels) {
      if (this.#closed.signal.aborted) throw ended('CLOSED', 'This client is closed');
      if (isAborted(options.signal)) {
        throw ended('ABORTED', 'Aborted by its signal', options.signal?.reason);
      }
      const leftMs = Math.ceil(deadline - performance.now());
      if (leftMs <= 0) break;
      const call = new Outgoing({
        url: channel.url,
        kind,
        json: JSON.stringify({ name, request, timeoutMs: gatewaysShare(leftMs) }),
        timeoutMs: leftMs,
        signal: options.signal,
      });
      channel.send(call);
      try {
        const result = await call.result;
        this.#prefer(channel);
        return result;
      } catch (error) {
        if (!isOtherGatewaysTurn(error) || isAborted(options.signal)) throw error;
        failure = error;
      }
    }
    throw failure ?? ended('TIMEOUT', `No answer within ${timeoutMs} ms`);
  }

  #prefer(channel: Channel): void {
    if (this.#channels[0] === channel) return;
    this.#channels = [channel, ...this.#channels.filter((other) => other !== channel)];
  }
}

/** The gateway gives up a little earlier than the caller, so that its verdict still arrives. */
function gatewaysShare(leftMs: number): number {
  return Math.max(1, Math.floor(leftMs - Math.min(500, leftMs / 10)));
}

function baseOf(url: string | URL): string {
  const parsed = URL.canParse(String(url)) ? new URL(String(url)) : null;
  if (parsed === null || !/^https?:$/.test(parsed.protocol) || parsed.search || parsed.hash) {
    throw new TypeError(`Cannot use ${String(url)}: wanted a URL such as http://127.0.0.1:7800`);
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new TypeError('Cannot use a URL with a password: wanted the option token');
  }
  return parsed.href.replace(/\/+$/, '');
}

/** A function, for the compiler takes a property it has seen for one that stays. */
function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

/** Addresses are looked at one by one, below. */
const url: Kind = {
  wanted: 'a URL such as http://127.0.0.1:7800',
  fits: (value) => typeof value === 'string' || value instanceof URL,
};

const clientKinds: Kinds = {
  url,
  urls: list(url),
  token: { ...text, hidden: true },
  timeoutMs: milliseconds,
  fetch: callback,
};

const aKey: Kind = {
  wanted: 'a non-empty string',
  fits: (value) => typeof value === 'string' && value !== '',
};

function checkKey(key: string, action: string): void {
  checkValue(key, aKey, action, 'the key');
}
