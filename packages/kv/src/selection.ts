/** Reads of the local state, at the present or at an earlier revision. */
import { QuorateError } from '@quorate/contracts';
import { compareKeys } from './key.ts';
import { selects } from './ordered-map.ts';
import type { KvRecord } from './record.ts';
import type { Store } from './store.ts';
import type { KeySelector, KvEntry, RangeOptions, RangeResult } from './types.ts';

export type Selection = Pick<
  RangeOptions,
  'limit' | 'order' | 'keysOnly' | 'countOnly' | 'revision'
> & { readonly selector: KeySelector };

/** Errors: `COMPACTED` with `details.oldestRevision`, `BAD_REQUEST` for a revision to come. */
export function select(store: Store, selection: Selection): RangeResult {
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
  for (const record of records) {
    if (entries.length === selection.limit) {
      return { entries, revision, more: true, count: entries.length };
    }
    entries.push(selection.keysOnly === true ? record.entryWithoutValue() : record.entry());
  }
  return { entries, revision, more: false, count: entries.length };
}

function presentRecords(store: Store, selection: Selection): Iterable<KvRecord> {
  return selection.order === 'desc'
    ? store.records.selectReversed(selection.selector)
    : store.records.select(selection.selector);
}

/** Undoes what happened since: newest first, so that the oldest undoing has the last word. */
function pastRecords(store: Store, selection: Selection, revision: number): Iterable<KvRecord> {
  checkRevision(store, revision);
  const { selector } = selection;
  const undone = new Map<string, KvRecord | null>();
  for (let next = store.revision; next > revision; next -= 1) {
    for (const { key, previous } of store.history.get(next)?.events ?? []) {
      if (selects(selector, key)) undone.set(key, previous);
    }
  }
  const records = [...store.records.select(selector)].filter(({ key }) => !undone.has(key));
  for (const record of undone.values()) if (record !== null) records.push(record);
  const direction = selection.order === 'desc' ? -1 : 1;
  return records.sort((a, b) => compareKeys(a.key, b.key) * direction);
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
