/** Reads of the local state, at the present or at an earlier revision. */
import { QuorateError } from '@quorate/contracts';
import { compareKeys } from './key.ts';
import { selects } from './ordered-map.ts';
import type { KvRecord } from './record.ts';
import type { Store } from './store.ts';
import type { KeySelector, KvEntry, RangeOptions, RangeResult } from './types.ts';

export type Selection = Pick<
  RangeOptions,
  'after' | 'limit' | 'bytesMax' | 'order' | 'keysOnly' | 'countOnly' | 'revision'
> & { readonly selector: KeySelector };

/** Errors: `COMPACTED` with `details.oldestRevision`, `BAD_REQUEST` for a revision to come. */
export function select(store: Store, selection: Selection): RangeResult {
  const { limit = Infinity, bytesMax = Infinity, keysOnly = false } = selection;
  const revision = selection.revision ?? store.revision;
  const records =
    revision === store.revision
      ? presentRecords(store, selection)
      : pastRecords(store, selection, revision);
  if (selection.countOnly === true) {
    let count = 0;
    for (const _record of records) count += 1;
    return { entries: [], revision, more: false, count };
  }
  const entries: KvEntry[] = [];
  let bytes = 0;
  for (const record of records) {
    bytes += record.costBytes - (keysOnly ? record.value.length : 0);
    const last = entries.at(-1);
    if (last !== undefined && (entries.length === limit || bytes > bytesMax)) {
      return { entries, revision, more: true, after: last.key, count: entries.length };
    }
    entries.push(keysOnly ? record.entryWithoutValue() : record.entry());
  }
  return { entries, revision, more: false, count: entries.length };
}

function presentRecords(store: Store, { selector, order, after }: Selection): Iterable<KvRecord> {
  return order === 'desc'
    ? store.records.selectReversed(selector, after)
    : store.records.select(selector, after);
}

/**
 * The present with what happened since undone, one after the other: a page costs itself and the
 * history since then, not the whole state.
 */
function pastRecords(store: Store, selection: Selection, revision: number): Iterable<KvRecord> {
  checkRevision(store, revision);
  const { selector, after } = selection;
  const direction = selection.order === 'desc' ? -1 : 1;
  const undone = new Map<string, KvRecord | null>();
  // Newest first, so that the oldest undoing has the last word.
  for (let next = store.revision; next > revision; next -= 1) {
    for (const { key, previous } of store.history.get(next)?.events ?? []) {
      if (after !== undefined && compareKeys(key, after) * direction <= 0) continue;
      if (selects(selector, key)) undone.set(key, previous);
    }
  }
  const before = [...undone.values()]
    .filter((record) => record !== null)
    .sort((a, b) => compareKeys(a.key, b.key) * direction);
  return merged(presentRecords(store, selection), undone, before, direction);
}

/** Both in order, without those of `present` that `undone` names. */
function* merged(
  present: Iterable<KvRecord>,
  undone: ReadonlyMap<string, unknown>,
  before: readonly KvRecord[],
  direction: number,
): Generator<KvRecord, undefined> {
  let at = 0;
  for (const record of present) {
    if (undone.has(record.key)) continue;
    for (let one = before[at]; one !== undefined; one = before[at]) {
      if (compareKeys(one.key, record.key) * direction > 0) break;
      yield one;
      at += 1;
    }
    yield record;
  }
  yield* before.slice(at);
}

function checkRevision(store: Store, revision: number): void {
  if (revision > store.revision) {
    throw new QuorateError(
      'BAD_REQUEST',
      `Cannot read revision ${revision}: the state is at ${store.revision}`,
      { details: { revision: store.revision } },
    );
  }
  // The state before the oldest revision kept can still be made, by undoing that one too.
  const oldestRevision = store.history.oldestRevision - 1;
  if (revision < oldestRevision) throw compacted('read', revision, oldestRevision);
}

export function compacted(action: string, revision: number, oldestRevision: number): QuorateError {
  return new QuorateError(
    'COMPACTED',
    `Cannot ${action} revision ${revision}: the history begins at ${oldestRevision}`,
    { details: { revision, oldestRevision } },
  );
}
