/** The calls a gateway serves: each takes a JSON request and gives a JSON result. */
import { entryToWire, rangeToWire, txnResultToWire } from '@quorate/client';
import type { CallName } from '@quorate/client';
import type { Compare, DeleteOptions, Operation, RangeOptions, WriteOperation } from '@quorate/kv';
import { badRequest } from './problem.ts';
import { Shape } from './shape.ts';
import { memberSummaries, statusToWire } from './status.ts';
import type { GatewayTarget } from './target.ts';

export type CallContext = {
  /** Undefined: the member's own default. */
  readonly timeoutMs: number | undefined;
  /** Aborted when the caller has gone. Reads end by it; a write that was begun is carried out. */
  readonly gone: AbortSignal;
};

type Call = (target: GatewayTarget, request: unknown, context: CallContext) => Promise<unknown>;

/**
 * Carries out one call; what touches `target` does so before the first `await`, so that calls begun
 * one after another take effect in that order. Errors: `BAD_REQUEST`, and those of the member.
 */
export async function carryOut(
  target: GatewayTarget,
  name: string,
  request: unknown,
  context: CallContext,
): Promise<unknown> {
  if (!isCallName(name)) {
    throw badRequest(`Unknown call ${JSON.stringify(name.slice(0, 100))}`);
  }
  return calls[name](target, request, context);
}

export function isCallName(name: string): name is CallName {
  return Object.hasOwn(calls, name);
}

const calls: Readonly<Record<CallName, Call>> = {
  async get(target, request, context) {
    const shape = new Shape(request, 'request');
    const key = shape.string('key');
    const options = readOptions(shape, context);
    shape.finish();
    const entry = await target.kv.getEntry(key, options);
    return { kv: entry === undefined ? null : entryToWire(entry) };
  },

  async range(target, request, context) {
    const shape = new Shape(request, 'request');
    const options: { -readonly [K in keyof RangeOptions]: RangeOptions[K] | undefined } = {
      prefix: shape.optionalString('prefix'),
      start: shape.optionalString('start'),
      end: shape.optionalString('end'),
      limit: shape.optionalNumber('limit'),
      order: shape.optionalWord('order', ['asc', 'desc'] as const),
      keysOnly: shape.optionalBoolean('keysOnly'),
      countOnly: shape.optionalBoolean('countOnly'),
      revision: shape.optionalNumber('revision'),
      ...readOptions(shape, context),
    };
    shape.finish();
    return rangeToWire(await target.kv.range(withoutUndefined(options)));
  },

  async put(target, request, context) {
    const shape = new Shape(request, 'request');
    const key = shape.string('key');
    const value = shape.value('value');
    const options = {
      ifAbsent: shape.optionalBoolean('ifAbsent'),
      ifRevision: shape.optionalNumber('ifRevision'),
      previous: shape.optionalBoolean('previous'),
      timeoutMs: context.timeoutMs,
    };
    shape.finish();
    const { revision, previous } = await target.kv.put(key, value, withoutUndefined(options));
    if (previous === undefined) return { revision };
    return { revision, previous: previous === null ? null : entryToWire(previous) };
  },

  async delete(target, request, context) {
    const shape = new Shape(request, 'request');
    const prefix = shape.optionalString('prefix');
    const selector = prefix === undefined ? shape.string('key') : { prefix };
    const options: { -readonly [K in keyof DeleteOptions]: DeleteOptions[K] | undefined } = {
      ifRevision: shape.optionalNumber('ifRevision'),
      previous: shape.optionalBoolean('previous'),
      timeoutMs: context.timeoutMs,
    };
    shape.finish();
    const result = await target.kv.delete(selector, withoutUndefined(options));
    const { deleted, revision, previous } = result;
    if (previous === undefined) return { deleted, revision };
    return { deleted, revision, previous: previous.map(entryToWire) };
  },

  async batch(target, request, context) {
    const shape = new Shape(request, 'request');
    const operations = shape
      .array('operations')
      .map((operation, at) => writeOperation(operation, `operations[${at}]`));
    shape.finish();
    return txnResultToWire(await target.kv.batch(operations, timeoutOf(context)));
  },

  async increment(target, request, context) {
    const shape = new Shape(request, 'request');
    const key = shape.string('key');
    const by = shape.optionalNumber('by');
    shape.finish();
    return { value: await target.kv.increment(key, by, timeoutOf(context)) };
  },

  async txn(target, request, context) {
    const shape = new Shape(request, 'request');
    const conditions = shape.optionalArray('if');
    const thenOperations = shape.optionalArray('then');
    const elseOperations = shape.optionalArray('else');
    shape.finish();
    const txn = withoutUndefined({
      if: conditions?.map((compare, at) => comparison(compare, `if[${at}]`)),
      then: thenOperations?.map((json, at) => anyOperation(json, `then[${at}]`)),
      else: elseOperations?.map((json, at) => anyOperation(json, `else[${at}]`)),
    });
    return txnResultToWire(await target.kv.txn(txn, timeoutOf(context)));
  },

  async status(target, request) {
    new Shape(request, 'request').finish();
    return statusToWire(target.status);
  },

  async members(target, request) {
    new Shape(request, 'request').finish();
    return { members: memberSummaries(target.members()) };
  },

  async leave(target, request) {
    const shape = new Shape(request, 'request');
    const nodeId = shape.optionalString('nodeId');
    shape.finish();
    const leaving = nodeId ?? target.status.nodeId;
    await target.leave(withoutUndefined({ nodeId }));
    return { nodeId: leaving };
  },

  async showRegister(target, request, context) {
    new Shape(request, 'request').finish();
    return target.showRegister({ signal: context.gone });
  },

  async restoreRegister(target, request) {
    new Shape(request, 'request').finish();
    return target.restoreRegister();
  },
};

function readOptions(
  shape: Shape,
  context: CallContext,
): {
  readonly consistency?: 'linearizable' | 'lease' | 'local';
  readonly timeoutMs?: number;
  readonly signal: AbortSignal;
} {
  const consistency = shape.optionalWord('consistency', [
    'linearizable',
    'lease',
    'local',
  ] as const);
  return {
    ...(consistency === undefined ? {} : { consistency }),
    ...timeoutOf(context),
    signal: context.gone,
  };
}

function writeOperation(json: unknown, path: string): WriteOperation {
  const operation = anyOperation(json, path);
  if (operation.type === 'get') throw badRequest(`Cannot read ${path}: wanted a write`);
  return operation;
}

function anyOperation(json: unknown, path: string): Operation {
  const shape = new Shape(json, path);
  const type = shape.optionalWord('type', ['put', 'delete', 'increment', 'get'] as const);
  const operation = ((): Operation => {
    switch (type) {
      case 'put':
        return { type, key: shape.string('key'), value: shape.value('value'), ...previous(shape) };
      case 'delete': {
        const prefix = shape.optionalString('prefix');
        return prefix === undefined
          ? { type, key: shape.string('key'), ...previous(shape) }
          : { type, prefix, ...previous(shape) };
      }
      case 'increment': {
        const by = shape.optionalNumber('by');
        return { type, key: shape.string('key'), ...(by === undefined ? {} : { by }) };
      }
      case 'get':
        return { type, key: shape.string('key') };
      case undefined:
        throw badRequest(`Cannot read ${path}: type is missing`);
    }
  })();
  shape.finish();
  return operation;
}

function previous(shape: Shape): { readonly previous?: boolean } {
  const wanted = shape.optionalBoolean('previous');
  return wanted === undefined ? {} : { previous: wanted };
}

/** One condition; the member checks which `is` goes with what. */
function comparison(json: unknown, path: string): Compare {
  const shape = new Shape(json, path);
  const key = shape.string('key');
  const compare = withoutUndefined({
    key,
    exists: shape.optionalBoolean('exists'),
    value: shape.has('value') ? shape.value('value') : undefined,
    modRevision: shape.optionalNumber('modRevision'),
    createRevision: shape.optionalNumber('createRevision'),
    version: shape.optionalNumber('version'),
    is: shape.optionalWord('is', ['=', '!=', '<', '>'] as const),
  });
  shape.finish();
  const operands = Object.keys(compare).filter((name) => name !== 'key' && name !== 'is').length;
  if (operands !== 1) {
    throw badRequest(
      `Cannot read ${path}: wanted one of exists, value, modRevision, createRevision, version`,
    );
  }
  return compare as Compare;
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
