/**
 * The replicated state and what commands do to it: etcd's model. One global revision grows by one
 * with each transaction that writes; all its writes share it. A transaction is planned first, in
 * full, and carried out only if nothing in it fails.
 */
import { assert, equalBytes } from '@quorate/contracts';
import type { CompareCommand, OperationCommand, TxnCommand } from './command.ts';
import type { HistoryCapture, HistoryEvent } from './history.ts';
import type { History } from './history.ts';
import { resultBytesMax, stateBytesMaxDefault } from './limits.ts';
import type { OrderedMap } from './ordered-map.ts';
import type { KvRecord } from './record.ts';
import { written } from './record.ts';
import type { CommandResult, OperationOutcome, Refused } from './result.ts';
import type { Comparison } from './types.ts';
import { decodeInteger, encodeValue } from './value.ts';

export type StoreParts = {
  readonly revision: number;
  readonly records: OrderedMap;
  readonly history: History;
};

/** What takes the place of a record that was made: itself, or an equal one that is held already. */
export type Share = (record: KvRecord) => KvRecord;

/** The whole state at one revision, unmoved by later writes. */
export type StoreCapture = {
  readonly revision: number;
  readonly records: OrderedMap;
  readonly history: HistoryCapture;
};

export class Store {
  readonly #records: OrderedMap;
  readonly #history: History;
  readonly #trimming: () => void;
  readonly #share: Share;
  #revision: number;
  #costBytes = 0;

  /** `trimming` is called before history is forgotten, while it can still be read. */
  constructor(parts: StoreParts, trimming: () => void, share: Share) {
    this.#records = parts.records;
    this.#history = parts.history;
    this.#revision = parts.revision;
    this.#trimming = trimming;
    this.#share = share;
    for (const record of parts.records.all()) this.#costBytes += record.costBytes;
  }

  get revision(): number {
    return this.#revision;
  }

  get records(): OrderedMap {
    return this.#records;
  }

  get history(): History {
    return this.#history;
  }

  /** What the present state counts for against its limit. */
  get costBytes(): number {
    return this.#costBytes;
  }

  capture(): StoreCapture {
    return {
      revision: this.#revision,
      records: this.#records.clone(),
      history: this.#history.capture(),
    };
  }

  /** Deterministic; writes everything or nothing. */
  execute(command: TxnCommand): CommandResult {
    const succeeded = command.compares.every((compare) => this.#holds(compare));
    const plan = this.#plan(succeeded ? command.then : command.else);
    if ('type' in plan) return plan;
    const refused = checkResults(plan) ?? this.#checkState(plan, command.stateBytesMax);
    if (refused !== null) return refused;
    this.#carryOut(plan.events);
    return { type: 'done', succeeded, revision: this.#revision, results: plan.results };
  }

  #holds(compare: CompareCommand): boolean {
    if (compare.type === 'unchanged') {
      // Where the history does not reach back nothing is known, and the condition does not hold.
      return this.#history.changedSince(compare.selector, compare.since) === false;
    }
    const record = this.#records.get(compare.key);
    switch (compare.type) {
      case 'exists':
        return (record !== undefined) === compare.exists;
      case 'value': {
        const equal = record !== undefined && equalBytes(record.value, compare.value);
        return equal === (compare.is === '=');
      }
      default:
        return compareNumbers(record?.[compare.type] ?? 0, compare.is, compare.number);
    }
  }

  // No key is written twice (checked when the command was decoded), so each write finds what was
  // there before the transaction. Only reads look at the writes before them.
  #plan(operations: readonly OperationCommand[]): Plan | Refused {
    const revision = this.#revision + 1;
    const plan: Plan = { events: [], results: [] };
    for (const operation of operations) {
      const outcome = this.#planOne(operation, revision, plan.events);
      if (outcome.type === 'refused') return outcome;
      plan.results.push(outcome);
    }
    return plan;
  }

  #planOne(
    operation: OperationCommand,
    revision: number,
    events: HistoryEvent[],
  ): OperationOutcome | Refused {
    switch (operation.type) {
      case 'put': {
        const previous = this.#records.get(operation.key) ?? null;
        // A copy: the command's buffer belongs to the log.
        const own = written(operation.key, operation.value.slice(), revision, previous);
        const record = this.#share(own);
        events.push({ key: operation.key, record, previous });
        return { type: 'put', previous: operation.previous ? previous : undefined };
      }
      case 'delete': {
        const gone = [...this.#records.select(operation.selector)];
        for (const previous of gone) events.push({ key: previous.key, record: null, previous });
        return {
          type: 'delete',
          deleted: gone.length,
          previous: operation.previous ? gone : undefined,
        };
      }
      case 'increment': {
        const previous = this.#records.get(operation.key) ?? null;
        const before = previous === null ? 0 : decodeInteger(previous.value);
        if (before === null) return conflict(operation.key, previous, 'holds no integer');
        const sum = before + operation.by;
        if (!Number.isSafeInteger(sum)) {
          return conflict(operation.key, previous, `holds ${before}: the sum is no safe integer`);
        }
        const record = written(operation.key, encodeValue(sum), revision, previous);
        events.push({ key: operation.key, record, previous });
        return { type: 'increment', value: sum };
      }
      case 'get': {
        const event = events.find(({ key }) => key === operation.key);
        const record = event === undefined ? this.#records.get(operation.key) : event.record;
        return { type: 'get', record: record ?? null };
      }
    }
  }

  /** A state beyond its limit takes what does not make it larger. */
  #checkState(plan: Plan, stateBytesMax: number): Refused | null {
    const max = stateBytesMax === 0 ? stateBytesMaxDefault : stateBytesMax;
    const growth = growthBytes(plan.events);
    const wanted = this.#costBytes + growth;
    if (growth <= 0 || wanted <= max) return null;
    return tooLarge(`the state would have ${wanted} bytes, wanted at most ${max}`);
  }

  #carryOut(events: readonly HistoryEvent[]): void {
    if (events.length === 0) return;
    this.#revision += 1;
    this.#costBytes += growthBytes(events);
    for (const { key, record } of events) {
      if (record === null) this.#records.delete(key);
      else this.#records.set(record);
    }
    this.#history.append(this.#revision, events);
    const excess = this.#history.excess;
    if (excess > 0) {
      this.#trimming();
      this.#history.trim(excess);
    }
    assert(this.#costBytes >= 0, 'state bytes >= 0');
  }
}

type Plan = { readonly events: HistoryEvent[]; readonly results: OperationOutcome[] };

function conflict(key: string, current: KvRecord | null, what: string): Refused {
  const message = `cannot increment ${JSON.stringify(key)}: it ${what}`;
  return { type: 'refused', code: 'CONFLICT', message, blame: { key, current } };
}

/** Results are kept for retries and sent to other members: they are bounded like requests. */
function checkResults(plan: Plan): Refused | null {
  let bytes = 0;
  for (const outcome of plan.results) {
    if (outcome.type === 'get') bytes += outcome.record?.costBytes ?? 0;
    if (outcome.type === 'put') bytes += outcome.previous?.costBytes ?? 0;
    if (outcome.type !== 'delete') continue;
    for (const record of outcome.previous ?? []) bytes += record.costBytes;
  }
  if (bytes <= resultBytesMax) return null;
  return tooLarge(`the results would have ${bytes} bytes, wanted at most ${resultBytesMax}`);
}

function tooLarge(message: string): Refused {
  return { type: 'refused', code: 'LIMIT_EXCEEDED', message, blame: null };
}

function growthBytes(events: readonly HistoryEvent[]): number {
  let bytes = 0;
  for (const { record, previous } of events) {
    bytes += (record?.costBytes ?? 0) - (previous?.costBytes ?? 0);
  }
  return bytes;
}

function compareNumbers(left: number, is: Comparison, right: number): boolean {
  switch (is) {
    case '=':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '>':
      return left > right;
  }
}
