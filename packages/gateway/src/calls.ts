/** The calls a gateway serves: each takes a JSON request and gives a JSON result. */
import { entryToWire, fromJsonValue, txnResultToWire } from '@quorate/client';
import type { CallName } from '@quorate/client';
import {
  anything,
  checkOperation,
  checkWritable,
  deleteKinds,
  operandOf,
  putKinds,
  rangeKinds,
  readKinds,
  step,
  txnKinds,
} from '@quorate/contracts/kv-calls';
import { checkValue, list, needed, object, takeOptions, text } from '@quorate/contracts/options';
import type { Kinds } from '@quorate/contracts/options';
import type {
  DeleteOptions,
  Operation,
  PutOptions,
  RangeOptions,
  ReadOptions,
  Txn,
  WriteOperation,
} from '@quorate/kv';
import { answerOf, rangeAnswer } from './answer.ts';
import type { Answer } from './answer.ts';
import type { ConnectionRoom } from './answer-room.ts';
import { badRequest } from './problem.ts';
import { memberSummaries, statusToWire } from './status.ts';
import type { GatewayTarget } from './target.ts';

export type CallContext = {
  /** Undefined: the member's own default. */
  readonly timeoutMs: number | undefined;
  /** Aborted when the caller has gone. Reads end by it; a write that was begun is carried out. */
  readonly gone: AbortSignal;
  /** Where its answer waits to leave. */
  readonly room: ConnectionRoom;
};

type Call = (target: GatewayTarget, request: unknown, context: CallContext) => Promise<unknown>;
type Read = (target: GatewayTarget, request: unknown, context: CallContext) => Promise<Answer>;
type ReadName = 'get' | 'range';

/**
 * Carries out one call and takes the room of its answer; what writes to `target` does so before the first
 * `await`, so that writes begun one after another take effect in that order. Errors: `BAD_REQUEST`, and those of the member.
 */
export async function carryOut(
  target: GatewayTarget,
  name: string,
  request: unknown,
  context: CallContext,
): Promise<Answer> {
  if (!isCallName(name)) {
    throw badRequest(`Unknown call ${JSON.stringify(name.slice(0, 100))}`);
  }
  if (isRead(name)) return reads[name](target, request, context);
  const answer = answerOf(await calls[name](target, request, context));
  context.room.take(answer.bytes);
  return answer;
}

export function isCallName(name: string): name is CallName {
  return Object.hasOwn(calls, name) || Object.hasOwn(reads, name);
}

function isRead(name: CallName): name is ReadName {
  return Object.hasOwn(reads, name);
}

/** What answers with more than a command may result in waits for room before it is read. */
const reads: Readonly<Record<ReadName, Read>> = {
  async get(target, request, context) {
    const given = take<ReadOptions & Keyed>(request, { ...wireReadKinds, key: needed(text) });
    return whenThereIsRoom(target, given, context, async (options) => {
      const entry = await target.kv.getEntry(given.key, options);
      return answerOf({ kv: entry === undefined ? null : entryToWire(entry) });
    });
  },

  /** A page: what a range without a limit selects may be the whole state. */
  async range(target, request, context) {
    const given = take<RangeOptions>(request, onWire(rangeKinds));
    const { limit = pageKeysMax, bytesMax = Infinity } = given;
    return whenThereIsRoom(target, given, context, async (options, pageBytes) => {
      const page = { ...given, ...options, limit, bytesMax: Math.min(bytesMax, pageBytes) };
      return rangeAnswer(await target.kv.range(page));
    });
  },
};

const calls: Readonly<Record<Exclude<CallName, ReadName>, Call>> = {
  async put(target, request, context) {
    const kinds = { ...onWire(putKinds), key: needed(text), value: needed(anything) };
    const { key, value, ...given } = take<PutOptions & Keyed & Valued>(request, kinds);
    checkWritable(key, 'put');
    const options = { ...given, ...timeoutOf(context) };
    const { revision, previous } = await target.kv.put(key, valueOf(value), options);
    if (previous === undefined) return { revision };
    return { revision, previous: previous === null ? null : entryToWire(previous) };
  },

  async delete(target, request, context) {
    const kinds = { ...onWire(deleteKinds), key: text, prefix: text };
    const { key, prefix, ...given } = take<DeleteOptions & Partial<Keyed & Prefixed>>(
      request,
      kinds,
    );
    if ((key === undefined) === (prefix === undefined)) {
      throw badRequest('Cannot read request: wanted either a key or a prefix');
    }
    checkWritable(key ?? prefix ?? '', 'delete');
    const result = await target.kv.delete(prefix === undefined ? (key ?? '') : { prefix }, {
      ...given,
      ...timeoutOf(context),
    });
    const { deleted, revision, previous } = result;
    if (previous === undefined) return { deleted, revision };
    return { deleted, revision, previous: previous.map(entryToWire) };
  },

  async batch(target, request, context) {
    const { operations } = take<{ operations: readonly object[] }>(request, {
      operations: needed(list(object)),
    });
    const writes = operations.map((json, at) => operation(json, `operations[${at}]`, false));
    return txnResultToWire(
      await target.kv.batch(writes as readonly WriteOperation[], timeoutOf(context)),
    );
  },

  async increment(target, request, context) {
    const { key, by } = take<Keyed & { by?: number }>(request, { key: needed(text), by: step });
    checkWritable(key, 'increment');
    return { value: await target.kv.increment(key, by, timeoutOf(context)) };
  },

  async txn(target, request, context) {
    const given = take<Txn>(request, txnKinds);
    const branch = (name: 'then' | 'else'): readonly Operation[] | undefined =>
      given[name]?.map((json, at) => operation(json, `${name}[${at}]`, true));
    const txn = withoutUndefined({
      if: given.if?.map((json, at) => {
        operandOf(json, 'read request', `if[${at}].`);
        return valued(json, `if[${at}]`);
      }),
      then: branch('then'),
      else: branch('else'),
    });
    return txnResultToWire(await target.kv.txn(txn, timeoutOf(context)));
  },

  async status(target, request) {
    take(request, {});
    return statusToWire(target.status);
  },

  async members(target, request) {
    take(request, {});
    return { members: memberSummaries(target.members()) };
  },

  async leave(target, request) {
    const given = take<{ readonly nodeId?: string }>(request, { nodeId: text });
    const leaving = given.nodeId ?? target.status.nodeId;
    await target.leave(given);
    return { nodeId: leaving };
  },

  async showRegister(target, request, context) {
    take(request, {});
    return target.showRegister({ signal: context.gone });
  },

  async restoreRegister(target, request) {
    take(request, {});
    return target.restoreRegister();
  },
};

/**
 * Reads in two steps: first as fresh as the caller asked for, holding nothing; then here, once there is
 * room for the answer.
 */
async function whenThereIsRoom(
  target: GatewayTarget,
  given: ReadOptions,
  context: CallContext,
  read: (options: LocalRead, pageBytes: number) => Promise<Answer>,
): Promise<Answer> {
  const options = readOptions(given, context);
  if (given.consistency !== 'local') {
    await target.kv.range({ ...options, prefix: '', limit: 1, keysOnly: true });
  }
  const local: LocalRead = { ...options, consistency: 'local' };
  return context.room.read((pageBytes) => read(local, pageBytes));
}

type LocalRead = ReadOptions & { readonly signal: AbortSignal; readonly consistency: 'local' };

/** Entries of a range that names no limit. */
const pageKeysMax = 1_000;

type Keyed = { readonly key: string };
type Prefixed = { readonly prefix: string };
type Valued = { readonly value: unknown };

/** The members of a request. Throws `TypeError` or `RangeError`, which become `BAD_REQUEST`. */
function take<T extends object>(request: unknown, kinds: Kinds): T {
  checkValue(request, object, 'read request', 'it');
  return takeOptions(request as T, kinds, 'read request', 'request.') as T;
}

/** Signals stay where the caller is, and deadlines go beside the request. */
function onWire({ signal: _signal, timeoutMs: _timeoutMs, ...kinds }: Kinds): Kinds {
  return kinds;
}

const wireReadKinds: Kinds = onWire(readKinds);

function readOptions(
  { consistency }: ReadOptions,
  context: CallContext,
): ReadOptions & { readonly signal: AbortSignal } {
  return {
    ...(consistency === undefined ? {} : { consistency }),
    ...timeoutOf(context),
    signal: context.gone,
  };
}

/** One operation with its value as the member takes it. */
function operation(json: object, path: string, mayGet: boolean): Operation {
  checkOperation(json as Operation, 'read request', `${path}.`, mayGet);
  return valued(json as Operation, path);
}

function valued<T extends object>(json: T, path: string): T {
  if (!Object.hasOwn(json, 'value')) return json;
  return { ...json, value: valueOf((json as { value?: unknown }).value, `${path}.value`) };
}

/** A replicated value in its JSON form. */
function valueOf(json: unknown, path: string = 'request.value'): NonNullable<unknown> | null {
  return fromJsonValue(json, path) as NonNullable<unknown> | null;
}

function timeoutOf(context: CallContext): { readonly timeoutMs?: number } {
  return context.timeoutMs === undefined ? {} : { timeoutMs: context.timeoutMs };
}

type WithoutUndefined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Exact optional properties: what is absent is left out, not undefined. */
function withoutUndefined<T extends object>(object: T): WithoutUndefined<T> {
  const members = Object.entries(object).filter(([, value]) => value !== undefined);
  return Object.fromEntries(members) as WithoutUndefined<T>;
}
