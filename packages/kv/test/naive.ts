import type { CompareCommand, OperationCommand, TxnCommand } from '../src/command.ts';
import { selects } from '../src/ordered-map.ts';
import type { Value } from '../src/types.ts';
import { decodeValue } from '../src/value.ts';

/** The same state, written in the most obvious way: every revision is a whole copy. */
export type NaiveEntry = {
  readonly key: string;
  readonly value: Value;
  readonly createRevision: number;
  readonly modRevision: number;
  readonly version: number;
};
type State = ReadonlyMap<string, NaiveEntry>;
export type NaiveEvent = { key: string; entry: NaiveEntry | null; previous: NaiveEntry | null };

export class NaiveStore {
  /** By revision; 0 is empty. */
  readonly states: State[] = [new Map()];
  readonly events: NaiveEvent[][] = [[]];
  readonly historyRevisionCountMax: number;

  constructor(historyRevisionCountMax: number) {
    this.historyRevisionCountMax = historyRevisionCountMax;
  }

  get revision(): number {
    return this.states.length - 1;
  }

  get oldestRevision(): number {
    return Math.max(1, this.revision - this.historyRevisionCountMax + 1);
  }

  state(revision: number = this.revision): State {
    return this.states[revision] ?? new Map();
  }

  /** The entries selected, by UTF-8 bytes. */
  select(prefix: string, revision: number = this.revision): NaiveEntry[] {
    return [...this.state(revision).values()]
      .filter(({ key }) => key.startsWith(prefix))
      .sort((a, b) => Buffer.compare(Buffer.from(a.key), Buffer.from(b.key)));
  }

  /** 'refused', or whether `then` was taken. */
  execute(txn: TxnCommand): 'refused' | boolean {
    for (const list of [txn.then, txn.else]) if (this.#writesTwice(list)) return 'refused';
    const succeeded = txn.compares.every((compare) => this.#holds(compare));
    const next = new Map(this.state());
    const events: NaiveEvent[] = [];
    for (const operation of succeeded ? txn.then : txn.else) {
      if (!this.#carryOut(operation, next, events)) return 'refused';
    }
    if (events.length > 0) {
      this.states.push(next);
      this.events.push(events);
    }
    return succeeded;
  }

  #carryOut(
    operation: OperationCommand,
    next: Map<string, NaiveEntry>,
    events: NaiveEvent[],
  ): boolean {
    switch (operation.type) {
      case 'get':
        return true;
      case 'put':
        this.#write(operation.key, decodeValue(operation.value), next, events);
        return true;
      case 'increment': {
        const before = next.get(operation.key)?.value ?? 0;
        if (!Number.isSafeInteger(before)) return false;
        this.#write(operation.key, (before as number) + operation.by, next, events);
        return true;
      }
      case 'delete': {
        for (const previous of this.select('')) {
          if (!selects(operation.selector, previous.key)) continue;
          next.delete(previous.key);
          events.push({ key: previous.key, entry: null, previous });
        }
        return true;
      }
    }
  }

  #write(key: string, value: Value, next: Map<string, NaiveEntry>, events: NaiveEvent[]): void {
    const previous = next.get(key) ?? null;
    const modRevision = this.revision + 1;
    const entry = {
      key,
      value,
      createRevision: previous?.createRevision ?? modRevision,
      modRevision,
      version: (previous?.version ?? 0) + 1,
    };
    next.set(key, entry);
    events.push({ key, entry, previous });
  }

  #holds(compare: CompareCommand): boolean {
    if (compare.type === 'unchanged') {
      const { since } = compare;
      if (since + 1 < this.oldestRevision) return false;
      return !this.events
        .slice(since + 1)
        .some((events) => events.some(({ key }) => selects(compare.selector, key)));
    }
    const entry = this.state().get(compare.key);
    if (compare.type === 'exists') return compare.exists === (entry !== undefined);
    if (compare.type === 'value') {
      const same =
        entry !== undefined &&
        JSON.stringify(entry.value) === JSON.stringify(decodeValue(compare.value));
      return compare.is === '=' ? same : !same;
    }
    const left = entry?.[compare.type] ?? 0;
    if (compare.is === '=') return left === compare.number;
    if (compare.is === '!=') return left !== compare.number;
    return compare.is === '<' ? left < compare.number : left > compare.number;
  }

  // Tried on every key there could be, one by one.
  #writesTwice(operations: readonly OperationCommand[]): boolean {
    const selectors = operations
      .filter(({ type }) => type !== 'get')
      .map((one) => (one.type === 'delete' ? one.selector : { key: (one as { key: string }).key }));
    const named = selectors.map((one) => ('key' in one ? one.key : one.prefix));
    return named.some((key) => selectors.filter((one) => selects(one, key)).length > 1);
  }
}
