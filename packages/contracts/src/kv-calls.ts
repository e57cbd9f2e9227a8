/** What calls on keys take, wherever they are made: at a member, through a client, at a gateway. */
import {
  abortSignal,
  callKinds,
  checkValue,
  flag,
  integer,
  list,
  needed,
  object,
  takeOptions,
  text,
  word,
} from './options.ts';
import type { Kind, Kinds } from './options.ts';

const revision: Kind = integer(0);
/** The encoding of values looks at it. */
export const anything: Kind = { wanted: 'a value', fits: () => true };
export const step: Kind = integer(-Number.MAX_SAFE_INTEGER);

export const readKinds: Kinds = {
  ...callKinds,
  consistency: word('linearizable', 'lease', 'local'),
};

const selectorKinds: Kinds = { prefix: text, start: text, end: text };

export const rangeKinds: Kinds = {
  ...readKinds,
  ...selectorKinds,
  after: text,
  limit: integer(1),
  bytesMax: integer(1),
  order: word('asc', 'desc'),
  keysOnly: flag,
  countOnly: flag,
  revision,
};

export const deleteKinds: Kinds = { ...callKinds, ifRevision: revision, previous: flag };
export const putKinds: Kinds = { ...deleteKinds, ifAbsent: flag };

export const watchKinds: Kinds = {
  ...selectorKinds,
  signal: abortSignal,
  key: text,
  from: revision,
  initial: flag,
  previous: flag,
};

export const prefixKinds: Kinds = { prefix: needed(text) };
export const txnKinds: Kinds = { if: list(object), then: list(object), else: list(object) };

const operationType: Kind = needed(word('put', 'delete', 'increment', 'get'));
const type = operationType;
const key: Kind = needed(text);

const operationKinds: Readonly<Record<string, Kinds>> = {
  put: { type, key, value: anything, previous: flag },
  delete: { type, key: text, prefix: text, previous: flag },
  increment: { type, key, by: step },
  get: { type, key },
};

const compareKinds: Kinds = {
  key,
  is: word('=', '!=', '<', '>'),
  exists: flag,
  value: anything,
  modRevision: revision,
  createRevision: revision,
  version: revision,
};

/** What a comparison may compare. */
export type Operand = 'exists' | 'value' | 'modRevision' | 'createRevision' | 'version';

/** Throws `TypeError` or `RangeError`; `path` names it among others, such as `then[0].`. */
export function checkOperation(
  operation: { readonly type: string },
  action: string,
  path: string,
  mayGet: boolean,
): void {
  checkValue(operation, object, action, path.slice(0, -1));
  checkValue(operation.type, operationType, action, `${path}type`);
  if (operation.type === 'get' && !mayGet) {
    throw new TypeError(`Cannot ${action}: ${path}type is "get", wanted writes only`);
  }
  const given: { readonly key?: string; readonly prefix?: string } = takeOptions<object>(
    operation,
    operationKinds[operation.type] as Kinds,
    action,
    path,
  );
  if (operation.type !== 'get') checkWritable(given.key ?? given.prefix ?? '', action);
}

/** The one thing that a comparison compares. Throws `TypeError` or `RangeError`. */
export function operandOf(compare: object, action: string, path: string): Operand {
  const given: { readonly is?: string } = takeOptions(compare, compareKinds, action, path);
  const { is } = given;
  const [operand, second] = operands.filter((one) => one in given);
  const at = path.slice(0, -1);
  if (operand === undefined || second !== undefined) {
    const found =
      operand === undefined ? 'names nothing to compare' : `names ${operand} and ${second}`;
    throw new TypeError(`Cannot ${action}: ${at} ${found}, wanted one of ${operands.join(', ')}`);
  }
  const isOrder = is === '<' || is === '>';
  if (is !== undefined && (operand === 'exists' || (operand === 'value' && isOrder))) {
    const wanted = operand === 'value' ? '= or !=' : 'none';
    throw new TypeError(`Cannot ${action}: ${path}is is "${is}" for ${operand}, wanted ${wanted}`);
  }
  return operand;
}

const operands: readonly Operand[] = [
  'exists',
  'value',
  'modRevision',
  'createRevision',
  'version',
];

/**
 * Keys that begin with a tilde, the last printable ASCII character, are the runtime's: counters and
 * what comes after them. They sort behind most others.
 */
export function isRuntimeKey(name: string): boolean {
  return name.startsWith('~');
}

/** Throws `TypeError` for what only the runtime writes: a key, or a prefix of its keys. */
export function checkWritable(name: string, action: string): void {
  if (!isRuntimeKey(name)) return;
  throw new TypeError(
    `Cannot ${action} ${JSON.stringify(name)}: what begins with ~ is the runtime's, wanted another key`,
  );
}
